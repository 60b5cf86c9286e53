//! Free RAM: what is given back is what was taken, in one piece again.

use proptest::prelude::*;

use super::*;

const BASE: u64 = 0x8000_0000;

fn span(base: u64, size: u64) -> Span<Pa> {
    Span::new(Pa::new(base), size).expect("a range")
}

fn free(size: u64) -> FreeRam {
    FreeRam {
        raw: Spans(vec![span(BASE, size)]),
        ..FreeRam::default()
    }
}

/// What is asked for page by page lies in a row, and blocks come whole, from the top.
#[test]
fn pages_of_a_block_lie_together() {
    let mut free = free(4 * BLOCK_SIZE);
    let first = free.take_block(None, 1).expect("a page");
    assert_eq!(first.span, span(BASE + 3 * BLOCK_SIZE, PAGE_SIZE));
    let next = first.span.last().checked_add(1);
    let second = free.take_block(next, 1).expect("a page");
    assert_eq!(Some(second.span.first()), next);
    let block = free.take_block(None, 512).expect("a block");
    assert_eq!(block.span, span(BASE + 2 * BLOCK_SIZE, BLOCK_SIZE));
    // Aligned to its size, so not right behind the second page when that is odd.
    let four = free.take_block(second.span.last().checked_add(1), 4);
    assert_eq!(four.map(|block| block.span.first().raw() % 0x4000), Some(0));
}

/// What was cleared goes first, and is told apart from what never was.
#[test]
fn cleared_memory_goes_first() {
    let mut free = free(2 * BLOCK_SIZE);
    let block = free.take_block(None, 512).expect("a block");
    assert!(!block.clean);
    free.give_back(block.span, true);
    let again = free.take_block(None, 1).expect("a page");
    assert!(again.clean);
    free.give_back(again.span, false);
    assert_eq!(free.bytes(), 2 * BLOCK_SIZE);
}

/// What is set apart never joins what anybody may get.
#[test]
fn static_memory_stays_apart() {
    let mut free = free(5 * BLOCK_SIZE);
    let gone = [0, 1, 2, 3].map(|block| span(BASE + block * BLOCK_SIZE, BLOCK_SIZE));
    free.set_apart(span(BASE + 4 * BLOCK_SIZE, BLOCK_SIZE));
    gone.iter().for_each(|span| free.raw.remove(*span));
    free.give_back(span(BASE + 4 * BLOCK_SIZE, BLOCK_SIZE), true);
    assert_eq!(free.bytes(), 0);
    // A range that was apart in part is back in part.
    free.give_back(span(BASE + 3 * BLOCK_SIZE, 2 * BLOCK_SIZE), true);
    assert_eq!(free.bytes(), BLOCK_SIZE);
}

proptest! {
    /// Whatever is taken and given back in whatever order, in the end all of it is there again, in one
    /// piece, and nothing is ever had by two.
    #[test]
    fn nothing_is_lost(steps in prop::collection::vec((any::<bool>(), 0u32..10, any::<prop::sample::Index>()), 1..80)) {
        let mut free = free(4 * BLOCK_SIZE);
        let mut had: Vec<Span<Pa>> = Vec::new();
        for (take, order, which) in steps {
            if take || had.is_empty() {
                let near = had.last().and_then(|span| span.last().checked_add(1));
                if let Some(block) = free.take_block(near, 1 << order) {
                    prop_assert!(had.iter().all(|other| !other.overlaps(block.span)));
                    prop_assert!(block.span.first().raw().is_multiple_of(PAGE_SIZE << order));
                    had.push(block.span);
                }
            } else {
                let gone = had.swap_remove(which.index(had.len()));
                free.give_back(gone, true);
            }
            let out: u64 = had.iter().map(|span| span.size()).sum();
            prop_assert_eq!(free.bytes() + out, 4 * BLOCK_SIZE);
        }
        for span in had {
            free.give_back(span, false);
        }
        let FreeRam { raw, clean, .. } = &mut free;
        for span in &clean.0 {
            raw.add(*span);
        }
        prop_assert_eq!(&raw.0, &vec![span(BASE, 4 * BLOCK_SIZE)]);
    }
}
