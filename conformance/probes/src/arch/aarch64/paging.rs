//! Stage-1 translation: an identity map, with the probe's RAM as memory and the rest as `attr` says.
//!
//! 4 KiB granule, 48 bits (Arm ARM D8.3). The first 512 GiB are mapped from the start, in blocks of
//! 1 GiB. Higher addresses, up to 2^48, are mapped on demand, 512 GiB at a time through one table.
//! So a fault always comes from the hypervisor and never from these tables.

/// Entries of a table, and a table as the hardware reads it.
pub const ENTRIES: usize = 512;

/// One table: 4 KiB.
pub type Table = [u64; ENTRIES];

/// The first address that no table can map.
pub const LIMIT: u64 = 1 << 48;

const PAGE: u64 = 1 << 12;
const GIB: u64 = 1 << 30;

/// Memory types, by their index in MAIR_EL1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The probe's RAM: Normal, write-back, executable.
    Ram,
    /// Everything outside: the type that `attr` set, not executable.
    Outside,
    /// The probe's console and interrupt controller: Device regardless of `attr`, not executable.
    Device,
}

/// No table is left, or the address is beyond [`LIMIT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// The tables, contiguous in memory; the first one is the root.
#[derive(Debug)]
pub struct Tables<'a> {
    pool: &'a mut [Table],
    base: u64,
    used: usize,
    /// The table for high addresses, and the root's entry that points to it.
    far: Option<(usize, usize)>,
}

const VALID: u64 = 1;
/// With [`VALID`]: a table at levels 0 to 2, a page at level 3.
const TABLE: u64 = 1 << 1;
const INNER_SHAREABLE: u64 = 0b11 << 8;
const ACCESSED: u64 = 1 << 10;
const PXN: u64 = 1 << 53;
const UXN: u64 = 1 << 54;
const ADDRESS: u64 = 0x0000_ffff_ffff_f000;

impl Kind {
    /// The index in MAIR_EL1.
    pub const fn index(self) -> u64 {
        match self {
            Self::Ram => 0,
            Self::Outside => 1,
            Self::Device => 2,
        }
    }

    const fn bits(self) -> u64 {
        let never = match self {
            Self::Ram => 0,
            Self::Outside | Self::Device => PXN,
        };
        VALID | self.index() << 2 | INNER_SHAREABLE | ACCESSED | never | UXN
    }
}

impl<'a> Tables<'a> {
    /// Makes tables in `pool`, which is at physical address `base`, that map the first 512 GiB as
    /// [`Kind::Outside`]. Fails if the pool has fewer than two tables.
    pub fn new(pool: &'a mut [Table], base: u64) -> Result<Self, Full> {
        let mut tables = Self {
            pool,
            base,
            used: 0,
            far: None,
        };
        let root = tables.take(|_| 0)?;
        debug_assert_eq!(root, 0, "the root is the first table");
        tables.branch(0)?;
        Ok(tables)
    }

    /// Makes sure that `at` is mapped. Tells whether it replaced an entry, so that the caller must
    /// invalidate the TLBs.
    pub fn reach(&mut self, at: u64) -> Result<bool, Full> {
        if at >= LIMIT {
            return Err(Full);
        }
        let slot = index(at, 0);
        if self.entry(0, slot) & VALID != 0 {
            return Ok(false);
        }
        let Some((table, before)) = self.far else {
            let table = self.branch(slot)?;
            self.far = Some((table, slot));
            return Ok(false);
        };
        self.set(0, before, 0);
        self.fill(table, |entry| {
            (region(slot) + entry * GIB) | Kind::Outside.bits()
        });
        let link = self.link(table);
        self.set(0, slot, link);
        self.far = Some((table, slot));
        Ok(true)
    }

    /// Maps `first` to `last`, both widened to pages, as `kind`, in the largest blocks that fit.
    pub fn map(&mut self, first: u64, last: u64, kind: Kind) -> Result<(), Full> {
        let mut at = first & !(PAGE - 1);
        let last = last | (PAGE - 1);
        while at < last {
            let slot = index(at, 0);
            // These mappings stay, so they cannot be in the table that high addresses share.
            let shared = self.far.is_some_and(|(_, far)| far == slot);
            if at >= LIMIT || shared {
                return Err(Full);
            }
            let mut table = if self.entry(0, slot) & VALID == 0 {
                self.branch(slot)?
            } else {
                self.child(0, slot)
            };
            let mut level = 1;
            // Descend to the largest block that begins here and does not end after `last`.
            while level < 3
                && (at & (shift_size(level) - 1) != 0 || last - at < shift_size(level) - 1)
            {
                table = self.descend(table, index(at, level), level)?;
                level += 1;
            }
            let page = if level == 3 { TABLE } else { 0 };
            self.set(table, index(at, level), at | kind.bits() | page);
            at = match at.checked_add(shift_size(level)) {
                Some(next) => next,
                None => return Err(Full),
            };
        }
        Ok(())
    }

