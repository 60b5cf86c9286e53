//! Addresses and ranges of addresses.
//!
//! A host-physical and a guest-physical address are different types, and nothing turns one into
//! the other but a translation, be it a direct one. A range has one door, [`Span::new`], and it is checked.

use alloc::vec::Vec;
use core::fmt;

/// Bytes in the smallest unit that stage 2 can map.
pub const PAGE_SIZE: u64 = 4096;

/// Bytes in the block that one level-2 entry maps.
pub const BLOCK_SIZE: u64 = 2 * 1024 * 1024;

mod sealed {
    /// Keeps the set of address spaces closed.
    pub trait Sealed {}
}

/// Names an address space: [`Pa`] or [`Ipa`].
pub trait Address: Copy + Ord + fmt::Debug + fmt::Display + sealed::Sealed {
    /// Names the address with this number.
    fn new(raw: u64) -> Self;
    /// Tells the number of the address.
    fn raw(self) -> u64;

    /// Returns the address `bytes` further on, or `None` where that would wrap.
    fn checked_add(self, bytes: u64) -> Option<Self> {
        self.raw().checked_add(bytes).map(Self::new)
    }
    /// Tells whether a page begins here.
    fn is_page_aligned(self) -> bool {
        self.raw().is_multiple_of(PAGE_SIZE)
    }
    /// Returns the first byte of the page that holds this address.
    fn page_start(self) -> Self {
        Self::new(self.raw() & !(PAGE_SIZE - 1))
    }
    /// Returns the last byte of the page that holds this address.
    fn page_end(self) -> Self {
        Self::new(self.raw() | (PAGE_SIZE - 1))
    }
}

macro_rules! address {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl $name {
            /// Names the address with this number.
            pub const fn new(raw: u64) -> Self {
                Self(raw)
            }
            /// Tells the number of the address.
            pub const fn raw(self) -> u64 {
                self.0
            }
        }

        impl sealed::Sealed for $name {}

        impl Address for $name {
            fn new(raw: u64) -> Self {
                Self(raw)
            }
            fn raw(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:#x})"), self.0)
            }
        }
    };
}

address! {
    /// Host-physical address: what the bus sees.
    Pa
}
address! {
    /// Guest-physical address: what a domain believes is physical (IPA or GPA).
    Ipa
}

/// A range of addresses that is not empty and does not wrap. Both ends are inclusive, so that
/// the top byte of an address space can be said.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span<A> {
    first: A,
    last: A,
}

/// Tells why a base and a size are no range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SpanError {
    /// The size is zero.
    Empty {
        /// Where the range was to begin.
        base: u64,
    },
    /// The range would go past the last address.
    Wraps {
        /// Where the range was to begin.
        base: u64,
        /// How long it was to be.
        size: u64,
    },
}

impl fmt::Display for SpanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty { base } => write!(f, "has size 0 at {base:#x}"),
            Self::Wraps { base, size } => write!(f, "wraps: {base:#x} and {size:#x} bytes"),
        }
    }
}

impl core::error::Error for SpanError {}

impl Span<Ipa> {
    /// Makes a range for a constant: one that is empty or wraps does not compile there.
    pub const fn constant(base: Ipa, size: u64) -> Self {
        assert!(size != 0 && base.0 <= u64::MAX - (size - 1));
        Self {
            first: base,
            last: Ipa(base.0 + (size - 1)),
        }
    }
}

impl Span<Pa> {
    /// Returns where a direct mapping shows the range to a guest.
    pub const fn direct(self) -> Span<Ipa> {
        Span {
            first: Ipa(self.first.0),
            last: Ipa(self.last.0),
        }
    }
}

impl<A: Address> Span<A> {
    /// Makes the range of `size` bytes from `base` on.
    ///
    /// # Errors
    /// Refuses an empty range and one that wraps.
    pub fn new(base: A, size: u64) -> Result<Self, SpanError> {
        let base_raw = base.raw();
        let reach = size
            .checked_sub(1)
            .ok_or(SpanError::Empty { base: base_raw })?;
        let last = base.checked_add(reach).ok_or(SpanError::Wraps {
            base: base_raw,
            size,
        })?;
        Ok(Self { first: base, last })
    }

