//! Files that a control domain's ramdisk carries after its script: images and trees of the domains
//! that it builds.
//!
//! ```text
//! script text, NUL up to a multiple of 4096
//! "ptpack01", u64 number of entries, then for each u64 offset and u64 length     (little endian)
//! the entries, each at a multiple of 4096 from the pack's first byte
//! ```

/// The alignment of each part.
const PAGE: usize = 4096;

const MAGIC: &[u8; 8] = b"ptpack01";
const HEAD: usize = 16;
const ENTRY: usize = 16;

/// The entries of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pack<'a>(&'a [u8]);

impl<'a> Pack<'a> {
    /// Finds the pack after the script of a ramdisk.
    pub fn behind(ramdisk: &'a [u8]) -> Option<Self> {
        let text = ramdisk.iter().position(|byte| *byte == 0)?;
        let pack = ramdisk.get((text + 1).checked_next_multiple_of(PAGE)?..)?;
        pack.starts_with(MAGIC).then_some(Self(pack))
    }

    /// Returns how many entries the pack says it has.
    pub fn len(&self) -> u64 {
        self.number(MAGIC.len()).unwrap_or(0)
    }

    /// Tells whether the pack says that it has no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns an entry; `None` if there is none, or if it is incomplete.
    pub fn entry(&self, index: usize) -> Option<&'a [u8]> {
        if u64::try_from(index).ok()? >= self.len() {
            return None;
        }
        let at = index.checked_mul(ENTRY)?.checked_add(HEAD)?;
        let first = usize::try_from(self.number(at)?).ok()?;
        let len = usize::try_from(self.number(at.checked_add(8)?)?).ok()?;
        self.0.get(first..first.checked_add(len)?)
    }

    fn number(&self, at: usize) -> Option<u64> {
        let bytes = self.0.get(at..at.checked_add(8)?)?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    }
}

/// Writes a ramdisk: a script, then a pack of entries.
#[cfg(feature = "alloc")]
pub fn append(script: &str, entries: &[&[u8]]) -> alloc::vec::Vec<u8> {
    use alloc::vec::Vec;

    // If the text fills its pages, a page of NUL follows: the text ends at the first NUL.
    let start = (script.len() + 1).next_multiple_of(PAGE);
    let mut ramdisk = Vec::from(script.as_bytes());
    ramdisk.resize(start, 0);
    let mut push = |number: usize| {
        // The length of a slice fits into 64 bits.
        let number = u64::try_from(number).unwrap_or(u64::MAX);
        ramdisk.extend_from_slice(&number.to_le_bytes());
    };
    push(0);
    push(entries.len());
    let mut at = HEAD + ENTRY * entries.len();
    for entry in entries {
        at = at.next_multiple_of(PAGE);
        push(at);
        push(entry.len());
        at += entry.len();
    }
    for entry in entries {
        let end = ramdisk.len() - start;
        ramdisk.resize(start + end.next_multiple_of(PAGE), 0);
        ramdisk.extend_from_slice(entry);
    }
    if let Some(magic) = ramdisk.get_mut(start..start + MAGIC.len()) {
        magic.copy_from_slice(MAGIC);
    }
    ramdisk
}
