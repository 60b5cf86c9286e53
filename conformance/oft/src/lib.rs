//! Requirement files: from reStructuredText and source tags to linked, traced items.
//!
//! The files have the form that OpenFastTrace (OFT) reads, and this crate finds the same items, links and defects, so
//! an assessor can run either tool on them. It differs on purpose in three places: a path that does not exist is an
//! error, `Comments:` (as Xen writes it) counts as `Comment:` with a warning, and items above a cycle of links are
//! reported instead of being lost in it.
//!
//! The files decide which kinds of items there are, and the caller says which of them are test cases.
//!
//! [`Catalog::load`] reads a tree of files and records every error and warning as a [`Diagnostic`]; [`Catalog::trace`]
//! links the items; [`cli`] renders both.

#![forbid(unsafe_code)]

pub mod catalog;
pub mod cli;
pub mod diagnostic;
pub mod excerpt;
pub mod id;
pub mod item;
pub mod trace;

mod chars;
mod line;
mod lines;
mod rst;
mod tag;

pub use catalog::Catalog;
pub use diagnostic::{Diagnostic, Severity};
pub use id::{Id, IdError};
pub use item::{Item, Location, Reference, Status};
pub use trace::{Deep, Edge, Link, Trace, Traced};
