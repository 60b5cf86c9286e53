//! Reads a flattened device tree, also a malformed one.
//!
//! The probe gets its trees from hypervisors under test, which may copy parts of a hostile
//! configuration. Existing readers either panic on such trees or refuse a whole tree for one odd name;
//! then the probe could not even report to which run it belongs. So this reader continues as far as
//! the structure is intact, and treats what it cannot read as absent.

/// Byte sizes and tokens of the format (Devicetree Specification v0.4, chapter 5).
const MAGIC: u32 = 0xd00d_feed;
const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROP: u32 = 3;
const NOP: u32 = 4;

/// The node by which a hypervisor announces its hypercalls.
pub const HYPERVISOR: &[u8] = b"/hypervisor";

/// A tree with a valid header.
#[derive(Debug, Clone, Copy)]
pub struct Tree<'a> {
    structure: &'a [u8],
    strings: &'a [u8],
}

/// A node: the offset in the structure block just after its name.
#[derive(Debug, Clone, Copy)]
pub struct Node<'a> {
    tree: Tree<'a>,
    at: usize,
    name: &'a [u8],
}

enum Token<'a> {
    Begin(&'a [u8]),
    /// The offset of its name in the strings block, and its value.
    Prop(usize, &'a [u8]),
    End,
}

/// Returns the size that a tree's header states, if the first eight bytes are the beginning of a header.
pub fn total_size(head: [u8; 8]) -> Option<u32> {
    (cell(&head, 0)? == MAGIC).then(|| cell(&head, 4))?
}

/// Reads the big-endian cell at a byte offset.
pub fn cell(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

/// Reads a number of one or two cells.
pub fn number(bytes: &[u8], at: usize, cells: usize) -> Option<u64> {
    match cells {
        1 => cell(bytes, at).map(u64::from),
        2 => Some(u64::from(cell(bytes, at)?) << 32 | u64::from(cell(bytes, at.checked_add(4)?)?)),
        _ => None,
    }
}

impl<'a> Tree<'a> {
    /// Makes a tree of the blob. The error is the offset of the header field that is invalid.
    pub fn new(blob: &'a [u8]) -> Result<Self, u32> {
        let small = |value: u32| usize::try_from(value).ok();
        let field = |at: u32| {
            small(at)
                .and_then(|at| cell(blob, at))
                .and_then(small)
                .ok_or(at)
        };
        let block = |offset: u32, size: u32| {
            let (start, len) = (field(offset)?, field(size)?);
            start
                .checked_add(len)
                .and_then(|end| blob.get(start..end))
                .ok_or(offset)
        };
        if cell(blob, 0) != Some(MAGIC) {
            return Err(0);
        }
        let tree = Self {
            structure: block(8, 36)?,
            strings: block(12, 32)?,
        };
        if tree.root().is_some() {
            Ok(tree)
        } else {
            Err(8)
        }
    }

    /// Returns the root.
    pub fn root(self) -> Option<Node<'a>> {
        match self.token(0)? {
            (Token::Begin(name), at) => Some(Node {
                tree: self,
                at,
                name,
            }),
            _ => None,
        }
    }

    /// Finds a node by its full path. A component without unit address matches any.
    pub fn find(self, path: &[u8]) -> Option<Node<'a>> {
        path.split(|byte| *byte == b'/')
            .filter(|name| !name.is_empty())
            .try_fold(self.root()?, |node, name| node.child(name))
    }

    /// Returns the range that the hypervisor's node leaves free for the guest's mappings: first address and size.
    pub fn free_space(self) -> Option<(u64, u64)> {
        self.find(HYPERVISOR)?.reg(self.root()?).next()
    }

    /// Reads the token at `at` and returns the offset of the next one.
    fn token(self, mut at: usize) -> Option<(Token<'a>, usize)> {
        let aligned = |at: usize| at.checked_next_multiple_of(4);
        loop {
            let kind = cell(self.structure, at)?;
            at = at.checked_add(4)?;
            match kind {
                BEGIN_NODE => {
                    let name = text(self.structure.get(at..)?)?;
                    return Some((
                        Token::Begin(name),
                        aligned(at.checked_add(name.len())?.checked_add(1)?)?,
                    ));
                }
                END_NODE => return Some((Token::End, at)),
                PROP => {
                    let len = usize::try_from(cell(self.structure, at)?).ok()?;
                    let name = usize::try_from(cell(self.structure, at.checked_add(4)?)?).ok()?;
                    let start = at.checked_add(8)?;
                    let end = start.checked_add(len)?;
                    let value = self.structure.get(start..end)?;
                    return Some((Token::Prop(name, value), aligned(end)?));
                }
                NOP => {}
                _ => return None,
            }
        }
    }
}

