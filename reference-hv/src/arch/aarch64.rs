//! AArch64: layouts and decoders, and the drivers of the machine.

pub mod bindings;
pub mod esr;
pub mod gic;
pub mod inject;
pub mod psci;
pub mod smmu;
pub mod stage1;
pub mod stage2;
pub mod sysreg;

#[cfg(all(target_os = "none", target_arch = "aarch64"))]
pub mod hw;
