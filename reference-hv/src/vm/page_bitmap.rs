//! Which pages of a range are to be kept. It needs no memory beyond its own, since it is asked where there may be none.

use crate::addr::{Address, PAGE_SIZE, Pa, Span};

/// Pages a word.
const BITS: u64 = 64;
const WORDS: usize = 8;
/// Most pages that a domain gives back at once, those of [`WORDS`] words: 2 MiB.
pub const PORTION: u64 = 8 * BITS;

/// A range of whole pages, at most [`PORTION`], and which of them are kept: at first none, and of a longer range those
/// behind for good.
#[derive(Clone, Copy, Debug)]
pub struct PageBitmap {
    span: Span<Pa>,
    pages: u64,
    words: [u64; WORDS],
}

impl PageBitmap {
    /// Begins with a range of which nothing is kept.
    pub fn new(span: Span<Pa>) -> Self {
        Self {
            span,
            pages: span.pages().min(PORTION),
            words: [0; WORDS],
        }
    }

    /// Keeps what of the range lies in another.
    pub fn keep(&mut self, other: Span<Pa>) {
        let Some(both) = self.span.intersection(other) else {
            return;
        };
        let nth = |at: Pa| (at.raw() - self.span.first().raw()) / PAGE_SIZE;
        for page in nth(both.first())..=nth(both.last()).min(PORTION - 1) {
            if let Some(word) = self.word(page) {
                *word |= 1 << (page % BITS);
            }
        }
    }

    /// Counts what is kept.
    pub fn count(&self) -> u64 {
        let kept = self.words.iter().map(|word| u64::from(word.count_ones()));
        kept.sum()
    }

    /// Returns what is not kept, in whole ranges.
    pub fn rest(&self) -> impl Iterator<Item = Span<Pa>> + use<> {
        let this = *self;
        let mut next = 0;
        core::iter::from_fn(move || {
            let first = this.find(next, false);
            next = this.find(first, true);
            // Of no pages there is no range, which ends it.
            let from = this.span.first().checked_add(first * PAGE_SIZE)?;
            Span::of_pages(from, next - first)
        })
    }

    /// Finds the first page from one on that is kept, or that is not; the end where there is none.
    fn find(&self, from: u64, kept: bool) -> u64 {
        let mut page = from;
        while page < self.pages {
            let word = usize::try_from(page / BITS).ok();
            let word = word.and_then(|place| self.words.get(place)).copied();
            let word = word.map_or(0, |word| if kept { word } else { !word });
            let ahead = word >> (page % BITS);
            if ahead != 0 {
                return (page + u64::from(ahead.trailing_zeros())).min(self.pages);
            }
            page = (page / BITS + 1) * BITS;
        }
        self.pages
    }

    fn word(&mut self, page: u64) -> Option<&mut u64> {
        self.words.get_mut(usize::try_from(page / BITS).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::span_set;

    const BASE: u64 = 0x8000_0000;

    fn pages(first: u64, count: u64) -> Span<Pa> {
        Span::of_pages(Pa::new(BASE + first * PAGE_SIZE), count).expect("a range")
    }

    /// Of a range in which nobody has a part everything is left, of one that somebody has nothing.
    #[test]
    fn all_or_nothing() {
        let mut kept = PageBitmap::new(pages(0, PORTION));
        assert_eq!(kept.rest().collect::<Vec<_>>(), [pages(0, PORTION)]);
        kept.keep(pages(PORTION, 7));
        assert_eq!(kept.count(), 0);
        kept.keep(pages(0, 10 * PORTION));
        assert_eq!(kept.rest().count(), 0);
        assert_eq!(kept.count(), PORTION);
    }

    proptest! {
        /// What is left is what cutting the ranges out leaves, and each page is counted once.
        #[test]
        fn what_is_left_is_what_is_not_kept(
            count in 1..=PORTION,
            others in prop::collection::vec((0..600_u64, 1..64_u64), 0..12),
        ) {
            let span = pages(100, count);
            let holes: Vec<_> = others.iter().map(|(first, count)| pages(*first, *count)).collect();
            let mut kept = PageBitmap::new(span);
            holes.iter().for_each(|hole| kept.keep(*hole));
            let mut wanted = span_set::without(&[span], &holes);
            wanted.sort_unstable();
            let rest: Vec<_> = kept.rest().collect();
            let left: u64 = rest.iter().map(|span| span.pages()).sum();
            prop_assert_eq!(kept.count(), count - left);
            prop_assert_eq!(Span::merged(rest), Span::merged(wanted));
        }
    }
}
