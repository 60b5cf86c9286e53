//! A function as its guest sees it.

use alloc::vec::Vec;

use super::bars::Bars;
use super::byte_lanes::merge;
use super::capabilities::Capabilities;
use super::window::Windows;
use super::{Given, Port};
use crate::access::Width;
use crate::addr::{Ipa, Span};
use crate::fault::{self, Fault};
use crate::hal::ConfigSpace;
use crate::ids::Sbdf;
use crate::pci::registers::{
    BAR0, CACHE_LINE, CAPABILITIES, COMMAND, Command, DEVICE_SPECIFIC, EXTENDED, LINE, REVISION,
    STATUS, STATUS_CAPABILITIES, SUBSYSTEM, VENDOR,
};

/// Bits of the command register that a guest can set.
const SETTABLE: Command = Command::MEMORY
    .union(Command::MASTER)
    .union(Command::PARITY)
    .union(Command::SERR)
    .union(Command::NO_INTX);
/// Those of them that the hardware gets.
const PASSED: Command = Command::MEMORY
    .union(Command::MASTER)
    .union(Command::NO_INTX);
/// Bits of the status register that are cleared by writing them (PCI 6.2.3): the errors.
const ERRORS: u16 = 0xf900;
/// First register behind the six of base addresses.
const BARS_END: u16 = BAR0 + 4 * 6;
/// A double word's lower half.
const LOW: u32 = 0xffff;
/// A double word's lowest byte.
const BYTE: u32 = 0xff;

/// A function that a guest was given.
#[derive(Clone, Debug)]
pub struct Function {
    at: Sbdf,
    identity: u32,
    revision: u32,
    subsystem: u32,
    /// As the guest sees it.
    command: Command,
    cache_line: u8,
    line: u8,
    /// Zero, where no interrupt reaches the guest.
    pin: u8,
    bars: Bars,
    capabilities: Capabilities,
}

impl Function {
    /// Makes a function that is switched off, whose registers are placed apart from what is `taken`.
    pub fn new(
        port: &mut impl Port,
        given: &Given<'_>,
        windows: &Windows,
        taken: Vec<Span<Ipa>>,
    ) -> Self {
        let at = given.function.at;
        let mut read = |register| port.config_read(at, register, Width::Word);
        let mut function = Self {
            at,
            identity: read(VENDOR),
            revision: read(REVISION),
            subsystem: read(SUBSYSTEM),
            command: Command::empty(),
            cache_line: 0,
            line: 0,
            pin: given
                .function
                .pin
                .filter(|_| given.interrupts)
                .unwrap_or_default(),
            bars: Bars::new(given, windows, taken),
            capabilities: Capabilities::new(port, at, &given.function.capabilities),
        };
        function.switch(port, windows, Command::empty());
        function
    }

    /// Returns which function of the machine it is.
    pub const fn at(&self) -> Sbdf {
        self.at
    }

    /// Returns where the guest has placed its memory.
    pub fn spans(&self) -> impl Iterator<Item = Span<Ipa>> {
        self.bars.spans()
    }

    /// Takes everything away that is mapped.
    pub fn unmap(&mut self, port: &mut impl Port) {
        self.bars.unmap(port);
    }

    /// Reads a double word, of which the bits of `mask` matter.
    pub fn read(&self, port: &mut impl Port, register: u16, mask: u32) -> u32 {
        let hardware =
            |port: &mut _| ConfigSpace::config_read(port, self.at, register, Width::Word);
        match register {
            VENDOR => self.identity,
            COMMAND => {
                let status = if mask & !LOW == 0 {
                    0
                } else {
                    self.status(port)
                };
                status << 16 | u32::from(self.command.bits())
            }
            REVISION => self.revision,
            // One function, an endpoint; no latency timer and no self test.
            CACHE_LINE if fault::on(Fault::MultiFunctionShown) => hardware(port),
            CACHE_LINE => u32::from(self.cache_line),
            BAR0..BARS_END => match self.bars.read(usize::from((register - BAR0) / 4)) {
                Some(word) => word,
                None if fault::on(Fault::HiddenBarShown) => hardware(port),
                None => 0,
            },
            SUBSYSTEM => self.subsystem,
            CAPABILITIES => u32::from(self.capabilities.first()),
            LINE => u32::from(self.pin) << 8 | u32::from(self.line),
            _ if register < DEVICE_SPECIFIC => 0,
            EXTENDED if fault::on(Fault::ExtendedShown) => hardware(port),
            // No extended capability (PCIe 7.6.1).
            EXTENDED => 0,
            _ => match self.capabilities.read(port, self.at, register) {
                Some(word) => word,
                None if fault::on(Fault::GapReadsHardware) => hardware(port),
                None => u32::MAX,
            },
        }
    }

