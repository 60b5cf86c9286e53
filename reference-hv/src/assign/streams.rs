//! The streams by which IOMMUs know devices: inside the table, each with one owner, and whoever shares one
//! goes to the same domain or to none.

use super::owner_table::{OwnerTable, PendingClaims};
use super::{Machine, taken_by};
use crate::config::{ConfigError, Host, Marks, NodeId, Origin};
use crate::fault::{self, Fault};
use crate::ids::Stream;

const IOMMUS: &str = "iommus";

/// Refuses a stream of a device's that its IOMMU cannot tell from others, or that it does not translate.
pub(super) fn covered(
    host: &Host<'_>,
    machine: &Machine,
    origin: Origin<'_>,
    stream: Stream,
) -> Result<(), ConfigError> {
    let id = stream.id;
    let iommu = path(host, stream);
    match machine.streams.get(stream.iommu) {
        Some(Some(count)) if u64::from(id.0) < *count => Ok(()),
        Some(Some(_)) if fault::on(Fault::StreamCut) => Ok(()),
        Some(Some(count)) => {
            let what = format_args!("names {id} of {iommu}, beyond the {count:#x} that it has");
            Err(ConfigError::new(origin, IOMMUS, what))
        }
        _ if fault::on(Fault::DisabledIommuProtects) => Ok(()),
        Some(None) | None => {
            let what = format_args!("names {iommu}, which cannot be used");
            Err(ConfigError::new(origin, IOMMUS, what))
        }
    }
}

fn path<'h>(host: &'h Host<'_>, stream: Stream) -> impl core::fmt::Display + use<'h> {
    let iommu = host.iommus.get(stream.iommu);
    host.node(iommu.map_or(NodeId::ROOT, |iommu| iommu.id))
        .path()
}

/// Adds to a draft the streams of the devices in it.
pub(super) fn judge(
    host: &Host<'_>,
    owners: &OwnerTable,
    pending: &mut PendingClaims<'_>,
) -> Result<(), ConfigError> {
    for id in pending.devices.clone() {
        let node = host.node(id);
        for stream in host.streams(id)?.iter().copied() {
            let names = || alloc::format!("names {} of {}", stream.id, path(host, stream));
            if let Some(owner) = owners.of_stream(stream) {
                let what = taken_by(format_args!("{}", names()), owner);
                return Err(ConfigError::new(node, IOMMUS, what));
            }
            if let Some(other) = sharers(host, stream, &pending.devices).next()
                && !fault::on(Fault::StreamSharerForgotten)
            {
                let other = host.node(other).path();
                let what = format_args!(
                    "{}, which is that of {other} too, which this domain does not ask for",
                    names()
                );
                return Err(ConfigError::new(node, IOMMUS, what));
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
