//! Interrupt lines: shared ones of the host node, inside the domain's limit, with one owner and
//! one trigger.

use alloc::format;
use alloc::string::String;

use super::layout::Layout;
use super::owner_table::{OwnerTable, PendingClaims};
use super::{IrqAssignment, Machine, taken_by};
use crate::config::{ConfigError, DomainClaim, Host, HostLine, NodeId};
use crate::fault::{self, Fault};
use crate::ids::IrqLine;

/// What a domain's interrupt controller has room for.
#[derive(Clone, Copy)]
pub(super) struct Room<'l> {
    /// Where its imitated devices lie.
    pub layout: &'l Layout,
    /// How many shared lines there are.
    pub lines: u32,
}

/// Returns how many shared lines the domain's interrupt controller has: what its node says, or
/// what the host has. The emulated UART
/// needs its own.
pub(super) fn shared_lines(
    claim: &DomainClaim<'_>,
    machine: &Machine,
    layout: &Layout,
) -> Result<u32, ConfigError> {
    let most = machine.guest.lines.most;
    let count = match claim.shared_lines {
        Some(stated) if stated > most => {
            let what =
                format_args!("is {stated}, more than the {most} of any interrupt controller");
            return Err(ConfigError::new(claim.origin, "nr_spis", what));
        }
        Some(stated) => stated,
        None => machine.lines.min(most),
    };
    let needed = layout
        .uart
        .and_then(|uart| machine.guest.lines.index(uart.line))
        .map_or(0, |index| index + 1);
    Ok(count.max(needed))
}

/// Judges the lines of a host node and returns what is to be said about those that cannot be
/// routed.
pub(super) fn judge(
    host: &Host<'_>,
    machine: &Machine,
    owners: &OwnerTable,
    pending: &mut PendingClaims<'_>,
    claim: &DomainClaim<'_>,
    id: NodeId,
    room: &Room<'_>,
) -> Result<Option<String>, ConfigError> {
    let node = host.node(id);
    let found = host.interrupts(id)?;
    let property = if node.has("interrupts-extended") {
        "interrupts-extended"
    } else {
        "interrupts"
    };
    for wanted in found.lines {
        judge_wanted(host, machine, owners, &pending.lines, wanted, room)
            .map_err(|what| ConfigError::new(node, property, what))?;
        if pending.lines.iter().all(|known| known.line != wanted.line) {
            let HostLine { line, trigger } = wanted;
            pending.lines.push(IrqAssignment { line, trigger });
        }
    }
    Ok(found.elsewhere.map(|controller| {
        format!(
            "{}: `{property}` goes to {controller}; not routed to {}",
            node.path(),
            claim.id
        )
    }))
}

/// Judges a line that a device of a domain wants which has `known` already.
pub(super) fn judge_wanted(
    host: &Host<'_>,
    machine: &Machine,
    owners: &OwnerTable,
    known: &[IrqAssignment],
    wanted: HostLine,
    room: &Room<'_>,
) -> Result<(), String> {
    let line = wanted.line;
    let shared_lines = room.lines;
    let limit = if fault::on(Fault::LineLimitOffByOne) {
        shared_lines + 1
    } else {
        shared_lines
    };
    if let Some(flaw) = in_use(host, line) {
        return Err(flaw);
    }
    if room.layout.uart.is_some_and(|uart| uart.line == line) && !fault::on(Fault::VirtualLineClash)
    {
        return Err(format!("names {line}, which is that of the emulated UART"));
    }
    let index = machine.guest.lines.index(line);
    if index.is_some_and(|index| index >= limit) {
        return Err(format!(
            "names {line}, beyond the {shared_lines} of the domain"
        ));
    }
    if let Some(flaw) = beyond(machine, line) {
        return Err(flaw);
    }
    if let Some(owner) = owners.of_line(line)
        && !fault::on(Fault::IrqOwnerForgotten)
    {
        return Err(taken_by(format_args!("names {line}"), owner));
    }
    let known = known.iter().find(|known| known.line == line);
    match known.filter(|known| known.trigger != wanted.trigger) {
        Some(known) if !fault::on(Fault::TriggerConflict) => Err(format!(
            "gives {line} the trigger {}, another device of the domain {}",
            wanted.trigger, known.trigger
        )),
        _ => Ok(()),
    }
}

/// Says who in the hypervisor needs a line.
fn in_use(host: &Host<'_>, line: IrqLine) -> Option<String> {
    let user = host.use_of(line)?;
    Some(format!("names {line}, which is that of {user}"))
}

/// Says that the machine's interrupt controller does not reach a line.
fn beyond(machine: &Machine, line: IrqLine) -> Option<String> {
    let lines = machine.lines;
    let index = machine.guest.lines.index(line)?;
    (index >= lines).then(|| format!("names {line}, beyond the {lines} of this machine"))
}

/// Judges a line by itself, whoever may have it.
pub(super) fn judge_line(host: &Host<'_>, machine: &Machine, line: IrqLine) -> Result<(), String> {
    match in_use(host, line).or_else(|| beyond(machine, line)) {
        Some(flaw) => Err(flaw),
        None => Ok(()),
    }
}