    /// Writes the bits of `mask` in a double word.
    pub fn write(
        &mut self,
        port: &mut impl Port,
        windows: &Windows,
        register: u16,
        mask: u32,
        value: u32,
    ) {
        let passed = match register {
            COMMAND => {
                if mask & LOW != 0 {
                    self.switch(port, windows, commanded(self.command, mask, value));
                }
                clear_errors(port, self.at, mask & value);
                false
            }
            CACHE_LINE => {
                set_byte(&mut self.cache_line, mask, value);
                false
            }
            LINE => {
                set_byte(&mut self.line, mask, value);
                false
            }
            BAR0..BARS_END => {
                self.place(
                    port,
                    windows,
                    usize::from((register - BAR0) / 4),
                    mask,
                    value,
                );
                fault::on(Fault::BarPassedThrough)
            }
            _ if register < DEVICE_SPECIFIC => false,
            _ if self.capabilities.has(register) => fault::on(Fault::CapabilityPassedThrough),
            _ => fault::on(Fault::GapPassedThrough),
        };
        if passed {
            let old = port.config_read(self.at, register, Width::Word);
            port.config_write(self.at, register, Width::Word, merge(old, mask, value));
        }
    }

    /// Returns the hardware's status, with a list of capabilities where the guest sees one.
    fn status(&self, port: &mut impl Port) -> u32 {
        let list = u32::from(STATUS_CAPABILITIES);
        let hardware = port.config_read(self.at, STATUS, Width::Half) & !list;
        if self.capabilities.first() == 0 {
            hardware
        } else {
            hardware | list
        }
    }

    /// Takes a value of the command register. What it decodes is reachable only while the hardware decodes.
    fn switch(&mut self, port: &mut impl Port, windows: &Windows, wanted: Command) {
        let filter = |bits: Command| {
            if fault::on(Fault::CommandUnfiltered) {
                wanted
            } else {
                wanted & bits
            }
        };
        self.command = filter(SETTABLE);
        let mut hardware = filter(PASSED);
        if self.pin == 0 {
            hardware |= Command::NO_INTX;
        }
        let decodes = self.command.contains(Command::MEMORY);
        if !decodes && !fault::on(Fault::DecodeNeverOff) {
            self.bars.unmap(port);
        }
        port.config_write(self.at, COMMAND, Width::Half, u32::from(hardware.bits()));
        if decodes {
            self.bars.map(port, windows);
        }
    }

    /// Takes a value of a base address register.
    fn place(
        &mut self,
        port: &mut impl Port,
        windows: &Windows,
        index: usize,
        mask: u32,
        value: u32,
    ) {
        if !self.command.contains(Command::MEMORY) {
            self.bars.write(index, mask, value);
        } else if fault::on(Fault::BarMovedWhileDecoding) {
            self.bars.unmap(port);
            self.bars.write(index, mask, value);
            self.bars.map(port, windows);
        }
    }
}

/// Clears the errors whose bits are set in the upper half of the double word of command and status.
pub fn clear_errors(port: &mut impl ConfigSpace, at: Sbdf, written: u32) {
    let errors = (written >> 16) & u32::from(ERRORS);
    if errors != 0 {
        port.config_write(at, STATUS, Width::Half, errors);
    }
}

/// Returns the command register after a write to its double word.
pub fn commanded(old: Command, mask: u32, value: u32) -> Command {
    let [low, high, ..] = merge(u32::from(old.bits()), mask, value).to_le_bytes();
    Command::from_bits_retain(u16::from_le_bytes([low, high]))
}

/// Sets the lowest byte of a double word, where it is written.
fn set_byte(byte: &mut u8, mask: u32, value: u32) {
    if mask & BYTE != 0 {
        *byte = value.to_le_bytes()[0];
    }
}
