//! Frames for translation tables, of which there are a few.

use core::ops::Range;
use std::collections::BTreeMap;
use std::vec::Vec;

use crate::addr::{PAGE_SIZE, Pa};
use crate::paging::{ENTRIES, Tables};

/// Frames for tables.
#[derive(Debug, Default)]
pub struct Pool {
    entries: BTreeMap<(u64, u64), u64>,
    next: u64,
    /// How many frames are left.
    pub left: u64,
    /// How many frames are in use.
    pub used: u64,
}

impl Pool {
    /// Makes so many frames, from 4 GiB on.
    pub fn new(left: u64) -> Self {
        Self {
            next: 0x1_0000_0000,
            left,
            ..Self::default()
        }
    }
}

/// Replaces a row of entries as [`Tables::replace`] does, by reading and by `store`, which is told the number of an entry.
pub(crate) fn one_by_one<T: Tables>(
    tables: &mut T,
    (table, row): (Pa, Range<u64>),
    mut new: impl FnMut(u64, u64) -> Option<u64>,
    mut store: impl FnMut(&mut T, u64, u64),
) -> u64 {
    let count = row.end - row.start;
    for (nth, index) in (0..count).zip(row) {
        let Some(entry) = new(nth, tables.load(table, index)) else {
            return nth;
        };
        store(tables, index, entry);
    }
    count
}

impl Tables for Pool {
    fn take(&mut self, frames: u64) -> Option<Pa> {
        self.left = self.left.checked_sub(frames)?;
        self.used += frames;
        let at = self.next.next_multiple_of(frames * PAGE_SIZE);
        self.next = at + frames * PAGE_SIZE;
        Some(Pa::new(at))
    }
    fn left(&self) -> u64 {
        self.left
    }
    fn give_back(&mut self, table: Pa, frames: u64) {
        let first = table.raw();
        let gone = (first, 0)..(first + frames * PAGE_SIZE, 0);
        let entries: Vec<_> = self.entries.range(gone).map(|(at, _)| *at).collect();
        for at in entries {
            self.entries.remove(&at);
        }
        self.used -= frames;
        self.left += frames;
    }
    fn load(&self, table: Pa, index: u64) -> u64 {
        let frame = table.raw() + index / ENTRIES * PAGE_SIZE;
        self.entries
            .get(&(frame, index % ENTRIES))
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
            let frame = table.raw() + index / ENTRIES * PAGE_SIZE;
            pool.entries.insert((frame, index % ENTRIES), entry);
        })
    }
}
