//! Where a domain finds what is made for it: addresses and interrupt numbers. The figures are Xen's
//! (xen/include/public/arch-arm.h), so that a guest made for either finds the same machine.

use super::gic::REDISTRIBUTOR_STRIDE;
use crate::addr::{Ipa, Span};
use crate::assign::layout::{Bridge, Controller, GuestMap, Uart};
use crate::ids::{IrqLine, Lines};

const fn span(base: u64, size: u64) -> Span<Ipa> {
    Span::constant(Ipa::new(base), size)
}

/// The machine that a domain sees.
pub static GUEST: GuestMap = GuestMap {
    controller: Controller {
        // The distributor, and the redistributors.
        shared: span(0x0300_1000, 0x1_0000),
        per_cpu: span(0x0302_0000, 0x100_0000),
    },
    per_cpu: REDISTRIBUTOR_STRIDE,
    lines: LINES,
    uart: Uart {
        registers: span(0x2200_0000, 0x1000),
        line: IrqLine::new(LINES.first),
    },
    bridge: Bridge {
        ecam: span(0x1000_0000, 0x1000_0000),
        low: span(0x2300_0000, 0x1000_0000),
        high: Some(span(0x1_0000_0000, 0x1_0000_0000)),
        direct: false,
    },
    grant: span(0x3800_0000, 0x100_0000),
    magic: span(0x3900_0000, 0x100_0000),
    // The second bank ends with 40 bits.
    ram: [
        span(0x4000_0000, 0xc000_0000),
        span(0x2_0000_0000, 0xfe_0000_0000),
    ],
    address_bits: 40,
};

/// The shared lines (SPIs), INTIDs 32 to 1019 (Arm IHI 0069, 2.2).
pub const LINES: Lines = Lines {
    first: 32,
    most: 988,
};

/// The virtual timer's private line, as a guest's tree names it.
pub const VIRTUAL_TIMER_PPI: u32 = 11;
/// The physical timer's (non-secure).
pub const PHYSICAL_TIMER_PPI: u32 = 14;
/// The secure physical timer's.
pub const SECURE_TIMER_PPI: u32 = 13;
/// The private line of Xen's event channels.
pub const EVENT_PPI: u32 = 15;
