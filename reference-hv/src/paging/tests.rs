//! Tables built in a map instead of memory.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::addr::Ipa;
use crate::hal::fake::one_by_one;

/// Entries without a layout: what was written is what is read.
#[derive(Clone, Copy, Debug)]
struct Plain;

impl Format for Plain {
    type Input = Ipa;
    type Attributes = bool;
    fn table(self, next: Pa) -> u64 {
        next.raw() | 0b11
    }
    fn leaf(self, _: u8, to: Pa, writable: bool) -> u64 {
        to.raw() | 0b01 | u64::from(writable) << 2
    }
    fn read(self, _: u8, entry: u64) -> Entry<bool> {
        let to = Pa::new(entry & !0xfff);
        match entry & 0b11 {
            0b11 => Entry::Table(to),
            0b01 => Entry::Leaf(to, entry & 0b100 != 0),
            _ => Entry::Empty,
        }
    }
}

/// A given number of frames.
struct Pool {
    entries: BTreeMap<(u64, u64), u64>,
    next: u64,
    left: u64,
    out: u64,
}

impl Pool {
    fn of(frames: u64) -> Self {
        Self {
            entries: BTreeMap::new(),
            next: 0x10_0000,
            left: frames,
            out: 0,
        }
    }
}

impl Tables for Pool {
    fn take(&mut self, frames: u64) -> Option<Pa> {
        self.left = self.left.checked_sub(frames)?;
        self.out += frames;
        let at = self.next.next_multiple_of(frames * PAGE_SIZE);
        self.next = at + frames * PAGE_SIZE;
        Some(Pa::new(at))
    }
    fn left(&self) -> u64 {
        self.left
    }
    fn give_back(&mut self, _: Pa, frames: u64) {
        self.out -= frames;
    }
    fn load(&self, table: Pa, index: u64) -> u64 {
        self.entries
            .get(&(table.raw() + index / ENTRIES * PAGE_SIZE, index % ENTRIES))
            .copied()
            .unwrap_or(0)
    }
    fn replace(
        &mut self,
        table: Pa,
        first: u64,
        count: u64,
        new: impl FnMut(u64, u64) -> Option<u64>,
    ) -> u64 {
        let row = (table, first..first + count);
        one_by_one(self, row, new, |pool, index, entry| {
            pool.entries.insert(
                (table.raw() + index / ENTRIES * PAGE_SIZE, index % ENTRIES),
                entry,
            );
        })
    }
}

const FORTY: Shape = Shape { bits: 40, start: 1 };
const GIB: u64 = 1 << 30;
const MIB2: u64 = 2 << 20;

fn space(pool: &mut Pool) -> Space<Plain> {
    Space::new(pool, FORTY, Plain).expect("frames for the root")
}

/// Every byte of a mapping translates to its partner, and its neighbours translate to nothing.
#[track_caller]
fn check(from: u64, to: u64, size: u64) {
    let mut pool = Pool::of(100);
    let mut space = space(&mut pool);
    space
        .map(&mut pool, Ipa::new(from), Pa::new(to), size, true)
        .expect("a mapping");
    for offset in [0, 1, size / 2, size - 1] {
        let seen = space
            .walk(&pool, Ipa::new(from + offset))
            .map(|t| t.to.raw());
        assert_eq!(seen, Some(to + offset), "at offset {offset:#x}");
    }
    let before = from
        .checked_sub(1)
        .and_then(|at| space.walk(&pool, Ipa::new(at)));
    assert_eq!(before, None, "one byte before");
    assert_eq!(
        space.walk(&pool, Ipa::new(from + size)),
        None,
        "one byte after"
    );
    space.release(&mut pool);
    assert_eq!(pool.out, 0, "tables not given back");
}

/// A mapping is exact whatever the sizes of the leaves it needs.
#[test]
fn mapping_is_exact() {
    check(0, 0x4000_0000, PAGE_SIZE);
    check(0x0903_0000, 0x0903_0000, PAGE_SIZE);
    check(0x4000_0000, 0x4780_0000, 8 << 20);
    check(
        MIB2 - PAGE_SIZE,
        0x8000_0000 - PAGE_SIZE,
        MIB2 + 2 * PAGE_SIZE,
    );
    check(GIB, 4 * GIB, 3 * GIB);
    check(GIB - MIB2, 2 * GIB - MIB2, GIB + 2 * MIB2);
    check((1 << 40) - PAGE_SIZE, 0x1000, PAGE_SIZE);
    check(1 << 39, 0, 512 * GIB);
}

