//! The parts of the machine that the hypervisor keeps for itself.

use super::index::Index;
use super::interrupts::{kept_lines, private_lines};
use super::reg::{Reg, reg};
use crate::config::error::{ConfigError, HostError};
use crate::config::flaw::Flaw;
use crate::config::machine::{Console, Controller, Found, Marks, NodeId, Timer};
use crate::dt::Prop;

/// Finds the one node that is `part`, of that model.
pub fn only(index: &Index<'_>, part: Marks, model: &'static str) -> Result<NodeId, HostError> {
    let mut nodes = index.marked(part);
    let (first, rest) = (nodes.next(), nodes.count());
    first
        .filter(|_| rest == 0)
        .ok_or(HostError::Part(model, first.map_or(0, |_| rest + 1)))
}

/// Reads the interrupt controller.
pub fn controller(index: &Index<'_>) -> Result<Controller, ConfigError> {
    let id = index.controller;
    let node = index.node(id);
    let refuse = |flaw| ConfigError::new(node, "reg", flaw);
    let regions = node
        .read(index.bindings.per_cpu_regions, Prop::u32)?
        .map_or(1, |count| usize::try_from(count).unwrap_or(usize::MAX));
    let spans = match reg(index, id) {
        Reg::Spans(spans) => spans,
        Reg::Nothing => return Err(refuse(Flaw::NoMemory)),
        Reg::Unreadable(flaw) => return Err(refuse(flaw)),
    };
    // What CPUs share first, then what each has; what follows is of no use here.
    let per_cpu = spans.get(1..).and_then(|rest| rest.get(..regions));
    let (Some(shared), Some(per_cpu @ [_, ..])) = (spans.first(), per_cpu) else {
        return Err(refuse(Flaw::Regions(spans.len(), regions)));
    };
    Ok(Controller {
        id,
        shared: *shared,
        per_cpu: per_cpu.to_vec(),
        maintenance: private_lines(index, id)?.first().copied(),
    })
}

/// Finds the timer's lines.
pub fn timer(index: &Index<'_>) -> Result<Timer, HostError> {
    let id = only(index, Marks::TIMER, index.bindings.timer)?;
    let timer = (index.bindings.timers)(&private_lines(index, id)?);
    Ok(timer.map_err(|flaw| ConfigError::new(index.node(id), "interrupts", flaw))?)
}

/// Finds the UART that /chosen names, when there is one that this hypervisor can drive.
pub fn console<'t>(index: &Index<'t>) -> Option<Console<'t>> {
    let chosen = index.node(one(index.by_path("/chosen"))?);
    let named = chosen
        .prop("stdout-path")
        .or(chosen.prop("linux,stdout-path"))?
        .text()
        .ok()?;
    // Behind a colon stand the line settings.
    let name = named.split(':').next().unwrap_or(named);
    let path = if name.starts_with('/') {
        name
    } else {
        let aliases = index.node(one(index.by_path("/aliases"))?);
        aliases.prop(name)?.text().ok()?
    };
    let id = one(index.by_path(path))?;
    if !index.marks(id).contains(Marks::UART) {
        return None;
    }
    let Reg::Spans(spans) = reg(index, id) else {
        return None;
    };
    let lines = kept_lines(index, id);
    Some(Console {
        id,
        path,
        span: *spans.first()?,
        lines,
    })
}

/// Returns the one thing found.
pub fn one(found: Found) -> Option<NodeId> {
    match found {
        Found::One(id) => Some(id),
        Found::Nothing | Found::Several => None,
    }
}
