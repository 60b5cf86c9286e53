//! The parts of the probe. Parsers and the interpreter also run on the host; only `hw` of each
//! architecture accesses the machine, and only it is unsafe.
#![cfg_attr(not(test), no_std)]
#![deny(unsafe_code)]

pub mod arch;
pub mod irq;
pub mod machine;
pub mod run;
pub mod tree;
