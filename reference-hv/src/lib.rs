//! Reference hypervisor for device passthrough.
//!
//! Read downward, each module knowing only those above it: [`addr`] and [`ids`], [`dt`],
//! [`config`] (what the trees claim), [`assign`] (what of it is proven), [`vm`] (the domains made of
//! that), [`boot`] (from a bare machine to the first of them).
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
