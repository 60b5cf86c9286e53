//! The streams by which IOMMUs know devices: inside the table, each with one owner, and whoever shares one
//! goes to the same domain or to none.

use super::owner_table::PendingClaims;
use super::{AssignError, ClaimError, ClaimFlaw, Ground};
use crate::config::{Host, Marks, NodeId};
use crate::fault::{self, Fault};
use crate::ids::Stream;

/// Where a node names its streams.
pub(super) const IOMMUS: &str = "iommus";

/// Refuses a stream of a device's that its IOMMU cannot tell from others, or that it does not translate.
pub(super) fn covered<'t>(
    ground: Ground<'_, 't>,
    device: NodeId,
    stream: Stream,
) -> Result<(), AssignError<'t>> {
    let (id, iommu) = (stream.id, ground.path(ground.iommu(stream)));
    let at = |flaw: ClaimFlaw<'t>| flaw.at(ground.host.node(device), IOMMUS);
    match ground.machine.streams.get(stream.iommu) {
        Some(Some(count)) if u64::from(id.0) < *count => Ok(()),
        Some(Some(_)) if fault::on(Fault::StreamCut) => Ok(()),
        Some(Some(count)) => {
            let flaw = at(ClaimFlaw::StreamBeyond(id, iommu, *count));
            Err(AssignError::StreamBeyond { flaw })
        }
        _ if fault::on(Fault::DisabledIommuProtects) => Ok(()),
        Some(None) | None => {
            let flaw = at(ClaimFlaw::IommuOff(iommu));
            Err(AssignError::IommuUnusable { flaw })
        }
    }
}

/// Adds to a draft the streams of the devices in it.
pub(super) fn judge<'t>(
    ground: Ground<'_, 't>,
    pending: &mut PendingClaims<'_>,
) -> Result<(), ClaimError<'t>> {
    let host = ground.host;
    for id in pending.devices.clone() {
        for stream in host.streams(id)?.iter().copied() {
            let (node, iommu) = (host.node(id), ground.path(ground.iommu(stream)));
            let id = stream.id;
            if let Some((_, owner)) = ground.owners.streams.rival(ground.by, stream) {
                return Err(AssignError::StreamOwned { id, iommu, owner }.at(node.into(), IOMMUS));
            }
            if let Some(other) = sharers(host, stream, &pending.devices).next()
                && !fault::on(Fault::StreamSharerForgotten)
            {
                let other = ground.path(other);
                return Err(AssignError::StreamOfOther { id, iommu, other }.at(node.into(), IOMMUS));
            }
            if !pending.streams.contains(&stream) {
                pending.streams.push(stream);
            }
        }
    }
    if fault::on(Fault::FirstStreamOnly) {
        pending.streams.truncate(1);
    }
    Ok(())
}

/// Finds the devices that have this stream and are none of these, nor parts of them. What of the tree cannot
/// be understood has none: nobody gets it.
pub(super) fn sharers(
    host: &Host<'_>,
    stream: Stream,
    but: &[NodeId],
) -> impl Iterator<Item = NodeId> {
    let known = host.masters.iter().filter(move |master| {
        let streams = master.streams.as_ref();
        streams.is_ok_and(|streams| streams.contains(&stream))
    });
    // What only has such parts is the bus that they are on.
    known.map(|master| master.id).filter(move |id| {
        host.index.marks(*id).contains(Marks::MASTER)
            && !but.iter().any(|device| host.index.is_within(*id, *device))
    })
}
