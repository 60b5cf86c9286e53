//! The base address registers that a guest sees. The hardware's stay where they are.

use alloc::vec::Vec;

use super::byte_lanes::merge;
use super::window::{PAST_32_BITS, Wanted, Windows};
use super::{Given, Port};
use crate::access::low32;
use crate::addr::{Ipa, PAGE_SIZE, Pa, Span};
use crate::fault::{self, Fault};
use crate::pci::{Bar, BarKind};

/// A memory register has an address of 64 bits (PCI 6.2.5.1).
const WIDE: u32 = 2 << 1;
/// Reads of the memory have no side effects.
const PREFETCHABLE: u32 = 1 << 3;
/// How many there are.
const COUNT: usize = 6;

/// One of the six registers.
#[derive(Clone, Copy, Debug, Default)]
enum Register {
    /// Is not there, or is not shown.
    #[default]
    Absent,
    /// Holds an address, or the lower half of it.
    Low(Memory),
    /// Holds the upper half of the address of the one in front.
    High,
}

/// Memory that a register decodes.
#[derive(Clone, Copy, Debug)]
struct Memory {
    host: Pa,
    /// As the guest sees it.
    size: u64,
    flags: u32,
    /// Where the guest has it.
    address: u64,
    /// What [`Port::map`] has taken.
    mapped: Option<Span<Ipa>>,
}

impl Memory {
    /// Makes what is shown of a register of the hardware; nothing, where it is none of memory, or what is said of it does
    /// not fit.
    fn new(bar: Bar, host: Option<Span<Pa>>) -> Option<Self> {
        let host = host?;
        let whole = bar.size.max(PAGE_SIZE);
        let sound = bar.size.is_power_of_two() && host.is_page_exact() && host.size() == whole;
        let flags = match bar.kind {
            BarKind::Memory32 if bar.size < PAST_32_BITS => 0,
            BarKind::Memory64 => WIDE,
            BarKind::Memory32 | BarKind::Io => return None,
        };
        sound.then_some(Self {
            host: host.first(),
            size: if fault::on(Fault::SubPageShown) {
                bar.size
            } else {
                whole
            },
            flags: flags | if bar.prefetchable { PREFETCHABLE } else { 0 },
            address: 0,
            mapped: None,
        })
    }

    const fn is_wide(&self) -> bool {
        self.flags & WIDE != 0
    }

    /// Returns where the guest has it, if anywhere.
    fn span(&self) -> Option<Span<Ipa>> {
        let span = Span::new(Ipa::new(self.address), self.size).ok()?;
        (self.address != 0).then_some(span)
    }

    /// Sets the bits of one half of the address that are written; those below the size stay zero (PCI 6.2.5.1).
    const fn move_to(&mut self, upper: bool, mask: u32, value: u32) {
        let [low, high] = halves(self.address);
        let (low, high) = if upper {
            (low, merge(high, mask, value))
        } else {
            (merge(low, mask, value), high)
        };
        self.address = joined(low, high) & !(self.size - 1);
    }
}

/// The six registers of a function.
#[derive(Clone, Debug)]
pub struct Bars {
    registers: [Register; COUNT],
}

impl Bars {
    /// Makes the registers of a function and gives each its first place, apart from what is `taken`.
    pub fn new(given: &Given<'_>, windows: &Windows, mut taken: Vec<Span<Ipa>>) -> Self {
        let mut registers = [Register::Absent; COUNT];
        for bar in &given.function.bars {
            let index = usize::from(bar.index);
            let host = given.host.get(index).copied().flatten();
            let Some(mut memory) = Memory::new(*bar, host) else {
                continue;
            };
            let wide = memory.is_wide();
            if wide {
                // A pair that would end behind the last register is not there.
                let Some(upper) = registers.get_mut(index + 1) else {
                    continue;
                };
                *upper = Register::High;
            }
            memory.address = windows.place(
                &taken,
                &Wanted {
                    size: memory.size,
                    prefetchable: wide && bar.prefetchable,
                    wide,
                    host: memory.host,
                },
            );
            taken.extend(memory.span());
            if let Some(register) = registers.get_mut(index) {
                *register = Register::Low(memory);
            }
        }
        Self { registers }
    }

    /// Returns where the guest has placed what it sees.
    pub fn spans(&self) -> impl Iterator<Item = Span<Ipa>> {
        self.registers.iter().filter_map(|register| match register {
            Register::Low(memory) => memory.span(),
            Register::Absent | Register::High => None,
        })
    }

    /// Reads a register; nothing, where it is not there.
    pub fn read(&self, index: usize) -> Option<u32> {
        match self.registers.get(index)? {
            Register::Absent => None,
            Register::Low(memory) => Some(halves(memory.address)[0] | memory.flags),
            Register::High => match self.registers.get(index.checked_sub(1)?)? {
                Register::Low(memory) => Some(halves(memory.address)[1]),
                Register::Absent | Register::High => None,
            },
        }
    }

    /// Writes a register. Nothing that is mapped moves.
    pub fn write(&mut self, index: usize, mask: u32, value: u32) {
        let upper = matches!(self.registers.get(index), Some(Register::High));
        let owner = if upper { index.wrapping_sub(1) } else { index };
        if let Some(Register::Low(memory)) = self.registers.get_mut(owner) {
            memory.move_to(upper, mask, value);
        }
    }

    /// Shows the guest everything that it has placed where it may.
    pub fn map(&mut self, port: &mut impl Port, windows: &Windows) {
        for memory in self.memories() {
            let allowed = memory
                .span()
                .filter(|span| span.is_page_exact() && windows.allow(*span));
            if memory.mapped.is_none() {
                memory.mapped = allowed.filter(|span| port.map(*span, memory.host));
            }
        }
    }

    /// Takes all of that away.
    pub fn unmap(&mut self, port: &mut impl Port) {
        for memory in self.memories() {
            if let Some(span) = memory.mapped.take() {
                port.unmap(span);
            }
        }
    }

    fn memories(&mut self) -> impl Iterator<Item = &mut Memory> {
        self.registers
            .iter_mut()
            .filter_map(|register| match register {
                Register::Low(memory) => Some(memory),
                Register::Absent | Register::High => None,
            })
    }
}

/// Returns the lower and the upper half of an address.
const fn halves(address: u64) -> [u32; 2] {
    [low32(address), low32(address >> 32)]
}

/// Returns the address with these halves.
const fn joined(low: u32, high: u32) -> u64 {
    let [a, b, c, d] = low.to_le_bytes();
    let [e, f, g, h] = high.to_le_bytes();
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}
