//! What can be wrong with a tree, and with a property of a sound one.

use core::fmt;

use super::{MAX_DEPTH, MAX_SIZE, Node};

/// A flattened tree that is not one, and where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DtError<'t> {
    /// The innermost node that was open.
    pub node: Option<&'t str>,
    /// What is wrong.
    pub kind: DtErrorKind,
}

/// What is wrong with a flattened tree. Offsets count from the start of the blob.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DtErrorKind {
    /// Fewer bytes than a header has.
    Short {
        /// How many there are.
        len: usize,
    },
    /// The first word is not the magic number.
    Magic {
        /// What it is.
        found: u32,
    },
    /// The header promises more bytes than there are, or fewer than itself.
    TotalSize {
        /// What it promises.
        stated: u32,
        /// What there is.
        available: usize,
    },
    /// The tree is longer than any that is read.
    TooLong {
        /// What the header promises.
        stated: u32,
    },
    /// A layout that this reader does not know.
    Version {
        /// The version of the tree.
        version: u32,
        /// The oldest version that it says it can be read as.
        compatible: u32,
    },
    /// A block does not lie in the tree.
    Block {
        /// Which block.
        block: &'static str,
        /// Where it is to begin.
        offset: u32,
        /// How long it is to be.
        size: u32,
    },
    /// A block begins or ends off its alignment.
    Misaligned {
        /// Which block.
        block: &'static str,
        /// Where it is to begin.
        offset: u32,
        /// How long it is to be.
        size: u32,
    },
    /// The list of reserved ranges does not end in the tree.
    ReservedUnterminated,
    /// A word in the structure block that is no token.
    Token {
        /// Where.
        at: usize,
        /// What it is.
        found: u32,
    },
    /// The structure block stops in the middle of something.
    Cut {
        /// Where.
        at: usize,
    },
    /// A node's name does not end in the structure block.
    NameUnterminated {
        /// Where it begins.
        at: usize,
    },
    /// A node's name is empty or has a byte that no name has.
    Name {
        /// Where it begins.
        at: usize,
    },
    /// A property is longer than what is left of the structure block.
    PropertyLength {
        /// Where the property stands.
        at: usize,
        /// What it says.
        len: u32,
    },
    /// A property's name does not lie in the strings block, does not end there, or has a byte
    /// that no name has.
    PropertyName {
        /// Where the property stands.
        at: usize,
        /// Where in the strings block its name is to be.
        offset: u32,
    },
    /// A property stands outside any node.
    PropertyOutside {
        /// Where.
        at: usize,
    },
    /// A property comes after a child of its node.
    PropertyAfterChild {
        /// Where.
        at: usize,
    },
    /// More nodes are open than [`MAX_DEPTH`].
    TooDeep {
        /// Where.
        at: usize,
    },
    /// A node ends that never began.
    EndWithoutNode {
        /// Where.
        at: usize,
    },
    /// A second root.
    SecondRoot {
        /// Where.
        at: usize,
    },
    /// The tree ends while nodes are open.
    Unclosed {
        /// How many.
        open: usize,
    },
    /// The tree ends without a root.
    NoRoot,
    /// The structure block has no end token.
    NoEnd,
}

