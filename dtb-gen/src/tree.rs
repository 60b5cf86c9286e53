//! Ordered nodes and properties, the only form in which trees are built, changed and compared.

use crate::{PlanError, Value};

/// Phandles from this value on are left to tests that need unusual ones.
pub(crate) const PHANDLE_LIMIT: u32 = 0xffff_fff0;

/// A whole device tree, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// Memory reservations, (address, size).
    pub reserved: Vec<(u64, u64)>,
    /// Physical id of the boot CPU.
    pub boot_cpu: u32,
    /// The root node; its name is empty.
    pub root: Node,
}

/// A node: properties first, then children, both in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Name with its unit address.
    pub name: String,
    /// Properties in order.
    pub props: Vec<Prop>,
    /// Children in order.
    pub children: Vec<Node>,
}

/// A property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prop {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub value: Vec<u8>,
}

impl Prop {
    /// Returns the one cell that the value is.
    pub fn u32(&self) -> Option<u32> {
        Some(u32::from_be_bytes(self.value.as_slice().try_into().ok()?))
    }

    /// Returns the one 64-bit number that the value is.
    pub fn u64(&self) -> Option<u64> {
        Some(u64::from_be_bytes(self.value.as_slice().try_into().ok()?))
    }

    /// Returns the value as cells, unless its length is no multiple of four.
    pub fn cells(&self) -> Option<Vec<u32>> {
        let (cells, rest) = self.value.as_chunks::<4>();
        rest.is_empty()
            .then(|| cells.iter().map(|cell| u32::from_be_bytes(*cell)).collect())
    }

    /// Returns the value as one string, if it is UTF-8 with exactly one NUL, at its end.
    pub fn text(&self) -> Option<&str> {
        match self.texts()?.as_slice() {
            [one] => Some(one),
            _ => None,
        }
    }

    /// Returns the value as strings, if it is UTF-8 and ends with a NUL.
    pub fn texts(&self) -> Option<Vec<&str>> {
        let text = str::from_utf8(self.value.strip_suffix(&[0])?).ok()?;
        Some(text.split('\0').collect())
    }
}

impl Node {
    /// Makes an empty node.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// Sets a property and returns the node.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.set(name, value);
        self
    }

    /// Appends a child and returns the node.
    #[must_use]
    pub fn child(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    /// Sets a property: in place if it exists, else at the end.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        let value = value.into().bytes();
        match self.prop_mut(name) {
            Some(prop) => prop.value = value,
            None => self.props.push(Prop {
                name: name.to_owned(),
                value,
            }),
        }
    }

    /// Removes a property, if it exists.
    pub fn remove(&mut self, name: &str) -> Option<Prop> {
        let at = self.props.iter().position(|prop| prop.name == name)?;
        Some(self.props.remove(at))
    }

    /// Returns the first property of this name.
    pub fn get(&self, name: &str) -> Option<&Prop> {
        self.props.iter().find(|prop| prop.name == name)
    }

    /// Tells whether there is a property of this name.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(crate) fn prop_mut(&mut self, name: &str) -> Option<&mut Prop> {
        self.props.iter_mut().find(|prop| prop.name == name)
    }

    pub(crate) fn phandle(&self) -> Option<u32> {
        self.get("phandle")
            .or_else(|| self.get("linux,phandle"))?
            .u32()
    }
}

impl Tree {
    /// Finds a node by its exact path; of equal siblings, the first.
    pub fn find(&self, path: &str) -> Option<&Node> {
        steps(path)?.try_fold(&self.root, |node, name| {
            node.children.iter().find(|child| child.name == name)
        })
    }

    /// Finds a node by its exact path, to change it.
    pub fn find_mut(&mut self, path: &str) -> Option<&mut Node> {
        steps(path)?.try_fold(&mut self.root, |node, name| {
            node.children.iter_mut().find(|child| child.name == name)
        })
    }

