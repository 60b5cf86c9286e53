//! `interrupt-map`: the lines that whatever sits behind a bridge raises (Devicetree Specification
//! 2.4.3).

use alloc::vec::Vec;

use super::index::Index;
use crate::config::error::ConfigError;
use crate::config::flaw::Flaw;
use crate::config::machine::{Found, HostLine, LineMap, NodeId};
use crate::dt::{Node, Prop};

const NAME: &str = "interrupt-map";
const MASK: &str = "interrupt-map-mask";

/// One entry of a map.
struct Entry {
    /// Who raises: the cells of its address, then of its pin.
    raised: Vec<u32>,
    /// The controller to which that goes.
    parent: NodeId,
    /// What it is there.
    specifier: Vec<u32>,
}

/// Returns the shared lines that a bridge passes interrupts on to; none where it is no
/// bridge.
///
/// # Errors
/// Refuses what cannot be read, and private lines.
pub fn mapped_lines(index: &Index<'_>, id: NodeId) -> Result<Vec<HostLine>, ConfigError> {
    let mut lines = Vec::new();
    for entry in entries(index, id)? {
        if entry.parent == index.controller {
            let line = line(index, &entry);
            lines.extend(line.map_err(|flaw| ConfigError::new(index.node(id), NAME, flaw))?);
        }
    }
    Ok(lines)
}

/// Returns the lines on which pins arrive that are raised by devices on a PCI host bridge's own bus.
///
/// # Errors
/// Refuses what cannot be read.
pub fn line_map(index: &Index<'_>, id: NodeId, bus: u8) -> Result<LineMap, ConfigError> {
    let node = index.node(id);
    let mask = match node.optional(MASK)? {
        None => Ok([u32::MAX; 4]),
        Some(prop) => <[u32; 4]>::try_from(prop.words().collect::<Vec<_>>()),
    };
    let mask = mask.map_err(|_| ConfigError::new(node, MASK, Flaw::Mask))?;
    let [[_, _, devices, _], _, _, [.., pins]] = mask.map(u32::to_be_bytes);
    // PCI Bus Binding to Open Firmware: the unit address is one cell of numbers and two of offset.
    let own = [u32::from(bus) << 16, 0, 0, 0];
    let mut lines = Vec::new();
    for entry in entries(index, id)? {
        let mut raised = [0; 4];
        let cells = entry.raised.iter().zip(own).zip(mask);
        for (to, ((from, own), mask)) in raised.iter_mut().zip(cells) {
            *to = (from ^ own) & mask;
        }
        let [[0, 0, devfn, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, pin]] =
            raised.map(u32::to_be_bytes)
        else {
            continue;
        };
        if entry.parent == index.controller && entry.raised.len() >= own.len() {
            lines.push((devfn, pin, line(index, &entry)));
        }
    }
    Ok(LineMap {
        devices,
        pins,
        entries: lines,
    })
}

fn line(index: &Index<'_>, entry: &Entry) -> Result<Option<HostLine>, Flaw> {
    let specifier = index.bindings.specifier(&entry.specifier);
    (index.bindings.line)(specifier.ok_or(Flaw::Entry)?)
}

/// Splits the map of a node; empty where it has none.
///
/// # Errors
/// Refuses what cannot be read.
fn entries(index: &Index<'_>, id: NodeId) -> Result<Vec<Entry>, ConfigError> {
    let node = index.node(id);
    let mut entries = Vec::new();
    let Some(prop) = node.optional(NAME)? else {
        return Ok(entries);
    };
    let flaw = |flaw| ConfigError::new(node, NAME, flaw);
    let short = || flaw(Flaw::Entry);
    if !prop.value().len().is_multiple_of(4) {
        return Err(flaw(Flaw::NoCells));
    }
    // What is raised: so many cells for the place, so many for the pin.
    let (place, _) = index.cells(id);
    let raised = u64::from(place) + u64::from(cells(node, "#interrupt-cells")?);
    let words: Vec<u32> = prop.words().collect();
    let mut rest = words.as_slice();
    let mut before = None;
    while !rest.is_empty() {
        let (raised, behind) = take(rest, raised).ok_or_else(short)?;
        let (phandle, behind) = behind.split_first().ok_or_else(short)?;
        // Most entries name the same controller as the one before.
        let named = match before {
            Some((last, named)) if last == *phandle => named,
            _ => {
                let Found::One(parent) = index.by_phandle(*phandle) else {
                    return Err(flaw(Flaw::MapPhandle));
                };
                let to = index.node(parent);
                let unit = cells(to, "#interrupt-cells")?;
                (parent, cells(to, "#address-cells")?, unit)
            }
        };
        before = Some((*phandle, named));
        let (parent, place, unit) = named;
        let (_, behind) = take(behind, place.into()).ok_or_else(short)?;
        let (specifier, behind) = take(behind, unit.into()).ok_or_else(short)?;
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
