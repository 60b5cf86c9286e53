//! The interrupts of a host node: from its own properties up to the controller that they reach.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::error::ConfigError;
use super::index::{Found, Index, NodeId};
use crate::dt::{MAX_DEPTH, Node, Prop, PropFlaw};
use crate::fault::{self, Fault};
use crate::ids::{IrqLine, Trigger};

/// Most steps from a device to its controller. The chain may be as long as a tree is deep;
/// anything longer runs in a circle.
const MAX_STEPS: usize = MAX_DEPTH;

/// A line of the GIC as a node names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HostLine {
    /// The line.
    pub line: IrqLine,
    /// How it triggers.
    pub trigger: Trigger,
}

/// What the interrupt properties of a node come to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Interrupts {
    /// Its shared lines of the GIC.
    pub lines: Vec<HostLine>,
    /// A controller other than the GIC that its interrupts go to instead.
    pub elsewhere: Option<String>,
}

/// Where a chain of interrupt parents ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Controller {
    Gic,
    Other(NodeId),
}

/// What the interrupt properties of a node say, not yet understood.
#[derive(Default)]
struct Raw {
    /// What they say to the GIC: type, number, flags.
    specifiers: Vec<[u32; 3]>,
    elsewhere: Option<String>,
}

/// Reads the interrupts of a node. Only the GIC's shared lines can be routed, so anything else
/// that claims to go to the GIC is refused.
///
/// # Errors
/// Refuses what cannot be read, a chain of parents without end, and private lines.
pub fn interrupts(index: &Index<'_>, gic: NodeId, id: NodeId) -> Result<Interrupts, ConfigError> {
    let node = index.node(id);
    let (name, raw) = raw(index, gic, id)?;
    let mut lines = Vec::with_capacity(raw.specifiers.len());
    for specifier in raw.specifiers {
        lines.extend(line(node, name, specifier)?);
    }
    let elsewhere = raw.elsewhere;
    Ok(Interrupts { lines, elsewhere })
}

/// Returns the shared lines of a node that the hypervisor keeps, whatever else its properties say.
pub fn kept_lines(index: &Index<'_>, gic: NodeId, id: NodeId) -> Vec<IrqLine> {
    let specifiers = raw(index, gic, id)
        .map(|(_, raw)| raw.specifiers)
        .unwrap_or_default();
    let lines = specifiers.iter().map(|[kind, number, _]| match kind {
        0 => crate::arch::aarch64::gic::spi(*number),
        _ => None,
    });
    lines.flatten().collect()
}

fn raw(index: &Index<'_>, gic: NodeId, id: NodeId) -> Result<(&'static str, Raw), ConfigError> {
    let node = index.node(id);
    if let Some(prop) = node.optional("interrupts-extended")? {
        return extended(index, gic, node, prop).map(|raw| ("interrupts-extended", raw));
    }
    let raw = match node.optional("interrupts")? {
        Some(prop) => plain(index, gic, id, prop)?,
        None => Raw::default(),
    };
    Ok(("interrupts", raw))
}

fn plain(index: &Index<'_>, gic: NodeId, id: NodeId, prop: Prop<'_>) -> Result<Raw, ConfigError> {
    let node = index.node(id);
    let mut found = Raw::default();
    let Some(parent) = parent(index, id)? else {
        return Err(ConfigError::new(
            node,
            "interrupts",
            "has no interrupt parent",
        ));
    };
    match follow(index, gic, node, parent)? {
        Controller::Other(other) => found.elsewhere = Some(format!("{}", index.node(other).path())),
        Controller::Gic => {
            let unit = interrupt_cells(index.node(gic))?;
            let value = prop.value();
            if value.is_empty() {
                return Err(ConfigError::new(node, "interrupts", PropFlaw::Empty));
            }
            let is = value.len();
            if unit == 0 || !is.is_multiple_of(unit * 4) {
                let unit = unit * 4;
                return Err(ConfigError::new(
                    node,
                    "interrupts",
                    PropFlaw::Remainder { is, unit },
                ));
            }
            let words: Vec<u32> = prop.words().collect();
            for specifier in words.chunks_exact(unit) {
                found
                    .specifiers
                    .push(specific(node, "interrupts", specifier)?);
            }
        }
    }
    Ok(found)
}

fn extended(
    index: &Index<'_>,
    gic: NodeId,
    node: Node<'_>,
    prop: Prop<'_>,
) -> Result<Raw, ConfigError> {
    const NAME: &str = "interrupts-extended";
    let flaw = |what: PropFlaw| ConfigError::new(node, NAME, what);
    let is = prop.value().len();
    if is == 0 {
        return Err(flaw(PropFlaw::Empty));
    }
    if !is.is_multiple_of(4) {
        return Err(flaw(PropFlaw::Remainder { is, unit: 4 }));
    }
    let mut found = Raw::default();
    let words: Vec<u32> = prop.words().collect();
    let mut rest = words.as_slice();
    while let Some((phandle, behind)) = rest.split_first() {
        let parent = named(index, node, NAME, *phandle)?;
        let controller = follow(index, gic, node, parent)?;
        let unit = interrupt_cells(index.node(parent))?;
        let Some((specifier, behind)) = behind.split_at_checked(unit) else {
            return Err(ConfigError::new(
                node,
                NAME,
                "does not end with a whole interrupt",
            ));
        };
        rest = behind;
        match controller {
            Controller::Gic if parent == gic => {
                found.specifiers.push(specific(node, NAME, specifier)?);
            }
            Controller::Gic => {
                return Err(ConfigError::new(
                    node,
                    NAME,
                    format_args!(
                        "names {}, which is no interrupt controller",
                        index.node(parent).path()
                    ),
                ));
            }
            Controller::Other(other) => {
                found.elsewhere = Some(format!("{}", index.node(other).path()));
            }
        }
    }
    Ok(found)
}

