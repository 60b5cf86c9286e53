//! PCI host bridges whose configuration space is an ECAM, and where what is behind them comes out: its memory, its
//! interrupts, its accesses.

use alloc::vec::Vec;
use core::ops::RangeInclusive;

use super::{HostLine, NodeId};
use crate::addr::{Pa, Span};
use crate::config::error::ConfigError;
use crate::config::flaw::Flaw;
use crate::ids::{SourceId, Stream};
use crate::pci::Segment;

/// A host bridge whose configuration space is an ECAM.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostBridge {
    /// Its node.
    pub id: NodeId,
    /// The number of its configuration space.
    pub segment: u16,
    /// The buses behind it; the first is its own.
    pub buses: RangeInclusive<u8>,
    /// The configuration space of these buses.
    pub ecam: Span<Pa>,
    /// What of memory it passes on.
    pub windows: Vec<Window>,
    /// Whether what is behind it sees the caches.
    pub coherent: bool,
    /// On which lines pins of devices on its own bus arrive; or why nobody can tell.
    pub lines: Result<LineMap, ConfigError>,
    /// By what IOMMUs know what is behind it; or why nobody can tell.
    pub streams: Result<StreamMap, ConfigError>,
}

impl HostBridge {
    /// Returns what is behind it, to be looked through.
    pub fn as_segment(&self) -> Segment {
        Segment {
            number: self.segment,
            buses: self.buses.clone(),
        }
    }

    /// Tells where memory on the bus lies for the CPU, where all of it is in one window.
    pub fn to_cpu(&self, address: u64, size: u64) -> Option<Span<Pa>> {
        let bus = Span::new(Pa::new(address), size).ok()?;
        self.windows.iter().find_map(|window| {
            let offset = address.checked_sub(window.bus)?;
            let at = Pa::new(window.cpu.first().raw().checked_add(offset)?);
            let span = Span::new(at, bus.size()).ok()?;
            window.cpu.covers(span).then_some(span)
        })
    }
}

/// A part of an address space that a PCI host bridge passes on to what is behind it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// Whether it is memory; I/O space otherwise.
    pub memory: bool,
    /// Whether its addresses on the bus are of 64 bits.
    pub wide: bool,
    /// Whether what lies there may be read ahead.
    pub prefetchable: bool,
    /// Where it begins on the bus.
    pub bus: u64,
    /// Where it lies for the CPU.
    pub cpu: Span<Pa>,
}

/// On which line a pin arrives that is raised by a device on a host bridge's own bus.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LineMap {
    /// The bits of device and function that count.
    pub devices: u8,
    /// The bits of the pin that count.
    pub pins: u8,
    /// Device and function, pin, and the line or why it is none; the first that fits counts.
    pub entries: Vec<(u8, u8, Result<Option<HostLine>, Flaw>)>,
}

impl LineMap {
    /// Returns the line of a pin; nothing where the map names none.
    pub(in crate::config) fn line(&self, devfn: u8, pin: u8) -> Result<Option<HostLine>, Flaw> {
        let raised = (devfn & self.devices, pin & self.pins);
        let mut entries = self.entries.iter();
        let found = entries.find(|(devfn, pin, _)| (*devfn, *pin) == raised);
        found.map_or(Ok(None), |(.., line)| line.clone())
    }
}

/// By what IOMMUs know what is behind a host bridge.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StreamMap {
    /// The bits of a requester (bus, device and function) that count.
    pub mask: u32,
    /// The first that fits counts.
    pub entries: Vec<StreamRange>,
}

/// Requesters behind one IOMMU.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamRange {
    /// The first requester.
    pub first: u32,
    /// How many there are.
    pub count: u32,
    /// The stream of the first; those of the others follow.
    pub stream: u32,
    /// The IOMMU by its place among all, nothing for one that is off; or why nobody can tell.
    pub iommu: Result<Option<usize>, Flaw>,
}

impl StreamMap {
    /// Returns the stream of a requester; nothing where no active IOMMU stands before it.
    pub(in crate::config) fn stream(&self, requester: u16) -> Result<Option<Stream>, Flaw> {
        let wanted = u32::from(requester) & self.mask;
        for entry in &self.entries {
            let iommu = entry.iommu.clone()?;
            let offset = wanted.checked_sub(entry.first);
            let Some(offset) = offset.filter(|offset| *offset < entry.count) else {
                continue;
            };
            let id = entry.stream.checked_add(offset);
            let id = SourceId(id.ok_or(Flaw::BeyondStreams(wanted))?);
            return Ok(iommu.map(|iommu| Stream { iommu, id }));
        }
        Ok(None)
    }

    /// Returns the first active IOMMU.
    pub(in crate::config) fn first(&self) -> Result<Option<usize>, Flaw> {
        for entry in &self.entries {
            if let Some(iommu) = entry.iommu.clone()? {
                return Ok(Some(iommu));
            }
        }
        Ok(None)
    }
}
