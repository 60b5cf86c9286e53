//! The parts of the machine that the hypervisor keeps for itself.

use super::index::Index;
use super::interrupts::{kept_lines, private_lines};
use super::reg::{Reg, reg};
use crate::config::error::{ConfigError, HostError};
use crate::config::machine::{Console, Found, Gic, Marks, NodeId, Timer};
use crate::dt::Prop;

/// Finds the GICv3.
pub fn gic(index: &Index<'_>) -> Result<Gic, HostError> {
    let mut nodes = index.marked(Marks::GIC);
    let (Some(id), rest) = (nodes.next(), nodes.count()) else {
        return Err(HostError::Part {
            part: "an arm,gic-v3",
            count: 0,
        });
    };
    if rest != 0 {
        return Err(HostError::Part {
            part: "an arm,gic-v3",
            count: rest + 1,
        });
    }
    let node = index.node(id);
    let regions = node
        .read("#redistributor-regions", Prop::u32)?
        .map_or(1, |count| usize::try_from(count).unwrap_or(usize::MAX));
    let spans = match reg(index, id) {
        Reg::Spans(spans) => spans,
        Reg::Nothing => return Err(ConfigError::new(node, "reg", "names no memory").into()),
        Reg::Unreadable(what) => return Err(ConfigError::new(node, "reg", what).into()),
    };
    // Distributor first, then the redistributor regions; what follows is of no use here.
    let redistributors = spans.get(1..).and_then(|rest| rest.get(..regions));
    let (Some(distributor), Some(redistributors @ [_, ..])) = (spans.first(), redistributors)
    else {
        let what = format_args!(
            "names {} ranges, too few for {regions} regions",
            spans.len()
        );
        return Err(ConfigError::new(node, "reg", what).into());
    };
    let maintenance = private_lines(index, id, id)?.first().copied();
    Ok(Gic {
        id,
        distributor: *distributor,
        redistributors: redistributors.to_vec(),
        maintenance,
    })
}

/// Finds the timer's lines.
pub fn timer(index: &Index<'_>, gic: NodeId) -> Result<Timer, HostError> {
    let mut nodes = index.marked(Marks::TIMER);
    let (Some(id), 0) = (nodes.next(), nodes.count()) else {
        let count = index.marked(Marks::TIMER).count();
        return Err(HostError::Part {
            part: "an arm,armv8-timer",
            count,
        });
    };
    // In this order by the binding: secure, non-secure, virtual, hypervisor.
    match private_lines(index, gic, id)?.as_slice() {
        [_, _, virtual_, hypervisor, ..] => Ok(Timer {
            virtual_: *virtual_,
            hypervisor: *hypervisor,
        }),
        lines => Err(ConfigError::new(
            index.node(id),
            "interrupts",
            format_args!("names {} timers, fewer than 4", lines.len()),
        )
        .into()),
    }
}

/// Finds the UART that /chosen names, when there is one that this hypervisor can drive.
pub fn console<'t>(index: &Index<'t>, gic: NodeId) -> Option<Console<'t>> {
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
    if !index.marks(id).contains(Marks::PL011) {
        return None;
    }
    let Reg::Spans(spans) = reg(index, id) else {
        return None;
    };
    let lines = kept_lines(index, gic, id);
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
