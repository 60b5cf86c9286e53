//! Host and partial device trees, good and bad.
//!
//! A [`Tree`] is plain ordered data: [`Tree::read`] takes it from a blob, [`Edit`]s change it and
//! [`Tree::emit`] writes it again. [`host`] adds domains to the tree of a machine, [`partial`] makes
//! the tree that gives a domain its devices, [`guest()`] the one that a domain built at run time boots with, and [`spoil`] breaks a good blob in one named way.
//!
//! What is absent: no flattening code (`emit` leaves it to vm-fdt), no parsing code (`read` leaves it
//! to dtoolkit), and no opinion on what a hypervisor should make of a tree. A tree that no library
//! agrees to write is the business of [`spoil`], which works on bytes.

pub mod arch;
mod device;
mod domain;
mod dts;
mod edit;
mod emit;
mod error;
mod guest;
mod platform;
mod read;
pub mod spoil;
mod tree;
mod value;

pub use arch::GuestArch;
pub use device::{Device, Partial, Range, partial};
pub use domain::{Cells, Domain, Module};
pub use dts::dts;
pub use edit::{Edit, apply_all};
pub use error::{EmitError, PlanError, ReadError};
pub use guest::{Guest, guest};
pub use platform::{Hardware, Platform, host};
pub use spoil::{Spoil, SpoilError};
pub use tree::{Node, Prop, Tree};
pub use value::Value;
