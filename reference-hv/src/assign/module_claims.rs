//! Modules: in RAM, and nobody else's.

use super::Machine;
use super::owner_table::{OwnerTable, PendingClaims};
use crate::config::{ConfigError, Host, Module, Owner};

/// Judges where a module lies. Two domains may share a module of one kind, for it is only read;
/// anything that overlaps it otherwise would make one of the two something else than it says.
pub(super) fn judge<'t>(
    host: &Host<'t>,
    machine: &Machine,
    owners: &OwnerTable,
    pending: &mut PendingClaims<'t>,
    module: &Module<'t>,
) -> Result<(), ConfigError> {
    let span = module.span;
    let refuse = |what: core::fmt::Arguments<'_>| Err(ConfigError::new(module.origin, "reg", what));
    if !host.ram.iter().any(|ram| ram.covers(span)) {
        return refuse(format_args!("names {span}, which is not in RAM"));
    }
    if let Some(taken) = machine.taken(span) {
        let what = taken.what;
        return refuse(format_args!("names {span}, which overlaps the {what}"));
    }
    // An entry of the memory reservation block may well be the boot loader's own way to keep the
    // module safe; a node under /reserved-memory is not.
    let reserved = |owner| match owner {
        Owner::Reserved => true,
        Owner::Device | Owner::PciWindow | Owner::Hypervisor(_) => true,
        Owner::Memory => false,
    };
    let other = host.regions.iter().find(|region| {
        region.node.is_some() && reserved(region.owner) && region.span.overlaps(span)
    });
    if let Some(node) = other.and_then(|region| region.node) {
        let path = host.node(node).path();
        return refuse(format_args!("names {span}, which overlaps {path}"));
    }
    let pending_module = pending
        .modules
        .iter()
        .find(|(other, _)| other.overlaps(span))
        .map(|(other, _)| *other);
    if let Some(other) = pending_module.or(owners.other_module(span, module.kind)) {
        return refuse(format_args!(
            "names {span}, which overlaps the module at {other}"
        ));
    }
    pending.modules.push((span, module.kind));
    Ok(())
}

/// Says that the bytes of a module cannot be had.
pub(super) fn unreachable(module: &Module<'_>) -> ConfigError {
    let what = format_args!("names {}, which cannot be read", module.span);
    ConfigError::new(module.origin, "reg", what)
}
