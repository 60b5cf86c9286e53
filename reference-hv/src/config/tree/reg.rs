//! `reg` as the CPU sees it: translated through every `ranges` up to the root.

use alloc::vec::Vec;

use super::index::Index;
use crate::addr::{Address, Pa, Span};
use crate::config::flaw::Flaw;
use crate::config::machine::{Marks, NodeId, Window};
use crate::dt::{MAX_DEPTH, read_cells};

/// What the `reg` of a node says to the CPU.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reg {
    /// There is none, or it numbers something else than memory (a CPU, a PCI function).
    Nothing,
    /// The ranges it names.
    Spans(Vec<Span<Pa>>),
    /// It should name memory and cannot be understood.
    Unreadable(Flaw),
}

/// Reads the `reg` of a node.
pub fn reg(index: &Index<'_>, id: NodeId) -> Reg {
    let Some(parent) = index.parent(id) else {
        return Reg::Nothing;
    };
    // Without `ranges` the numbers are the bus's own business, whatever they look like.
    let passes = parent == NodeId::ROOT || index.node(parent).has("ranges");
    let (_, size) = index.cells(parent);
    // No size: a number, not a range. Three cells: PCI's own space.
    if !passes || size == 0 || is_pci_bus(index, parent) {
        return Reg::Nothing;
    }
    read(index, id, parent, |span| translate(index, parent, span))
}

/// Reads the `reg` of a node under /reserved-memory. Its addresses are the CPU's also where the
/// `ranges` is missing that says so: what is reserved must not be lost by that.
pub fn reserved_reg(index: &Index<'_>, id: NodeId) -> Reg {
    match index.parent(id) {
        Some(parent) if !index.node(parent).has("ranges") => {
            read(index, id, parent, Translated::Span)
        }
        _ => reg(index, id),
    }
}

/// Reads the `reg` of a node, with `above` to lead from its bus to the CPU. A range of no bytes
/// says that this one of several is not there.
fn read(
    index: &Index<'_>,
    id: NodeId,
    parent: NodeId,
    above: impl Fn(Span<Pa>) -> Translated,
) -> Reg {
    let Some(prop) = index.reg(id) else {
        return Reg::Nothing;
    };
    let (address, size) = index.cells(parent);
    let Some(widths) = widths([address, size]) else {
        return Reg::Unreadable(Flaw::Cells);
    };
    let mut spans = Vec::new();
    let mut rest = prop.value();
    while !rest.is_empty() {
        let Some(([base, size], behind)) = take(rest, widths) else {
            return Reg::Unreadable(Flaw::Pair);
        };
        rest = behind;
        if size == 0 {
            continue;
        }
        let Ok(span) = Span::new(Pa::new(base), size) else {
            return Reg::Unreadable(Flaw::Wraps);
        };
        match above(span) {
            Translated::Span(span) => spans.push(span),
            Translated::NotMemory => return Reg::Nothing,
            Translated::Outside => return Reg::Unreadable(Flaw::NotPassedOn),
        }
    }
    if spans.is_empty() {
        Reg::Unreadable(Flaw::NoBytes)
    } else {
        Reg::Spans(spans)
    }
}

/// Tells whether addresses on this bus are PCI's, of three cells. On any other bus three cells are
/// nothing that can be understood.
fn is_pci_bus(index: &Index<'_>, bus: NodeId) -> bool {
    let (address, _) = index.cells(bus);
    address == 3 && index.marks(bus).contains(Marks::PCI)
}

/// Where a range on a bus lies for the CPU.
enum Translated {
    Span(Span<Pa>),
    /// A bus on the way says nothing about addresses, so these are not the CPU's.
    NotMemory,
    /// A bus on the way does not pass the range on.
    Outside,
}

/// Follows a range from the bus it is named on up to the root.
fn translate(index: &Index<'_>, bus: NodeId, span: Span<Pa>) -> Translated {
    let (mut bus, mut span) = (bus, span);
    for _ in 0..MAX_DEPTH {
        let Some(parent) = index.parent(bus) else {
            return Translated::Span(span);
        };
        let Some(ranges) = index.node(bus).prop("ranges") else {
            return Translated::NotMemory;
        };
        if !ranges.value().is_empty() {
            if is_pci_bus(index, parent) {
                return Translated::NotMemory;
            }
            let (child, size) = index.cells(bus);
            let (above, _) = index.cells(parent);
            let Some(widths) = widths([child, above, size]) else {
                return Translated::Outside;
            };
            match through(ranges.value(), widths, span) {
                Some(passed) => span = passed,
                None => return Translated::Outside,
            }
        }
        bus = parent;
    }
    Translated::Outside
}

/// Finds the entry of a `ranges` that holds the whole range, and moves the range by it.
fn through(ranges: &[u8], widths: [usize; 3], span: Span<Pa>) -> Option<Span<Pa>> {
    let mut rest = ranges;
    while let Some(([child, above, size], behind)) = take(rest, widths) {
        rest = behind;
        let Ok(window) = Span::new(Pa::new(child), size) else {
            continue;
        };
        if window.covers(span) {
            let base = Pa::new(above).checked_add(span.first().raw() - child)?;
            return Span::new(base, span.size()).ok();
        }
    }
    None
}

/// Returns the windows that a PCI host bridge opens; `None` where they cannot be understood.
pub fn windows(index: &Index<'_>, id: NodeId) -> Option<Vec<Window>> {
    let mut windows = Vec::new();
    let (Some(parent), Some(ranges)) = (index.parent(id), index.node(id).prop("ranges")) else {
        return Some(windows);
    };
    let (above, _) = index.cells(parent);
    let (_, size) = index.cells(id);
    // A PCI address is three cells: the first says which space, the other two are the number.
    let widths = widths([1, 2, above, size])?;
    let mut rest = ranges.value();
    while !rest.is_empty() {
        let ([kind, bus, base, size], behind) = take(rest, widths)?;
        rest = behind;
        let span = Span::new(Pa::new(base), size).ok()?;
        // PCI Bus Binding to Open Firmware, 2.2.1.1: the space in two bits, bit 30 for prefetchable.
        let space = kind >> 24 & 3;
        match translate(index, parent, span) {
            Translated::Span(cpu) => windows.push(Window {
                memory: space >= 2,
                wide: space == 3,
                prefetchable: kind & 1 << 30 != 0,
                bus,
                cpu,
            }),
            Translated::NotMemory => {}
            Translated::Outside => return None,
        }
    }
    Some(windows)
}

/// Takes numbers of these many cells; `None` where a count is neither one nor two.
fn widths<const N: usize>(cells: [u32; N]) -> Option<[usize; N]> {
    cells
        .iter()
        .all(|count| matches!(count, 1 | 2))
        .then(|| cells.map(|count| if count == 1 { 1 } else { 2 }))
}

fn take<const N: usize>(value: &[u8], widths: [usize; N]) -> Option<([u64; N], &[u8])> {
    let mut numbers = [0; N];
    let mut rest = value;
    for (number, cells) in numbers.iter_mut().zip(widths) {
        (*number, rest) = read_cells(rest, cells)?;
    }
    Some((numbers, rest))
}
