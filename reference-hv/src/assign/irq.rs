//! Interrupt lines: shared ones of the host node, inside the domain's limit, with one owner and
//! one trigger.

use alloc::format;
use alloc::string::String;

use super::layout::Layout;
use super::owner_table::PendingClaims;
use super::{AssignError, ClaimError, ClaimFlaw, Ground, IrqAssignment, Machine};
use crate::config::{DomainClaim, HostLine, NodeId};
use crate::fault::{self, Fault};
use crate::ids::IrqLine;

/// What a domain's interrupt controller has room for.
#[derive(Clone, Copy)]
pub(super) struct Room<'l> {
    /// Where its emulated devices lie.
    pub layout: &'l Layout,
    /// How many shared lines there are.
    pub lines: u32,
}

/// Returns how many shared lines the domain's interrupt controller has: what its node says, or
/// what the host has. The emulated UART
/// needs its own.
pub(super) fn shared_lines<'t>(
    claim: &DomainClaim<'_>,
    machine: &Machine,
    layout: &Layout,
) -> Result<u32, ClaimError<'t>> {
    let most = machine.guest.lines.most;
    let count = match claim.shared_lines {
        Some(stated) if stated > most => {
            return Err(ClaimFlaw::Lines(stated, most).at(claim.origin, "nr_spis"));
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
pub(super) fn judge<'t>(
    ground: Ground<'_, 't>,
    pending: &mut PendingClaims<'_>,
    claim: &DomainClaim<'_>,
    id: NodeId,
    room: &Room<'_>,
) -> Result<Option<String>, ClaimError<'t>> {
    let node = ground.host.node(id);
    let found = ground.host.interrupts(id)?;
    let property = if node.has("interrupts-extended") {
        "interrupts-extended"
    } else {
        "interrupts"
    };
    for wanted in found.lines {
        judge_wanted(ground, &pending.lines, wanted, room)
            .map_err(|error| error.at(node.into(), property))?;
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
pub(super) fn judge_wanted<'t>(
    ground: Ground<'_, 't>,
    known: &[IrqAssignment],
    wanted: HostLine,
    room: &Room<'_>,
) -> Result<(), AssignError<'t>> {
    let HostLine { line, trigger } = wanted;
    let count = room.lines;
    let limit = count + u32::from(fault::on(Fault::LineLimitOffByOne));
    if room.layout.uart.is_some_and(|uart| uart.line == line) && !fault::on(Fault::VirtualLineClash)
    {
        return Err(AssignError::LineOfUart { line });
    }
    let index = ground.machine.guest.lines.index(line);
    if index.is_some_and(|index| index >= limit) {
        return Err(AssignError::LineBeyondDomain { line, count });
    }
    judge_line(ground, line)?;
    let known = known.iter().find(|known| known.line == line);
    match known.filter(|known| known.trigger != trigger) {
        Some(known) if !fault::on(Fault::TriggerConflict) => Err(AssignError::TriggersDiffer {
            line,
            wanted: trigger,
            known: known.trigger,
        }),
        _ => Ok(()),
    }
}

/// Judges a line by itself, whatever device it is of: the hypervisor has no use for it, the machine has it, and it is
/// nobody else's.
pub(super) fn judge_line<'t>(ground: Ground<'_, 't>, line: IrqLine) -> Result<(), AssignError<'t>> {
    if let Some(user) = ground.host.use_of(line) {
        return Err(AssignError::LineKept { line, user });
    }
    let count = ground.machine.lines;
    let index = ground.machine.guest.lines.index(line);
    if index.is_some_and(|index| index >= count) {
        return Err(AssignError::LineBeyondMachine { line, count });
    }
    match ground.owners.lines.rival(ground.by, line) {
        Some((line, owner)) => Err(AssignError::LineOwned { line, owner }),
        None => Ok(()),
    }
}
