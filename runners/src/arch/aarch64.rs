//! AArch64: QEMU's `virt` board with a GICv3 and, where asked for, an SMMUv3.

mod gic;
pub mod layout;
mod smmu;

use super::{Ask, Controller, Input, Platform};
use crate::iommu::Model;
use crate::qemu::Halt;

#[cfg(test)]
mod tests;

/// The profiles that come with the suite, by file name.
const PROFILES: [(&str, &str); 4] = [
    (
        "reference-aarch64.toml",
        include_str!("../../profiles/reference-aarch64.toml"),
    ),
    (
        "reference-by-adapter-aarch64.toml",
        include_str!("../../profiles/reference-by-adapter-aarch64.toml"),
    ),
    (
        "xen-4.17-aarch64.toml",
        include_str!("../../profiles/xen-4.17-aarch64.toml"),
    ),
    (
        "xen-4.20-aarch64.toml",
        include_str!("../../profiles/xen-4.20-aarch64.toml"),
    ),
];

/// Turns the machine off by PSCI SYSTEM_OFF (0x8400_0008): by SMC at EL2, by HVC at EL1, as
/// QEMU's `virt` wants it.
#[rustfmt::skip]
const POWER_OFF: [u32; 8] = [
    0x5280_0100, // mov  w0, #8
    0x72b0_8000, // movk w0, #0x8400, lsl #16
    0xd538_4241, // mrs  x1, CurrentEL
    0xf100_203f, // cmp  x1, #8
    0x5400_0041, // b.ne 1f
    0xd400_0003, // smc  #0
    0xd400_0002, // 1: hvc #0
    0x1400_0000, // b    .
];

/// 64-bit Arm.
#[derive(Debug)]
pub struct Aarch64;

impl Platform for Aarch64 {
    fn profiles(&self) -> &'static [(&'static str, &'static str)] {
        &PROFILES
    }

    fn iommu_option(&self) -> &'static str {
        "iommu=smmuv3"
    }

    fn iommus(&self) -> &'static [&'static dyn Model] {
        &[&smmu::Smmuv3]
    }

    fn controller(&self, ask: &mut Ask<'_>) -> Result<Option<Controller>, Halt> {
        gic::find(ask)
    }

    fn input(&self, line: &str, controller: Option<&Controller>) -> Result<Input, String> {
        gic::input(line, controller)
    }

    fn power_off(&self) -> Vec<u8> {
        POWER_OFF.into_iter().flat_map(u32::to_le_bytes).collect()
    }
}
