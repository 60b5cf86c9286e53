//! Modules: in RAM, and nobody else's.

use super::owner_table::{OwnerTable, PendingClaims};
use super::{ClaimError, ClaimFlaw, Machine};
use crate::config::{Host, Module, Owner};

/// Judges where a module lies. Two domains may share a module of one kind, for it is only read;
/// anything that overlaps it otherwise would make one of the two something else than it says.
pub(super) fn judge<'t>(
    host: &Host<'t>,
    machine: &Machine,
    owners: &OwnerTable,
    pending: &mut PendingClaims<'t>,
    module: &Module<'t>,
) -> Result<(), ClaimError<'t>> {
    let span = module.span;
    let refuse = |flaw: ClaimFlaw<'t>| Err(flaw.at(module.origin, "reg"));
    if !host.ram.iter().any(|ram| ram.covers(span)) {
        return refuse(ClaimFlaw::NotInRam(span));
    }
    if let Some(taken) = machine.taken(span) {
        return refuse(ClaimFlaw::OverTaken(span, taken.what));
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
        return refuse(ClaimFlaw::OverNode(span, host.node(node).path()));
    }
    let pending_module = pending
        .modules
        .iter()
        .find(|(other, _)| other.overlaps(span))
        .map(|(other, _)| *other);
    if let Some(other) = pending_module.or(owners.other_module(span, module.kind)) {
        return refuse(ClaimFlaw::OverModule(span, other));
    }
    pending.modules.push((span, module.kind));
    Ok(())
}

/// Says that the bytes of a module cannot be had.
pub(super) fn unreachable<'t>(module: &Module<'t>) -> ClaimError<'t> {
    ClaimFlaw::Unreadable(module.span).at(module.origin, "reg")
}
