//! Stage-2 translation: entries and control registers (Arm ARM D8.3, VTCR_EL2, VTTBR_EL2).

use crate::addr::{Ipa, Pa};
use crate::fault::{self, Fault};
use crate::ids::Vmid;
use crate::paging::{Entry, Format, Memory, Shape};

/// Output address bits of an entry, 48-bit addresses and 4 KiB granule.
const ADDRESS: u64 = 0x0000_ffff_ffff_f000;
const VALID: u64 = 1;
/// At levels 0 to 2 a table, at level 3 a page.
const TABLE_OR_PAGE: u64 = 1 << 1;
const ACCESSED: u64 = 1 << 10;
const READ_WRITE: u64 = 0b11 << 6;
const READ_ONLY: u64 = 0b01 << 6;
const INNER_SHAREABLE: u64 = 0b11 << 8;
const NORMAL_WRITE_BACK: u64 = 0b1111 << 2;
/// With HCR_EL2.FWB (Arm ARM D8.6.6): Normal write-back, whatever stage 1 says.
const FORCED_WRITE_BACK: u64 = 0b0110 << 2;
/// `MemAttr[3:0]`.
const MEMORY_TYPE: u64 = 0b1111 << 2;
/// The same with and without HCR_EL2.FWB.
const DEVICE_NGNRE: u64 = 0b0001 << 2;
/// `XN[1:0]` = 0b10: executable at no exception level, with and without FEAT_XNX.
const EXECUTE_NEVER: u64 = 1 << 54;

/// Entries of the stage-2 tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stage2 {
    /// Whether a guest's RAM is write-back cached whatever the guest says (FEAT_S2FWB, HCR_EL2.FWB).
    /// Without it a guest that runs with its caches off reads past them.
    pub forced: bool,
}

/// Returns the attributes of a leaf: Normal write-back memory, or Device-nGnRE.
fn attributes(memory: Memory, forced: bool) -> u64 {
    let access = match memory {
        Memory::Device if fault::on(Fault::DeviceReadOnly) => ACCESSED | READ_ONLY,
        Memory::Ram | Memory::Foreign | Memory::Device => ACCESSED | READ_WRITE,
    };
    let ram = INNER_SHAREABLE
        | if forced {
            FORCED_WRITE_BACK
        } else {
            NORMAL_WRITE_BACK
        };
    let kind = match memory {
        Memory::Ram => ram,
        Memory::Foreign => ram | EXECUTE_NEVER,
        Memory::Device if fault::on(Fault::DeviceExecutable) => DEVICE_NGNRE,
        Memory::Device => DEVICE_NGNRE | EXECUTE_NEVER,
    };
    access | kind
}

impl Format for Stage2 {
    type Input = Ipa;
    type Attributes = Memory;

    fn table(self, next: Pa) -> u64 {
        next.raw() & ADDRESS | TABLE_OR_PAGE | VALID
    }

    fn leaf(self, level: u8, to: Pa, memory: Memory) -> u64 {
        let kind = if level == 3 { TABLE_OR_PAGE } else { 0 };
        to.raw() & ADDRESS | attributes(memory, self.forced) | kind | VALID
    }

    fn read(self, level: u8, entry: u64) -> Entry<Memory> {
        let to = Pa::new(entry & ADDRESS);
        match (entry & VALID != 0, entry & TABLE_OR_PAGE != 0, level) {
            (false, ..) | (true, false, 0 | 3) => Entry::Empty,
            (true, true, 0..=2) => Entry::Table(to),
            _ if entry & MEMORY_TYPE == DEVICE_NGNRE => Entry::Leaf(to, Memory::Device),
            _ if entry & EXECUTE_NEVER != 0 => Entry::Leaf(to, Memory::Foreign),
            _ => Entry::Leaf(to, Memory::Ram),
        }
    }
}

/// Returns the width of guest-physical addresses: 40 bits, or fewer where the CPU has fewer.
/// `pa_range` is ID_AA64MMFR0_EL1.PARange.
pub const fn ipa_bits(pa_range: u64) -> u8 {
    let physical = pa_bits(pa_range);
    if physical < 40 { physical } else { 40 }
}

/// Returns the width of physical addresses as far as this code uses it: at most 48 bits, the most
/// that an entry without FEAT_LPA2 holds.
pub const fn pa_bits(pa_range: u64) -> u8 {
    match pa_range & 0xf {
        0 => 32,
        1 => 36,
        2 => 40,
        3 => 42,
        4 => 44,
        _ => 48,
    }
}

/// Returns VTCR_EL2 for tables of this shape: 4 KiB granule, walks write-back and inner
/// shareable, eight-bit VMIDs.
pub fn control(shape: Shape, pa_range: u64) -> u64 {
    const RES1: u64 = 1 << 31;
    const WALKS: u64 = 0b11 << 12 | 0b01 << 10 | 0b01 << 8;
    // SL0 counts from level 2 upward (4 KiB granule: 0 is level 2, 1 is level 1, 2 is level 0).
    let start = u64::from(2_u8.saturating_sub(shape.start)) << 6;
    let size = pa_range_field(pa_range) << 16;
    RES1 | size | WALKS | start | u64::from(64 - shape.bits)
}

/// Returns the PS field for output addresses of [`pa_bits`].
pub const fn pa_range_field(pa_range: u64) -> u64 {
    let range = pa_range & 0xf;
    if range > 5 { 5 } else { range }
}

/// Returns VTTBR_EL2: the tables of a domain, tagged with a VMID that no other domain has.
pub fn base(root: Pa, tag: Vmid) -> u64 {
    u64::from(tag.number()) << 48 | root.raw() & ADDRESS
}

#[cfg(test)]
mod tests;
