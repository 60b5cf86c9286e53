//! Accesses the machine, at EL1: start, exceptions, translation, timer, interrupts, console.

mod access;
mod accident;
mod console;
mod cpu;
mod hardware;
mod interrupt;
mod start;

use core::arch::global_asm;

global_asm!(include_str!("hw/boot.S"));
