//! What can be wrong with a tree, and with a property of a sound one.

use core::fmt;

use super::{MAX_DEPTH, MAX_SIZE, Node};

/// Declares what can be wrong with something, each with its values and the words that name them.
macro_rules! flaws {
    (
        $(#[$about:meta])*
        pub enum $name:ident $(<$life:lifetime>)? {
            $($(#[$doc:meta])* $flaw:ident $(($($value:ident: $kind:ty),+))? = $text:literal;)+
        }
    ) => {
        $(#[$about])*
        pub enum $name $(<$life>)? {
            $($(#[$doc])* $flaw $(($($kind),+))?,)+
        }

        impl $(<$life>)? core::fmt::Display for $name $(<$life>)? {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match self {
                    $(Self::$flaw $(($($value),+))? => write!(f, $text),)+
                }
            }
        }
    };
}
pub(crate) use flaws;

/// A flattened tree that is not one, and where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DtError<'t> {
    /// The innermost node that was open.
    pub node: Option<&'t str>,
    /// What is wrong.
    pub kind: DtErrorKind,
}

flaws! {
    /// What is wrong with a flattened tree. Offsets count from the start of the blob.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub enum DtErrorKind {
        /// Fewer bytes than a header has.
        Short(len: usize) = "is {len} bytes long, shorter than a header";
        /// The first word is not the magic number.
        Magic(found: u32) = "begins with {found:#010x}, not 0xd00dfeed";
        /// The header promises more bytes than there are, or fewer than itself.
        TotalSize(stated: u32, available: usize) = "says it is {stated} bytes long where {available} are at hand";
        /// The tree is longer than any that is read.
        TooLong(stated: u32) = "says it is {stated} bytes long, more than {MAX_SIZE}";
        /// A layout that this reader does not know: the version, and the oldest that it says it can be read as.
        Version(version: u32, compatible: u32) = "has version {version}, readable as {compatible}, not as 17";
        /// A block does not lie in the tree.
        Block(block: &'static str, offset: u32, size: u32) = "has its {block} at {offset:#x}, {size:#x} bytes, outside itself";
        /// A block begins or ends off its alignment.
        Misaligned(block: &'static str, offset: u32, size: u32) = "has its {block} at {offset:#x}, {size:#x} bytes, misaligned";
        /// The list of reserved ranges does not end in the tree.
        ReservedUnterminated = "has a memory reservation block without end";
        /// A word in the structure block that is no token.
        Token(at: usize, found: u32) = "has {found:#x} at {at:#x}, which is no token";
        /// The structure block stops in the middle of something.
        Cut(at: usize) = "stops at {at:#x} in the middle of a token";
        /// A node's name does not end in the structure block.
        NameUnterminated(at: usize) = "has a node name without end at {at:#x}";
        /// A node's name is empty or has a byte that no name has.
        Name(at: usize) = "has a bad node name at {at:#x}";
        /// A property is longer than what is left of the structure block.
        PropertyLength(at: usize, len: u32) = "has a property of {len} bytes at {at:#x}, more than are left";
        /// A property's name does not lie in the strings block, does not end there, or has a byte
        /// that no name has.
        PropertyName(at: usize, offset: u32) = "has a property at {at:#x} with a bad name at {offset:#x} of the strings";
        /// A property stands outside any node.
        PropertyOutside(at: usize) = "has a property outside any node at {at:#x}";
        /// A property comes after a child of its node.
        PropertyAfterChild(at: usize) = "has a property behind a child of its node at {at:#x}";
        /// More nodes are open than [`MAX_DEPTH`].
        TooDeep(at: usize) = "has more than {MAX_DEPTH} nodes inside one another at {at:#x}";
        /// A node ends that never began.
        EndWithoutNode(at: usize) = "ends a node that never began at {at:#x}";
        /// A second root.
        SecondRoot(at: usize) = "has a second root at {at:#x}";
        /// The tree ends while nodes are open.
        Unclosed(open: usize) = "ends with {open} nodes open";
        /// The tree ends without a root.
        NoRoot = "has no root";
        /// The structure block has no end token.
        NoEnd = "has no end token";
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

flaws! {
    /// What is wrong with a property.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub enum PropFlaw {
        /// It is not there.
        Missing = "is missing";
        /// It is there more than once.
        Twice = "is there twice";
        /// It has another length than it must have.
        Length(len: usize, wanted: usize) = "is {len} bytes long, not {wanted}";
        /// Its length is no multiple of that of one entry.
        Remainder(len: usize, unit: usize) = "is {len} bytes long, not a multiple of {unit}";
        /// It has no value where one is wanted.
        Empty = "is empty";
        /// Its text does not end with a NUL.
        Unterminated = "is text without a NUL at its end";
        /// Its text has a byte that is not printable ASCII.
        NotText = "is not printable text";
        /// It holds several strings where one is wanted.
        Strings(count: usize) = "holds {count} strings, not one";
        /// A number of cells that addresses and sizes cannot have here.
        CellCount(count: u32) = "is {count}, neither 1 nor 2";
    }
}

impl fmt::Display for PropError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: `{}` {}", self.node.path(), self.property, self.flaw)
    }
}

impl core::error::Error for PropError<'_> {}
