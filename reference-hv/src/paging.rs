//! Translation tables: how they are built, walked and given back, over any source of frames.
//!
//! The 4 KiB granule of both architectures: 512 entries of eight bytes a table, level 3 maps
//! pages, levels 2 and 1 may map blocks. What an entry looks like is the business of a
//! [`Format`]. An entry that is in use is never replaced, so building needs neither
//! break-before-make nor an invalidation (Arm ARM D8.16.1: only a change of a valid entry does).

use core::fmt;

use crate::addr::{Address, PAGE_SIZE, Pa};

/// Entries in one table frame.
pub const ENTRIES: u64 = 512;

/// Level whose leaves are pages.
const LAST_LEVEL: u8 = 3;

/// Gives frames for tables and lets their entries be read and written.
pub trait Tables {
    /// Takes `frames` frames in a row, aligned to their whole size and cleared; a power of two.
    fn take(&mut self, frames: u64) -> Option<Pa>;
    /// Takes back what [`Tables::take`] gave.
    fn give_back(&mut self, table: Pa, frames: u64);
    /// Returns how many frames can still be taken one by one.
    fn left(&self) -> u64;
    /// Reads entry `index` of the table.
    fn load(&self, table: Pa, index: u64) -> u64;
    /// Replaces `count` entries in a row, until `new` has none for the number in the row and the entry there. Returns
    /// how many were replaced.
    fn replace(
        &mut self,
        table: Pa,
        first: u64,
        count: u64,
        new: impl FnMut(u64, u64) -> Option<u64>,
    ) -> u64;
    /// Writes entry `index` of the table.
    fn store(&mut self, table: Pa, index: u64, entry: u64) {
        self.replace(table, index, 1, |_, _| Some(entry));
    }
}

/// What an entry says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entry<A> {
    /// Nothing is mapped.
    Empty,
    /// The next table.
    Table(Pa),
    /// A page or block.
    Leaf(Pa, A),
}

/// What entries look like in one translation regime of one CPU.
pub trait Format: Copy {
    /// The addresses that are translated.
    type Input: Address;
    /// What may be done with a mapping.
    type Attributes: Copy + Eq + fmt::Debug;
    /// Says that the next table is at `next`.
    fn table(self, next: Pa) -> u64;
    /// Maps the page (level 3) or block at `to`.
    fn leaf(self, level: u8, to: Pa, attributes: Self::Attributes) -> u64;
    /// Reads an entry of `level`. What the format never writes is [`Entry::Empty`] to it.
    fn read(self, level: u8, entry: u64) -> Entry<Self::Attributes>;
}

/// What a domain may map: the attributes of second-stage tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Memory {
    /// RAM: cached, readable, writable and executable.
    Ram,
    /// RAM of another domain: cached, readable and writable, never executable.
    Foreign,
    /// Registers of a device: never cached, readable and writable, never executable.
    Device,
}

/// How wide the input is and where a walk begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    /// Width of an input address in bits.
    pub bits: u8,
    /// Level of the root; several frames in a row where one cannot resolve the width.
    pub start: u8,
}

impl Shape {
    /// Returns the shape with the shortest walk whose root is at most 16 frames (Arm ARM D8.2.2,
    /// concatenated tables); `None` for a width that no such root resolves.
    pub const fn shortest(bits: u8) -> Option<Self> {
        // Bits that a root of 16 frames resolves on top of what lies below its level.
        match bits {
            25..=34 => Some(Self { bits, start: 2 }),
            35..=43 => Some(Self { bits, start: 1 }),
            44..=48 => Some(Self { bits, start: 0 }),
            _ => None,
        }
    }

    /// Returns the number of frames of the root.
    pub const fn root_frames(self) -> u64 {
        let resolved = shift(self.start) + 9;
        if self.bits > resolved {
            1 << (self.bits - resolved)
        } else {
            1
        }
    }

    /// Returns the first address beyond the input range.
    const fn limit(self) -> u64 {
        1 << self.bits
    }
}

/// Number of address bits below the index of `level`.
const fn shift(level: u8) -> u8 {
    12 + 9 * (LAST_LEVEL - level)
}

/// Bytes that one entry of `level` spans.
pub const fn span_of(level: u8) -> u64 {
    1 << shift(level)
}

/// Why something was not mapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MapError {
    /// An address or the size is not a whole number of pages.
    Unaligned {
        /// The number at fault.
        value: u64,
    },
    /// The range leaves the input addresses.
    Beyond {
        /// Where the range begins.
        from: u64,
        /// How long it is.
        size: u64,
    },
    /// Something is mapped there already.
    Occupied {
        /// First address that is in use.
        at: u64,
    },
    /// No frame is left for a table.
    NoFrame,
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unaligned { value } => write!(f, "{value:#x} is no multiple of a page"),
            Self::Beyond { from, size } => {
                write!(f, "{size:#x} bytes from {from:#x} are not addressable")
            }
            Self::Occupied { at } => write!(f, "{at:#x} is mapped already"),
            Self::NoFrame => f.write_str("no memory is left for translation tables"),
        }
    }
}

impl core::error::Error for MapError {}

/// Where a walk ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Translation<A> {
    /// What the address translates to.
    pub to: Pa,
    /// Bytes from there to the end of the page or block.
    pub rest: u64,
    /// What may be done with it.
    pub attributes: A,
}

