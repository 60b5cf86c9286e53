//! AArch64 guests, and the devices of QEMU's `virt` board.

use libtest_mimic::Trial;
use runners::Iommu;

mod lines;
mod smmu;

/// An interrupt line of the board.
pub const LINE: &str = "spi3";
/// Registers of the board's SMMUv3.
const SMMU: u64 = 0x0905_0000;

pub fn trials() -> Vec<Trial> {
    [lines::trials(), smmu::trials()]
        .into_iter()
        .flatten()
        .collect()
}

/// The board's IOMMU.
pub fn iommu() -> Iommu {
    Iommu::described(&["arm,smmu-v3"], SMMU).expect("a model that is known")
}

/// Prints `go`, waits for a flag in memory, prints `seen`, and counts for ever.
#[rustfmt::skip]
pub const RESPONDER: [u32; 22] = [
    0xd2a1_2001, // movz x1, #0x900, lsl #16        the PL011
    0xd2aa_0003, // movz x3, #0x5000, lsl #16       the flag
    0x5280_0ce2, 0xb900_0022, // mov w2, #'g'; str w2, [x1]
    0x5280_0de2, 0xb900_0022, // mov w2, #'o'; str w2, [x1]
    0x5280_0142, 0xb900_0022, // mov w2, #'\n'; str w2, [x1]
    0xb940_0064, // 1: ldr w4, [x3]
    0x34ff_ffe4, // cbz w4, 1b
    0x5280_0e62, 0xb900_0022, // mov w2, #'s'; str w2, [x1]
    0x5280_0ca2, 0xb900_0022, // mov w2, #'e'; str w2, [x1]
    0xb900_0022, //              str w2, [x1]
    0x5280_0dc2, 0xb900_0022, // mov w2, #'n'; str w2, [x1]
    0x5280_0142, 0xb900_0022, // mov w2, #'\n'; str w2, [x1]
    0x1100_04a5, // 2: add w5, w5, #1
    0xb900_0465, // str w5, [x3, #4]
    0x17ff_fffe, // b 2b
];

/// Prints `up` and turns the machine off by PSCI, from EL2.
#[rustfmt::skip]
pub const LAST_WORDS: [u32; 10] = [
    0xd2a1_2001, // movz x1, #0x900, lsl #16
    0x5280_0ea2, 0xb900_0022, // mov w2, #'u'; str w2, [x1]
    0x5280_0e02, 0xb900_0022, // mov w2, #'p'; str w2, [x1]
    0x5280_0142, 0xb900_0022, // mov w2, #'\n'; str w2, [x1]
    0x5280_0100, // mov w0, #8
    0x72b0_8000, // movk w0, #0x8400, lsl #16      SYSTEM_OFF
    0xd400_0003, // smc #0
];

/// Counts 1000 down to 0, two instructions each, and waits for an interrupt for ever.
#[rustfmt::skip]
pub const COUNTDOWN: [u32; 5] = [
    0xd280_7d01, // mov x1, #1000
    0xf100_0421, // 1: subs x1, x1, #1
    0x54ff_ffe1, // b.ne 1b
    0xd503_207f, // 2: wfi
    0x17ff_ffff, // b 2b
];

/// Resets the machine by PSCI, from EL2.
#[rustfmt::skip]
pub const RESET: [u32; 3] = [
    0x5280_0120, // mov w0, #9
    0x72b0_8000, // movk w0, #0x8400, lsl #16      SYSTEM_RESET
    0xd400_0003, // smc #0
];