/// Follows interrupt parents from `start` up to the first controller, and on to the end of the
/// chain, for a chain without end is refused wherever it bites its tail.
fn follow(
    index: &Index<'_>,
    gic: NodeId,
    device: Node<'_>,
    start: NodeId,
) -> Result<Controller, ConfigError> {
    let mut first = None;
    let mut at = start;
    for _ in 0..MAX_STEPS {
        if at == gic {
            return Ok(first.map_or(Controller::Gic, Controller::Other));
        }
        let node = index.node(at);
        let controls = ["interrupt-controller", "#interrupt-cells", "interrupt-map"];
        if first.is_none() && controls.into_iter().any(|name| node.has(name)) {
            first = Some(at);
        }
        at = match (parent(index, at)?, first) {
            // The root of an interrupt tree has no parent, or is its own.
            (None, Some(first)) => return Ok(Controller::Other(first)),
            (Some(next), Some(first)) if next == at => return Ok(Controller::Other(first)),
            (None, None) => {
                let what = "leads to no interrupt controller";
                return Err(ConfigError::new(device, "interrupt-parent", what));
            }
            (Some(next), _) => next,
        };
    }
    Err(ConfigError::new(
        device,
        "interrupt-parent",
        "leads through a circle of nodes to no end",
    ))
}

/// Returns the interrupt parent of a node: what it or the nearest node around it says.
fn parent(index: &Index<'_>, id: NodeId) -> Result<Option<NodeId>, ConfigError> {
    let mut at = Some(id);
    while let Some(here) = at {
        let node = index.node(here);
        if let Some(phandle) = node.read("interrupt-parent", Prop::u32)? {
            return named(index, node, "interrupt-parent", phandle).map(Some);
        }
        at = index.parent(here);
    }
    Ok(None)
}

fn named(
    index: &Index<'_>,
    node: Node<'_>,
    name: &str,
    phandle: u32,
) -> Result<NodeId, ConfigError> {
    let what = match index.by_phandle(phandle) {
        Found::One(id) => return Ok(id),
        Found::Nothing => "no node",
        Found::Several => "more than one node",
    };
    Err(ConfigError::new(
        node,
        name,
        format_args!("names phandle {phandle:#x}, which {what} has"),
    ))
}

/// Returns how many cells an interrupt of this controller takes.
fn interrupt_cells(controller: Node<'_>) -> Result<usize, ConfigError> {
    let cells = controller.required("#interrupt-cells")?;
    let count = cells
        .u32()
        .map_err(|flaw| controller.flaw("#interrupt-cells", flaw))?;
    Ok(usize::try_from(count)
        .unwrap_or(usize::MAX)
        .min(usize::MAX / 8))
}

/// Takes the first three cells of what is said to the GIC; a fourth is for private lines only.
fn specific(node: Node<'_>, name: &str, cells: &[u32]) -> Result<[u32; 3], ConfigError> {
    cells.first_chunk().copied().ok_or_else(|| {
        ConfigError::new(
            node,
            name,
            format_args!("has interrupts of {} cells, not 3", cells.len()),
        )
    })
}

/// Reads one interrupt as the GIC's binding writes it: type, number, flags. Nothing comes of one
/// only where a seeded fault lets it pass.
pub(super) fn line(
    node: Node<'_>,
    name: &str,
    [kind, number, flags]: [u32; 3],
) -> Result<Option<HostLine>, ConfigError> {
    let flaw = |what: String| Err(ConfigError::new(node, name, what));
    let line = match kind {
        0 if fault::on(Fault::LineOffByOne) => {
            crate::arch::aarch64::gic::spi(number.saturating_add(1))
        }
        0 => crate::arch::aarch64::gic::spi(number),
        1 if fault::on(Fault::PrivateLineAccepted) => return Ok(None),
        1 => {
            return flaw(format!(
                "names private interrupt {number}; only shared ones can be assigned"
            ));
        }
        _ => {
            return flaw(format!(
                "names interrupt {number} of the unknown type {kind}"
            ));
        }
    };
    let Some(line) = line else {
        return flaw(format!("names interrupt {number}, which no GIC has"));
    };
    // The low nibble is the trigger (1 rising, 2 falling, 4 high, 8 low); a shared line of the
    // GIC knows only the first and the third.
    let trigger = match flags & 0xf {
        1 => Trigger::Edge,
        4 => Trigger::Level,
        other => {
            return flaw(format!(
                "gives interrupt {number} the trigger {other}, neither rising edge nor high level"
            ));
        }
    };
    Ok(Some(HostLine { line, trigger }))
}

/// Returns the private lines of a node, for those that the hypervisor itself uses.
///
/// # Errors
/// Refuses an entry that is no private line.
pub fn private_lines(
    index: &Index<'_>,
    gic: NodeId,
    id: NodeId,
) -> Result<Vec<IrqLine>, ConfigError> {
    let node = index.node(id);
    let unit = interrupt_cells(index.node(gic))?;
    let Some(prop) = node.optional("interrupts")? else {
        return Ok(Vec::new());
    };
    let words: Vec<u32> = prop.words().collect();
    if unit < 3 {
        return Err(ConfigError::new(
            index.node(gic),
            "#interrupt-cells",
            format_args!("is {unit}, not 3"),
        ));
    }
    words
        .chunks(unit)
        .map(|specifier| match specifier {
            [1, number, ..] => crate::arch::aarch64::gic::ppi(*number),
            _ => None,
        })
        .map(|line| {
            line.ok_or_else(|| ConfigError::new(node, "interrupts", "holds no private interrupt"))
        })
        .collect()
}
