//! Operands other than numbers: places in scratch memory, lists of values, device paths.

use core::fmt;

use crate::number;

/// The number of a probe's scratch slots.
pub const SLOTS: u8 = 4;

/// Bytes of a scratch slot.
pub const SLOT: u16 = 4096;

/// The most values that one op carries.
pub const MAX_VALUES: usize = 5;

/// The longest device path that one op carries.
pub const MAX_PATH: usize = 40;

/// A byte in a scratch slot: `SLOT` or `SLOT+OFFSET` in a script.
///
/// Slots 0 to 2 are contiguous pages. Slot 3 is the last page of the probe's RAM, so a structure that
/// begins near its end crosses the end of RAM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(u16);

/// An argument of a hypercall: a number, or the address of a place (`@SLOT+OFFSET`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// The number itself.
    Number(u64),
    /// The guest-physical address of the place.
    At(Place),
}

/// Up to five values.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Values {
    /// As bytes without alignment, to keep an op small: a probe copies it several times.
    numbers: [[u8; 8]; MAX_VALUES],
    len: u8,
    /// A bit for each number that is a place.
    places: u8,
}

/// A path in the host's device tree: 1 to 40 printable characters without `;`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Path {
    bytes: [u8; MAX_PATH],
    len: u8,
}

impl Place {
    /// Makes a place; `None` if there is no such slot or byte.
    pub const fn new(slot: u8, offset: u16) -> Option<Self> {
        if slot < SLOTS && offset < SLOT {
            Some(Self(slot as u16 * SLOT + offset))
        } else {
            None
        }
    }

    /// Returns the offset from the first byte of slot 0.
    pub const fn offset(self) -> u16 {
        self.0
    }

    /// Returns the slot, and the offset in it.
    pub const fn parts(self) -> (u16, u16) {
        (self.0 / SLOT, self.0 % SLOT)
    }

    pub(super) fn from_word(word: &str) -> Option<Self> {
        let (slot, offset) = word.split_once('+').unwrap_or((word, "0"));
        let slot = u8::try_from(number::script(slot)?).ok()?;
        Self::new(slot, u16::try_from(number::script(offset)?).ok()?)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (slot, offset) = self.parts();
        write!(f, "{slot}+{offset:#x}")
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number:#x}"),
            Self::At(place) => write!(f, "@{place}"),
        }
    }
}

impl Values {
    /// A list without values.
    pub const NONE: Self = Self {
        numbers: [[0; 8]; MAX_VALUES],
        len: 0,
        places: 0,
    };

    /// Adds a value, unless there are five already.
    pub fn push(&mut self, value: Value) -> Option<()> {
        let index = usize::from(self.len);
        let slot = self.numbers.get_mut(index)?;
        match value {
            Value::Number(number) => *slot = number.to_le_bytes(),
            Value::At(place) => {
                *slot = u64::from(place.0).to_le_bytes();
                self.places |= 1 << index;
            }
        }
        self.len += 1;
        Some(())
    }

    /// Returns the values in order.
    pub fn iter(&self) -> impl Iterator<Item = Value> + '_ {
        let len = usize::from(self.len);
        let numbers = self.numbers.iter().take(len).enumerate();
        numbers.map(|(index, number)| {
            let number = u64::from_le_bytes(*number);
            if self.places >> index & 1 == 0 {
                Value::Number(number)
            } else {
                // The number of a place is its offset.
                Value::At(Place(u16::try_from(number).unwrap_or(0)))
            }
        })
    }

    /// Returns the number of values.
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// Tells whether there are no values.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl fmt::Display for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|value| write!(f, " {value}"))
    }
}

impl Path {
    /// Makes a path of the text; `None` if a script cannot carry it.
    pub fn new(text: &str) -> Option<Self> {
        let legal = |byte: u8| byte.is_ascii_graphic() && byte != b';';
        let mut bytes = [0; MAX_PATH];
        bytes
            .get_mut(..text.len())?
            .copy_from_slice(text.as_bytes());
        let len = u8::try_from(text.len()).ok().filter(|len| *len > 0)?;
        text.bytes().all(legal).then_some(Self { bytes, len })
    }

    /// Returns the path as a script has it.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(core::str::from_utf8(self.as_bytes()).unwrap_or_default())
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}
