//! Where a domain finds what is made for it: the guest's address map and interrupt numbers.
//!
//! The figures are Xen's, so that a guest made for either finds the same machine.

use super::guest_ranges::last_address;
use super::{ClaimError, ClaimFlaw, Machine};
use crate::addr::{Ipa, Pa, Span};
use crate::config::{DomainClaim, Host, HostBridge};
use crate::dt::Path;
use crate::ids::{IrqLine, Lines, Sbdf};

/// What an architecture fixes of the machines that domains see.
#[derive(PartialEq, Eq, Debug)]
pub struct GuestMap {
    /// The interrupt controller.
    pub controller: Controller,
    /// Bytes of the interrupt controller's part of one virtual CPU.
    pub per_cpu: u64,
    /// The interrupts that domains can own.
    pub lines: Lines,
    /// The UART.
    pub uart: Uart,
    /// The PCI host bridge.
    pub bridge: Bridge,
    /// What is kept for grant tables.
    pub grant: Span<Ipa>,
    /// Where pages shared with the hypervisor will lie.
    pub magic: Span<Ipa>,
    /// Where RAM lies, as much as there can be of it.
    pub ram: [Span<Ipa>; 2],
    /// Bits of the widest address offered to a domain.
    pub address_bits: u32,
}

/// An emulated interrupt controller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Controller {
    /// The registers that all virtual CPUs share.
    pub shared: Span<Ipa>,
    /// What is kept for the registers of virtual CPUs.
    pub per_cpu: Span<Ipa>,
}

/// Where a domain finds what the hypervisor emulates for it: where Xen's guests find it, or, in a
/// direct-mapped domain, where the host has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    /// What the architecture fixes.
    pub guest: &'static GuestMap,
    /// The interrupt controller.
    pub controller: Controller,
    /// The UART, in a domain that has one.
    pub uart: Option<Uart>,
    /// What is kept for grant tables.
    pub grant: Span<Ipa>,
    /// The PCI host bridge, in a domain that has functions.
    pub bridge: Option<Bridge>,
}

/// An emulated PCI host bridge. What is behind it has the same addresses on its bus as for the CPU.
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
    /// Returns where it lies in a domain whose addresses are the host's: where the host has its own. The windows are those
    /// of memory of 32 and of 64 bits.
    ///
    /// # Errors
    /// Says what the host's has not, or where the domain cannot have it.
    pub(super) fn of_host<'t>(
        bridge: &HostBridge,
        bits: u32,
        at: Sbdf,
        node: Path<'t>,
    ) -> Result<Self, ClaimFlaw<'t>> {
        let window = |wide: bool| {
            let mut all = bridge.windows.iter().filter(|window| window.wide == wide);
            all.next().map(|window| window.cpu.direct())
        };
        let Some(low) = window(false) else {
            return Err(ClaimFlaw::BridgeWindow(at, node));
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
            Some(span) => Err(ClaimFlaw::BridgeWide(at, node, span, bits)),
            None => Ok(whole),
        }
    }

    /// Returns all that it takes of the domain's addresses.
    pub fn spans(&self) -> impl Iterator<Item = Span<Ipa>> {
        [self.ecam, self.low].into_iter().chain(self.high)
    }
}

/// An emulated UART.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Uart {
    /// Its registers.
    pub registers: Span<Ipa>,
    /// Its line.
    pub line: IrqLine,
}

impl Uart {
    /// Puts the emulated UART where the host has its console, which no domain gets.
    fn of_host<'t>(
        &self,
        claim: &DomainClaim<'_>,
        host: &Host<'t>,
    ) -> Result<Self, ClaimError<'t>> {
        let refuse = |flaw: ClaimFlaw<'t>| Err(flaw.at(claim.origin, "vpl011"));
        let Some(console) = &host.console else {
            return refuse(ClaimFlaw::NoConsole);
        };
        let registers = Span::new(console.span.direct().first(), self.registers.size());
        let whole = registers.ok().filter(|registers| {
            registers.is_page_exact() && console.span.direct().covers(*registers)
        });
        match (whole, console.lines.first()) {
            (Some(registers), Some(line)) => Ok(Self {
                registers,
                line: *line,
            }),
            (None, _) => refuse(ClaimFlaw::ConsolePage),
            (_, None) => refuse(ClaimFlaw::ConsoleLine),
        }
    }
}

impl Layout {
    /// Returns the guest's own layout, with a UART or without.
    pub const fn own(guest: &'static GuestMap, uart: bool) -> Self {
        Self {
            guest,
            controller: guest.controller,
            uart: if uart { Some(guest.uart) } else { None },
            grant: guest.grant,
            bridge: None,
        }
    }

    /// Returns the layout of a domain: its own, or in a direct-mapped domain the host's.
    ///
    /// # Errors
    /// Refuses what the host has no place for.
    pub(super) fn of<'t>(
        claim: &DomainClaim<'_>,
        host: &Host<'t>,
        machine: &Machine,
    ) -> Result<Self, ClaimError<'t>> {
        let own = Self::own(machine.guest, claim.vpl011);
        if !claim.direct_map {
            return Ok(own);
        }
        let needed = u64::from(claim.cpus) * own.guest.per_cpu;
        let fits = |frames: &&Span<Pa>| frames.size() >= needed;
        let Some(per_cpu) = host.controller.per_cpu.iter().find(fits) else {
            let flaw = ClaimFlaw::ControllerRoom(claim.cpus);
            return Err(flaw.at(claim.origin, claim.names.cpus));
        };
        let uart = own.uart.map(|uart| uart.of_host(claim, host));
        Ok(Self {
            controller: Controller {
                shared: host.controller.shared.direct(),
                per_cpu: per_cpu.direct(),
            },
            uart: uart.transpose()?,
            // Where the hypervisor lies nothing of the host can be in the way. Xen does the same.
            grant: machine
                .taken
                .first()
                .map_or(own.grant, |taken| taken.span.widened_to_pages().direct()),
            ..own
        })
    }

    /// Tells whether something that is emulated, or kept for later, has a part of a range. What is kept
    /// for grant tables is not: it is told to control domains as room for the pages of others.
    pub fn uses(&self, span: Span<Ipa>) -> bool {
        let uart = self.uart.map(|uart| uart.registers);
        [
            self.controller.shared,
            self.controller.per_cpu,
            self.guest.magic,
        ]
        .into_iter()
        .chain(uart)
        .chain(self.bridge.iter().flat_map(Bridge::spans))
        .any(|used| used.overlaps(span))
    }
}
