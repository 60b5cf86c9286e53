//! Which host nodes may be assigned at all.

use super::dma::{self, Reach};
use super::owner_table::PendingClaims;
use super::{AssignError, ClaimError, ClaimFlaw, Ground};
use crate::config::{
    Brief, ConfigError, DeviceClaim, Found, Host, NodeId, Origin, Owner, XEN_FORCE,
    XEN_PASSTHROUGH, XEN_PATH, XEN_REG, is_okay,
};
use crate::dt::Prop;
use crate::fault::{self, Fault};

/// Judges what a node of a partial tree asks for, but for its ranges and interrupts, and returns
/// the host node that it names.
pub(super) fn judge<'t>(
    ground: Ground<'_, 't>,
    device: &DeviceClaim<'t>,
    direct_mapped: bool,
) -> Result<Option<NodeId>, ClaimError<'t>> {
    let origin = device.origin;
    match (&device.tuples, device.path, device.forced) {
        (None, Some(path), _) => Err(ClaimFlaw::NoRanges(Brief(path)).at(origin, XEN_REG)),
        (None, None, _) => Err(ClaimFlaw::ForceAlone.at(origin, XEN_FORCE)),
        (Some(_), None, false) => Err(ClaimFlaw::RangesAlone.at(origin, XEN_REG)),
        (Some(_), None, true) => Ok(None),
        (Some(_), Some(path), forced) => {
            let id = resolve(ground.host, origin, path)?;
            let reach = judge_named(ground, id, direct_mapped);
            // Force says that nobody minds the lack of protection; where it is not lacking it says nothing.
            let required = match reach.map_err(|error| error.at(origin, XEN_PATH))? {
                Reach::None => !fault::on(Fault::ForceNotRequired),
                Reach::All => !fault::on(Fault::DmaForceNotRequired),
                Reach::Own => false,
            };
            if !forced && required {
                return Err(ClaimFlaw::NotForced(Brief(path)).at(origin, XEN_FORCE));
            }
            Ok(Some(id))
        }
    }
}

/// Finds the host node of exactly this path.
fn resolve<'t>(
    host: &Host<'t>,
    origin: Origin<'t>,
    path: &'t str,
) -> Result<NodeId, ClaimError<'t>> {
    let brief = Brief(path);
    let refuse = |flaw: ClaimFlaw<'t>| Err(flaw.at(origin, XEN_PATH));
    match host.index.by_path(path) {
        Found::One(id) => return Ok(id),
        Found::Several => return refuse(ClaimFlaw::SeveralNodes(brief)),
        Found::Nothing => {}
    }
    if !path.starts_with('/') {
        return refuse(ClaimFlaw::NotAbsolute(brief));
    }
    match host.index.by_path_in_any_case(path) {
        Found::One(id) => refuse(ClaimFlaw::OtherCase(brief, host.node(id).path())),
        Found::Several | Found::Nothing => refuse(ClaimFlaw::NoNode(brief)),
    }
}

/// Judges a host node that is asked for by name, and tells whose memory it can reach by itself.
pub(super) fn judge_named<'t>(
    ground: Ground<'_, 't>,
    id: NodeId,
    direct_mapped: bool,
) -> Result<Reach, AssignError<'t>> {
    let (host, node) = (ground.host, ground.path(id));
    let reach = judge_kind(ground, id, direct_mapped)?;
    if !is_okay(host.node(id)) {
        return Err(AssignError::NodeOff { node });
    }
    // What lies behind a bus that is off is off.
    let mut buses = core::iter::successors(host.index.parent(id), |bus| host.index.parent(*bus));
    match buses.find(|bus| !is_okay(host.node(*bus))) {
        Some(bus) => Err(AssignError::BusOff {
            node,
            bus: ground.path(bus),
        }),
        None => Ok(reach),
    }
}

/// Judges a host node whose registers a domain would get, named or not, and tells whose memory it can
/// reach by itself.
pub(super) fn judge_kind<'t>(
    ground: Ground<'_, 't>,
    id: NodeId,
    direct_mapped: bool,
) -> Result<Reach, AssignError<'t>> {
    let (host, node) = (ground.host, ground.path(id));
    if host.is_given_away(id) {
        return Ok(Reach::None);
    }
    for region in host.regions_of(id) {
        let what = match region.owner {
            Owner::Device | Owner::PciWindow => continue,
            Owner::Memory if fault::on(Fault::RamGivenAway) => continue,
            Owner::Hypervisor(what) => what,
            Owner::Memory => "RAM",
            Owner::Reserved => "reserved memory",
        };
        return Err(AssignError::NodeKept { node, what });
    }
    let mark = host.node(id).read(XEN_PASSTHROUGH, Prop::flag);
    if !fault::on(Fault::MarkNotRequired) && mark.map_err(ConfigError::from)? != Some(true) {
        return Err(AssignError::NodeUnmarked { node });
    }
    dma::judge(ground, id, direct_mapped)
}

/// Judges the neighbours in shared pages once it is known what else the domain asks for: all who
/// live in a page go to one domain or the page goes to none.
pub(super) fn judge_neighbours<'t>(
    host: &Host<'t>,
    pending: &mut PendingClaims<'_>,
) -> Result<(), ClaimError<'t>> {
    for neighbour in &pending.neighbours {
        if pending.devices.contains(&neighbour.id) || fault::on(Fault::NeighbourForgotten) {
            continue;
        }
        let path = host.node(neighbour.id).path();
        return Err(ClaimFlaw::Neighbour(neighbour.at, path).at(neighbour.origin, XEN_REG));
    }
    Ok(())
}
