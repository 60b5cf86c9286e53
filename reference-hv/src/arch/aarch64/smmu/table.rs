//! The stream table (3.3, 5.1, 5.2): which stream is translated by what.

use super::features::{Features, size_field};
use crate::addr::Pa;
use crate::fault::{self, Fault};
use crate::ids::{IommuDomainId, SourceId};
use crate::paging::{ENTRIES, Tables};

/// Double words of a stream table entry.
const WORDS: u64 = 8;
/// Bytes of an entry.
const ENTRY: u64 = WORDS * 8;
/// Bytes of a frame.
const FRAME: u64 = ENTRIES * 8;
/// Logarithm of the number of entries in a table of the second level: 16 KiB, which is one PCI bus.
const SPLIT: u8 = 8;
/// Logarithm of the most frames that a table of one piece may take.
const MOST_FRAMES: u8 = 4;

/// STE.V.
const VALID: u64 = 1;
/// STE.Config, in its place: every access is aborted, without an event.
const ABORT: u64 = 0b000 << 1;
/// STE.Config, in its place: accesses pass as they are.
const BYPASS: u64 = 0b100 << 1;
/// STE.Config, in its place: the second stage alone.
const STAGE2: u64 = 0b110 << 1;
/// STE.SHCFG: shareability as the device says it.
const SHARE_AS_IS: u64 = 0b01 << 44;
/// STE.S2FWB.
const FORCED: u64 = 1 << 25;
/// STE.S2AA64: tables of AArch64's format.
const AARCH64: u64 = 1 << 51;
/// STE.S2R: a fault of the second stage is recorded. With S2S = 0 the access is aborted, never held.
const RECORD: u64 = 1 << 58;
/// Where VTCR_EL2's low bits, T0SZ to TG0, stand in the third double word; PS is the SMMU's own.
const CONTROL_SHIFT: u32 = 32;
const CONTROL: u64 = 0xffff;
const SIZE_SHIFT: u32 = 48;
const ADDRESS: u64 = 0x000f_ffff_ffff_fff0;

/// What a stream's accesses are translated by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Translated {
    /// The first table.
    pub root: Pa,
    /// The tag of the translations: that of the CPUs' for the same tables, so that one number names them.
    pub tag: IommuDomainId,
    /// VTCR_EL2, which says how the tables are laid out.
    pub control: u64,
    /// Whether the entries force write-back memory (HCR_EL2.FWB).
    pub forced: bool,
    /// Bits of an address that the SMMU puts out.
    pub output_bits: u8,
}

/// What becomes of the accesses of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entry {
    /// They are aborted, and each is reported.
    Nobody,
    /// They are aborted in silence.
    Released,
    /// They are translated.
    Translated(Translated),
    /// They pass. Nothing but a seeded fault makes such an entry.
    Bypass,
}

impl Entry {
    /// Returns the entry's double words (5.2).
    pub fn encode(self) -> [u64; 8] {
        let mut words = [0; 8];
        match self {
            Self::Nobody => {}
            Self::Released => words[0] = VALID | ABORT,
            Self::Bypass => {
                words[0] = VALID | BYPASS;
                words[1] = SHARE_AS_IS;
            }
            Self::Translated(to) => {
                words[0] = VALID | STAGE2;
                words[1] = SHARE_AS_IS | if to.forced { FORCED } else { 0 };
                words[2] = u64::from(to.tag.number())
                    | (to.control & CONTROL) << CONTROL_SHIFT
                    | size_field(to.output_bits.min(width(to.control))) << SIZE_SHIFT
                    | AARCH64
                    | match fault::on(Fault::FaultsUnrecorded) {
                        true => 0,
                        false => RECORD,
                    };
                words[3] = to.root.raw() & ADDRESS;
            }
        }
        words
    }
}

/// Returns the bits of an address that VTCR_EL2.PS lets the tables put out.
fn width(control: u64) -> u8 {
    crate::arch::aarch64::stage2::pa_bits(control >> 16 & 7)
}

/// How a stream table is laid out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Geometry {
    /// Logarithm of the number of streams that it covers.
    pub log2: u8,
    /// Whether it has a second level.
    pub two_levels: bool,
}

