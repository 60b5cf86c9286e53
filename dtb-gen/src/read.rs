//! Blob to [`Tree`]. The only file that names dtoolkit.

use dtoolkit::fdt::{Fdt, FdtNode};
use dtoolkit::{Node as _, Property as _};

use crate::tree::join;
use crate::{Node, Prop, ReadError, Tree};

/// Linux and vm-fdt draw the line here too; it also bounds the recursion below.
const MAX_DEPTH: usize = 64;

const HEADER: usize = 40;
const TOTALSIZE: std::ops::Range<usize> = 4..8;

impl Tree {
    /// Reads a blob. Total: whatever the bytes are, the worst outcome is an error.
    ///
    /// Bytes behind `totalsize` are not the tree's, and are left alone: loaders round sizes up.
    pub fn read(blob: &[u8]) -> Result<Self, ReadError> {
        let len = blob.len();
        if len < HEADER {
            return Err(ReadError::Short { len });
        }
        let total = blob.get(TOTALSIZE).and_then(|cell| cell.try_into().ok());
        let total = total
            .map(u32::from_be_bytes)
            .ok_or(ReadError::Short { len })?;
        let whole = usize::try_from(total)
            .ok()
            .and_then(|total| blob.get(..total));
        // The magic number goes first: without it `totalsize` means nothing.
        let whole = match whole {
            Some(whole) => whole,
            None if blob.starts_with(&[0xd0, 0x0d, 0xfe, 0xed]) => {
                return Err(ReadError::Cut { total, len });
            }
            None => blob,
        };
        let fdt = Fdt::new(whole).map_err(|error| ReadError::Malformed {
            why: error.to_string(),
        })?;
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
