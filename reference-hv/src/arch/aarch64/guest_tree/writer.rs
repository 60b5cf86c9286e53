//! A writer of flattened device trees (Devicetree Specification v0.4, chapter 5).

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use crate::addr::{Ipa, Span};
use crate::dt::{Cells, HEADER_SIZE};

/// Bytes of a memory reservation block without entries.
const RESERVED_SIZE: usize = 16;

/// A tree while it is written.
pub(super) struct Writer {
    structure: Vec<u8>,
    strings: Vec<u8>,
    /// Where each name stands in `strings`.
    names: BTreeMap<String, u32>,
    /// How wide addresses and sizes are.
    cells: Cells,
}

impl Writer {
    /// Begins a tree of about `size` bytes whose ranges are as wide as `cells` says.
    pub fn new(size: usize, cells: Cells) -> Self {
        Self {
            structure: Vec::with_capacity(size),
            strings: Vec::with_capacity(512),
            names: BTreeMap::new(),
            cells,
        }
    }

    /// Begins a node.
    pub fn begin(&mut self, name: &str) {
        self.word(1);
        self.structure.extend_from_slice(name.as_bytes());
        self.structure.push(0);
        self.align();
    }

    /// Ends the node that is open.
    pub fn end(&mut self) {
        self.word(2);
    }

    /// Adds a property to the node that is open.
    pub fn prop(&mut self, name: &str, value: &[u8]) {
        let offset = self.name(name);
        self.word(3);
        self.word(length(value.len()));
        self.word(offset);
        self.structure.extend_from_slice(value);
        self.align();
    }

    /// Adds a property without a value.
    pub fn empty(&mut self, name: &str) {
        self.prop(name, &[]);
    }

    /// Adds a property of strings.
    pub fn text(&mut self, name: &str, strings: &[&str]) {
        let mut value = Vec::new();
        for string in strings {
            value.extend_from_slice(string.as_bytes());
            value.push(0);
        }
        self.prop(name, &value);
    }

    /// Adds a property of numbers of one cell.
    pub fn cells(&mut self, name: &str, cells: &[u32]) {
        let value: Vec<u8> = cells.iter().flat_map(|cell| cell.to_be_bytes()).collect();
        self.prop(name, &value);
    }

    /// Adds a property of numbers of two cells.
    pub fn numbers(&mut self, name: &str, numbers: &[u64]) {
        let value: Vec<u8> = numbers
            .iter()
            .flat_map(|number| number.to_be_bytes())
            .collect();
        self.prop(name, &value);
    }

    /// Adds a property of ranges.
    pub fn ranges(&mut self, name: &str, ranges: &[Span<Ipa>]) {
        let mut value = Vec::new();
        for range in ranges {
            let numbers = [
                (range.first().raw(), self.cells.address),
                (range.size(), self.cells.size),
            ];
            for (number, width) in numbers {
                let bytes = number.to_be_bytes();
                value.extend_from_slice(bytes.get(bytes.len() - width.bytes()..).unwrap_or(&bytes));
            }
        }
        self.prop(name, &value);
    }

    /// Ends the tree and returns its bytes.
    pub fn finish(mut self) -> Vec<u8> {
        self.word(9);
        let structure_at = HEADER_SIZE + RESERVED_SIZE;
        let strings_at = structure_at + self.structure.len();
        let total = strings_at + self.strings.len();
        let header = [
            0xd00d_feed,
            length(total),
            length(structure_at),
            length(strings_at),
            length(HEADER_SIZE),
            17,
            16,
            0,
            length(self.strings.len()),
            length(self.structure.len()),
        ];
        let mut bytes = Vec::with_capacity(total);
        bytes.extend(header.iter().flat_map(|word| word.to_be_bytes()));
        bytes.extend_from_slice(&[0; RESERVED_SIZE]);
        bytes.append(&mut self.structure);
        bytes.append(&mut self.strings);
        bytes
    }

    fn word(&mut self, word: u32) {
        self.structure.extend_from_slice(&word.to_be_bytes());
    }

    fn align(&mut self) {
        self.structure
            .resize(self.structure.len().next_multiple_of(4), 0);
    }

    /// Returns where a name stands among the strings, adding it when it is new.
    fn name(&mut self, name: &str) -> u32 {
        if let Some(offset) = self.names.get(name) {
            return *offset;
        }
        let offset = length(self.strings.len());
        self.strings.extend_from_slice(name.as_bytes());
        self.strings.push(0);
        self.names.insert(name.to_owned(), offset);
        offset
    }
}

/// Returns a length as the format counts it. What is written comes from a tree of at most 2 MiB
/// and a little more, so it always fits.
fn length(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
