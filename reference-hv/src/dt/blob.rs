//! The whole tree: its header, its blocks and the one check of its structure.

use super::error::{DtError, DtErrorKind};
use super::node::Node;
use super::walk::Walk;
use super::{MAX_DEPTH, MAX_SIZE};

/// Bytes in the header of version 17.
pub const HEADER_SIZE: usize = 40;

/// Longest name of a property that is read; the specification ends at 31 (2.2.4.1).
const MAX_NAME: usize = 255;

const MAGIC: u32 = 0xd00d_feed;
/// The layout that this reader knows; every writer since 2005 makes it.
const VERSION: u32 = 17;

pub(super) const BEGIN_NODE: u32 = 1;
pub(super) const END_NODE: u32 = 2;
pub(super) const PROP: u32 = 3;
pub(super) const NOP: u32 = 4;
pub(super) const END: u32 = 9;

/// A tree whose structure is known to be sound. It is no more than its bytes, for it is part of
/// every node and every property; where its blocks begin stands in its header.
#[derive(Clone, Copy)]
pub struct Blob<'t> {
    /// The whole tree as far as its header says it goes.
    bytes: &'t [u8],
}

/// The same tree in memory; another one with the same bytes is another tree.
impl PartialEq for Blob<'_> {
    fn eq(&self, other: &Self) -> bool {
        core::ptr::eq(self.bytes, other.bytes)
    }
}

impl Eq for Blob<'_> {}

impl core::fmt::Debug for Blob<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Blob({} bytes)", self.bytes.len())
    }
}

/// Where in the header the offsets of the blocks stand.
const STRUCTURE_AT: usize = 8;
const STRINGS_AT: usize = 12;
const RESERVED_AT: usize = 16;

/// One entry of the memory reservation block, as it stands there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reserved {
    /// Where the range begins.
    pub base: u64,
    /// How long it is.
    pub size: u64,
}

/// Reads the first eight bytes of a tree and tells how long the tree says it is.
///
/// # Errors
/// Refuses bytes that begin no tree and a length that no tree has.
pub fn total_size(start: &[u8; 8]) -> Result<usize, DtError<'static>> {
    let magic = be32(start, 0).unwrap_or(0);
    if magic != MAGIC {
        return Err(bare(DtErrorKind::Magic(magic)));
    }
    let stated = be32(start, 4).unwrap_or(0);
    let total = length(stated);
    if total < HEADER_SIZE {
        return Err(bare(DtErrorKind::TotalSize(stated, start.len())));
    }
    if total > MAX_SIZE {
        return Err(bare(DtErrorKind::TooLong(stated)));
    }
    Ok(total)
}

impl<'t> Blob<'t> {
    /// Checks that `bytes` begin with a sound tree. Bytes behind its end are left alone.
    ///
    /// # Errors
    /// Says what is wrong and where; the first flaw ends the reading.
    pub fn new(bytes: &'t [u8]) -> Result<Self, DtError<'t>> {
        let Some(header) = bytes.first_chunk::<HEADER_SIZE>() else {
            return Err(bare(DtErrorKind::Short(bytes.len())));
        };
        let word = |index: usize| be32(header, index * 4).unwrap_or(0);
        let [
            magic,
            stated,
            off_struct,
            off_strings,
            off_reserved,
            version,
            compatible,
            _,
            size_strings,
            size_struct,
        ]: [u32; 10] = core::array::from_fn(word);
        if magic != MAGIC {
            return Err(bare(DtErrorKind::Magic(magic)));
        }
        if length(stated) > MAX_SIZE {
            return Err(bare(DtErrorKind::TooLong(stated)));
        }
        if version < VERSION || compatible > VERSION {
            return Err(bare(DtErrorKind::Version(version, compatible)));
        }
        let whole = match bytes.get(..length(stated)) {
            Some(whole) if whole.len() >= HEADER_SIZE => whole,
            _ => {
                return Err(bare(DtErrorKind::TotalSize(stated, bytes.len())));
            }
        };

        let block = |block, offset: u32, size: u32, align: u32| {
            if !offset.is_multiple_of(align) || !size.is_multiple_of(align) {
                return Err(bare(DtErrorKind::Misaligned(block, offset, size)));
            }
            let first = length(offset);
            first
                .checked_add(length(size))
                .filter(|_| first >= HEADER_SIZE)
                .and_then(|end| whole.get(first..end).map(|bytes| (bytes, first, end)))
                .ok_or(bare(DtErrorKind::Block(block, offset, size)))
        };
        let (_, first, end) = block("structure", off_struct, size_struct, 4)?;
        let (strings, ..) = block("strings", off_strings, size_strings, 1)?;
        // This block has no length of its own; its last entry is all zero.
        let (_, reserved_first, _) = block("memory reservation block", off_reserved, 0, 8)?;
        let reserved = whole.get(reserved_first..).unwrap_or_default();
        if !reserved.chunks_exact(16).any(is_last) {
            return Err(bare(DtErrorKind::ReservedUnterminated));
        }
        // The block is cut out of the tree, but places in it count from the tree's start.
        let structure = whole.get(..end).unwrap_or_default();
        check_structure(structure, first, strings)?;
        Ok(Self { bytes: whole })
    }

    /// Returns the root.
    pub fn root(self) -> Node<'t> {
        let mut at = self.offset(STRUCTURE_AT);
        while self.word(at) == Some(NOP) {
            at += 4;
        }
        Node::at(self, at)
    }

