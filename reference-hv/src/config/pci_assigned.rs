//! The PCI functions that a partial tree asks for.

use alloc::vec::Vec;

use super::error::ConfigError;
use super::flaw::Flaw;
use super::limits::MAX_FUNCTIONS;
use crate::dt::Node;
use crate::ids::Sbdf;

/// The property that names PCI functions by segment, bus, and device and function, a cell each.
pub const XEN_PCI: &str = "xen,pci-assigned";

/// Reads the functions that a node asks for; `None` where it asks for none.
pub(super) fn functions(node: Node<'_>) -> Result<Option<Vec<Sbdf>>, ConfigError> {
    let Some(prop) = node.optional(XEN_PCI)? else {
        return Ok(None);
    };
    let refuse = |flaw| Err(ConfigError::new(node, XEN_PCI, flaw));
    let words: Vec<u32> = prop.words().collect();
    let (triples, rest) = words.as_chunks::<3>();
    let length = prop.value().len();
    if !rest.is_empty() || !length.is_multiple_of(12) {
        return refuse(Flaw::FunctionCells(length));
    }
    if triples.is_empty() {
        return refuse(Flaw::NoFunction);
    }
    if triples.len() > MAX_FUNCTIONS {
        return refuse(Flaw::Functions(triples.len()));
    }
    let mut found: Vec<Sbdf> = Vec::with_capacity(triples.len());
    for [segment, bus, devfn] in triples {
        let (Ok(segment), Ok(bus), Ok(devfn)) = (
            u16::try_from(*segment),
            u8::try_from(*bus),
            u8::try_from(*devfn),
        ) else {
            return refuse(Flaw::WideFunction(*segment, *bus, *devfn));
        };
        let at = Sbdf {
            segment,
            bus,
            devfn,
        };
        if found.contains(&at) {
            return refuse(Flaw::FunctionTwice(at));
        }
        found.push(at);
    }
    Ok(Some(found))
}
