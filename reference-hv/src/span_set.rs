//! Cutting ranges of memory into what is used and what is free.

use alloc::vec::Vec;

use crate::addr::{PAGE_SIZE, Pa, Span};

/// Returns what the holes leave of some ranges, as whole pages: a page that a hole touches is not
/// left.
pub fn without(spans: &[Span<Pa>], holes: &[Span<Pa>]) -> Vec<Span<Pa>> {
    let mut left: Vec<_> = spans
        .iter()
        .filter_map(|span| span.narrowed_to_pages())
        .collect();
    for hole in holes {
        let hole = hole.widened_to_pages();
        left = left
            .iter()
            .flat_map(|span| {
                let (before, after) = span.without(hole);
                before.into_iter().chain(after)
            })
            .collect();
    }
    left
}

/// Finds room for `size` bytes, rounded up to whole pages, at the lowest address there is.
pub fn room(spans: &[Span<Pa>], size: u64) -> Option<Span<Pa>> {
    let pages = size.div_ceil(PAGE_SIZE);
    spans
        .iter()
        .filter_map(|span| {
            let start = span.narrowed_to_pages()?.first();
            Span::of_pages(start, pages).filter(|found| span.covers(*found))
        })
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(base: u64, size: u64) -> Span<Pa> {
        Span::new(Pa::new(base), size).expect("a range")
    }

    /// Holes take whole pages out, wherever they lie, and what does not overlap stays.
    #[test]
    fn holes_take_whole_pages() {
        let ram = [span(0x4000_0000, 0x1_0000), span(0x8000_0800, 0x2000)];
        for (holes, wanted) in [
            (
                vec![],
                vec![span(0x4000_0000, 0x1_0000), span(0x8000_1000, 0x1000)],
            ),
            (
                vec![span(0x4000_0000, 0x1_0000)],
                vec![span(0x8000_1000, 0x1000)],
            ),
            (
                vec![
                    span(0x4000_2010, 1),
                    span(0x8000_1000, 0x1000),
                    span(0x9000_0000, 1),
                ],
                vec![span(0x4000_0000, 0x2000), span(0x4000_3000, 0xd000)],
            ),
            (
                vec![
                    span(0x4000_0000, 0x1800),
                    span(0x4000_f000, 0x1_0000),
                    span(0x8000_1fff, 1),
                ],
                vec![span(0x4000_2000, 0xd000)],
            ),
        ] {
            assert_eq!(without(&ram, &holes), wanted, "{holes:?}");
        }
    }

    /// Room is found at the lowest place that is long enough, or not at all.
    #[test]
    fn room_is_the_lowest_that_fits() {
        let free = [
            span(0x9000_0000, 0x4000),
            span(0x5000_0000, 0x1000),
            span(0x6000_0800, 0x2800),
        ];
        assert_eq!(room(&free, 1), Some(span(0x5000_0000, 0x1000)));
        assert_eq!(room(&free, 0x1001), Some(span(0x6000_1000, 0x2000)));
        assert_eq!(room(&free, 0x2001), Some(span(0x9000_0000, 0x3000)));
        assert_eq!(room(&free, 0x4001), None);
    }
}