    /// Returns everything in the tree in the order in which it stands.
    pub fn walk(self) -> Walk<'t> {
        Walk::from(self, self.root().offset())
    }

    /// Returns the tree's own bytes.
    pub fn bytes(self) -> &'t [u8] {
        self.bytes
    }

    /// Returns the memory reservation block's entries.
    pub fn reserved(self) -> impl Iterator<Item = Reserved> + use<'t> {
        let block = self
            .bytes
            .get(self.offset(RESERVED_AT)..)
            .unwrap_or_default();
        let entries = block.chunks_exact(16).take_while(|entry| !is_last(entry));
        entries.map(|entry| Reserved {
            base: be64(entry, 0).unwrap_or(0),
            size: be64(entry, 8).unwrap_or(0),
        })
    }

    /// Returns an offset that stands in the header.
    fn offset(self, at: usize) -> usize {
        length(be32(self.bytes, at).unwrap_or(0))
    }

    /// Returns the word at `at`.
    pub(super) fn word(self, at: usize) -> Option<u32> {
        be32(self.bytes, at)
    }

    /// Returns the bytes from `at` on.
    pub(super) fn rest(self, at: usize) -> &'t [u8] {
        self.bytes.get(at..).unwrap_or_default()
    }

    /// Returns what follows from a name in the strings block on.
    fn strings_from(self, offset: u32) -> &'t [u8] {
        self.rest(self.offset(STRINGS_AT).saturating_add(length(offset)))
    }

    /// Returns the name of a property.
    pub(super) fn property_name(self, offset: u32) -> &'t [u8] {
        until_nul(self.strings_from(offset)).unwrap_or_default()
    }

    /// Returns the first byte of the name of a property.
    pub(super) fn property_initial(self, offset: u32) -> u8 {
        self.strings_from(offset).first().copied().unwrap_or(0)
    }

    /// Tells whether a property's name is `name`, without looking for its end first.
    pub(super) fn is_property_name(self, offset: u32, name: &str) -> bool {
        let strings = self.strings_from(offset);
        strings.starts_with(name.as_bytes()) && strings.get(name.len()) == Some(&0)
    }
}

