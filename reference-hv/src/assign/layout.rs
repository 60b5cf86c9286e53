//! Where a domain finds what is made for it: the guest's address map and interrupt numbers.
//!
//! The figures are Xen's, so that a guest made for either finds the same machine.

use alloc::format;
use alloc::string::String;

use super::Machine;
use super::guest_ranges::last_address;
use crate::addr::{Ipa, Pa, Span};
use crate::config::{ConfigError, DomainClaim, Host, HostBridge};
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
    /// What is kept for grant tables.
    pub grant: Span<Ipa>,
    /// The PCI host bridge, in a domain that has functions.
    pub bridge: Option<Bridge>,
}

/// An imitated PCI host bridge. What is behind it has the same addresses on its bus as for the CPU.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bridge {
    /// The configuration space.
    pub ecam: Span<Ipa>,
    /// The window for memory with addresses of 32 bits.
    pub low: Span<Ipa>,
    /// The window for memory with addresses of 64 bits that may be read ahead.
    pub high: Option<Span<Ipa>>,
    /// Whether it lies where the host has its own, and what is behind it as well.
    pub direct: bool,
}

impl Bridge {
    /// Where a domain finds it whose addresses are its own.
    pub const GUEST: Self = Self {
        ecam: Span::constant(Ipa::new(0x1000_0000), 0x1000_0000),
        low: Span::constant(Ipa::new(0x2300_0000), 0x1000_0000),
        high: Some(Span::constant(Ipa::new(0x1_0000_0000), 0x1_0000_0000)),
        direct: false,
    };

    /// Returns where it lies in a domain whose addresses are the host's: where the host has its own. The windows are those
    /// of memory of 32 and of 64 bits.
    ///
    /// # Errors
    /// Says what the host's has not, or where the domain cannot have it.
    pub(super) fn of_host(bridge: &HostBridge, bits: u32) -> Result<Self, String> {
        let window = |wide: bool| {
            let mut all = bridge.windows.iter().filter(|window| window.wide == wide);
            all.next().map(|window| window.cpu.direct())
        };
        let Some(low) = window(false) else {
            return Err("no window for memory with addresses of 32 bits".into());
        };
        let whole = Self {
            ecam: bridge.ecam.direct(),
            low,
            high: window(true),
            direct: true,
        };
        match whole
            .spans()
            .find(|span| span.last().raw() > last_address(bits))
        {
            Some(span) => Err(format!("{span}, wider than the {bits} bits of a domain")),
            None => Ok(whole),
        }
    }

    /// Returns all that it takes of the domain's addresses.
    pub fn spans(&self) -> impl Iterator<Item = Span<Ipa>> {
        [self.ecam, self.low].into_iter().chain(self.high)
    }
}

/// An imitated PL011.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Uart {
    /// Its registers.
    pub registers: Span<Ipa>,
    /// Its line.
    pub line: IrqLine,
}

impl Uart {
    /// Puts the imitated UART where the host has its console, which no domain gets.
    fn of_host(claim: &DomainClaim<'_>, host: &Host<'_>) -> Result<Self, ConfigError> {
        let refuse = |what: &str| Err(ConfigError::new(claim.origin, "vpl011", what));
        let Some(console) = &host.console else {
            return refuse("asks for a UART where the host has its console, and it has none");
        };
        let registers = Span::new(console.span.direct().first(), VPL011_SIZE);
        let whole = registers.ok().filter(|registers| {
            registers.is_page_exact() && console.span.direct().covers(*registers)
        });
        match (whole, console.lines.first()) {
            (Some(registers), Some(line)) => Ok(Self {
                registers,
                line: *line,
            }),
            (None, _) => {
                refuse("asks for a UART where the host has its console, which is no whole page")
            }
            (_, None) => {
                refuse("asks for a UART where the host has its console, which has no interrupt")
            }
        }
    }
}

impl Layout {
    /// The guest's own layout, without a PL011.
    pub const GUEST: Self = Self {
        distributor: Span::constant(GICD_BASE, GICD_SIZE),
        redistributors: Span::constant(GICR_BASE, GICR_SIZE),
        uart: None,
        grant: Span::constant(Ipa::new(0x3800_0000), 0x100_0000),
        bridge: None,
    };

    /// Returns the layout of a domain: its own, or in a direct-mapped domain the host's.
    ///
    /// # Errors
    /// Refuses what the host has no place for.
    pub(super) fn of(
        claim: &DomainClaim<'_>,
        host: &Host<'_>,
        machine: &Machine,
    ) -> Result<Self, ConfigError> {
        if !claim.direct_map {
            return Ok(Self::guest(claim.vpl011));
        }
        let needed = u64::from(claim.cpus) * REDISTRIBUTOR;
        let fits = |frames: &&Span<Pa>| frames.size() >= needed;
        let Some(redistributors) = host.controller.per_cpu.iter().find(fits) else {
            let cpus = claim.cpus;
            let what = format_args!(
                "is {cpus}, more redistributors than the host has in one place to imitate"
            );
            return Err(ConfigError::new(claim.origin, claim.names.cpus, what));
        };
        let uart = claim.vpl011.then(|| Uart::of_host(claim, host));
        Ok(Self {
            distributor: host.controller.shared.direct(),
            redistributors: redistributors.direct(),
            uart: uart.transpose()?,
            // Where the hypervisor lies nothing of the host can be in the way. Xen does the same.
            grant: machine.taken.first().map_or(Self::GUEST.grant, |taken| {
                taken.span.widened_to_pages().direct()
            }),
            bridge: None,
        })
    }

    /// Tells whether something that is imitated, or kept for later, has a part of a range. What is kept
    /// for grant tables is not: it is told to control domains as room for the pages of others.
    pub fn uses(&self, span: Span<Ipa>) -> bool {
        let uart = self.uart.map(|uart| uart.registers);
        [self.distributor, self.redistributors, MAGIC]
            .into_iter()
            .chain(uart)
            .chain(self.bridge.iter().flat_map(Bridge::spans))
            .any(|used| used.overlaps(span))
    }

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
/// Bytes of the frames of one redistributor.
pub const REDISTRIBUTOR: u64 = 0x2_0000;
/// Where the emulated PL011 lies.
pub const VPL011_BASE: Ipa = Ipa::new(0x2200_0000);
/// Bytes of the emulated PL011.
pub const VPL011_SIZE: u64 = 0x1000;
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
/// The private line of Xen's event channels as a domain's tree names it.
pub const EVENT_PPI: u32 = 15;
/// The secure physical timer's private line as the guest's tree names it.
pub const SECURE_TIMER_PPI: u32 = 13;
