//! AArch64 at EL1.

mod access;
mod console;
mod cpu;
mod hardware;
mod start;

use core::arch::global_asm;

global_asm!(include_str!("aarch64/boot.S"));