/// What is to go into one table.
struct Leaves<A> {
    table: Pa,
    level: u8,
    input: u64,
    output: u64,
    left: u64,
    attributes: A,
}

/// One tree of translation tables.
#[derive(Debug)]
pub struct Space<F> {
    root: Pa,
    shape: Shape,
    format: F,
}

impl<F: Format> Space<F> {
    /// Makes a space in which nothing is mapped; `None` when no frame is left.
    pub fn new(tables: &mut impl Tables, shape: Shape, format: F) -> Option<Self> {
        let root = tables.take(shape.root_frames())?;
        Some(Self {
            root,
            shape,
            format,
        })
    }

    /// Returns the address of the first table.
    pub fn root(&self) -> Pa {
        self.root
    }

    /// Maps `size` bytes from `from` on to `to`, in blocks where both sides allow.
    ///
    /// # Errors
    /// Refuses what is unaligned, not addressable or in use. After an error, part of the range may
    /// be mapped: the caller gives the whole space up.
    pub fn map(
        &mut self,
        tables: &mut impl Tables,
        from: F::Input,
        to: Pa,
        size: u64,
        attributes: F::Attributes,
    ) -> Result<(), MapError> {
        for value in [from.raw(), to.raw(), size] {
            if !value.is_multiple_of(PAGE_SIZE) {
                return Err(MapError::Unaligned { value });
            }
        }
        let beyond = MapError::Beyond {
            from: from.raw(),
            size,
        };
        let end = from.raw().checked_add(size).ok_or(beyond)?;
        to.raw().checked_add(size).ok_or(beyond)?;
        if end > self.shape.limit() {
            return Err(beyond);
        }
        let mut done = 0;
        while done < size {
            let (input, output, left) = (from.raw() + done, to.raw() + done, size - done);
            let level = self.leaf_level(input | output, left);
            let table = self.descend(tables, input, level)?;
            let leaves = Leaves {
                table,
                level,
                input,
                output,
                left,
                attributes,
            };
            done += self.fill(tables, &leaves)?;
        }
        Ok(())
    }

    /// Returns the level of the largest leaf that begins at an address with these bits set.
    fn leaf_level(&self, bits: u64, left: u64) -> u8 {
        // A level-0 entry maps nothing by itself with this granule.
        (self.shape.start.max(1)..LAST_LEVEL)
            .find(|&level| bits.is_multiple_of(span_of(level)) && left >= span_of(level))
            .unwrap_or(LAST_LEVEL)
    }

    /// Returns the table of `level` that translates `input`, made where it is missing.
    fn descend(&mut self, tables: &mut impl Tables, input: u64, level: u8) -> Result<Pa, MapError> {
        let mut table = self.root;
        for above in self.shape.start..level {
            let index = self.index(above, input);
            table = match self.format.read(above, tables.load(table, index)) {
                Entry::Table(next) => next,
                Entry::Leaf(..) => return Err(MapError::Occupied { at: input }),
                Entry::Empty => {
                    let next = tables.take(1).ok_or(MapError::NoFrame)?;
                    tables.store(table, index, self.format.table(next));
                    next
                }
            };
        }
        Ok(table)
    }

    /// Writes leaves into one table, to its end at most; returns the bytes mapped. A larger leaf
    /// can begin only at the first entry of a table, so none is missed on the way.
    fn fill(
        &mut self,
        tables: &mut impl Tables,
        leaves: &Leaves<F::Attributes>,
    ) -> Result<u64, MapError> {
        let step = span_of(leaves.level);
        let first = self.index(leaves.level, leaves.input);
        let frames = if leaves.level == self.shape.start {
            self.shape.root_frames()
        } else {
            1
        };
        let count = (leaves.left / step).min(frames * ENTRIES - first);
        // Frames come cleared, and what is unmapped is zero again.
        let new = |nth: u64, old| {
            let to = Pa::new(leaves.output + nth * step);
            (old == 0).then(|| self.format.leaf(leaves.level, to, leaves.attributes))
        };
        let done = tables.replace(leaves.table, first, count, new);
        if done < count {
            return Err(MapError::Occupied {
                at: leaves.input + done * step,
            });
        }
        Ok(count * step)
    }

    /// Translates one address; `None` where nothing is mapped.
    pub fn walk(&self, tables: &impl Tables, at: F::Input) -> Option<Translation<F::Attributes>> {
        let input = at.raw();
        if input >= self.shape.limit() {
            return None;
        }
        let mut table = self.root;
        for level in self.shape.start..=LAST_LEVEL {
            match self
                .format
                .read(level, tables.load(table, self.index(level, input)))
            {
                Entry::Empty => return None,
                Entry::Table(next) => table = next,
                Entry::Leaf(to, attributes) => {
                    let offset = input % span_of(level);
                    let to = Pa::new(to.raw() + offset);
                    return Some(Translation {
                        to,
                        rest: span_of(level) - offset,
                        attributes,
                    });
                }
            }
        }
        None
    }

    /// Returns the index of `input` in a table of `level`.
    fn index(&self, level: u8, input: u64) -> u64 {
        let index = input >> shift(level);
        // The root of a concatenated table has more than one frame's worth of indices.
        if level == self.shape.start {
            index
        } else {
            index % ENTRIES
        }
    }
}

mod change;
mod metered;

pub use change::Broken;
pub use metered::Metered;

#[cfg(test)]
mod tests;
