//! The parts of the probe: what it understands and decides runs on the host too; what touches the
//! machine is in `hw`, and nothing else is unsafe.
#![cfg_attr(not(test), no_std)]
#![deny(unsafe_code)]

pub mod board;
pub mod gic;
pub mod irq;
pub mod machine;
pub mod paging;
pub mod run;
pub mod tree;

#[cfg(target_os = "none")]
#[expect(unsafe_code, reason = "the machine is reached here and nowhere else")]
pub mod hw;