impl<'a> Node<'a> {
    /// Returns the node's name with its unit address.
    pub fn name(self) -> &'a [u8] {
        self.name
    }

    /// Returns a property's value. Skips properties whose name it cannot read.
    pub fn property(self, name: &[u8]) -> Option<&'a [u8]> {
        let mut at = self.at;
        while let Some((Token::Prop(found, value), next)) = self.tree.token(at) {
            let found = self
                .tree
                .strings
                .get(found..)
                .and_then(|strings| strings.strip_prefix(name));
            if found.is_some_and(|rest| rest.first() == Some(&0)) {
                return Some(value);
            }
            at = next;
        }
        None
    }

    /// Returns a property's value up to its first NUL.
    pub fn text(self, name: &[u8]) -> Option<&'a [u8]> {
        self.property(name).and_then(text)
    }

    /// Returns a property's value of one cell.
    pub fn cell(self, name: &[u8]) -> Option<u32> {
        self.property(name)
            .filter(|value| value.len() == 4)
            .and_then(|value| cell(value, 0))
    }

    /// Returns the children, in order.
    pub fn children(self) -> Children<'a> {
        Children {
            tree: self.tree,
            at: self.at,
        }
    }

    /// Returns the child with this name; a name without unit address matches any.
    pub fn child(self, name: &[u8]) -> Option<Self> {
        self.children().find(|child| {
            child.name == name
                || child
                    .name
                    .strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with(b"@"))
        })
    }

    /// Tells whether the node's `compatible` has `wanted`.
    pub fn is_compatible(self, wanted: &[u8]) -> bool {
        self.property(b"compatible")
            .is_some_and(|list| list.split(|byte| *byte == 0).any(|entry| entry == wanted))
    }

    /// Returns the entries of `reg`, address and size, with this node's parent's cell counts.
    pub fn reg(self, parent: Self) -> impl Iterator<Item = (u64, u64)> + 'a {
        let count = |name, default| {
            parent
                .cell(name)
                .map_or(Some(default), |cells| usize::try_from(cells).ok())
        };
        let cells = count(b"#address-cells", 2).zip(count(b"#size-cells", 1));
        let (address, size) = cells
            .filter(|cells| cells.0 <= 2 && cells.1 <= 2)
            .unwrap_or((0, 0));
        let value = self.property(b"reg").unwrap_or_default();
        // No entry is longer than 16 bytes; an entry of no cells has no number and ends the list.
        let step = (address + size) * 4;
        (0..).map_while(move |entry: usize| {
            let at = entry.checked_mul(step)?;
            Some((
                number(value, at, address)?,
                number(value, at.checked_add(address * 4)?, size)?,
            ))
        })
    }
}

/// The children of a node.
#[derive(Debug, Clone)]
pub struct Children<'a> {
    tree: Tree<'a>,
    at: usize,
}

impl<'a> Iterator for Children<'a> {
    type Item = Node<'a>;

    fn next(&mut self) -> Option<Node<'a>> {
        loop {
            let (token, at) = self.tree.token(self.at)?;
            self.at = at;
            match token {
                Token::Begin(name) => {
                    // A child without an end is the last one that can be found.
                    self.at = self.tree.past(at).unwrap_or(usize::MAX);
                    return Some(Node {
                        tree: self.tree,
                        at,
                        name,
                    });
                }
                Token::End => return None,
                Token::Prop(..) => {}
            }
        }
    }
}

impl Tree<'_> {
    /// Returns the offset after the end of the node that contains `at`.
    fn past(self, mut at: usize) -> Option<usize> {
        let mut depth = 0usize;
        loop {
            let (token, next) = self.token(at)?;
            at = next;
            match token {
                Token::Begin(_) => depth = depth.checked_add(1)?,
                Token::End if depth == 0 => return Some(at),
                Token::End => depth -= 1,
                Token::Prop(..) => {}
            }
        }
    }
}

fn text(bytes: &[u8]) -> Option<&[u8]> {
    bytes.get(..bytes.iter().position(|byte| *byte == 0)?)
}