    /// Makes the range of `pages` whole pages from the page of `base` on; `None` for no page or
    /// a wrap.
    pub fn of_pages(base: A, pages: u64) -> Option<Self> {
        Self::new(base.page_start(), pages.checked_mul(PAGE_SIZE)?).ok()
    }

    /// Returns the first byte of the range.
    pub fn first(self) -> A {
        self.first
    }

    /// Returns the last byte of the range.
    pub fn last(self) -> A {
        self.last
    }

    /// Returns the number of bytes. A whole 64-bit space, which no `u64` can count, counts as
    /// `u64::MAX`.
    pub fn size(self) -> u64 {
        (self.last.raw() - self.first.raw()).saturating_add(1)
    }

    /// Returns the number of pages that the range touches.
    pub fn pages(self) -> u64 {
        self.last.raw() / PAGE_SIZE - self.first.raw() / PAGE_SIZE + 1
    }

    /// Tells whether the range begins and ends with a page.
    pub fn is_page_exact(self) -> bool {
        self.first == self.first.page_start() && self.last == self.last.page_end()
    }

    /// Returns the smallest range of whole pages around this one.
    pub fn widened_to_pages(self) -> Self {
        Self {
            first: self.first.page_start(),
            last: self.last.page_end(),
        }
    }

    /// Tells whether `address` lies in the range.
    pub fn contains(self, address: A) -> bool {
        self.first <= address && address <= self.last
    }

    /// Tells whether `other` lies in the range as a whole.
    pub fn covers(self, other: Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }

    /// Tells whether the two ranges share a byte.
    pub fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// Tells whether the two ranges share a byte or one begins where the other ends.
    fn touches(self, other: Self) -> bool {
        self.first.raw() <= other.last.raw().saturating_add(1)
            && other.first.raw() <= self.last.raw().saturating_add(1)
    }

    /// Returns the smallest range around both.
    fn joined(self, other: Self) -> Self {
        Self {
            first: self.first.min(other.first),
            last: self.last.max(other.last),
        }
    }

    /// Sorts ranges and joins those that touch.
    pub fn merged(mut spans: Vec<Self>) -> Vec<Self> {
        spans.sort_unstable();
        let mut merged: Vec<Self> = Vec::with_capacity(spans.len());
        for span in spans {
            match merged.last_mut() {
                Some(last) if last.touches(span) => *last = last.joined(span),
                _ => merged.push(span),
            }
        }
        merged
    }

    /// Returns what both ranges share.
    pub fn intersection(self, other: Self) -> Option<Self> {
        let first = self.first.max(other.first);
        let last = self.last.min(other.last);
        (first <= last).then_some(Self { first, last })
    }

    /// Returns what is left of the range in front of and behind `hole`.
    pub fn without(self, hole: Self) -> (Option<Self>, Option<Self>) {
        if !self.overlaps(hole) {
            return (Some(self), None);
        }
        // The overlap makes the neighbours of the hole lie inside this range when they exist.
        let before = (self.first < hole.first).then(|| Self {
            first: self.first,
            last: A::new(hole.first.raw() - 1),
        });
        let after = (hole.last < self.last).then(|| Self {
            first: A::new(hole.last.raw() + 1),
            last: self.last,
        });
        (before, after)
    }

    /// Returns the largest range of whole pages inside this one.
    pub fn narrowed_to_pages(self) -> Option<Self> {
        self.narrowed_to(PAGE_SIZE)
    }

    /// Returns the largest range inside this one that begins and ends on a multiple of `unit`,
    /// a power of two.
    pub fn narrowed_to(self, unit: u64) -> Option<Self> {
        let mask = unit.checked_sub(1)?;
        let first = self.first.raw().checked_add(mask)? & !mask;
        // The end of the range is one past `last`; where that wraps, the space itself ends on a
        // multiple of every power of two.
        let last = match self.last.raw().checked_add(1) {
            Some(end) => (end & !mask).checked_sub(1)?,
            None => u64::MAX,
        };
        (first <= last).then_some(Self {
            first: A::new(first),
            last: A::new(last),
        })
    }
}

impl<A: Address> fmt::Display for Span<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl<A: Address> fmt::Debug for Span<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests;
