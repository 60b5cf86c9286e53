//! Errors of reading, planning and writing a tree. Each text names the place, the offending item and its value.

use thiserror::Error;

/// Why a blob is not a readable tree.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// The blob ends before the fixed header does.
    #[error("device tree: {len} bytes are too few for the 40-byte header")]
    Short {
        /// Number of bytes in the blob.
        len: usize,
    },
    /// The header's size exceeds the number of bytes.
    #[error("device tree: `totalsize` is {total:#x}, but the blob has {len:#x} bytes")]
    Cut {
        /// The size in the header.
        total: u32,
        /// Number of bytes in the blob.
        len: usize,
    },
    /// The parser found a structural defect.
    #[error("device tree: {why}")]
    Malformed {
        /// The parser's message, with the offset.
        why: String,
    },
    /// The nesting exceeds what the readers and writers here accept.
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
        /// The writer's message.
        why: String,
    },
    /// The writer rejects this node.
    #[error("{path}: node name `{name}`: {why}")]
    Node {
        /// The path of its parent.
        path: String,
        /// Its name.
        name: String,
        /// The writer's message.
        why: String,
    },
    /// The writer rejects this property.
    #[error("{path}: `{prop}` of {len} bytes: {why}")]
    Property {
        /// The node.
        path: String,
        /// The property's name.
        prop: String,
        /// Length of its value.
        len: usize,
        /// The writer's message.
        why: String,
    },
    /// The blob as a whole does not fit its own header.
    #[error("device tree: {why}")]
    Whole {
        /// The writer's message.
        why: String,
    },
}

/// Why a plan does not give a tree.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PlanError {
    /// An edit names a node that the tree does not have.
    #[error("{path}: no such node{}", near(nearest))]
    NoNode {
        /// The path.
        path: String,
        /// The most similar path.
        nearest: Option<String>,
    },
    /// An edit names a property that the node does not have.
    #[error("{path}: no property `{prop}`{}", near(nearest))]
    NoProperty {
        /// The node.
        path: String,
        /// The property.
        prop: String,
        /// The most similar property.
        nearest: Option<String>,
    },
    /// A node of this name already exists.
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
        /// The attempted operation.
        what: &'static str,
    },
    /// A number does not fit its cells.
    #[error("{path}: `{prop}`: {value:#x} does not fit {cells} cell(s)")]
    TooWide {
        /// The node.
        path: String,
        /// The property.
        prop: &'static str,
        /// The number.
        value: u64,
        /// Number of cells.
        cells: u32,
    },
    /// The number of cells per number exceeds the limit.
    #[error(
        "{path}: `{prop}`: {cells:#x} cells a number are more than {limit}; set `encoding` apart from what is declared"
    )]
    TooManyCells {
        /// The node.
        path: String,
        /// The property.
        prop: &'static str,
        /// Number of cells.
        cells: u32,
        /// The limit.
        limit: u32,
    },
    /// More bytes should be cut off a property than it has.
    #[error("{path}: `{prop}`: {len} bytes cannot change by {by}")]
    Resize {
        /// The node.
        path: String,
        /// The property.
        prop: String,
        /// Its length.
        len: usize,
        /// The requested change.
        by: i64,
    },
    /// No free phandle is left.
    #[error("{path}: no free phandle below 0xfffffff0")]
    NoPhandle {
        /// The node that needs one.
        path: String,
    },
    /// A tree cannot be padded to this size.
    #[error("{path}: the tree cannot be made {wanted} bytes long; the least is {least}")]
    Pad {
        /// The node that the padding belongs to.
        path: String,
        /// The requested size.
        wanted: usize,
        /// The smallest size that padding can reach.
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
