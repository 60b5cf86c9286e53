//! Splits a blob into its blocks, and assembles them again.

/// Fields of the header, by their offset (Devicetree Specification 0.4, 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Magic = 0,
    TotalSize = 4,
    OffStruct = 8,
    OffStrings = 12,
    OffReserved = 16,
    Version = 20,
    LastCompVersion = 24,
    BootCpu = 28,
    SizeStrings = 32,
    SizeStruct = 36,
}

/// Tokens of the structure block (ibid., 5.4.1).
pub(super) const BEGIN_NODE: u32 = 1;
pub(super) const END_NODE: u32 = 2;
pub(super) const PROP: u32 = 3;
pub(super) const NOP: u32 = 4;
pub(super) const END: u32 = 9;

const HEADER: usize = 40;

/// The blocks of a blob.
pub(super) struct Parts {
    pub(super) version: u32,
    pub(super) last_comp_version: u32,
    pub(super) boot_cpu: u32,
    pub(super) reserved: Vec<u8>,
    pub(super) structure: Vec<u8>,
    pub(super) strings: Vec<u8>,
}

impl Parts {
    /// Splits a blob that [`Tree::read`](crate::Tree::read) has accepted. Total even for others: a missing block is
    /// empty.
    pub(super) fn of(blob: &[u8]) -> Self {
        let block = |from: Field, size: u32| {
            let (from, size) = (index(get(blob, from)), index(size));
            blob.get(from..)
                .map(|rest| rest.get(..size).unwrap_or(rest))
                .unwrap_or_default()
        };
        let reserved = block(Field::OffReserved, u32::MAX);
        let closing = reserved
            .chunks_exact(16)
            .position(|entry| entry.iter().all(|byte| *byte == 0));
        let reserved = closing
            .and_then(|last| reserved.get(..(last + 1) * 16))
            .unwrap_or_default();
        let structure = block(Field::OffStruct, get(blob, Field::SizeStruct));
        // A writer may have left padding after the closing token.
        let end = tokens(structure).last().map_or(0, |token| token.at + 4);
        Self {
            version: get(blob, Field::Version),
            last_comp_version: get(blob, Field::LastCompVersion),
            boot_cpu: get(blob, Field::BootCpu),
            reserved: reserved.to_vec(),
            structure: structure.get(..end).unwrap_or_default().to_vec(),
            strings: block(Field::OffStrings, get(blob, Field::SizeStrings)).to_vec(),
        }
    }

    /// Assembles the blocks, with the structure block `shift` bytes off its alignment.
    pub(super) fn assemble(&self, shift: usize) -> Vec<u8> {
        let mut blob = vec![0; HEADER];
        let off_reserved = blob.len();
        blob.extend(&self.reserved);
        blob.resize(blob.len() + shift, 0);
        let off_struct = blob.len();
        blob.extend(&self.structure);
        let off_strings = blob.len();
        blob.extend(&self.strings);
        let fields = [
            (Field::Magic, 0xd00d_feed),
            (Field::TotalSize, cell(blob.len())),
            (Field::OffStruct, cell(off_struct)),
            (Field::OffStrings, cell(off_strings)),
            (Field::OffReserved, cell(off_reserved)),
            (Field::Version, self.version),
            (Field::LastCompVersion, self.last_comp_version),
            (Field::BootCpu, self.boot_cpu),
            (Field::SizeStrings, cell(self.strings.len())),
            (Field::SizeStruct, cell(self.structure.len())),
        ];
        for (field, value) in fields {
            put(&mut blob, field as usize, value);
        }
        blob
    }
}

/// A token of the structure block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// Its offset in the block.
    pub(super) at: usize,
    pub(super) kind: u32,
    /// Nodes open before it.
    pub(super) depth: usize,
}

/// Lists the tokens of a structure block, up to the closing one or the first invalid one.
pub(super) fn tokens(structure: &[u8]) -> Vec<Token> {
    let mut found = Vec::new();
    let (mut at, mut depth) = (0_usize, 0_usize);
    while let Some(kind) = cell_at(structure, at) {
        let token = Token { at, kind, depth };
        let size = match kind {
            BEGIN_NODE => {
                depth += 1;
                let name = structure.get(at + 4..).unwrap_or_default();
                4 + name
                    .iter()
                    .position(|byte| *byte == 0)
                    .map_or(name.len(), |end| end + 1)
            }
            END_NODE => {
                depth = depth.saturating_sub(1);
                4
            }
            PROP => 12 + cell_at(structure, at + 4).map_or(0, index),
            NOP | END => 4,
            _ => return found,
        };
        found.push(token);
        if kind == END {
            return found;
        }
        at = at.saturating_add(size.next_multiple_of(4));
    }
    found
}

/// Reads a header field; a missing field reads as zero.
pub(super) fn get(blob: &[u8], field: Field) -> u32 {
    cell_at(blob, field as usize).unwrap_or(0)
}

/// Reads the cell at an offset.
pub(super) fn cell_at(bytes: &[u8], at: usize) -> Option<u32> {
    let (cell, _) = bytes.get(at..)?.split_first_chunk::<4>()?;
    Some(u32::from_be_bytes(*cell))
}

/// Overwrites the cell at an offset, if it is there.
pub(super) fn put(bytes: &mut [u8], at: usize, value: u32) {
    if let Some((cell, _)) = bytes
        .get_mut(at..)
        .and_then(|rest| rest.split_first_chunk_mut::<4>())
    {
        *cell = value.to_be_bytes();
    }
}

/// Converts a length; it fits, because a blob's own header gives its length in 32 bits.
pub(super) fn cell(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

pub(super) fn index(cell: u32) -> usize {
    usize::try_from(cell).unwrap_or(usize::MAX)
}
