//! PCI host bridges with an ECAM: where their configuration space and their windows lie, and what the firmware's
//! tree says about the lines and the streams of what is behind them (Linux,
//! Documentation/devicetree/bindings/pci/host-generic-pci.yaml).

use alloc::vec::Vec;

use super::device::is_okay;
use super::index::Index;
use super::interrupt_map::{Entry, entries};
use super::interrupts::line;
use super::reg::{Reg, reg, windows};
use crate::addr::Span;
use crate::config::error::{ConfigError, Warnings};
use crate::config::machine::{Host, HostBridge, HostLine, MAX_BRIDGES, Marks, NodeId};
use crate::dt::Prop;
use crate::ids::Sbdf;

/// Bits of an offset into ECAM that one bus takes (PCIe 7.2.2).
const BUS_SHIFT: u32 = 20;

/// Finds the host bridges that are on and can be understood. What is said of the others goes into `warnings`.
pub fn bridges(index: &Index<'_>, warnings: &mut Warnings) -> Vec<HostBridge> {
    let mut found: Vec<HostBridge> = Vec::new();
    for id in index.marked(Marks::BRIDGE) {
        let node = index.node(id);
        let mut way = core::iter::successors(Some(id), |id| index.parent(*id));
        let ecam = node.compatible(|model| model == "pci-host-ecam-generic");
        if !ecam || !way.all(|id| is_okay(index.node(id))) {
            continue;
        }
        let bridge = bridge(index, id, found.len()).and_then(|bridge| {
            let twice = found.iter().any(|other| other.segment == bridge.segment);
            if twice {
                let what = format_args!("is {}, that of another bridge too", bridge.segment);
                return Err(ConfigError::new(node, SEGMENT, what));
            }
            if found.len() == MAX_BRIDGES {
                let what = format_args!("is one more than the {MAX_BRIDGES} that are used");
                return Err(ConfigError::new(node, "compatible", what));
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
fn bridge(index: &Index<'_>, id: NodeId, before: usize) -> Result<HostBridge, ConfigError> {
    let node = index.node(id);
    let ecam = match reg(index, id) {
        Reg::Spans(spans) => spans.first().copied(),
        Reg::Nothing | Reg::Unreadable(_) => None,
    };
    let ecam = ecam.ok_or_else(|| ConfigError::new(node, "reg", "names no configuration space"))?;
    if !ecam.is_page_exact() {
        let what = format_args!("names {ecam} as configuration space, which is not of whole pages");
        return Err(ConfigError::new(node, "reg", what));
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
        return Err(ConfigError::new(node, BUSES, "is no range of buses"));
    };
    let room = ecam.size() >> BUS_SHIFT;
    if first > last || room == 0 {
        return Err(ConfigError::new(node, BUSES, "leaves no bus"));
    }
    // What has no place in the configuration space cannot be looked at.
    let fits = u8::try_from((u64::from(first) + room - 1).min(u64::from(last))).unwrap_or(last);
    let buses = first..=fits;
    let used = (u64::from(fits - first) + 1) << BUS_SHIFT;
    let segment = node.read(SEGMENT, Prop::u32)?;
    let segment = segment.map_or(u16::try_from(before).ok(), |stated| {
        u16::try_from(stated).ok()
    });
    Ok(HostBridge {
        id,
        segment: segment
            .ok_or_else(|| ConfigError::new(node, SEGMENT, "is no number of a segment"))?,
        buses,
        ecam: Span::new(ecam.first(), used)
            .map_err(|error| ConfigError::new(node, "reg", error))?,
        windows: windows(index, id)
            .ok_or_else(|| ConfigError::new(node, "ranges", "cannot be understood"))?
            .into_iter()
            .filter(|window| window.memory)
            .collect(),
        coherent: node.has("dma-coherent"),
    })
}

impl Host<'_> {
    /// Returns the line on which a pin arrives that is raised by a device on the host bridge's own bus; nothing where
    /// the map names none (Devicetree Specification 2.4.3).
    ///
    /// # Errors
    /// Refuses what cannot be read, and lines that no domain can have.
    pub fn intx(
        &self,
        bridge: &HostBridge,
        devfn: u8,
        pin: u8,
    ) -> Result<Option<HostLine>, ConfigError> {
        const MASK: &str = "interrupt-map-mask";
        let node = self.node(bridge.id);
        let at = Sbdf {
            segment: bridge.segment,
            bus: *bridge.buses.start(),
            devfn,
        };
        // PCI Bus Binding to Open Firmware: the unit address is one cell of numbers and two of offset.
        let raised = [u32::from(at.requester()) << 8, 0, 0, u32::from(pin)];
        let mask: Vec<u32> = match node.optional(MASK)? {
            None => [u32::MAX; 4].into(),
            Some(prop) => prop.words().collect(),
        };
        if mask.len() != raised.len() {
            return Err(ConfigError::new(
                node,
                MASK,
                "is not as long as an address and a pin",
            ));
        }
        let wanted: Vec<u32> = raised
            .iter()
            .zip(&mask)
            .map(|(one, mask)| one & mask)
            .collect();
        for entry in entries(&self.index, bridge.id)? {
            let Entry {
                raised,
                parent,
                specifier,
            } = entry;
            let own: Vec<u32> = raised
                .iter()
                .zip(&mask)
                .map(|(one, mask)| one & mask)
                .collect();
            if own == wanted && parent == self.gic.id {
                let specifier = specifier.first_chunk().copied();
                let specifier = specifier.ok_or_else(|| {
                    ConfigError::new(node, "interrupt-map", "does not end with a whole entry")
                })?;
                return line(node, "interrupt-map", specifier);
            }
        }
        Ok(None)
    }
}
