//! The parts of Xen's structures that are specific to Arm (public/arch-arm.h, domctl.h).

use crate::machine::Abi;

/// Xen's interface on Arm.
#[derive(Debug)]
pub struct Arm;

/// The initial state of a CPU: online, EL1h with interrupts masked, MMU off.
const ONLINE: u64 = 1;
const CPSR: u64 = 0x1c5;
const SCTLR: u64 = 0x00c5_0078;

impl Abi for Arm {
    const INFO_SIZE: u64 = 120;
    const LINES: u64 = 4;
    /// An SPI of the GIC (PT_IRQ_TYPE_SPI).
    const LINE: u64 = 4;
    const CONTEXT_SIZE: u64 = 352;

    fn context(pc: u64, argument: u64) -> impl IntoIterator<Item = (u64, u64)> {
        // Flags, X0, PC, CPSR, SCTLR.
        [
            (0, ONLINE),
            (8, argument),
            (256, pc),
            (264, CPSR),
            (320, SCTLR),
        ]
    }
}
