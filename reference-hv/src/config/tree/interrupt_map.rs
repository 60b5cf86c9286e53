//! `interrupt-map`: the lines that whatever sits behind a bridge raises (Devicetree Specification
//! 2.4.3).

use alloc::vec::Vec;

use super::index::Index;
use super::interrupts::line;
use crate::config::error::ConfigError;
use crate::config::machine::{Found, HostLine, NodeId};
use crate::dt::{Node, Prop};

const NAME: &str = "interrupt-map";

/// One entry of a map.
pub struct Entry {
    /// Who raises: the cells of its address, then of its pin.
    pub raised: Vec<u32>,
    /// The controller to which that goes.
    pub parent: NodeId,
    /// What it is there.
    pub specifier: Vec<u32>,
}

/// Returns the shared lines of the GIC that a bridge passes interrupts on to; none where it is no
/// bridge.
///
/// # Errors
/// Refuses what cannot be read, and private lines.
pub fn mapped_lines(
    index: &Index<'_>,
    gic: NodeId,
    id: NodeId,
) -> Result<Vec<HostLine>, ConfigError> {
    let node = index.node(id);
    let mut lines = Vec::new();
    for entry in entries(index, id)? {
        if entry.parent == gic {
            let specifier = entry.specifier.first_chunk().copied();
            let specifier = specifier.ok_or_else(|| short(node))?;
            lines.extend(line(node, NAME, specifier)?);
        }
    }
    Ok(lines)
}

fn short(node: Node<'_>) -> ConfigError {
    ConfigError::new(node, NAME, "does not end with a whole entry")
}

/// Splits the map of a node; empty where it has none.
///
/// # Errors
/// Refuses what cannot be read.
pub fn entries(index: &Index<'_>, id: NodeId) -> Result<Vec<Entry>, ConfigError> {
    let node = index.node(id);
    let mut entries = Vec::new();
    let Some(prop) = node.optional(NAME)? else {
        return Ok(entries);
    };
    let flaw = |what: &str| ConfigError::new(node, NAME, what);
    if !prop.value().len().is_multiple_of(4) {
        return Err(flaw("is no list of cells"));
    }
    // What is raised: so many cells for the place, so many for the pin.
    let (place, _) = index.cells(id);
    let raised = u64::from(place) + u64::from(cells(node, "#interrupt-cells")?);
    let words: Vec<u32> = prop.words().collect();
    let mut rest = words.as_slice();
    while !rest.is_empty() {
        let (raised, behind) = take(rest, raised).ok_or_else(|| short(node))?;
        let (phandle, behind) = behind.split_first().ok_or_else(|| short(node))?;
        let Found::One(parent) = index.by_phandle(*phandle) else {
            return Err(flaw("names a phandle that not one node has"));
        };
        let to = index.node(parent);
        let place = cells(to, "#address-cells")?;
        let (_, behind) = take(behind, place.into()).ok_or_else(|| short(node))?;
        let unit = cells(to, "#interrupt-cells")?;
        let (specifier, behind) = take(behind, unit.into()).ok_or_else(|| short(node))?;
        rest = behind;
        entries.push(Entry {
            raised: raised.to_vec(),
            parent,
            specifier: specifier.to_vec(),
        });
    }
    Ok(entries)
}

/// Reads a number of cells; none where the node does not say.
fn cells(node: Node<'_>, name: &'static str) -> Result<u32, ConfigError> {
    Ok(node.read(name, Prop::u32)?.unwrap_or(0))
}

fn take(words: &[u32], count: u64) -> Option<(&[u32], &[u32])> {
    words.split_at_checked(usize::try_from(count).ok()?)
}
