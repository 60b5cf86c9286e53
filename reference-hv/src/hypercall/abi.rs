//! The structures, numbers and sizes of Xen's hypercalls, as of release 4.20. What an architecture has of its
//! own ([`crate::hal::Context`], [`crate::vm::Guest`]) is elsewhere.
//!
//! Each layout is written down twice, as C would lay it out and as a table of offsets, and the two are
//! compared when this is compiled. Reading is total: what a guest's bytes say is a number at worst.

mod bytes;
pub mod create;
pub mod domctl;
pub mod memory_op;
pub mod physdev;
pub mod sched;
pub mod sysctl;
pub mod version;

pub(crate) use bytes::{Field, layout};

/// Number of memory_op.
pub const MEMORY_OP: u64 = 12;
/// Number of xen_version.
pub const XEN_VERSION: u64 = 17;
/// Number of console_io.
pub const CONSOLE_IO: u64 = 18;
/// Number of sched_op.
pub const SCHED_OP: u64 = 29;
/// Number of physdev_op.
pub const PHYSDEV_OP: u64 = 33;
/// Number of sysctl.
pub const SYSCTL: u64 = 35;
/// Number of domctl.
pub const DOMCTL: u64 = 36;

/// The caller itself (DOMID_SELF).
pub const DOMID_SELF: u16 = 0x7ff0;
/// Nobody (DOMID_INVALID).
pub const DOMID_INVALID: u16 = 0x7ff4;

/// console_io: writes text.
pub const CONSOLE_WRITE: u64 = 0;
/// console_io: reads text.
pub const CONSOLE_READ: u64 = 1;

#[cfg(test)]
mod tests;
