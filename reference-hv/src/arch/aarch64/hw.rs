//! The machine itself. All `unsafe` of the AArch64 hypervisor is in the files below.
//!
//! One physical CPU runs, interrupts stay masked at EL2 and are taken only by leaving a guest or by
//! looking (ICC_IAR1_EL1), so no code here is ever interrupted.
#![allow(
    unsafe_code,
    reason = "this is the fence: nothing outside it may touch the machine"
)]
#![allow(
    clippy::as_conversions,
    reason = "registers and pointers are plain numbers here"
)]

core::arch::global_asm!(include_str!("hw/boot.S"));
core::arch::global_asm!(include_str!("hw/vectors.S"));

mod board;
mod ecam;
mod el2;
mod gicv3;
mod heap;
mod image;
mod mmu;
mod pl011;
mod probe;
mod ram;
mod report;
mod smmu;
mod start;
mod sysreg;
mod timer;
mod vcpu;

pub use report::report_panic;
