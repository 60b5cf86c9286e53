//! Where base address registers may point, and where they point first.

use alloc::vec::Vec;

use crate::addr::{Ipa, Pa, Span};
use crate::fault::{self, Fault};

/// First address that a base address register of 32 bits cannot say.
pub const PAST_32_BITS: u64 = 1 << 32;

/// Addresses that a bridge passes on to its functions, the same on both sides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// Where they are.
    pub span: Span<Ipa>,
    /// Whether they are for memory whose reads have no side effects.
    pub prefetchable: bool,
}

/// All windows of a guest's bridge.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Windows {
    /// Each of them.
    pub list: Vec<Window>,
    /// Whether device memory begins at the host's own addresses: for domains that are mapped directly.
    pub direct: bool,
}

/// What a place is wanted for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Bytes, a power of two and no less than a page.
    pub size: u64,
    /// Whether it has an address of 64 bits, and reads have no side effects.
    pub prefetchable: bool,
    /// Whether it has an address of 64 bits.
    pub wide: bool,
    /// Where the host has it.
    pub host: Pa,
}

impl Windows {
    /// Tells whether something may be shown there: as a whole in a window, and not at zero, which is where registers are
    /// that nobody has placed (PCI 6.2.5.1).
    pub fn allow(&self, span: Span<Ipa>) -> bool {
        let inside = self.list.iter().any(|window| window.span.covers(span));
        (inside && span.first().raw() != 0) || fault::on(Fault::BarAnywhere)
    }

    /// Finds a place: the first that is free and naturally aligned, in a window of the kind that is wanted or else in any.
    /// Zero, where there is none.
    pub fn place(&self, taken: &[Span<Ipa>], wanted: &Wanted) -> u64 {
        if self.direct && !fault::on(Fault::PciRegistersMoved) {
            return self.own_place(wanted);
        }
        let fitting = |kind: bool| {
            self.list
                .iter()
                .filter(move |window| window.prefetchable == kind)
                .find_map(|window| first_fit(window.span, taken, wanted))
        };
        fitting(wanted.prefetchable)
            .or_else(|| fitting(!wanted.prefetchable))
            .unwrap_or_default()
    }

    /// Returns the host's own address, where the guest's bridge has it.
    fn own_place(&self, wanted: &Wanted) -> u64 {
        let own = Ipa::new(wanted.host.raw());
        Span::new(own, wanted.size)
            .ok()
            .filter(|span| self.allow(*span) && says(*span, wanted.wide))
            .map_or(0, |span| span.first().raw())
    }
}

/// Tells whether a register of that width can say where the range begins.
fn says(span: Span<Ipa>, wide: bool) -> bool {
    wide || span.last().raw() < PAST_32_BITS
}

fn first_fit(window: Span<Ipa>, taken: &[Span<Ipa>], wanted: &Wanted) -> Option<u64> {
    // Zero would say that there is no place.
    let mut from = window.first().raw().max(1);
    // Each round leaves one range behind for good, so this many are enough.
    for _ in 0..=taken.len() {
        let base = from.checked_next_multiple_of(wanted.size)?;
        let span = Span::new(Ipa::new(base), wanted.size).ok()?;
        if !window.covers(span) || !says(span, wanted.wide) {
            return None;
        }
        let Some(hit) = taken.iter().find(|other| other.overlaps(span)) else {
            return Some(base);
        };
        from = hit.last().raw().checked_add(1)?;
    }
    None
}