/// Walks the structure block once, with no more state than a counter and the name of the
/// node that is open. The block is what `tree` holds from `first` on.
fn check_structure<'t>(tree: &'t [u8], first: usize, strings: &[u8]) -> Result<(), DtError<'t>> {
    let mut has_root = false;
    let mut open: usize = 0;
    let mut node: Option<&[u8]> = None;
    // A property may not follow a child of its node, so none may follow an end of a node.
    let mut after_child = false;
    let mut at = first;
    loop {
        let fail = |kind| DtError {
            node: node.map(text),
            kind,
        };
        let Some(token) = be32(tree, at) else {
            let kind = if at >= tree.len() {
                DtErrorKind::NoEnd
            } else {
                DtErrorKind::Cut(at)
            };
            return Err(fail(kind));
        };
        match token {
            NOP => at += 4,
            BEGIN_NODE => {
                if open == 0 && has_root {
                    return Err(fail(DtErrorKind::SecondRoot(at)));
                }
                if open >= MAX_DEPTH {
                    return Err(fail(DtErrorKind::TooDeep(at)));
                }
                let rest = tree.get(at + 4..).unwrap_or_default();
                let (name, end) = name_and_end(rest);
                match end {
                    None => return Err(fail(DtErrorKind::NameUnterminated(at + 4))),
                    Some(0) if is_node_name(name, open == 0) => {}
                    Some(_) => return Err(fail(DtErrorKind::Name(at + 4))),
                }
                has_root = true;
                open += 1;
                after_child = false;
                node = Some(name);
                at = aligned(at + 4 + name.len() + 1);
            }
            END_NODE => {
                open = open
                    .checked_sub(1)
                    .ok_or_else(|| fail(DtErrorKind::EndWithoutNode(at)))?;
                after_child = true;
                at += 4;
            }
            PROP => {
                if open == 0 {
                    return Err(fail(DtErrorKind::PropertyOutside(at)));
                }
                if after_child {
                    return Err(fail(DtErrorKind::PropertyAfterChild(at)));
                }
                let cut = || fail(DtErrorKind::Cut(at));
                let len = be32(tree, at + 4).ok_or_else(cut)?;
                let offset = be32(tree, at + 8).ok_or_else(cut)?;
                if tree.get(at + 12..).unwrap_or_default().len() < length(len) {
                    return Err(fail(DtErrorKind::PropertyLength(at, len)));
                }
                if !is_property_name(strings, offset) {
                    return Err(fail(DtErrorKind::PropertyName(at, offset)));
                }
                at = aligned(at + 12 + length(len));
            }
            END => {
                if open != 0 {
                    return Err(fail(DtErrorKind::Unclosed(open)));
                }
                if !has_root {
                    return Err(fail(DtErrorKind::NoRoot));
                }
                return Ok(());
            }
            found => return Err(fail(DtErrorKind::Token(at, found))),
        }
    }
}

fn bare(kind: DtErrorKind) -> DtError<'static> {
    DtError { node: None, kind }
}

/// Tells whether an entry is the one that ends the memory reservation block.
fn is_last(entry: &[u8]) -> bool {
    entry.iter().all(|byte| *byte == 0)
}

/// Returns the bytes in front that can be printed in a message and in a path as they are, and the
/// byte behind them. The specification allows fewer bytes in names (2.2.1), real trees use more
/// than it allows.
fn name_and_end(bytes: &[u8]) -> (&[u8], Option<u8>) {
    let end = bytes.iter().position(|byte| !byte.is_ascii_graphic());
    let (name, rest) = bytes
        .split_at_checked(end.unwrap_or(bytes.len()))
        .unwrap_or_default();
    (name, rest.first().copied())
}

/// Tells whether a name of at most [`MAX_NAME`] bytes stands at `offset`. Without that bound,
/// thousands of properties that share one endless name would cost hours.
fn is_property_name(strings: &[u8], offset: u32) -> bool {
    let rest = strings.get(length(offset)..).unwrap_or_default();
    let (name, end) = name_and_end(rest.get(..=MAX_NAME).unwrap_or(rest));
    !name.is_empty() && end == Some(0)
}

fn is_node_name(name: &[u8], root: bool) -> bool {
    (root || !name.is_empty()) && !name.contains(&b'/')
}

pub(super) fn until_nul(bytes: &[u8]) -> Option<&[u8]> {
    bytes.get(..bytes.iter().position(|byte| *byte == 0)?)
}

/// Returns a name that was checked to be printable ASCII as text.
pub(super) fn text(name: &[u8]) -> &str {
    core::str::from_utf8(name).unwrap_or("?")
}

/// Returns the offset of the next word. No offset here exceeds [`MAX_SIZE`] by more than a few
/// bytes, so none wraps.
pub(super) const fn aligned(at: usize) -> usize {
    (at + 3) & !3
}

/// Returns a length or an offset of the tree as an index; a target that cannot count that far
/// gets one that lies outside every slice.
pub(super) fn length(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

pub(super) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(super) fn be64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}
