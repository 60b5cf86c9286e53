//! Reference hypervisor for device passthrough.
//!
//! Read downward; each module knows only those above it.
//!
//! - [`addr`], [`ids`], [`errno`], [`access`], [`span_set`]: values. [`fault`]: the decisions that can be made wrong.
//! - [`dt`]: a total reader of device trees. [`paging`]: translation tables, whatever their format.
//! - [`hal`]: the seam. What a machine can do, and what an architecture has in place of the others' own.
//! - [`pci`]: functions as the machine has them. [`config`]: what the host is, and what domains claim.
//! - [`assign`]: what of the claims is proven. [`vdev`]: devices as guests find them.
//! - [`vm`]: domains, from a plan to their end. [`hypercall`]: Xen's interface to that.
//! - [`arch`]: all that one architecture decides; its `hw` is the only code that touches a machine.
//! - [`boot`]: from a bare machine to the first domain.
#![cfg_attr(not(test), no_std)]
#![deny(unsafe_code)]
#![deny(clippy::as_conversions)]

extern crate alloc;

// Unit tests share helpers with the tests outside, which know the crate by its name.
#[cfg(test)]
extern crate self as refhv;

pub mod access;
pub mod addr;
pub mod arch;
pub mod assign;
pub mod boot;
pub mod config;
pub mod dt;
pub mod errno;
pub mod fault;
pub mod hal;
pub mod hypercall;
pub mod ids;
pub mod paging;
pub mod pci;
pub mod span_set;
pub mod vdev;
pub mod vm;
