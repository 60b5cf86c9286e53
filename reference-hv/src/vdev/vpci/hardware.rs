//! What the hardware domain sees: the machine's own buses, at the places where they are.
//!
//! It finds and drives its functions by itself, with the hardware's own registers. What others have is kept from it by
//! [`Access`]; what would reach others through a function of its own is kept from it here:
//!
//! - **base address registers** can be written while the function does not decode them, so that they can be sized and
//!   moved, and not otherwise. Decoding goes on only where each of them is zero, which is nowhere, or in a window of the host
//!   bridge where [`Port::map`] takes it: device memory is mapped where it is while it is decoded. One that lies
//!   elsewhere would answer in another's place, so the function's decoding stays off as a whole.
//! - **numbers of buses and windows** of bridges cannot be changed: by them, a function would take another's name before
//!   the IOMMU, or another's addresses. Of bridge control, the reset of the bus behind can be written.
//! - **MSI and MSI-X** are seen and can be set up, but not enabled: nobody delivers them.
//! - **extended capabilities** can only be read: access control, virtual functions and resizable registers are
//!   among them. So can the expansion ROM and enhanced allocation.
//! - The rest is the domain's, resets included. After a write behind the header the registers are looked at again, and
//!   what is no longer decoded is no longer mapped.
//!
//! A function that [`Hardware::refresh`] was not told of can be read, and nothing else. Bridges are functions of the
//! domain's like others, also while it may only look at them.

use alloc::vec::Vec;

use super::Port;
use super::byte_lanes::{Lane, byte_lanes};
use super::function::{clear_errors, commanded};
use crate::access::Width;
use crate::addr::{Pa, Span};
use crate::fault::{self, Fault};
use crate::hal::ConfigSpace;
use crate::ids::Sbdf;
use crate::pci::registers::{
    BAR0, BRIDGE_CONTROL, BRIDGE_RESET, BUSES, CACHE_LINE, COMMAND, Command, DEVICE_SPECIFIC,
    EXTENDED, LINE, SUBSYSTEM,
};
use crate::pci::{BarKind, Function, Kind};
use crate::vdev::Rejected;

mod registers;

use registers::{address, command, decodes, holds, is_allocation, msi};

/// First register behind those of base addresses in an endpoint: an old pointer that is none.
const CARDBUS: u16 = 0x28;
/// A double word's lower half.
const LOW: u32 = 0xffff;
/// A double word's lowest byte.
const BYTE: u32 = 0xff;

/// What the hardware domain may do with a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// It is its own.
    Full,
    /// It may look: a bridge to a function that another domain has.
    ReadOnly,
    /// It may not: the function of another domain, or of nobody. It is as if it were not there.
    Hidden,
}

/// Addresses that a host bridge passes on to its functions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HostWindow {
    /// Whose functions.
    pub segment: u16,
    /// Where the window begins on the bus.
    pub bus: u64,
    /// Where the CPU finds it.
    pub cpu: Span<Pa>,
}

impl HostWindow {
    /// Returns where the CPU finds what a function decodes.
    fn translate(&self, segment: u16, address: u64, size: u64) -> Option<Span<Pa>> {
        let inside = address.checked_sub(self.bus)?;
        let first = self.cpu.first().raw().checked_add(inside)?;
        let span = Span::new(Pa::new(first), size).ok()?;
        (self.segment == segment && self.cpu.covers(span)).then_some(span)
    }
}

/// A base address register points where its function must not decode.
struct Misplaced;

/// The hardware domain's functions, and what of them is mapped.
#[derive(Clone, Debug)]
pub struct Hardware {
    windows: Vec<HostWindow>,
    functions: Vec<Function>,
    /// Whole pages, for each register that needs them: more than one may need the same.
    mapped: Vec<(Sbdf, Span<Pa>)>,
}

impl Hardware {
    /// Makes a view without functions.
    pub const fn new(windows: Vec<HostWindow>) -> Self {
        Self {
            windows,
            functions: Vec::new(),
            mapped: Vec::new(),
        }
    }

