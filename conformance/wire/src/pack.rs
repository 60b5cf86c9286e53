//! Files that a control domain's ramdisk carries behind its script: images and trees for the domains
//! that it builds.
//!
//! ```text
//! script text, NUL up to a multiple of 4096
//! "ptpack01", u64 number of entries, then for each u64 offset and u64 length     (little endian)
//! the entries, each at a multiple of 4096 from the pack's first byte
//! ```

/// What each part is aligned to.
const PAGE: usize = 4096;

const MAGIC: &[u8; 8] = b"ptpack01";
const HEAD: usize = 16;
const ENTRY: usize = 16;

/// The entries of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pack<'a>(&'a [u8]);

impl<'a> Pack<'a> {
    /// Finds the pack behind the script of a ramdisk.
    pub fn behind(ramdisk: &'a [u8]) -> Option<Self> {
        let text = ramdisk.iter().position(|byte| *byte == 0)?;
        let pack = ramdisk.get((text + 1).checked_next_multiple_of(PAGE)?..)?;
        pack.starts_with(MAGIC).then_some(Self(pack))
    }

    /// Returns how many entries the pack says it has.
    pub fn len(&self) -> u64 {
        self.number(MAGIC.len()).unwrap_or(0)
    }

    /// Tells whether it says that it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns an entry; `None` where there is none, or not all of it.
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

/// Writes a ramdisk: a script, and a pack of entries behind it.
#[cfg(feature = "alloc")]
pub fn append(script: &str, entries: &[&[u8]]) -> alloc::vec::Vec<u8> {
    use alloc::vec::Vec;

    // A script whose text fills its pages is followed by a page of NUL: its end must be seen.
    let start = (script.len() + 1).next_multiple_of(PAGE);
    let mut ramdisk = Vec::from(script.as_bytes());
    ramdisk.resize(start, 0);
    let mut push = |number: usize| {
        // A length in memory fits.
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