/// Blocks are used where both sides are aligned, and only there.
#[test]
fn blocks_where_both_sides_allow() {
    for (from, to, size, rest) in [
        (0x4000_0000, 0x4020_0000, MIB2, MIB2),
        (0x4000_0000, 0x4020_1000, MIB2, PAGE_SIZE),
        (0x4000_0000, 0x4020_0000, MIB2 - PAGE_SIZE, PAGE_SIZE),
        (GIB, 3 * GIB, GIB, GIB),
        (GIB, 3 * GIB + MIB2, GIB, MIB2),
    ] {
        let mut pool = Pool::of(600);
        let mut space = space(&mut pool);
        space
            .map(&mut pool, Ipa::new(from), Pa::new(to), size, false)
            .expect("a mapping");
        let found = space.walk(&pool, Ipa::new(from)).expect("mapped");
        assert_eq!(
            (found.rest, found.attributes),
            (rest, false),
            "{from:#x} to {to:#x}"
        );
    }
}

/// What is not page-exact, leaves the input range or is taken is refused, with the culprit.
#[test]
fn refusals() {
    let mut pool = Pool::of(20);
    let mut space = space(&mut pool);
    let mut map = |from, to, size| space.map(&mut pool, Ipa::new(from), Pa::new(to), size, true);
    assert_eq!(
        map(0x800, 0, PAGE_SIZE),
        Err(MapError::Unaligned { value: 0x800 })
    );
    assert_eq!(map(0, 1, PAGE_SIZE), Err(MapError::Unaligned { value: 1 }));
    assert_eq!(map(0, 0, 0xfff), Err(MapError::Unaligned { value: 0xfff }));
    let top = 1 << 40;
    let beyond = |from, size| Err(MapError::Beyond { from, size });
    assert_eq!(map(top, 0, PAGE_SIZE), beyond(top, PAGE_SIZE));
    assert_eq!(
        map(top - PAGE_SIZE, 0, 2 * PAGE_SIZE),
        beyond(top - PAGE_SIZE, 2 * PAGE_SIZE)
    );
    assert_eq!(
        map(PAGE_SIZE, 0, 0u64.wrapping_sub(PAGE_SIZE)),
        beyond(PAGE_SIZE, 0u64.wrapping_sub(PAGE_SIZE))
    );
    assert_eq!(map(0x5000, 0x9000, PAGE_SIZE), Ok(()));
    assert_eq!(
        map(0x4000, 0x9000, 3 * PAGE_SIZE),
        Err(MapError::Occupied { at: 0x5000 })
    );
    assert_eq!(map(GIB, GIB, GIB), Ok(()));
    assert_eq!(
        map(GIB + 0x5000, 0, PAGE_SIZE),
        Err(MapError::Occupied { at: GIB + 0x5000 })
    );
}

/// Without frames for tables nothing is mapped, and that is said.
#[test]
fn no_frame_is_an_error() {
    assert!(Space::new(&mut Pool::of(1), FORTY, Plain).is_none());
    let mut pool = Pool::of(3);
    let mut space = space(&mut pool);
    assert_eq!(
        space.map(&mut pool, Ipa::new(0), Pa::new(0), PAGE_SIZE, true),
        Err(MapError::NoFrame)
    );
}

/// The root has as many frames as the width of the input asks for.
#[test]
fn shapes() {
    for (bits, wanted) in [
        (32, Some((2, 4))),
        (34, Some((2, 16))),
        (36, Some((1, 1))),
        (39, Some((1, 1))),
        (40, Some((1, 2))),
        (43, Some((1, 16))),
        (44, Some((0, 1))),
        (48, Some((0, 1))),
        (24, None),
        (49, None),
    ] {
        let seen = Shape::shortest(bits).map(|shape| (shape.start, shape.root_frames()));
        assert_eq!(seen, wanted, "{bits} bits");
    }
}

