//! Devices that read and write memory by themselves: whose they may be, with an IOMMU that keeps them
//! from the memory of others and without.

use core::fmt;

use super::{AssignError, Ground, streams};
use crate::config::{Host, Marks, NodeId, Owner, dma_indicator};
use crate::dt::{Event, Node};
use crate::fault::{self, Fault};

/// What shows that a device reads or writes memory by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DmaIndicator<'t> {
    /// A property of it.
    Own(&'static str),
    /// A property of a part of it.
    Part(&'static str, Node<'t>),
    /// The PCI host bridge that it is behind.
    Behind(Node<'t>),
}

impl fmt::Display for DmaIndicator<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(property) => write!(f, "`{property}`"),
            Self::Part(property, part) => write!(f, "`{property}` of {}", part.path()),
            Self::Behind(bridge) => write!(f, "it is behind {}", bridge.path()),
        }
    }
}

/// Finds what shows that a host device, or a part of it, reads or writes memory by itself.
fn sign<'t>(host: &Host<'t>, id: NodeId) -> Option<DmaIndicator<'t>> {
    let node = host.node(id);
    if let Some(sign) = dma_indicator(node) {
        return Some(DmaIndicator::Own(sign));
    }
    // A part of a device that masters memory does so at the word of the whole.
    for event in node.walk() {
        if let Event::Begin(part) = event
            && let Some(sign) = dma_indicator(part)
        {
            return Some(DmaIndicator::Part(sign, part));
        }
    }
    // Whatever is behind a bridge can be a master on its bus.
    Some(DmaIndicator::Behind(host.node(bridge_of(host, id)?)))
}

/// Whose memory a device can reach.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reach {
    /// It does not access memory by itself.
    None,
    /// What an IOMMU lets it reach: its domain's.
    Own,
    /// Everybody's.
    All,
}

/// Judges a host device: where it accesses memory by itself and nothing protects others from it, it may go to
/// nobody but a domain whose addresses are the host's.
pub(super) fn judge<'t>(
    ground: Ground<'_, 't>,
    id: NodeId,
    direct_mapped: bool,
) -> Result<Reach, AssignError<'t>> {
    if fault::on(Fault::DmaAccepted) {
        return Ok(Reach::None);
    }
    let (host, node) = (ground.host, ground.path(id));
    if host.index.marks(id).intersects(Marks::PCI | Marks::BRIDGE) {
        return Err(AssignError::HostBridge { node });
    }
    let streams = host.streams(id)?;
    if !streams.is_empty() {
        // To be known to an IOMMU is sign enough.
        for stream in streams {
            let covered = streams::covered(ground, id, *stream);
            covered.map_err(|error| error.at(host.node(id).into(), streams::IOMMUS))?;
        }
        return Ok(Reach::Own);
    }
    let Some(sign) = sign(host, id) else {
        return Ok(Reach::None);
    };
    let bridge = bridge_of(host, id).map_or(Ok(None), |bridge| host.mapped_through(bridge))?;
    if let Some(iommu) = bridge.or(host.mapped_through(id)?) {
        let iommu = ground.path(iommu);
        return Err(AssignError::NoStream { node, sign, iommu });
    }
    if !direct_mapped && !fault::on(Fault::DirectMapNotRequired) {
        return Err(AssignError::Unprotected { node, sign });
    }
    Ok(Reach::All)
}

/// Returns the PCI host bridge in one of whose windows the device lies.
fn bridge_of(host: &Host<'_>, id: NodeId) -> Option<NodeId> {
    let own = || host.regions_of(id).iter();
    host.regions
        .iter()
        .filter(|region| region.owner == Owner::PciWindow)
        .find(|window| {
            own().any(|own| own.owner == Owner::Device && own.span.overlaps(window.span))
        })?
        .node
}