    /// Takes note that the domain has a function: one that was found, one that came, or one that was given back. What
    /// the hardware decodes at this moment is mapped, and MSI is off.
    pub fn refresh(&mut self, port: &mut impl Port, function: &Function) {
        let at = function.at;
        self.functions.retain(|known| known.at != at);
        self.functions.push(function.clone());
        for (register, bit) in msi(function) {
            let control = port.config_read(at, register, Width::Half);
            // All ones are nobody's answer.
            if control & u32::from(bit) != 0 && control != LOW {
                let off = control & !u32::from(bit);
                port.config_write(at, register, Width::Half, off);
            }
        }
        self.settle(port, at);
    }

    /// Tells whether the domain has been told of a function.
    pub fn knows(&self, at: Sbdf) -> bool {
        self.functions.iter().any(|known| known.at == at)
    }

    /// Takes a function from the domain: nothing of it is mapped any longer. The hardware stays as it is.
    pub fn forget(&mut self, port: &mut impl Port, at: Sbdf) {
        if !fault::on(Fault::TakenStaysMapped) {
            self.unmap(port, at);
        }
        self.functions.retain(|known| known.at != at);
    }

    /// Reads a register of a function.
    ///
    /// # Errors
    /// Rejects an access that is not naturally aligned, or outside of the function's registers.
    pub fn read(
        &self,
        port: &mut impl ConfigSpace,
        at: Sbdf,
        offset: u16,
        width: Width,
        access: Access,
    ) -> Result<u64, Rejected> {
        let hidden = match access {
            Access::Hidden => !fault::on(Fault::OthersShownToHardware),
            Access::Full | Access::ReadOnly => {
                (at.bus != 0 && fault::on(Fault::HardwareFirstBusOnly))
                    || (at.function() != 0 && fault::on(Fault::HardwareFirstFunctionOnly))
            }
        };
        let mut value = 0;
        for lane in byte_lanes(offset, width)? {
            let word = if hidden {
                u32::MAX
            } else {
                lane.fetch(port, at)
            };
            value |= lane.lift(word);
        }
        Ok(value)
    }

    /// Writes a register of a function.
    ///
    /// # Errors
    /// Rejects an access that is not naturally aligned, or outside of the function's registers.
    pub fn write(
        &mut self,
        port: &mut impl Port,
        at: Sbdf,
        offset: u16,
        width: Width,
        value: u64,
        access: Access,
    ) -> Result<(), Rejected> {
        let byte_lanes = byte_lanes(offset, width)?;
        let may = match access {
            Access::Full => true,
            Access::ReadOnly => fault::on(Fault::OthersBridgeWritable),
            Access::Hidden => false,
        };
        for lane in byte_lanes.filter(|_| may) {
            self.store(port, at, lane, lane.lower(value));
        }
        Ok(())
    }

    /// Writes what may be written in a double word.
    fn store(&mut self, port: &mut impl Port, at: Sbdf, lane: Lane, word: u32) {
        let Some(function) = self.functions.iter().find(|known| known.at == at) else {
            return;
        };
        if matches!(function.kind, Kind::Other(_)) {
            return;
        }
        let bridge = function.is_bridge();
        match lane.register {
            COMMAND => {
                if lane.mask & LOW != 0 {
                    self.switch(port, at, lane.mask, word);
                }
                clear_errors(port, at, word);
            }
            // The header's type cannot be written, and a self test would keep the function from answering.
            CACHE_LINE => lane.store(port, at, word & LOW),
            LINE if bridge => {
                if lane.mask & BYTE != 0 {
                    port.config_write(at, LINE, Width::Byte, word & BYTE);
                }
                let reset = u32::from(BRIDGE_RESET) << 16;
                if lane.mask & reset != 0 {
                    let old = port.config_read(at, BRIDGE_CONTROL, Width::Half) << 16;
                    let control = (old & !reset | word & reset) >> 16;
                    port.config_write(at, BRIDGE_CONTROL, Width::Half, control);
                    self.settle_all(port);
                }
            }
            LINE => lane.store(port, at, word),
            BUSES if bridge && fault::on(Fault::BusNumbersWritable) => lane.store(port, at, word),
            BUSES..SUBSYSTEM if bridge => {}
            BAR0..CARDBUS => {
                let kind = function
                    .bars
                    .iter()
                    .find_map(|bar| holds(bar, lane.register));
                if kind.is_some_and(|kind| !decodes(port, at, kind))
                    && !fault::on(Fault::HardwareBarsFrozen)
                {
                    lane.store(port, at, word);
                }
            }
            DEVICE_SPECIFIC..EXTENDED if is_allocation(function, lane.register) => {}
            DEVICE_SPECIFIC..EXTENDED => {
                let enable = msi(function)
                    .filter(|(control, _)| control & !3 == lane.register)
                    .fold(0, |bits, (_, bit)| bits | u32::from(bit) << 16);
                lane.store(port, at, word & !enable);
                if bridge {
                    self.settle_all(port);
                } else {
                    self.settle(port, at);
                }
            }
            _ => {}
        }
    }