/// Tables go in portions, those furthest from the root first, until only the root is left.
#[test]
fn tables_go_in_portions() {
    let mut pool = Pool::of(64);
    let mut space = space(&mut pool);
    for gib in 0..3 {
        let at = Ipa::new(gib * GIB);
        let done = space.map(&mut pool, at, Pa::new(0), PAGE_SIZE, true);
        assert_eq!(done, Ok(()));
    }
    assert_eq!(pool.out, 2 + 6);
    for (most, left, out, done) in [(4, 0, 4, false), (1, 0, 3, false), (5, 4, 2, true)] {
        let mut budget = most;
        assert_eq!(space.empty(&mut pool, &mut budget), done);
        assert_eq!((budget, pool.out), (left, out));
    }
    space.release(&mut pool);
    assert_eq!(pool.out, 0);
}

/// What one user takes is counted and limited, whatever the source has.
#[test]
fn meters_limit() {
    let mut pool = Pool::of(8);
    let mut used = 0;
    let mut metered = Metered {
        tables: &mut pool,
        used: &mut used,
        limit: 3,
    };
    let (two, one) = (metered.take(2), metered.take(1));
    assert!(two.is_some() && one.is_some());
    assert_eq!((metered.take(1), metered.left()), (None, 0));
    metered.give_back(two.unwrap(), 2);
    assert_eq!(metered.left(), 2);
    assert_eq!((used, pool.out), (1, 1));
}

proptest! {
    /// A page translates exactly when one of the mappings that were accepted covers it.
    #[test]
    fn walks_agree_with_the_list(
        list in prop::collection::vec((0u64..2048, 0u64..2048, 1u64..1100), 1..6),
        probes in prop::collection::vec(0u64..4096, 40),
    ) {
        let mut pool = Pool::of(64);
        let mut space = Space::new(&mut pool, FORTY, Plain).expect("frames");
        let mut accepted: Vec<(u64, u64, u64)> = Vec::new();
        for (from, to, pages) in list {
            let free = accepted.iter().all(|&(f, _, p)| from + pages <= f || f + p <= from);
            if free {
                let done = space.map(
                    &mut pool, Ipa::new(from * PAGE_SIZE), Pa::new(to * PAGE_SIZE), pages * PAGE_SIZE, true,
                );
                prop_assert_eq!(done, Ok(()));
                accepted.push((from, to, pages));
            }
        }
        for page in probes {
            let wanted = accepted
                .iter()
                .find(|&&(f, _, p)| (f..f + p).contains(&page))
                .map(|&(f, t, _)| (page - f + t) * PAGE_SIZE);
            let seen = space.walk(&pool, Ipa::new(page * PAGE_SIZE)).map(|t| t.to.raw());
            prop_assert_eq!(seen, wanted);
        }
    }

    /// What is taken away is gone, and nothing else is, however large the blocks around it were.
    #[test]
    fn only_what_is_unmapped_goes(
        pages in 1u64..3000,
        holes in prop::collection::vec((0u64..3000, 1u64..700), 1..5),
    ) {
        let mut pool = Pool::of(64);
        let mut space = Space::new(&mut pool, FORTY, Plain).expect("frames");
        let (from, to) = (GIB, 3 * GIB);
        space.map(&mut pool, Ipa::new(from), Pa::new(to), pages * PAGE_SIZE, true).expect("frames");
        let mut gone = Vec::new();
        for (first, count) in holes {
            let at = |page: u64| Ipa::new(from + page * PAGE_SIZE);
            for edge in [at(first), at(first + count - 1)] {
                while let Some(block) = space.block(&pool, edge) {
                    let inside = at(first) <= block.first() && block.last() < at(first + count);
                    if inside {
                        break;
                    }
                    let Some(broken) = space.split_block(&mut pool, edge).expect("frames") else { break };
                    prop_assert!(space.walk(&pool, edge).is_none());
                    space.complete_bbm(&mut pool, broken);
                }
            }
            space.unmap(&mut pool, at(first), count * PAGE_SIZE);
            gone.push(first..first + count);
        }
        for page in 0..3100 {
            let there = page < pages && !gone.iter().any(|hole| hole.contains(&page));
            let seen = space.walk(&pool, Ipa::new(from + page * PAGE_SIZE)).map(|t| t.to.raw());
            prop_assert_eq!(seen, there.then_some(to + page * PAGE_SIZE), "page {}", page);
        }
        space.release(&mut pool);
        prop_assert_eq!(pool.out, 0);
    }
}
