//! A total reader of flattened device trees (Devicetree Specification v0.4, chapter 5).
//!
//! [`Blob::new`] checks a tree from end to end, once; from then on walking it cannot fail. Nothing
//! here allocates, recurses or panics, and no work exceeds the size of the blob times
//! [`MAX_DEPTH`], whatever the blob says about itself.

mod blob;
mod cells;
mod error;
mod node;
mod walk;

pub use blob::{Blob, HEADER_SIZE, Reserved, total_size};
pub use cells::{CellCount, Cells, Tuples, read_cells};
pub(crate) use error::flaws;
pub use error::{DtError, DtErrorKind, PropError, PropFlaw};
pub use node::{Node, Prop, Strings};
pub use walk::{Children, Event, Path, Props, Walk};

/// Most nodes that may be open at once, the root included. Linux stops at 64 as well; real trees
/// stay under ten.
pub const MAX_DEPTH: usize = 64;

/// Longest tree that is read: the bound of Linux's boot protocol (Documentation/arch, "booting").
pub const MAX_SIZE: usize = 2 * 1024 * 1024;
