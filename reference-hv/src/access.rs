//! One access to memory, as whoever carries it out needs it.

/// Size of one memory access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Width {
    /// 8 bits.
    Byte,
    /// 16 bits.
    Half,
    /// 32 bits.
    Word,
    /// 64 bits.
    Double,
}

impl Width {
    /// All widths, narrowest first.
    pub const ALL: [Self; 4] = [Self::Byte, Self::Half, Self::Word, Self::Double];

    /// Returns the number of bytes moved.
    pub const fn bytes(self) -> u64 {
        match self {
            Self::Byte => 1,
            Self::Half => 2,
            Self::Word => 4,
            Self::Double => 8,
        }
    }

    /// Returns the bits of a value that an access of this width carries.
    pub const fn mask(self) -> u64 {
        match self {
            Self::Byte => 0xff,
            Self::Half => 0xffff,
            Self::Word => 0xffff_ffff,
            Self::Double => u64::MAX,
        }
    }
}

/// A load or store that the processor described well enough to be carried out for the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// How much is moved.
    pub width: Width,
    /// The value stored, cut to the width; `None` for a load.
    pub write: Option<u64>,
    /// General register a load fills; 31 discards.
    pub rt: u8,
    /// Whether a load extends the sign.
    pub sign_extend: bool,
    /// Whether a load fills the 64-bit register (else its upper half becomes zero).
    pub wide: bool,
}

impl Access {
    /// Returns what the register holds after a load that found `raw`.
    pub const fn loaded(&self, raw: u64) -> u64 {
        let value = raw & self.width.mask();
        let sign = self.width.mask() ^ (self.width.mask() >> 1);
        let extended = if self.sign_extend && value & sign != 0 {
            value | !self.width.mask()
        } else {
            value
        };
        if self.wide {
            extended
        } else {
            extended & Width::Word.mask()
        }
    }
}

/// Returns the low half of a register.
pub const fn low32(value: u64) -> u32 {
    let [a, b, c, d, ..] = value.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}
