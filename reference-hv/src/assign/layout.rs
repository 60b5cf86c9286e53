//! Where a domain finds what is made for it: the guest's address map and interrupt numbers.
//!
//! The figures are Xen's, so that a guest made for either finds the same machine.

use crate::addr::{Ipa, Span};
use crate::ids::IrqLine;

/// Where a domain finds what the hypervisor imitates for it: where Xen's guests find it, or, in a
/// direct-mapped domain, where the host has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    /// The distributor.
    pub distributor: Span<Ipa>,
    /// What is kept for redistributors.
    pub redistributors: Span<Ipa>,
    /// The PL011, in a domain that has one.
    pub uart: Option<Uart>,
}

/// An imitated PL011.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Uart {
    /// Its registers.
    pub registers: Span<Ipa>,
    /// Its line.
    pub line: IrqLine,
}

impl Layout {
    /// The guest's own layout, without a PL011.
    pub const GUEST: Self = Self {
        distributor: Span::constant(GICD_BASE, GICD_SIZE),
        redistributors: Span::constant(GICR_BASE, GICR_SIZE),
        uart: None,
    };

    /// Returns the guest's own layout, with a PL011 or without.
    pub fn guest(vpl011: bool) -> Self {
        let uart = |line| Uart {
            registers: Span::constant(VPL011_BASE, VPL011_SIZE),
            line,
        };
        Self {
            uart: IrqLine::spi(VPL011_SPI).filter(|_| vpl011).map(uart),
            ..Self::GUEST
        }
    }
}

/// Where the emulated distributor lies.
pub const GICD_BASE: Ipa = Ipa::new(0x0300_1000);
/// Bytes of the emulated distributor.
pub const GICD_SIZE: u64 = 0x1_0000;
/// Where the emulated redistributors lie.
pub const GICR_BASE: Ipa = Ipa::new(0x0302_0000);
/// Bytes kept for redistributors.
pub const GICR_SIZE: u64 = 0x100_0000;
/// Where the emulated PL011 lies.
pub const VPL011_BASE: Ipa = Ipa::new(0x2200_0000);
/// Bytes of the emulated PL011.
pub const VPL011_SIZE: u64 = 0x1000;
/// Where grant tables will lie.
pub const GRANT: Span<Ipa> = Span::constant(Ipa::new(0x3800_0000), 0x100_0000);
/// Where pages shared with the hypervisor will lie.
pub const MAGIC: Span<Ipa> = Span::constant(Ipa::new(0x3900_0000), 0x100_0000);
/// Where the first bank of RAM begins.
pub const RAM0_BASE: Ipa = Ipa::new(0x4000_0000);
/// Most bytes of the first bank.
pub const RAM0_SIZE: u64 = 0xc000_0000;
/// Where the second bank of RAM begins.
pub const RAM1_BASE: Ipa = Ipa::new(0x2_0000_0000);
/// Most bytes of the second bank: up to the end of 40 bits.
pub const RAM1_SIZE: u64 = 0xfe_0000_0000;

/// Widest guest-physical address offered to a domain, in bits.
pub const MAX_IPA_BITS: u32 = 40;

/// The emulated PL011's interrupt, the first shared line.
pub const VPL011_SPI: u32 = 0;
/// The virtual timer's private line.
pub const VIRTUAL_TIMER_PPI: u32 = 11;
/// The physical timer's private line as the guest's tree names it (non-secure).
pub const PHYSICAL_TIMER_PPI: u32 = 14;
/// The secure physical timer's private line as the guest's tree names it.
pub const SECURE_TIMER_PPI: u32 = 13;
