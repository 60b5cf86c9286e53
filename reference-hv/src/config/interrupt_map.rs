//! `interrupt-map`: the lines that whatever sits behind a bridge raises (Devicetree Specification
//! 2.4.3).

use alloc::vec::Vec;

use super::error::Flaw;
use super::index::{Found, Index, NodeId};
use super::interrupts::{HostLine, line};
use crate::dt::{Node, Prop};

const NAME: &str = "interrupt-map";

/// Returns the shared lines of the GIC that a bridge passes interrupts on to; none where it is no
/// bridge.
///
/// # Errors
/// Refuses what cannot be read, and private lines.
pub fn mapped_lines(index: &Index<'_>, gic: NodeId, id: NodeId) -> Result<Vec<HostLine>, Flaw> {
    let node = index.node(id);
    let mut lines = Vec::new();
    let Some(prop) = node.optional(NAME)? else {
        return Ok(lines);
    };
    let flaw = |what: &str| Flaw::new(node, NAME, what);
    if !prop.value().len().is_multiple_of(4) {
        return Err(flaw("is no list of cells"));
    }
    let short = || flaw("does not end with a whole entry");
    // What is raised: so many cells for the place, so many for the pin.
    let (place, _) = index.cells(id);
    let raised = (place, cells(node, "#interrupt-cells")?);
    let words: Vec<u32> = prop.words().collect();
    let mut rest = words.as_slice();
    while !rest.is_empty() {
        let behind = skip(rest, raised.0).and_then(|rest| skip(rest, raised.1));
        let (phandle, behind) = behind
            .and_then(|rest| rest.split_first())
            .ok_or_else(short)?;
        let Found::One(parent) = index.by_phandle(*phandle) else {
            return Err(flaw("names a phandle that not one node has"));
        };
        let to = index.node(parent);
        let behind = skip(behind, cells(to, "#address-cells")?).ok_or_else(short)?;
        let unit = usize::try_from(cells(to, "#interrupt-cells")?).unwrap_or(usize::MAX);
        let (specifier, behind) = behind.split_at_checked(unit).ok_or_else(short)?;
        rest = behind;
        if parent == gic {
            let specifier = specifier.first_chunk().copied().ok_or_else(short)?;
            lines.extend(line(node, NAME, specifier)?);
        }
    }
    Ok(lines)
}

/// Reads a number of cells; none where the node does not say.
fn cells(node: Node<'_>, name: &'static str) -> Result<u32, Flaw> {
    Ok(node.read(name, Prop::u32)?.unwrap_or(0))
}

fn skip(words: &[u32], count: u32) -> Option<&[u32]> {
    words.get(usize::try_from(count).ok()?..)
}
