//! An access to configuration space as the double words that it touches.

use crate::access::Width;
use crate::access::low32;
use crate::hal::ConfigSpace;
use crate::ids::Sbdf;
use crate::pci::registers::SPACE;
use crate::vdev::Rejected;

/// The part of an access that falls into one double word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lane {
    /// Where the double word is.
    pub register: u16,
    /// Which of its bits are accessed.
    pub mask: u32,
    /// Where the access begins, and how wide it is, for hardware that has double words at most.
    pub offset: u16,
    /// Its width.
    pub width: Width,
    /// By how many bits the value has to go up to be in its place in the double word.
    shift: u32,
    /// From which bit of the value on this part is.
    from: u32,
}

impl Lane {
    /// Returns what the double word adds to the value that is read.
    pub fn lift(self, word: u32) -> u64 {
        u64::from((word & self.mask) >> self.shift) << self.from
    }

    /// Reads the hardware, just as far as the access goes; returns the double word, of which the mask counts.
    pub fn fetch(self, port: &mut impl ConfigSpace, at: Sbdf) -> u32 {
        port.config_read(at, self.offset, self.width) << self.shift
    }

    /// Writes the hardware, just as far as the access goes.
    pub fn store(self, port: &mut impl ConfigSpace, at: Sbdf, word: u32) {
        let value = (word & self.mask) >> self.shift;
        port.config_write(at, self.offset, self.width, value);
    }

    /// Returns what the value that is written means in the double word.
    pub const fn lower(self, value: u64) -> u32 {
        low32(value >> self.from) << self.shift & self.mask
    }
}

/// Replaces the bits of a register that are written.
pub const fn merge(old: u32, mask: u32, new: u32) -> u32 {
    old & !mask | new & mask
}

/// Takes an access apart, the lower double word first.
///
/// # Errors
/// Rejects what is not naturally aligned, or outside of a function's space.
pub fn byte_lanes(offset: u16, width: Width) -> Result<impl Iterator<Item = Lane>, Rejected> {
    if offset >= SPACE || !u64::from(offset).is_multiple_of(width.bytes()) {
        return Err(Rejected);
    }
    let register = offset & !3;
    let shift = u32::from(offset & 3) * 8;
    let low = Lane {
        register,
        mask: low32(width.mask()) << shift,
        offset,
        width: width.min(Width::Word),
        shift,
        from: 0,
    };
    let high = (width == Width::Double).then_some(Lane {
        register: register | 4,
        offset: offset | 4,
        from: 32,
        ..low
    });
    Ok(core::iter::once(low).chain(high))
}
