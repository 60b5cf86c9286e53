//! The arithmetic of queues (3.5.1): a producer and a consumer index, each with a wrap bit on top.

/// Bytes of a page.
const PAGE: u64 = 4096;

/// A ring of entries that one side fills and the other empties.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ring {
    /// Logarithm of the number of entries.
    log2: u8,
    /// Bytes of an entry.
    entry: u64,
}

/// An index with its wrap bit, as the PROD and CONS registers hold it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Index(pub u32);

impl Ring {
    /// Makes a ring of as many entries as fit a page, or of fewer where the SMMU has fewer.
    pub fn of_a_page(entry: u64, most: u8) -> Self {
        let fits = (PAGE / entry).ilog2();
        let log2 = u8::try_from(fits).unwrap_or(0).min(most);
        Self { log2, entry }
    }

    /// Returns the logarithm of the number of entries.
    pub fn log2(self) -> u8 {
        self.log2
    }

    fn count(self) -> u32 {
        1 << self.log2
    }

    /// Returns the bits that an index and its wrap bit take.
    fn mask(self) -> u32 {
        (self.count() << 1) - 1
    }

    /// Reads a PROD or CONS register: what else it holds is left out.
    pub fn index(self, register: u32) -> Index {
        Index(register & self.mask())
    }

    /// Returns the index behind `at`, which turns the wrap bit over at the end of the ring.
    pub fn next(self, at: Index) -> Index {
        Index(at.0.wrapping_add(1) & self.mask())
    }

    /// Tells whether there is no entry between the two: same place, same turn.
    pub fn is_empty(self, producer: Index, consumer: Index) -> bool {
        producer == consumer
    }

    /// Tells whether there is no room: same place, one turn ahead.
    pub fn is_full(self, producer: Index, consumer: Index) -> bool {
        producer.0 ^ consumer.0 == self.count()
    }

    /// Returns the place of the first double word of an entry, counted in double words.
    pub fn place(self, at: Index) -> u64 {
        u64::from(at.0 & (self.count() - 1)) * (self.entry / 8)
    }
}
