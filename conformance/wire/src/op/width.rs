//! Bounds of operands: the size of an access, and how long an op may wait.

/// The longest time that an op can wait, in milliseconds.
pub const MAX_MS: u32 = 60_000;

/// The size of an access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// One byte.
    W8,
    /// Two bytes.
    W16,
    /// Four bytes.
    W32,
    /// Eight bytes.
    W64,
}

impl Width {
    /// All widths.
    pub const ALL: &[Self] = &[Self::W8, Self::W16, Self::W32, Self::W64];

    /// Returns the number of bytes.
    pub const fn bytes(self) -> u64 {
        match self {
            Self::W8 => 1,
            Self::W16 => 2,
            Self::W32 => 4,
            Self::W64 => 8,
        }
    }

    /// Returns the largest value.
    pub const fn max(self) -> u64 {
        u64::MAX >> (64 - 8 * self.bytes())
    }

    /// Returns the number of bits, as in the names of ops.
    pub const fn bits(self) -> &'static str {
        match self {
            Self::W8 => "8",
            Self::W16 => "16",
            Self::W32 => "32",
            Self::W64 => "64",
        }
    }

    /// Parses the name of an op: `prefix`, then the number of bits.
    pub(crate) fn after(prefix: &str, word: &str) -> Option<Self> {
        let bits = word.strip_prefix(prefix)?;
        Self::ALL.iter().copied().find(|width| width.bits() == bits)
    }
}
