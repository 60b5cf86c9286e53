//! Trees for tests: made from scratch or from bytes, changed, and written as bytes.

use refhv::dt::{Blob, Event};

/// A node that can be changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// Name, unit address included.
    pub name: String,
    /// Properties in order.
    pub props: Vec<(String, Vec<u8>)>,
    /// Children in order.
    pub children: Vec<Tree>,
}

impl Tree {
    /// Makes a node.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    /// Reads a tree that is known to be sound.
    pub fn read(bytes: &[u8]) -> Self {
        let blob = Blob::new(bytes).expect("a sound tree");
        let mut open: Vec<Tree> = Vec::new();
        for event in blob.walk() {
            match event {
                Event::Begin(node) => open.push(Tree::new(node.name())),
                Event::Prop(prop) => open
                    .last_mut()
                    .expect("an open node")
                    .props
                    .push((prop.name().to_owned(), prop.value().to_owned())),
                Event::End => {
                    let node = open.pop().expect("an open node");
                    match open.last_mut() {
                        Some(parent) => parent.children.push(node),
                        None => return node,
                    }
                }
            }
        }
        panic!("a sound tree ends");
    }

    /// Sets a property to bytes.
    pub fn set(&mut self, name: &str, value: &[u8]) -> &mut Self {
        match self.props.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value.to_vec(),
            None => self.props.push((name.to_owned(), value.to_vec())),
        }
        self
    }

    /// Sets a property to bytes and is done.
    pub fn put(&mut self, name: &str, value: &[u8]) {
        self.set(name, value);
    }

    /// Removes a property and is done.
    pub fn cut(&mut self, name: &str) {
        self.remove(name);
    }

    /// Adds a property of bytes.
    pub fn bytes(mut self, name: &str, value: &[u8]) -> Self {
        self.set(name, value);
        self
    }

    /// Adds a property of cells.
    pub fn cells(self, name: &str, cells: &[u32]) -> Self {
        self.bytes(name, &be(cells))
    }

    /// Adds a property of one string.
    pub fn text(self, name: &str, text: &str) -> Self {
        let mut value = text.as_bytes().to_vec();
        value.push(0);
        self.bytes(name, &value)
    }

    /// Adds a property without a value.
    pub fn flag(self, name: &str) -> Self {
        self.bytes(name, &[])
    }

    /// Adds a child.
    pub fn child(mut self, child: Tree) -> Self {
        self.children.push(child);
        self
    }

    /// Removes a property.
    pub fn remove(&mut self, name: &str) -> &mut Self {
        self.props.retain(|(known, _)| known != name);
        self
    }

    /// Returns a property's value.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.props
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_slice())
    }

    /// Finds a node by its path.
    pub fn at(&mut self, path: &str) -> &mut Tree {
        let mut node = self;
        for part in path.split('/').filter(|part| !part.is_empty()) {
            node = node
                .children
                .iter_mut()
                .find(|child| child.name == part)
                .unwrap_or_else(|| panic!("no node {part} of {path}"));
        }
        node
    }

    /// Finds a node by its path without changing it.
    pub fn find(&self, path: &str) -> Option<&Tree> {
        path.split('/')
            .filter(|part| !part.is_empty())
            .try_fold(self, |node, part| {
                node.children.iter().find(|child| child.name == part)
            })
    }

    /// Writes the tree.
    pub fn blob(&self) -> Vec<u8> {
        self.blob_with(&[])
    }

    /// Writes the tree with entries in the memory reservation block.
    pub fn blob_with(&self, reserved: &[(u64, u64)]) -> Vec<u8> {
        let mut structure = Vec::new();
        let mut strings = Vec::new();
        self.write(&mut structure, &mut strings);
        structure.extend(be(&[9]));
        let mut block = Vec::new();
        for (base, size) in reserved.iter().chain(&[(0, 0)]) {
            block.extend(base.to_be_bytes());
            block.extend(size.to_be_bytes());
        }
        let len = |bytes: &Vec<u8>| u32::try_from(bytes.len()).expect("a short tree");
        let structure_at = 40 + len(&block);
        let strings_at = structure_at + len(&structure);
        let total = strings_at + len(&strings);
        let header = [
            0xd00d_feed,
            total,
            structure_at,
            strings_at,
            40,
            17,
            16,
            0,
            len(&strings),
            len(&structure),
        ];
        [be(&header), block, structure, strings].concat()
    }

    fn write(&self, structure: &mut Vec<u8>, strings: &mut Vec<u8>) {
        structure.extend(be(&[1]));
        structure.extend(self.name.as_bytes());
        structure.push(0);
        pad(structure);
        for (name, value) in &self.props {
            let offset = u32::try_from(strings.len()).expect("a short tree");
            strings.extend(name.as_bytes());
            strings.push(0);
            let len = u32::try_from(value.len()).expect("a short value");
            structure.extend(be(&[3, len, offset]));
            structure.extend(value);
            pad(structure);
        }
        for child in &self.children {
            child.write(structure, strings);
        }
        structure.extend(be(&[2]));
    }
}

/// Returns cells as bytes.
pub fn be(cells: &[u32]) -> Vec<u8> {
    cells.iter().flat_map(|cell| cell.to_be_bytes()).collect()
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}
