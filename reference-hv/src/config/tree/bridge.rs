//! PCI host bridges with an ECAM: where their configuration space and their windows lie, and what the firmware's
//! tree says about the lines and the streams of what is behind them (Linux,
//! Documentation/devicetree/bindings/pci/host-generic-pci.yaml).

use alloc::vec::Vec;

use super::device::is_okay;
use super::index::Index;
use super::interrupt_map::line_map;
use super::iommu::stream_map;
use super::reg::{Reg, reg, windows};
use crate::addr::Span;
use crate::config::error::{ConfigError, Warnings};
use crate::config::flaw::Flaw;
use crate::config::limits::MAX_BRIDGES;
use crate::config::machine::{HostBridge, Iommu, Marks, NodeId};
use crate::dt::Prop;

/// Bits of an offset into ECAM that one bus takes (PCIe 7.2.2).
const BUS_SHIFT: u32 = 20;

/// Finds the host bridges that are on and can be understood. What is said of the others goes into `warnings`.
pub fn bridges(index: &Index<'_>, iommus: &[Iommu], warnings: &mut Warnings) -> Vec<HostBridge> {
    let mut found: Vec<HostBridge> = Vec::new();
    for id in index.marked(Marks::BRIDGE) {
        let node = index.node(id);
        let mut way = core::iter::successors(Some(id), |id| index.parent(*id));
        let ecam = node.compatible(|model| model == "pci-host-ecam-generic");
        if !ecam || !way.all(|id| is_okay(index.node(id))) {
            continue;
        }
        let bridge = bridge(index, iommus, id, found.len()).and_then(|bridge| {
            let twice = found.iter().any(|other| other.segment == bridge.segment);
            if twice {
                let flaw = Flaw::SegmentTwice(bridge.segment);
                return Err(ConfigError::new(node, SEGMENT, flaw));
            }
            if found.len() == MAX_BRIDGES {
                return Err(ConfigError::new(node, "compatible", Flaw::Bridges));
            }
            Ok(bridge)
        });
        match bridge {
            Ok(bridge) => found.push(bridge),
            Err(flaw) => warnings.add(format_args!("{flaw}; nothing behind it is assignable")),
        }
    }
    found
}

const SEGMENT: &str = "linux,pci-domain";
const BUSES: &str = "bus-range";

/// Reads the node of a host bridge, in front of which as many stand in the tree.
fn bridge(
    index: &Index<'_>,
    iommus: &[Iommu],
    id: NodeId,
    before: usize,
) -> Result<HostBridge, ConfigError> {
    let node = index.node(id);
    let refuse = |name: &str, flaw: Flaw| ConfigError::new(node, name, flaw);
    let ecam = match reg(index, id) {
        Reg::Spans(spans) => spans.first().copied(),
        Reg::Nothing | Reg::Unreadable(_) => None,
    };
    let ecam = ecam.ok_or_else(|| refuse("reg", Flaw::NoEcam))?;
    if !ecam.is_page_exact() {
        return Err(refuse("reg", Flaw::EcamPages(ecam)));
    }
    let stated = node.optional(BUSES)?.map(|prop| {
        let words: Vec<u32> = prop.words().collect();
        match *words.as_slice() {
            [first, last] => (first, last),
            _ => (u32::MAX, 0),
        }
    });
    let (first, last) = stated.unwrap_or((0, 0xff));
    let (Ok(first), Ok(last)) = (u8::try_from(first), u8::try_from(last)) else {
        return Err(refuse(BUSES, Flaw::Buses));
    };
    let room = ecam.size() >> BUS_SHIFT;
    if first > last || room == 0 {
        return Err(refuse(BUSES, Flaw::NoBuses));
    }
    // What has no place in the configuration space cannot be looked at.
    let fits = u8::try_from((u64::from(first) + room - 1).min(u64::from(last))).unwrap_or(last);
    let used = (u64::from(fits - first) + 1) << BUS_SHIFT;
    let segment = node.read(SEGMENT, Prop::u32)?;
    let segment = segment.map_or(u16::try_from(before).ok(), |stated| {
        u16::try_from(stated).ok()
    });
    Ok(HostBridge {
        id,
        segment: segment.ok_or_else(|| refuse(SEGMENT, Flaw::Segment))?,
        buses: first..=fits,
        ecam: Span::new(ecam.first(), used).map_err(|error| refuse("reg", error.into()))?,
        windows: windows(index, id)
            .ok_or_else(|| refuse("ranges", Flaw::NotUnderstood))?
            .into_iter()
            .filter(|window| window.memory)
            .collect(),
        coherent: node.has("dma-coherent"),
        lines: line_map(index, id, first),
        streams: stream_map(index, iommus, id),
    })
}
