//! A source of frames that counts what one user takes of it.

use super::Tables;
use crate::addr::Pa;

/// Gives frames of another source until a limit is reached.
#[derive(Debug)]
pub struct Metered<'a, T> {
    /// The source.
    pub tables: &'a mut T,
    /// How many frames were taken.
    pub used: &'a mut u64,
    /// How many may be taken in all.
    pub limit: u64,
}

impl<T: Tables> Tables for Metered<'_, T> {
    fn take(&mut self, frames: u64) -> Option<Pa> {
        let used = self.used.checked_add(frames)?;
        if used > self.limit {
            return None;
        }
        let table = self.tables.take(frames)?;
        *self.used = used;
        Some(table)
    }
    fn give_back(&mut self, table: Pa, frames: u64) {
        self.tables.give_back(table, frames);
        *self.used = self.used.saturating_sub(frames);
    }
    fn left(&self) -> u64 {
        self.tables
            .left()
            .min(self.limit.saturating_sub(*self.used))
    }
    fn load(&self, table: Pa, index: u64) -> u64 {
        self.tables.load(table, index)
    }
    fn replace(
        &mut self,
        table: Pa,
        first: u64,
        count: u64,
        new: impl FnMut(u64, u64) -> Option<u64>,
    ) -> u64 {
        self.tables.replace(table, first, count, new)
    }
}
