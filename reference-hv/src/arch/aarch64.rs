//! AArch64: layouts and decoders, and the drivers of the machine.

pub mod stage1;
pub mod stage2;

#[cfg(all(target_os = "none", target_arch = "aarch64"))]
pub mod hw;
