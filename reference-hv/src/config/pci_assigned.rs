//! The PCI functions that a partial tree asks for.

use alloc::vec::Vec;

use super::error::ConfigError;
use crate::dt::Node;
use crate::ids::Sbdf;

/// The property that names PCI functions by segment, bus, and device and function, a cell each.
pub const XEN_PCI: &str = "xen,pci-assigned";

/// Most functions of one domain: a bus has room for as many devices.
pub const MAX_FUNCTIONS: usize = 32;

/// Reads the functions that a node asks for; `None` where it asks for none.
pub(super) fn functions(node: Node<'_>) -> Result<Option<Vec<Sbdf>>, ConfigError> {
    let Some(prop) = node.optional(XEN_PCI)? else {
        return Ok(None);
    };
    let refuse = |what: core::fmt::Arguments<'_>| Err(ConfigError::new(node, XEN_PCI, what));
    let words: Vec<u32> = prop.words().collect();
    let (triples, rest) = words.as_chunks::<3>();
    let length = prop.value().len();
    if !rest.is_empty() || !length.is_multiple_of(12) {
        return refuse(format_args!(
            "is {length} bytes long, no multiple of the 12 of segment, bus and function"
        ));
    }
    if triples.is_empty() {
        return refuse(format_args!("names no function"));
    }
    if triples.len() > MAX_FUNCTIONS {
        let count = triples.len();
        return refuse(format_args!(
            "names {count} functions, more than {MAX_FUNCTIONS}"
        ));
    }
    let mut found: Vec<Sbdf> = Vec::with_capacity(triples.len());
    for [segment, bus, devfn] in triples {
        let (Ok(segment), Ok(bus), Ok(devfn)) = (
            u16::try_from(*segment),
            u8::try_from(*bus),
            u8::try_from(*devfn),
        ) else {
            return refuse(format_args!(
                "names segment {segment:#x}, bus {bus:#x}, function {devfn:#x}, wider than 16, 8 and 8 bits"
            ));
        };
        let at = Sbdf {
            segment,
            bus,
            devfn,
        };
        if found.contains(&at) {
            return refuse(format_args!("names {at} twice"));
        }
        found.push(at);
    }
    Ok(Some(found))
}
