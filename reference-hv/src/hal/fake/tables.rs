//! Frames for translation tables, of which there are a few.

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
        mut new: impl FnMut(u64, u64) -> Option<u64>,
    ) -> u64 {
        for nth in 0..count {
            let index = first + nth;
            let Some(entry) = new(nth, self.load(table, index)) else {
                return nth;
            };
            let frame = table.raw() + index / ENTRIES * PAGE_SIZE;
            self.entries.insert((frame, index % ENTRIES), entry);
        }
        count
    }
}
