//! Taking mappings away, and giving tables back.
//!
//! Whoever takes a mapping away has to invalidate what the CPUs remember of it before its page is
//! anybody else's; that is the machine's part, so nothing here does it.

use super::{Entry, Format, LAST_LEVEL, MapError, Space, Tables, span_of};
use crate::addr::{Address, Pa, Span};

/// A block that was taken out to be replaced by a table that maps the same in smaller parts. Between
/// the two the block must be invalidated (Arm ARM D8.16.1, break-before-make).
#[derive(Debug)]
#[must_use]
pub struct Broken {
    table: Pa,
    index: u64,
    entry: u64,
}

impl<F: Format> Space<F> {
    /// Returns the range that the leaf at `at` maps.
    pub fn block(&self, tables: &impl Tables, at: F::Input) -> Option<Span<F::Input>> {
        if at.raw() >= self.shape.limit() {
            return None;
        }
        let mut table = self.root;
        for level in self.shape.start..=LAST_LEVEL {
            let index = self.index(level, at.raw());
            match self.format.read(level, tables.load(table, index)) {
                Entry::Empty => return None,
                Entry::Table(next) => table = next,
                Entry::Leaf(..) => {
                    let base = at.raw() - at.raw() % span_of(level);
                    return Span::new(F::Input::new(base), span_of(level)).ok();
                }
            }
        }
        None
    }

    /// Takes out the block in which `at` lies, with a table that maps the same ready to take its place;
    /// `None` when nothing larger than a page is mapped there. [`Self::complete_bbm`] puts the table in.
    ///
    /// # Errors
    /// Fails when no frame is left; nothing has changed then.
    pub fn split_block(
        &mut self,
        tables: &mut impl Tables,
        at: F::Input,
    ) -> Result<Option<Broken>, MapError> {
        let input = at.raw();
        if input >= self.shape.limit() {
            return Ok(None);
        }
        let mut table = self.root;
        for level in self.shape.start..LAST_LEVEL {
            let index = self.index(level, input);
            match self.format.read(level, tables.load(table, index)) {
                Entry::Empty => return Ok(None),
                Entry::Table(next) => table = next,
                Entry::Leaf(to, attributes) => {
                    let parts = tables.take(1).ok_or(MapError::NoFrame)?;
                    tables.replace(parts, 0, super::ENTRIES, |part, _| {
                        let to = Pa::new(to.raw() + part * span_of(level + 1));
                        Some(self.format.leaf(level + 1, to, attributes))
                    });
                    tables.store(table, index, 0);
                    let entry = self.format.table(parts);
                    return Ok(Some(Broken {
                        table,
                        index,
                        entry,
                    }));
                }
            }
        }
        Ok(None)
    }

    /// Puts the table of smaller parts in, once the block is invalidated.
    pub fn complete_bbm(&mut self, tables: &mut impl Tables, broken: Broken) {
        tables.store(broken.table, broken.index, broken.entry);
    }

    /// Takes away what is mapped of `size` bytes from `from` on. What was mapped in a block that reaches
    /// beyond the range stays: such a block is to be shattered first.
    pub fn unmap(&mut self, tables: &mut impl Tables, from: F::Input, size: u64) {
        let end = from.raw().saturating_add(size).min(self.shape.limit());
        let mut at = from.raw();
        while at < end {
            at = self.unmap_one(tables, at, end);
        }
    }

    /// Takes the leaf away that begins at `at`, and returns where the next may begin.
    fn unmap_one(&mut self, tables: &mut impl Tables, at: u64, end: u64) -> u64 {
        let mut table = self.root;
        for level in self.shape.start..=LAST_LEVEL {
            let index = self.index(level, at);
            let next = (at - at % span_of(level)).saturating_add(span_of(level));
            match self.format.read(level, tables.load(table, index)) {
                Entry::Table(below) => table = below,
                Entry::Empty => return next,
                Entry::Leaf(..) => {
                    if at.is_multiple_of(span_of(level)) && next <= end {
                        tables.store(table, index, 0);
                    }
                    return next;
                }
            }
        }
        end
    }

    /// Gives the tables below the root back, those furthest from it first, as many as `left` says at most,
    /// which then says how many more it could have been. Returns whether all are gone. No CPU or device
    /// may walk the space from the first call on.
    pub fn empty(&mut self, tables: &mut impl Tables, left: &mut u64) -> bool {
        let frames = self.shape.root_frames();
        self.release_below(tables, self.root, self.shape.start, frames, left)
    }

    /// Gives all tables that are left back, the root included. No CPU or device may walk them any more.
    pub fn release(mut self, tables: &mut impl Tables) {
        let mut all = u64::MAX;
        self.empty(tables, &mut all);
        tables.give_back(self.root, self.shape.root_frames());
    }

    /// Gives the tables below one back, as long as any may be; returns whether none is left.
    fn release_below(
        &self,
        tables: &mut impl Tables,
        table: Pa,
        level: u8,
        frames: u64,
        left: &mut u64,
    ) -> bool {
        if level == LAST_LEVEL {
            return true;
        }
        for index in 0..frames * super::ENTRIES {
            if let Entry::Table(next) = self.format.read(level, tables.load(table, index)) {
                if !self.release_below(tables, next, level + 1, 1, left) || *left == 0 {
                    return false;
                }
                *left -= 1;
                tables.store(table, index, 0);
                tables.give_back(next, 1);
            }
        }
        true
    }
}
