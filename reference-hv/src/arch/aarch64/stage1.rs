//! The hypervisor's own translation at EL2: entries and control register (Arm ARM D8.3, TCR_EL2
//! with HCR_EL2.E2H = 0). The mapping is the identity.

use crate::addr::Pa;
use crate::arch::aarch64::stage2::pa_range_field;
use crate::paging::{Entry, Format, Shape};

const ADDRESS: u64 = 0x0000_ffff_ffff_f000;
const VALID: u64 = 1;
const TABLE_OR_PAGE: u64 = 1 << 1;
const ACCESSED: u64 = 1 << 10;
const INNER_SHAREABLE: u64 = 0b11 << 8;
/// `AP[1]` is RES1 in a regime with one privilege level.
const ONE_LEVEL: u64 = 1 << 6;
const READ_ONLY: u64 = 1 << 7;
const EXECUTE_NEVER: u64 = 1 << 54;
/// Attribute index of Normal write-back memory; index 0 is Device-nGnRE (MAIR_EL2 in boot.S).
const NORMAL: u64 = 1 << 2;

/// Width of the hypervisor's addresses.
pub const SHAPE: Shape = Shape { bits: 48, start: 0 };

/// What the hypervisor may do with its memory; nothing is writable and executable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Memory {
    /// Instructions.
    Text,
    /// Constants, and memory that others own.
    Constant,
    /// Variables, tables, RAM.
    Data,
    /// Registers of devices.
    Device,
}

/// Entries of the stage-1 tables.
#[derive(Clone, Copy, Debug)]
pub struct Stage1;

impl Format for Stage1 {
    type Input = Pa;
    type Attributes = Memory;

    fn table(self, next: Pa) -> u64 {
        next.raw() & ADDRESS | TABLE_OR_PAGE | VALID
    }

    fn leaf(self, level: u8, to: Pa, attributes: Memory) -> u64 {
        let kind = if level == 3 { TABLE_OR_PAGE } else { 0 };
        let bits = match attributes {
            Memory::Text => NORMAL | INNER_SHAREABLE | READ_ONLY,
            Memory::Constant => NORMAL | INNER_SHAREABLE | READ_ONLY | EXECUTE_NEVER,
            Memory::Data => NORMAL | INNER_SHAREABLE | EXECUTE_NEVER,
            Memory::Device => EXECUTE_NEVER,
        };
        to.raw() & ADDRESS | bits | ACCESSED | ONE_LEVEL | kind | VALID
    }

    fn read(self, level: u8, entry: u64) -> Entry<Memory> {
        let to = Pa::new(entry & ADDRESS);
        match (entry & VALID != 0, entry & TABLE_OR_PAGE != 0, level) {
            (false, ..) | (true, false, 0 | 3) => return Entry::Empty,
            (true, true, 0..=2) => return Entry::Table(to),
            _ => {}
        }
        let normal = entry & NORMAL != 0;
        Entry::Leaf(
            to,
            match (normal, entry & READ_ONLY != 0, entry & EXECUTE_NEVER != 0) {
                (false, ..) => Memory::Device,
                (true, true, false) => Memory::Text,
                (true, true, true) => Memory::Constant,
                (true, false, _) => Memory::Data,
            },
        )
    }
}

/// Returns TCR_EL2 for [`SHAPE`]: 4 KiB granule, walks write-back and inner shareable.
pub fn control(pa_range: u64) -> u64 {
    const RES1: u64 = 1 << 31 | 1 << 23;
    const WALKS: u64 = 0b11 << 12 | 0b01 << 10 | 0b01 << 8;
    RES1 | pa_range_field(pa_range) << 16 | WALKS | u64::from(64 - SHAPE.bits)
}

/// Returns the address that PAR_EL1 holds after a translation of `va`; `None` where it reports a fault.
pub const fn translated(par: u64, va: u64) -> Option<u64> {
    const FAULT: u64 = 1;
    if par & FAULT != 0 {
        None
    } else {
        Some(par & ADDRESS | va & 0xfff)
    }
}

#[cfg(test)]
mod tests;