impl fmt::Display for DtErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { len } => write!(f, "is {len} bytes long, shorter than a header"),
            Self::Magic { found } => write!(f, "begins with {found:#010x}, not 0xd00dfeed"),
            Self::TotalSize { stated, available } => {
                write!(
                    f,
                    "says it is {stated} bytes long where {available} are at hand"
                )
            }
            Self::TooLong { stated } => {
                write!(f, "says it is {stated} bytes long, more than {MAX_SIZE}")
            }
            Self::Version {
                version,
                compatible,
            } => {
                write!(
                    f,
                    "has version {version}, readable as {compatible}, not as 17"
                )
            }
            Self::Block {
                block,
                offset,
                size,
            } => {
                write!(
                    f,
                    "has its {block} at {offset:#x}, {size:#x} bytes, outside itself"
                )
            }
            Self::Misaligned {
                block,
                offset,
                size,
            } => {
                write!(
                    f,
                    "has its {block} at {offset:#x}, {size:#x} bytes, misaligned"
                )
            }
            Self::ReservedUnterminated => f.write_str("has a memory reservation block without end"),
            Self::Token { at, found } => write!(f, "has {found:#x} at {at:#x}, which is no token"),
            Self::Cut { at } => write!(f, "stops at {at:#x} in the middle of a token"),
            Self::NameUnterminated { at } => write!(f, "has a node name without end at {at:#x}"),
            Self::Name { at } => write!(f, "has a bad node name at {at:#x}"),
            Self::PropertyLength { at, len } => {
                write!(
                    f,
                    "has a property of {len} bytes at {at:#x}, more than are left"
                )
            }
            Self::PropertyName { at, offset } => {
                write!(
                    f,
                    "has a property at {at:#x} with a bad name at {offset:#x} of the strings"
                )
            }
            Self::PropertyOutside { at } => write!(f, "has a property outside any node at {at:#x}"),
            Self::PropertyAfterChild { at } => {
                write!(f, "has a property behind a child of its node at {at:#x}")
            }
            Self::TooDeep { at } => {
                write!(
                    f,
                    "has more than {MAX_DEPTH} nodes inside one another at {at:#x}"
                )
            }
            Self::EndWithoutNode { at } => write!(f, "ends a node that never began at {at:#x}"),
            Self::SecondRoot { at } => write!(f, "has a second root at {at:#x}"),
            Self::Unclosed { open } => write!(f, "ends with {open} nodes open"),
            Self::NoRoot => f.write_str("has no root"),
            Self::NoEnd => f.write_str("has no end token"),
        }
    }
}

impl fmt::Display for DtError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)?;
        match self.node {
            Some("") => f.write_str(" (in node /)"),
            Some(name) => write!(f, " (in node {name})"),
            None => Ok(()),
        }
    }
}

impl core::error::Error for DtError<'_> {}

/// A property that does not say what it should, and where it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PropError<'t> {
    /// The node.
    pub node: Node<'t>,
    /// The property.
    pub property: &'static str,
    /// What is wrong with it.
    pub flaw: PropFlaw,
}

/// What is wrong with a property.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PropFlaw {
    /// It is not there.
    Missing,
    /// It is there more than once.
    Twice,
    /// It has another length than it must have.
    Length {
        /// Its length.
        is: usize,
        /// What it must be.
        wanted: usize,
    },
    /// Its length is no multiple of its unit.
    Remainder {
        /// Its length.
        is: usize,
        /// The length of one entry.
        unit: usize,
    },
    /// It has no value where one is wanted.
    Empty,
    /// Its text does not end with a NUL.
    Unterminated,
    /// Its text has a byte that is not printable ASCII.
    NotText,
    /// It holds several strings where one is wanted.
    Strings {
        /// How many.
        is: usize,
    },
    /// A number of cells that addresses and sizes cannot have here.
    CellCount {
        /// What it says.
        is: u32,
    },
}

impl fmt::Display for PropFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("is missing"),
            Self::Twice => f.write_str("is there twice"),
            Self::Length { is, wanted } => write!(f, "is {is} bytes long, not {wanted}"),
            Self::Remainder { is, unit } => {
                write!(f, "is {is} bytes long, not a multiple of {unit}")
            }
            Self::Empty => f.write_str("is empty"),
            Self::Unterminated => f.write_str("is text without a NUL at its end"),
            Self::NotText => f.write_str("is not printable text"),
            Self::Strings { is } => write!(f, "holds {is} strings, not one"),
            Self::CellCount { is } => write!(f, "is {is}, neither 1 nor 2"),
        }
    }
}

impl fmt::Display for PropError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: `{}` {}", self.node.path(), self.property, self.flaw)
    }
}

impl core::error::Error for PropError<'_> {}