    /// Takes a value of the command register.
    fn switch(&mut self, port: &mut impl Port, at: Sbdf, mask: u32, word: u32) {
        let old = command(port, at);
        let mut new = commanded(old, mask, word);
        if !new.contains(Command::MEMORY) {
            self.unmap(port, at);
        } else if !old.contains(Command::MEMORY) && self.map(port, at).is_err() {
            new.remove(Command::MEMORY);
        }
        port.config_write(at, COMMAND, Width::Half, u32::from(new.bits()));
    }

    /// Maps what each function decodes now: something was done that may have changed any of them.
    fn settle_all(&mut self, port: &mut impl Port) {
        let all: Vec<_> = self.functions.iter().map(|known| known.at).collect();
        for at in all {
            self.settle(port, at);
        }
    }

    /// Maps what a function decodes now, and nothing else.
    fn settle(&mut self, port: &mut impl Port, at: Sbdf) {
        let decoding = decodes(port, at, BarKind::Memory32);
        let now = if decoding {
            self.placed(port, at)
        } else {
            Ok(Vec::new())
        };
        let before = self.mapped.iter().filter(|(whose, _)| *whose == at);
        if now.is_ok_and(|now| now.iter().eq(before.map(|(_, span)| span))) {
            return;
        }
        self.unmap(port, at);
        if decoding && self.map(port, at).is_err() {
            let off = command(port, at).difference(Command::MEMORY);
            port.config_write(at, COMMAND, Width::Half, u32::from(off.bits()));
        }
    }

    /// Maps everything that a function's registers say, or nothing.
    fn map(&mut self, port: &mut impl Port, at: Sbdf) -> Result<(), Misplaced> {
        if fault::on(Fault::HardwareDecodeIgnored) {
            return Ok(());
        }
        for span in self.placed(port, at)? {
            let there = self.mapped.iter().any(|(_, other)| *other == span);
            if !there && !port.map(span.direct(), span.first()) {
                self.unmap(port, at);
                return Err(Misplaced);
            }
            self.mapped.push((at, span));
        }
        Ok(())
    }

    /// Takes away what no other register needs.
    fn unmap(&mut self, port: &mut impl Port, at: Sbdf) {
        while let Some(place) = self.mapped.iter().position(|(whose, _)| *whose == at) {
            let (_, span) = self.mapped.remove(place);
            if self.mapped.iter().all(|(_, other)| *other != span) {
                port.unmap(span.direct());
            }
        }
    }

    /// Returns the pages of what a function's registers say.
    fn placed(&self, port: &mut impl Port, at: Sbdf) -> Result<Vec<Span<Pa>>, Misplaced> {
        let known = self.functions.iter().find(|known| known.at == at);
        let bars = known.map_or(&[][..], |known| &known.bars);
        let mut spans = Vec::new();
        for bar in bars.iter().filter(|bar| bar.kind != BarKind::Io) {
            let address = address(port, at, bar);
            if address != 0 {
                let found = self
                    .windows
                    .iter()
                    .find_map(|window| window.translate(at.segment, address, bar.size));
                let anywhere = || {
                    let same = Span::new(Pa::new(address), bar.size).ok();
                    same.filter(|_| fault::on(Fault::HardwareBarAnywhere))
                };
                let span = found.or_else(anywhere).ok_or(Misplaced)?;
                spans.push(span.widened_to_pages());
            }
        }
        Ok(spans)
    }
}
