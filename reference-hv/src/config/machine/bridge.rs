//! PCI host bridges whose configuration space is an ECAM.

use alloc::vec::Vec;
use core::ops::RangeInclusive;

use super::NodeId;
use crate::addr::{Pa, Span};
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
