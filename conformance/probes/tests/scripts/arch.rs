//! The architecture of the fake machine: its exceptions, its interrupt controller, its own ops.

mod aarch64;

pub use aarch64::{
    Abi, Interrupts, InterruptsAt, RAISE_3, TIMER, asynchronous, controller, external,
    is_controller, perform, prepare, undefined, without_address,
};