impl Geometry {
    /// Lays out a table for this SMMU: in one piece where that is a page at most or there is no other way,
    /// otherwise of two levels, of which the second is made as it is needed.
    pub fn of(features: &Features) -> Self {
        const PAGE: u8 = 6;
        let bits = features.stream_bits;
        if features.two_levels && bits > PAGE {
            // Eight bytes for each table of the second level.
            let most = SPLIT + 9 + MOST_FRAMES;
            return Self {
                log2: bits.min(most),
                two_levels: true,
            };
        }
        Self {
            log2: bits.min(PAGE + MOST_FRAMES),
            two_levels: false,
        }
    }

    /// Returns the number of frames of the first level.
    fn frames(self) -> u64 {
        let bytes = if self.two_levels {
            8 << (self.log2.max(SPLIT) - SPLIT)
        } else {
            ENTRY << self.log2
        };
        u64::div_ceil(bytes, FRAME)
    }

    /// Returns SMMU_STRTAB_BASE_CFG.
    pub fn register(self) -> u32 {
        let size = u32::from(self.log2);
        if self.two_levels {
            0b01 << 16 | u32::from(SPLIT) << 6 | size
        } else {
            size
        }
    }

    /// Tells whether the table covers a stream.
    pub fn covers(self, id: SourceId) -> bool {
        u64::from(id.0) < 1 << self.log2
    }
}

/// The stream table in memory.
#[derive(Debug)]
pub struct Streams {
    geometry: Geometry,
    root: Pa,
}

impl Streams {
    /// Makes a table in which every stream is nobody's; `None` when there is no room.
    pub fn new(tables: &mut impl Tables, geometry: Geometry) -> Option<Self> {
        let root = tables.take(geometry.frames())?;
        Some(Self { geometry, root })
    }

    /// Returns how the table is laid out.
    pub fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// Returns SMMU_STRTAB_BASE.
    pub fn register(&self) -> u64 {
        /// RA: reads may allocate in caches.
        const READ_ALLOCATE: u64 = 1 << 62;
        self.root.raw() | READ_ALLOCATE
    }

    /// Finds the entry of a stream; `None` beyond the table, and where no table of the second level is.
    fn find(&self, tables: &impl Tables, id: SourceId) -> Option<(Pa, u64)> {
        if !self.geometry.covers(id) {
            return None;
        }
        let id = u64::from(id.0);
        if !self.geometry.two_levels {
            return Some((self.root, id * WORDS));
        }
        let descriptor = tables.load(self.root, id >> SPLIT);
        let table = Pa::new(descriptor & ADDRESS);
        (descriptor != 0).then_some((table, id % (1 << SPLIT) * WORDS))
    }

    /// Makes sure that there is an entry for a stream that the table covers, and tells whether there is.
    /// `order` stands between the making of a table and the pointer to it.
    pub fn reach<T: Tables>(&mut self, tables: &mut T, id: SourceId, order: impl FnOnce()) -> bool {
        if self.find(tables, id).is_some() {
            return true;
        }
        if !self.geometry.covers(id) {
            return false;
        }
        let Some(below) = tables.take((ENTRY << SPLIT) / FRAME) else {
            return false;
        };
        if fault::on(Fault::UnownedBypass) {
            for nth in 0..1 << SPLIT {
                for (word, place) in Entry::Bypass.encode().into_iter().zip(nth * WORDS..) {
                    tables.store(below, place, word);
                }
            }
        }
        order();
        // Span counts from one: 2 to the power of Span - 1 entries (5.1).
        let descriptor = below.raw() | (u64::from(SPLIT) + 1);
        tables.store(self.root, u64::from(id.0) >> SPLIT, descriptor);
        true
    }

    /// Returns the first double word of the entry of a stream.
    pub fn first(&self, tables: &impl Tables, id: SourceId) -> u64 {
        self.find(tables, id)
            .map_or(0, |(table, at)| tables.load(table, at))
    }

    /// Writes the first double word of an entry: what becomes valid or invalid does so at once (3.21.3.1).
    pub fn set_first(&self, tables: &mut impl Tables, id: SourceId, word: u64) {
        if let Some((table, at)) = self.find(tables, id) {
            tables.store(table, at, word);
        }
    }

    /// Writes what follows the first double word of an entry that the SMMU takes for invalid.
    pub fn set_rest(&self, tables: &mut impl Tables, id: SourceId, words: &[u64; 8]) {
        if let Some((table, at)) = self.find(tables, id) {
            for (word, place) in words.iter().zip(at..).skip(1) {
                tables.store(table, place, *word);
            }
        }
    }
}
