//! What an SMMU offers (6.3.1 to 6.3.6), and why one cannot be used.

use core::fmt;

use crate::paging::Shape;

/// The identification registers that the driver decides by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    /// SMMU_IDR0.
    pub idr0: u32,
    /// SMMU_IDR1.
    pub idr1: u32,
    /// SMMU_IDR3.
    pub idr3: u32,
    /// SMMU_IDR5.
    pub idr5: u32,
}

/// What a usable SMMU offers beyond what each must.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Features {
    /// Bits of a StreamID (IDR1.SIDSIZE).
    pub stream_bits: u8,
    /// Whether the stream table may have two levels (IDR0.ST_LEVEL).
    pub two_levels: bool,
    /// Logarithm of the most commands that its queue can hold (IDR1.CMDQS).
    pub commands: u8,
    /// Logarithm of the most events that its queue can hold (IDR1.EVENTQS).
    pub events: u8,
    /// Bits of an address that it puts out (IDR5.OAS), at most 48.
    pub output_bits: u8,
    /// Whether it has an EL2 regime of its own, with translations of its own (IDR0.Hyp).
    pub hypervisor: bool,
    /// Whether it can send interrupts as messages, which then are to be kept off (IDR0.MSI).
    pub messages: bool,
    /// Whether it lets devices translate for themselves, which then is to be checked (IDR0.ATS).
    pub remote_translation: bool,
    /// Whether it understands entries that force write-back memory (IDR3.FWB).
    pub forces_write_back: bool,
}

/// Why an SMMU cannot protect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unusable {
    /// No second stage of translation.
    NoStage2,
    /// No tables of AArch64's format.
    NoTables,
    /// No pages of 4 KiB.
    NoSmallPages,
    /// It reads tables in big-endian order.
    BigEndian,
    /// It reads tables and queues past the caches.
    Incoherent,
    /// It holds every access that faults until software answers.
    StallsAlways,
    /// Its tables or queues lie where they were made to lie.
    Preset,
    /// It cannot report what it blocks.
    NoEvents,
    /// Bits of its output, fewer than `needed`.
    Narrow {
        /// How many it has.
        bits: u8,
        /// How many would do.
        needed: u8,
    },
    /// No room for its tables and queues.
    NoRoom,
    /// A register did not come to say what was asked of it.
    Silent(&'static str),
    /// Nothing answers where its registers should be.
    Absent,
    /// It is none that this driver knows, or its registers are nowhere.
    Unknown,
    /// It stopped at a command.
    Command(u8),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStage2 => f.write_str("has no stage 2 (SMMU_IDR0.S2P is 0)"),
            Self::NoTables => f.write_str("has no AArch64 tables (SMMU_IDR0.TTF)"),
            Self::NoSmallPages => f.write_str("has no pages of 4 KiB (SMMU_IDR5.GRAN4K is 0)"),
            Self::BigEndian => f.write_str("reads tables big-endian only (SMMU_IDR0.TTENDIAN)"),
            Self::Incoherent => f.write_str("reads tables past the caches (SMMU_IDR0.COHACC is 0)"),
            Self::StallsAlways => {
                f.write_str("stalls every access that faults (SMMU_IDR0.STALL_MODEL is 2)")
            }
            Self::Preset => f.write_str(
                "has its tables or queues preset (SMMU_IDR1.TABLES_PRESET, QUEUES_PRESET)",
            ),
            Self::NoEvents => f.write_str("has an event queue of fewer than 2 (SMMU_IDR1.EVENTQS)"),
            Self::Narrow { bits, needed } => write!(
                f,
                "puts out addresses of {bits} bits (SMMU_IDR5.OAS), where {needed} are in use"
            ),
            Self::NoRoom => f.write_str("needs more memory for its tables than there is"),
            Self::Absent => f.write_str("does not answer at its registers"),
            Self::Unknown => f.write_str("is no SMMUv3 with all its registers"),
            Self::Silent(register) => write!(f, "does not take what is written to {register}"),
            Self::Command(error) => write!(
                f,
                "does not carry out commands (SMMU_CMDQ_CONS.ERR is {error})"
            ),
        }
    }
}

impl core::error::Error for Unusable {}

impl Identity {
    /// Judges an SMMU that is to translate by tables of this shape.
    ///
    /// # Errors
    /// Names what it lacks.
    pub fn judge(self) -> Result<Features, Unusable> {
        let Self {
            idr0,
            idr1,
            idr3,
            idr5,
        } = self;
        let bit = |register: u32, n: u32| register >> n & 1 != 0;
        let field = |register: u32, n: u32, mask: u8| narrow(register >> n) & mask;
        if !bit(idr0, 0) {
            return Err(Unusable::NoStage2);
        }
        // TTF: 2 is AArch64 alone, 3 both formats.
        if !bit(idr0, 3) {
            return Err(Unusable::NoTables);
        }
        if !bit(idr5, 4) {
            return Err(Unusable::NoSmallPages);
        }
        // TTENDIAN: 0 is either order, 2 little, 3 big.
        if field(idr0, 21, 3) == 3 {
            return Err(Unusable::BigEndian);
        }
        // The tables are the CPUs', which never write them back for anybody's sake.
        if !bit(idr0, 4) {
            return Err(Unusable::Incoherent);
        }
        // A device that stalls holds up whatever shares its way, and waits for an answer that nobody gives.
        if field(idr0, 24, 3) == 2 {
            return Err(Unusable::StallsAlways);
        }
        if bit(idr1, 29) || bit(idr1, 30) {
            return Err(Unusable::Preset);
        }
        let events = field(idr1, 16, 0x1f);
        if events == 0 {
            return Err(Unusable::NoEvents);
        }
        Ok(Features {
            stream_bits: field(idr1, 0, 0x3f).min(32),
            two_levels: field(idr0, 27, 3) != 0,
            commands: field(idr1, 21, 0x1f),
            events,
            output_bits: output_bits(field(idr5, 0, 7)),
            hypervisor: bit(idr0, 9),
            messages: bit(idr0, 13),
            remote_translation: bit(idr0, 10),
            forces_write_back: bit(idr3, 8),
        })
    }
}

impl Features {
    /// Tells whether tables of this shape, to memory that ends below 2 to the power of `memory`, mean here
    /// what they mean to the CPU.
    ///
    /// # Errors
    /// Names what does not fit: an input wider than the output makes an entry illegal (5.2, S2T0SZ), and
    /// memory beyond the output could not be reached.
    pub fn fit(&self, shape: Shape, memory: u8) -> Result<(), Unusable> {
        let needed = shape.bits.max(memory);
        if self.output_bits < needed {
            let bits = self.output_bits;
            return Err(Unusable::Narrow { bits, needed });
        }
        Ok(())
    }
}

/// Returns the width that SMMU_IDR5.OAS says, as far as tables with 48-bit addresses go.
const fn output_bits(oas: u8) -> u8 {
    match oas {
        0 => 32,
        1 => 36,
        2 => 40,
        3 => 42,
        4 => 44,
        _ => 48,
    }
}

/// Returns STE.S2PS for a width that [`output_bits`] returns.
pub(super) const fn size_field(bits: u8) -> u64 {
    match bits {
        0..36 => 0,
        36..40 => 1,
        40..42 => 2,
        42..44 => 3,
        44..48 => 4,
        _ => 5,
    }
}

/// Returns the lowest byte.
fn narrow(value: u32) -> u8 {
    let [low, ..] = value.to_le_bytes();
    low
}
