//! The parts of the probe: what it understands and decides runs on the host too; what touches the
//! machine is in `hw` of each architecture, and nothing else is unsafe.
#![cfg_attr(not(test), no_std)]
#![deny(unsafe_code)]

pub mod arch;
pub mod irq;
pub mod machine;
pub mod run;
pub mod tree;
