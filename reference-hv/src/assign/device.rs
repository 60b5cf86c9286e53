//! Which host nodes may be assigned at all.

use super::Machine;
use super::dma::{self, Reach};
use super::owner_table::PendingClaims;
use crate::config::{
    Brief, ConfigError, DeviceClaim, Found, Host, NodeId, Origin, Owner, XEN_FORCE,
    XEN_PASSTHROUGH, XEN_PATH, XEN_REG, is_okay,
};
use crate::dt::Prop;
use crate::fault::{self, Fault};

/// Judges what a node of a partial tree asks for, but for its ranges and interrupts, and returns
/// the host node that it names.
pub(super) fn judge<'t>(
    host: &Host<'t>,
    machine: &Machine,
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
            let id = resolve(host, origin, path)?;
            // Force says that nobody minds the lack of protection; where it is not lacking it says nothing.
            let required = match judge_named(host, machine, origin, id, direct_mapped)? {
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
pub(super) fn judge_named(
    host: &Host<'_>,
    machine: &Machine,
    origin: Origin<'_>,
    id: NodeId,
    direct_mapped: bool,
) -> Result<Reach, ConfigError> {
    let named = host.node(id);
    let path = named.path();
    let reach = judge_kind(host, machine, origin, XEN_PATH, id, direct_mapped)?;
    if !is_okay(named) {
        let what = format_args!("is {path}, whose `status` is neither ok nor okay");
        return Err(ConfigError::new(origin, XEN_PATH, what));
    }
    // What lies behind a bus that is off is off.
    let buses = core::iter::successors(host.index.parent(id), |bus| host.index.parent(*bus));
    for bus in buses.map(|bus| host.node(bus)) {
        if !is_okay(bus) {
            let bus = bus.path();
            let what = format_args!("is {path}; the `status` of {bus} is neither ok nor okay");
            return Err(ConfigError::new(origin, XEN_PATH, what));
        }
    }
    Ok(reach)
}

/// Judges a host node whose registers a domain would get, named or not, and tells whose memory it can
/// reach by itself.
pub(super) fn judge_kind(
    host: &Host<'_>,
    machine: &Machine,
    origin: Origin<'_>,
    property: &str,
    id: NodeId,
    direct_mapped: bool,
) -> Result<Reach, ConfigError> {
    let named = host.node(id);
    let path = named.path();
    let refuse = |what: core::fmt::Arguments<'_>| Err(ConfigError::new(origin, property, what));
    if host.is_given_away(id) {
        return Ok(Reach::None);
    }
    for region in host.regions_of(id) {
        match region.owner {
            Owner::Device | Owner::PciWindow => {}
            Owner::Hypervisor(what) => {
                return refuse(format_args!("names {path}, which is {what}"));
            }
            Owner::Memory if fault::on(Fault::RamGivenAway) => {}
            Owner::Memory => return refuse(format_args!("names {path}, which is RAM")),
            Owner::Reserved => {
                return refuse(format_args!("names {path}, which is reserved memory"));
            }
        }
    }
    if !fault::on(Fault::MarkNotRequired)
        && !named.read(XEN_PASSTHROUGH, Prop::flag)?.unwrap_or(false)
    {
        return refuse(format_args!(
            "names {path}, which is not marked `{XEN_PASSTHROUGH}`"
        ));
    }
    dma::judge(host, machine, origin, property, id, direct_mapped)
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
