//! Reads a blob into a [`Tree`]. The only file that uses dtoolkit.

use dtoolkit::fdt::{Fdt, FdtNode};
use dtoolkit::{Node as _, Property as _};

use crate::tree::join;
use crate::{Node, Prop, ReadError, Tree};

/// Linux and vm-fdt have the same limit; it also bounds the recursion below.
const MAX_DEPTH: usize = 64;

const HEADER: usize = 40;
const MAGIC: [u8; 4] = 0xd00d_feed_u32.to_be_bytes();
const TOTALSIZE: usize = 4;
const OFF_STRUCT: usize = 8;
const SIZE_STRUCT: usize = 36;
const END: u32 = 9;

impl Tree {
    /// Reads a blob. Total: any bytes give a tree or an error.
    ///
    /// Bytes after `totalsize` do not belong to the tree and are ignored: loaders round sizes up.
    pub fn read(blob: &[u8]) -> Result<Self, ReadError> {
        let len = blob.len();
        let total = match cell(blob, TOTALSIZE) {
            Some(total) if len >= HEADER => total,
            _ => return Err(ReadError::Short { len }),
        };
        let whole = match usize::try_from(total)
            .ok()
            .and_then(|total| blob.get(..total))
        {
            Some(whole) => whole,
            None if blob.starts_with(&MAGIC) => return Err(ReadError::Cut { total, len }),
            // Without the magic number `totalsize` has no meaning; the parser reports it.
            None => blob,
        };
        let fdt = Fdt::new(whole).map_err(|error| ReadError::Malformed {
            why: error.to_string(),
        })?;
        // The parser stops at the closing token and does not compare the block's size with it
        // (Devicetree Specification 0.4, 5.4.2).
        if closing(whole) != Some(END) {
            let why = "the structure block does not end with its closing token".to_owned();
            return Err(ReadError::Malformed { why });
        }
        let reserved = fdt
            .memory_reservations()
            .map(|entry| (entry.address(), entry.size()));
        Ok(Self {
            reserved: reserved.collect(),
            boot_cpu: fdt.boot_cpuid_phys(),
            root: node(&fdt.root(), "/", 1)?,
        })
    }
}

fn node(from: &FdtNode<'_>, path: &str, depth: usize) -> Result<Node, ReadError> {
    if depth > MAX_DEPTH {
        return Err(ReadError::TooDeep {
            path: path.to_owned(),
            limit: MAX_DEPTH,
        });
    }
    let props = from.properties().map(|prop| Prop {
        name: prop.name().to_owned(),
        value: prop.value().to_vec(),
    });
    let children = from
        .children()
        .map(|child| node(&child, &join(path, child.name()), depth + 1));
    Ok(Node {
        name: from.name().to_owned(),
        props: props.collect(),
        children: children.collect::<Result<_, _>>()?,
    })
}

/// Returns the last cell of the structure block.
fn closing(blob: &[u8]) -> Option<u32> {
    let end = cell(blob, OFF_STRUCT)?.checked_add(cell(blob, SIZE_STRUCT)?)?;
    cell(blob, usize::try_from(end.checked_sub(4)?).ok()?)
}

fn cell(blob: &[u8], at: usize) -> Option<u32> {
    let (cell, _) = blob.get(at..)?.split_first_chunk::<4>()?;
    Some(u32::from_be_bytes(*cell))
}