    /// Replaces the leaf entry for `at` by what `change` makes of it, and returns what was there.
    pub fn replace(&mut self, at: u64, change: impl FnOnce(u64) -> u64) -> Result<u64, Full> {
        self.reach(at)?;
        let mut table = self.child(0, index(at, 0));
        let mut level = 1;
        while level < 3 && self.entry(table, index(at, level)) & TABLE != 0 {
            table = self.child(table, index(at, level));
            level += 1;
        }
        let old = self.entry(table, index(at, level));
        self.set(table, index(at, level), change(old));
        Ok(old)
    }

    /// Returns a leaf entry that lets instructions be fetched.
    pub const fn executable(entry: u64) -> u64 {
        entry & !PXN
    }

    /// Returns the next level's table below an entry; splits the entry if it is a block.
    fn descend(&mut self, table: usize, slot: usize, level: usize) -> Result<usize, Full> {
        let entry = self.entry(table, slot);
        if entry & TABLE != 0 {
            return Ok(self.child(table, slot));
        }
        let size = shift_size(level + 1);
        let page = if level + 1 == 3 { TABLE } else { 0 };
        let child = self.take(|index| (entry + index * size) | page)?;
        let link = self.link(child);
        self.set(table, slot, link);
        Ok(child)
    }

    /// Adds a table below the root that maps 512 GiB as [`Kind::Outside`].
    fn branch(&mut self, slot: usize) -> Result<usize, Full> {
        let table = self.take(|entry| (region(slot) + entry * GIB) | Kind::Outside.bits())?;
        let link = self.link(table);
        self.set(0, slot, link);
        Ok(table)
    }

    fn take(&mut self, entries: impl Fn(u64) -> u64) -> Result<usize, Full> {
        let taken = self.used;
        if taken >= self.pool.len() {
            return Err(Full);
        }
        self.fill(taken, entries);
        self.used += 1;
        Ok(taken)
    }

    fn fill(&mut self, table: usize, entries: impl Fn(u64) -> u64) {
        if let Some(table) = self.pool.get_mut(table) {
            (0..)
                .zip(table.iter_mut())
                .for_each(|(index, entry)| *entry = entries(index));
        }
    }

    /// Returns a table's descriptor; the pool is contiguous, so a table's number gives its address.
    fn link(&self, table: usize) -> u64 {
        // A pool holds far fewer than 2^36 tables.
        let offset = u64::try_from(table).unwrap_or(0) * PAGE;
        (self.base + offset) | TABLE | VALID
    }

    fn child(&self, table: usize, slot: usize) -> usize {
        let offset = (self.entry(table, slot) & ADDRESS).wrapping_sub(self.base);
        usize::try_from(offset / PAGE).unwrap_or(usize::MAX)
    }

    fn entry(&self, table: usize, slot: usize) -> u64 {
        self.pool
            .get(table)
            .and_then(|table| table.get(slot))
            .copied()
            .unwrap_or(0)
    }

    fn set(&mut self, table: usize, slot: usize, entry: u64) {
        if let Some(place) = self
            .pool
            .get_mut(table)
            .and_then(|table| table.get_mut(slot))
        {
            *place = entry;
        }
    }
}

/// Returns the first address that an entry of the root maps.
fn region(slot: usize) -> u64 {
    // A slot is below 512.
    u64::try_from(slot).unwrap_or(0) * shift_size(0)
}

/// Returns the number of bytes that one entry of a level maps.
const fn shift_size(level: usize) -> u64 {
    PAGE << (9 * (3 - level))
}

fn index(at: u64, level: usize) -> usize {
    // Nine bits.
    usize::try_from((at / shift_size(level)) & 0x1ff).unwrap_or(0)
}

#[cfg(test)]
mod tests;
