//! Devices that read and write memory by themselves: whose they may be while no IOMMU keeps them
//! from the memory of others.

use alloc::format;
use alloc::string::String;

use crate::config::{Flaw, Found, Host, Marks, NodeId, Owner, dma_sign, is_okay};
use crate::dt::{Event, Node};
use crate::fault::{self, Fault};

/// Returns what shows that a host device, or a part of it, reads or writes memory by itself.
pub(super) fn sign(host: &Host<'_>, id: NodeId) -> Option<String> {
    if fault::on(Fault::DmaAccepted) {
        return None;
    }
    let node = host.node(id);
    if let Some(sign) = dma_sign(node) {
        return Some(format!("`{sign}`"));
    }
    // A part of a device that masters memory does so at the word of the whole.
    for event in node.walk() {
        if let Event::Begin(part) = event
            && let Some(sign) = dma_sign(part)
        {
            return Some(format!("`{sign}` of {}", part.path()));
        }
    }
    // Whatever is behind a bridge can be a master on its bus.
    let bridge = bridge_of(host, id)?;
    Some(format!("it is behind {}", host.node(bridge).path()))
}

/// Judges a host device that shows this sign: without protection it may go to nobody but a domain whose
/// addresses are the host's.
pub(super) fn judge(
    host: &Host<'_>,
    node: Node<'_>,
    property: &str,
    id: NodeId,
    direct_mapped: bool,
    sign: &str,
) -> Result<(), Flaw> {
    let named = host.node(id);
    let path = named.path();
    let refuse = |what: core::fmt::Arguments<'_>| Err(Flaw::new(node, property, what));
    if host.index.marks(id).intersects(Marks::PCI | Marks::BRIDGE) {
        return refuse(format_args!(
            "names {path}, a PCI host bridge, which is no platform device"
        ));
    }
    if let Some(iommu) = translated_by(host, id)? {
        let iommu = host.node(iommu).path();
        return refuse(format_args!(
            "names {path}, which can access memory by itself ({sign}) through {iommu}; no IOMMU protection is implemented"
        ));
    }
    if !direct_mapped && !fault::on(Fault::DirectMapNotRequired) {
        return refuse(format_args!(
            "names {path}, which can access memory by itself ({sign}) and no IOMMU protects; only a domain with `direct-map` can have it"
        ));
    }
    Ok(())
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

/// Returns the active IOMMU that the device's accesses go through.
fn translated_by(host: &Host<'_>, id: NodeId) -> Result<Option<NodeId>, Flaw> {
    let node = host.node(id);
    let mut found = listed(host, node, "iommus")?;
    for event in node.walk() {
        if let Event::Begin(part) = event {
            found = found.or(listed(host, part, "iommus")?);
        }
    }
    if found.is_none()
        && let Some(bridge) = bridge_of(host, id)
    {
        found = mapped(host, host.node(bridge))?;
    }
    Ok(found.or(mapped(host, node)?))
}

/// Returns the first active IOMMU in an `iommus`.
fn listed(host: &Host<'_>, node: Node<'_>, name: &'static str) -> Result<Option<NodeId>, Flaw> {
    let Some(prop) = node.optional(name)? else {
        return Ok(None);
    };
    let mut words = prop.words();
    while let Some(phandle) = words.next() {
        let id = named(host, node, name, phandle)?;
        if is_active(host, id) {
            return Ok(Some(id));
        }
        // Only what comes behind the identifiers of this one is another's.
        let cells = host.node(id).read("#iommu-cells", crate::dt::Prop::u32)?;
        for _ in 0..cells.unwrap_or(1) {
            if words.next().is_none() {
                let what = "does not end with a whole entry";
                return Err(Flaw::new(node, name, what));
            }
        }
    }
    Ok(None)
}

/// Returns the first active IOMMU in an `iommu-map`: entries of identifier, IOMMU, identifier there and
/// length.
fn mapped(host: &Host<'_>, node: Node<'_>) -> Result<Option<NodeId>, Flaw> {
    let name = "iommu-map";
    let Some(prop) = node.optional(name)? else {
        return Ok(None);
    };
    for phandle in prop.words().skip(1).step_by(4) {
        let id = named(host, node, name, phandle)?;
        if is_active(host, id) {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

fn named(host: &Host<'_>, node: Node<'_>, name: &str, phandle: u32) -> Result<NodeId, Flaw> {
    let what = match host.index.by_phandle(phandle) {
        Found::One(id) if host.index.marks(id).contains(Marks::IOMMU) => return Ok(id),
        Found::One(id) => format!("{}, no IOMMU,", host.node(id).path()),
        Found::Nothing => "no node".into(),
        Found::Several => "more than one node".into(),
    };
    let what = format_args!("names phandle {phandle:#x}, which {what} has");
    Err(Flaw::new(node, name, what))
}

/// Tells whether an IOMMU and every bus on the way to it are on.
fn is_active(host: &Host<'_>, id: NodeId) -> bool {
    core::iter::successors(Some(id), |id| host.index.parent(*id)).all(|id| is_okay(host.node(id)))
}