    /// Finds a node by its path, and creates the missing nodes of the path.
    pub fn ensure(&mut self, path: &str) -> &mut Node {
        let mut node = &mut self.root;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let at = match node.children.iter().position(|child| child.name == name) {
                Some(at) => at,
                None => {
                    node.children.push(Node::new(name));
                    node.children.len() - 1
                }
            };
            node = &mut node.children[at];
        }
        node
    }

    /// Removes a node with its children; the root cannot be removed.
    pub fn remove(&mut self, path: &str) -> Option<Node> {
        let (parent, name) = split(path)?;
        let siblings = &mut self.find_mut(parent)?.children;
        let at = siblings.iter().position(|child| child.name == name)?;
        Some(siblings.remove(at))
    }

    /// Lists every node's path, in order and parents first.
    pub fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.walk(|path, _| paths.push(path.to_owned()));
        paths
    }

    /// Returns one more than the largest phandle in use, not counting the last sixteen numbers.
    pub fn next_free_phandle(&self) -> u32 {
        let mut largest = 0;
        self.walk(|_, node| {
            for prop in node
                .props
                .iter()
                .filter(|prop| prop.name.ends_with("phandle"))
            {
                if let Some(phandle) = prop.u32().filter(|phandle| *phandle < PHANDLE_LIMIT) {
                    largest = largest.max(phandle);
                }
            }
        });
        largest + 1
    }

    /// Returns the phandle of the node at this path.
    pub fn phandle_of(&self, path: &str) -> Option<u32> {
        self.find(path)?.phandle()
    }

    /// Returns the path of the first node with this phandle.
    pub fn by_phandle(&self, phandle: u32) -> Option<String> {
        let mut found = None;
        self.walk(|path, node| {
            if found.is_none() && node.phandle() == Some(phandle) {
                found = Some(path.to_owned());
            }
        });
        found
    }

    /// Pads the emitted tree to exactly `total` bytes with one property of zeros at `path`.
    ///
    /// The length of the property's name varies, because values are padded to four bytes and names are not.
    pub fn pad(&mut self, path: &str, total: usize) -> Result<(), PlanError> {
        if self.find(path).is_none() {
            return Err(self.no_node(path));
        }
        let mut least = 0;
        for name in ["pad", "pad-", "pad--", "pad---"] {
            let mut trial = self.clone();
            trial.ensure(path).set(name, ());
            least = trial.emit()?.len();
            match total.checked_sub(least) {
                Some(more) if more.is_multiple_of(4) => {
                    trial.ensure(path).set(name, Value::Bytes(vec![0; more]));
                    *self = trial;
                    return Ok(());
                }
                _ => {}
            }
        }
        Err(PlanError::Pad {
            path: path.to_owned(),
            wanted: total,
            least,
        })
    }

    pub(crate) fn no_node(&self, path: &str) -> PlanError {
        let paths = self.paths();
        let below_root = paths.iter().skip(1).map(String::as_str);
        PlanError::NoNode {
            path: path.to_owned(),
            nearest: text::nearest(path, below_root).map(str::to_owned),
        }
    }

    /// Visits every node with its path, parents first, without recursion.
    pub(crate) fn walk<'a>(&'a self, mut visit: impl FnMut(&str, &'a Node)) {
        let mut todo = vec![("/".to_owned(), &self.root)];
        while let Some((path, node)) = todo.pop() {
            visit(&path, node);
            let below = node.children.iter().rev();
            todo.extend(below.map(|child| (join(&path, &child.name), child)));
        }
    }
}

/// Returns the names along an absolute path.
fn steps(path: &str) -> Option<impl Iterator<Item = &str>> {
    let rest = path.strip_prefix('/')?;
    Some(rest.split('/').filter(move |_| !rest.is_empty()))
}

/// Splits an absolute path into its parent's path and its own name; the root has neither.
pub(crate) fn split(path: &str) -> Option<(&str, &str)> {
    let (parent, name) = path.rsplit_once('/')?;
    (!name.is_empty()).then_some((if parent.is_empty() { "/" } else { parent }, name))
}

/// Returns the path of a child.
pub(crate) fn join(parent: &str, name: &str) -> String {
    format!("{}/{name}", parent.trim_end_matches('/'))
}
