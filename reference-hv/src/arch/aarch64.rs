//! AArch64: layouts and decoders, what guests are and do, and the drivers of the machine.

pub mod bindings;
pub mod esr;
pub mod exit;
pub mod exits;
#[cfg(test)]
pub mod fake;
pub mod gic;
pub mod guest_layout;
pub mod guest_tree;
pub mod inject;
pub mod linux_image;
pub mod policy;
mod power;
pub mod psci;
pub mod smmu;
pub mod stage1;
pub mod stage2;
pub mod sysreg;
pub mod vgic;
mod xen;

pub use xen::VcpuContext;

#[cfg(all(target_os = "none", target_arch = "aarch64"))]
pub mod hw;

/// The architecture, as [`crate::hal::Arch`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Aarch64;

impl crate::hal::Arch for Aarch64 {
    type Exit = exit::Exit;
    type Exception = inject::Exception;
    type Identity = sysreg::IdRegister;
    type Context = VcpuContext;
    type Interrupts = vgic::Vgic;
}
