//! Requirement files: from reStructuredText and source tags to linked, traced items.
//!
//! The files are in the form that OpenFastTrace (OFT) reads, so an assessor can run either tool on
//! them: this crate finds the same items, links and defects. It differs on purpose in three
//! places: a path that does not exist is an error, `Comments:` (as Xen writes it) is taken for
//! `Comment:` with a warning, and items above a cycle of links are reported, not lost in it.
//!
//! Which kinds of items there are is the files' affair, and which of them are test cases is the caller's.
//!
//! [`Catalog::load`] reads a tree of files and keeps every complaint as a [`Diagnostic`];
//! [`Catalog::trace`] links what was read; [`cli`] renders both.

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
