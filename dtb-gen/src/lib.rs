//! Host and partial device trees, good and bad.
//!
//! A [`Tree`] is plain ordered data: [`Tree::read`] reads it from a blob, [`Edit`]s change it and [`Tree::emit`] writes
//! it. [`host`] adds domains to the tree of a machine. [`partial`] makes the tree that assigns devices to a domain.
//! [`guest()`] makes the tree with which a domain created at run time boots. [`corrupt`] makes one named defect in a
//! good blob.
//!
//! The crate has no code of its own to flatten (`emit` uses vm-fdt) or to parse (`read` uses dtoolkit). It does not
//! decide what a hypervisor should do with a tree. Trees that no library writes are made by [`corrupt`], which works on
//! bytes.

pub mod arch;
pub mod corrupt;
mod device;
mod domain;
mod dts;
mod edit;
mod emit;
mod error;
mod guest;
mod platform;
mod read;
mod tree;
mod value;

pub use arch::GuestArch;
pub use corrupt::{Corruption, CorruptionError};
pub use device::{Device, Partial, Range, partial};
pub use domain::{Cells, Domain, Module};
pub use dts::dts;
pub use edit::{Edit, apply_all};
pub use error::{EmitError, PlanError, ReadError};
pub use guest::{Guest, guest};
pub use platform::{Hardware, Platform, host};
pub use tree::{Node, Prop, Tree};
pub use value::Value;
