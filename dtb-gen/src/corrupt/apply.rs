//! Makes the defects.

use super::parts::{
    BEGIN_NODE, END, END_NODE, Field, PROP, Parts, Token, cell, cell_at, get, index, put, tokens,
};
use super::{Corruption, CorruptionError};
use crate::Tree;

/// Far beyond the end, and aligned.
const BEYOND: u32 = 0x1000;

/// Large enough to wrap a 32-bit sum, and aligned.
const WRAPS: u32 = 0xffff_fffc;

/// Makes one defect in a good blob and changes nothing else.
///
/// The result has its blocks in the usual order without gaps, whatever the order in the input. A bad input is refused,
/// because a test with two defects proves nothing about either.
pub fn apply(corruption: &Corruption, blob: &[u8]) -> Result<Vec<u8>, CorruptionError> {
    Tree::read(blob).map_err(|why| CorruptionError::Unreadable {
        corruption: *corruption,
        why,
    })?;
    let mut parts = Parts::of(blob);
    let good = parts.assemble(0);
    let nothing = |why: String| CorruptionError::Nothing {
        corruption: *corruption,
        why,
    };
    match *corruption {
        Corruption::Empty => Ok(Vec::new()),
        Corruption::Truncate(left) => match good.get(..index(left)) {
            Some(left) if left.len() < good.len() => Ok(left.to_vec()),
            _ => Err(nothing(format!(
                "the tree is only {} bytes long",
                good.len()
            ))),
        },
        Corruption::TruncateHalf => Ok(good.get(..good.len() / 2).unwrap_or_default().to_vec()),
        Corruption::MisalignedStruct => Ok(parts.assemble(2)),
        Corruption::Magic
        | Corruption::TotalSize(_)
        | Corruption::TotalSizeGrow(_)
        | Corruption::Version
        | Corruption::LastCompVersion
        | Corruption::OffStruct
        | Corruption::OffStrings
        | Corruption::OffReserved
        | Corruption::StructSize
        | Corruption::StructSizeShort
        | Corruption::StringsSize => header(*corruption, good).map_err(nothing),
        Corruption::ReservedUnterminated => {
            let closing = parts.reserved.len().saturating_sub(16);
            put(&mut parts.reserved, closing + 4, 0x1000);
            put(&mut parts.reserved, closing + 12, 0x1000);
            Ok(parts.assemble(0))
        }
        Corruption::UnterminatedString => match parts.strings.pop() {
            Some(_) => Ok(parts.assemble(0)),
            None => Err(nothing("the tree has no property names".to_owned())),
        },
        _ => {
            structure(*corruption, &mut parts).map_err(|why| nothing(why.to_owned()))?;
            Ok(parts.assemble(0))
        }
    }
}

/// Changes one field of the header.
fn header(corruption: Corruption, mut blob: Vec<u8>) -> Result<Vec<u8>, String> {
    let length = cell(blob.len());
    let behind = length.next_multiple_of(8).saturating_add(BEYOND);
    let (field, value) = match corruption {
        Corruption::Magic => (Field::Magic, 0xedfe_0dd0),
        Corruption::TotalSize(total) => (Field::TotalSize, total),
        Corruption::TotalSizeGrow(more) => (Field::TotalSize, length.saturating_add(more)),
        Corruption::Version => (Field::Version, 15),
        Corruption::LastCompVersion => (Field::LastCompVersion, 18),
        Corruption::OffStruct => (Field::OffStruct, behind),
        Corruption::OffStrings => (Field::OffStrings, behind),
        Corruption::OffReserved => (Field::OffReserved, behind),
        Corruption::StructSizeShort => (
            Field::SizeStruct,
            get(&blob, Field::SizeStruct).saturating_sub(4),
        ),
        Corruption::StringsSize => (Field::SizeStrings, WRAPS),
        _ => (Field::SizeStruct, WRAPS),
    };
    if get(&blob, field) == value {
        return Err(format!("the header says {value:#x} already"));
    }
    put(&mut blob, field as usize, value);
    Ok(blob)
}

/// Changes the structure block.
fn structure(corruption: Corruption, parts: &mut Parts) -> Result<(), &'static str> {
    let block = &mut parts.structure;
    let all = tokens(block);
    let first = |kind| all.iter().find(move |token| token.kind == kind).copied();
    let last = |kind| all.iter().rfind(move |token| token.kind == kind).copied();
    let (Some(root), Some(close), Some(end)) = (first(BEGIN_NODE), last(END_NODE), last(END))
    else {
        return Err("the tree has no root");
    };
    let prop = first(PROP).ok_or("the tree has no property");
    match corruption {
        // The root's name takes four bytes: one NUL, padded.
        Corruption::BadToken => put(block, root.at + 8, 0xaa),
        Corruption::StringOffset => put(
            block,
            prop?.at + 8,
            cell(parts.strings.len()).saturating_add(BEYOND),
        ),
        Corruption::UnterminatedName => {
            let name = last(BEGIN_NODE).map_or(root.at, |token| token.at) + 4;
            block.truncate(name);
            block.extend(b"abcdefgh");
        }
        Corruption::NoEnd => block.truncate(end.at),
        Corruption::NoEndNode => cut(block, close.at, 4),
        Corruption::EndNodeUnderflow => insert(block, end.at, &[END_NODE]),
        Corruption::ExtraRoot => insert(block, end.at, &[BEGIN_NODE, 0, END_NODE]),
        Corruption::PropLength => {
            let left = cell(block.len() - prop?.at);
            put(block, prop?.at + 4, left);
        }
        Corruption::HugePropLength => put(block, prop?.at + 4, WRAPS),
        Corruption::PropAfterNode => {
            let name = cell_at(block, prop?.at + 8).unwrap_or(0);
            let child = all
                .iter()
                .rfind(|token| token.kind == END_NODE && token.depth > 1);
            let child = child.ok_or("the tree has no node but the root")?;
            insert(block, child.at + 4, &[PROP, 0, name]);
        }
        Corruption::PropOutside => {
            let name = cell_at(block, prop?.at + 8).unwrap_or(0);
            insert(block, root.at, &[PROP, 0, name]);
        }
        Corruption::Deep(levels) => deep(block, &all, close, levels),
        _ => return Err("no defect of the structure block"),
    }
    Ok(())
}

/// Nests nodes named `d` at the end of the root's last child, or of the root.
fn deep(block: &mut Vec<u8>, all: &[Token], root_close: Token, levels: u32) {
    let child_close = all
        .iter()
        .rfind(|token| token.kind == END_NODE && token.depth == 2);
    let at = child_close.map_or(root_close.at, |token| token.at);
    let levels = index(levels);
    let mut cells = [BEGIN_NODE, u32::from_be_bytes(*b"d\0\0\0")].repeat(levels);
    cells.resize(cells.len() + levels, END_NODE);
    insert(block, at, &cells);
}

fn insert(block: &mut Vec<u8>, at: usize, cells: &[u32]) {
    let at = at.min(block.len());
    block.splice(at..at, cells.iter().flat_map(|cell| cell.to_be_bytes()));
}

fn cut(block: &mut Vec<u8>, at: usize, bytes: usize) {
    let from = at.min(block.len());
    let to = at.saturating_add(bytes).min(block.len());
    block.drain(from..to);
}
