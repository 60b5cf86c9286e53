//! Why a tree could not be read, planned or written. Each text names the place, the culprit and its
//! value.

use thiserror::Error;

/// Why a blob is not a readable tree.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// The blob ends before the fixed header does.
    #[error("device tree: {len} bytes are too few for the 40-byte header")]
    Short {
        /// Bytes given.
        len: usize,
    },
    /// The header claims more bytes than there are.
    #[error("device tree: `totalsize` is {total:#x}, but the blob has {len:#x} bytes")]
    Cut {
        /// What the header says.
        total: u32,
        /// Bytes given.
        len: usize,
    },
    /// The parser found a structural defect.
    #[error("device tree: {why}")]
    Malformed {
        /// The parser's own words, with the offset.
        why: String,
    },
    /// Nodes nest deeper than any writer or reader here accepts.
    #[error("device tree: {path}: nested deeper than {limit} levels")]
    TooDeep {
        /// The first node that is too deep.
        path: String,
        /// The limit.
        limit: usize,
    },
}

/// Why a tree cannot be flattened.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EmitError {
    /// The memory reservations are empty, wrap or overlap.
    #[error("device tree: memory reservation {address:#x}+{size:#x}: {why}")]
    Reservation {
        /// Its first byte.
        address: u64,
        /// Its length.
        size: u64,
        /// The writer's own words.
        why: String,
    },
    /// The writer does not take this node.
    #[error("{path}: node name `{name}`: {why}")]
    Node {
        /// Where the node would stand.
        path: String,
        /// Its name.
        name: String,
        /// The writer's own words.
        why: String,
    },
    /// The writer does not take this property.
    #[error("{path}: `{prop}` of {len} bytes: {why}")]
    Property {
        /// The node.
        path: String,
        /// The property's name.
        prop: String,
        /// Length of its value.
        len: usize,
        /// The writer's own words.
        why: String,
    },
    /// The blob as a whole does not fit its own header.
    #[error("device tree: {why}")]
    Whole {
        /// The writer's own words.
        why: String,
    },
}

/// Why a plan does not make a tree.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PlanError {
    /// An edit names a node that the tree does not have.
    #[error("{path}: no such node{}", near(nearest))]
    NoNode {
        /// The path asked for.
        path: String,
        /// The path that is spelled most like it.
        nearest: Option<String>,
    },
    /// An edit names a property that the node does not have.
    #[error("{path}: no property `{prop}`{}", near(nearest))]
    NoProperty {
        /// The node.
        path: String,
        /// The property asked for.
        prop: String,
        /// The property that is spelled most like it.
        nearest: Option<String>,
    },
    /// A node of this name stands there already.
    #[error("{parent}: has a node `{name}` already")]
    Taken {
        /// The node that would get the child.
        parent: String,
        /// The child's name.
        name: String,
    },
    /// The root cannot be removed, copied or renamed.
    #[error("/: the root cannot be {what}")]
    Root {
        /// What was asked.
        what: &'static str,
    },
    /// A number is wider than the cells it has to go into.
    #[error("{path}: `{prop}`: {value:#x} does not fit {cells} cell(s)")]
    TooWide {
        /// The node.
        path: String,
        /// The property.
        prop: &'static str,
        /// The number.
        value: u64,
        /// Cells there are.
        cells: u32,
    },
    /// More cells a number than makes sense to write out.
    #[error(
        "{path}: `{prop}`: {cells:#x} cells a number are more than {limit}; set `encoding` apart from what is declared"
    )]
    TooManyCells {
        /// The node.
        path: String,
        /// The property.
        prop: &'static str,
        /// Cells asked for.
        cells: u32,
        /// The most that are written.
        limit: u32,
    },
    /// A property would be cut by more bytes than it has.
    #[error("{path}: `{prop}`: {len} bytes cannot change by {by}")]
    Resize {
        /// The node.
        path: String,
        /// The property.
        prop: String,
        /// Its length.
        len: usize,
        /// The change asked for.
        by: i64,
    },
    /// No phandle is left to give.
    #[error("{path}: no free phandle below 0xfffffff0")]
    NoPhandle {
        /// The node that needs one.
        path: String,
    },
    /// A tree cannot be padded to this size.
    #[error("{path}: the tree cannot be made {wanted} bytes long; the least is {least}")]
    Pad {
        /// The node that was to hold the padding.
        path: String,
        /// Size asked for.
        wanted: usize,
        /// The smallest size from which padding works.
        least: usize,
    },
    /// The tree under construction cannot be flattened.
    #[error(transparent)]
    Emit(#[from] EmitError),
}

fn near(nearest: &Option<String>) -> String {
    nearest
        .as_ref()
        .map_or_else(String::new, |name| format!(", nearest is `{name}`"))
}
