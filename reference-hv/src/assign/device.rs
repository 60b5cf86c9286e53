//! Which host nodes may be assigned at all.

use super::dma::{self, Reach};
use super::owner_table::PendingClaims;
use super::{AssignError, Ground};
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
) -> Result<Option<NodeId>, ConfigError> {
    let origin = device.origin;
    let refuse =
        |property, what: core::fmt::Arguments<'_>| Err(ConfigError::new(origin, property, what));
    match (&device.tuples, device.path, device.forced) {
        (None, Some(path), _) => {
            let path = Brief(path);
            refuse(
                XEN_REG,
                format_args!("is missing, yet `{XEN_PATH}` names {path}"),
            )
        }
        (None, None, _) => refuse(
            XEN_FORCE,
            format_args!("stands alone: `{XEN_REG}` is missing"),
        ),
        (Some(_), None, false) => refuse(
            XEN_REG,
            format_args!("stands alone: `{XEN_PATH}` and `{XEN_FORCE}` are both missing"),
        ),
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
                let path = Brief(path);
                return refuse(
                    XEN_FORCE,
                    format_args!("is missing, and no IOMMU protects {path}"),
                );
            }
            Ok(Some(id))
        }
    }
}

/// Finds the host node of exactly this path.
fn resolve(host: &Host<'_>, origin: Origin<'_>, path: &str) -> Result<NodeId, ConfigError> {
    let brief = Brief(path);
    let refuse = |what: core::fmt::Arguments<'_>| Err(ConfigError::new(origin, XEN_PATH, what));
    match host.index.by_path(path) {
        Found::One(id) => return Ok(id),
        Found::Several => return refuse(format_args!("is {brief}, which several host nodes are")),
        Found::Nothing => {}
    }
    if !path.starts_with('/') {
        return refuse(format_args!("is {brief}, which is no absolute path"));
    }
    match host.index.by_path_in_any_case(path) {
        Found::One(id) => refuse(format_args!(
            "is {brief}, which no host node is; {} differs from it in case",
            host.node(id).path()
        )),
        Found::Several | Found::Nothing => {
            refuse(format_args!("is {brief}, which no host node is"))
        }
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
pub(super) fn judge_neighbours(
    host: &Host<'_>,
    pending: &mut PendingClaims<'_>,
) -> Result<(), ConfigError> {
    for neighbour in &pending.neighbours {
        if pending.devices.contains(&neighbour.id) || fault::on(Fault::NeighbourForgotten) {
            continue;
        }
        let path = host.node(neighbour.id).path();
        let what = format_args!(
            "names the page of {}, in which {path} lies too, which this domain does not ask for",
            neighbour.at
        );
        return Err(ConfigError::new(neighbour.origin, XEN_REG, what));
    }
    Ok(())
}
