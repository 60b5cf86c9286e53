//! The interrupts of a host node: from its own properties up to the controller that they reach.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::index::Index;
use crate::config::bindings::Specifier;
use crate::config::error::ConfigError;
use crate::config::flaw::Flaw;
use crate::config::machine::{Found, Interrupts, NodeId};
use crate::dt::{MAX_DEPTH, Node, Prop, PropFlaw};
use crate::ids::IrqLine;

/// Most steps from a device to its controller. The chain may be as long as a tree is deep;
/// anything longer runs in a circle.
const MAX_STEPS: usize = MAX_DEPTH;

/// Where a chain of interrupt parents ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Controller {
    /// At the machine's.
    Own,
    Other(NodeId),
}

/// What the interrupt properties of a node say, not yet understood.
#[derive(Default)]
struct Raw {
    /// What they say to the machine's interrupt controller.
    specifiers: Vec<Specifier>,
    elsewhere: Option<String>,
}

/// Reads the interrupts of a node. Only lines that CPUs share can be routed, so anything else
/// that claims to go to the machine's interrupt controller is refused.
///
/// # Errors
/// Refuses what cannot be read, a chain of parents without end, and private lines.
pub fn interrupts(index: &Index<'_>, id: NodeId) -> Result<Interrupts, ConfigError> {
    let (name, raw) = raw(index, id)?;
    let mut lines = Vec::with_capacity(raw.specifiers.len());
    for specifier in raw.specifiers {
        let line = (index.bindings.line)(specifier);
        lines.extend(line.map_err(|flaw| ConfigError::new(index.node(id), name, flaw))?);
    }
    let elsewhere = raw.elsewhere;
    Ok(Interrupts { lines, elsewhere })
}

/// Returns the shared lines of a node that the hypervisor keeps, whatever else its properties say.
pub fn kept_lines(index: &Index<'_>, id: NodeId) -> Vec<IrqLine> {
    let specifiers = raw(index, id).map_or_else(|_| Vec::new(), |(_, raw)| raw.specifiers);
    let lines = specifiers.into_iter().map(index.bindings.shared);
    lines.flatten().collect()
}

fn raw(index: &Index<'_>, id: NodeId) -> Result<(&'static str, Raw), ConfigError> {
    let node = index.node(id);
    if let Some(prop) = node.optional(EXTENDED)? {
        return extended(index, node, prop).map(|raw| (EXTENDED, raw));
    }
    let raw = match node.optional(PLAIN)? {
        Some(prop) => plain(index, id, prop)?,
        None => Raw::default(),
    };
    Ok((PLAIN, raw))
}

const PLAIN: &str = "interrupts";
const EXTENDED: &str = "interrupts-extended";

fn plain(index: &Index<'_>, id: NodeId, prop: Prop<'_>) -> Result<Raw, ConfigError> {
    let node = index.node(id);
    let flaw = |flaw: Flaw| ConfigError::new(node, PLAIN, flaw);
    let mut found = Raw::default();
    let parent = parent(index, id)?.ok_or_else(|| flaw(Flaw::NoInterruptParent))?;
    match follow(index, node, parent)? {
        Controller::Other(other) => found.elsewhere = Some(index.node(other).path().to_string()),
        Controller::Own => {
            let count = interrupt_cells(index.node(index.controller))?;
            let (is, unit) = (prop.value().len(), count * 4);
            if is == 0 {
                return Err(flaw(PropFlaw::Empty.into()));
            }
            if unit == 0 || !is.is_multiple_of(unit) {
                return Err(flaw(PropFlaw::Remainder(is, unit).into()));
            }
            let words: Vec<u32> = prop.words().collect();
            for cells in words.chunks_exact(count) {
                found
                    .specifiers
                    .push(specifier(index, cells).map_err(flaw)?);
            }
        }
    }
    Ok(found)
}

fn extended(index: &Index<'_>, node: Node<'_>, prop: Prop<'_>) -> Result<Raw, ConfigError> {
    let flaw = |flaw: Flaw| ConfigError::new(node, EXTENDED, flaw);
    let is = prop.value().len();
    if is == 0 {
        return Err(flaw(PropFlaw::Empty.into()));
    }
    if !is.is_multiple_of(4) {
        return Err(flaw(PropFlaw::Remainder(is, 4).into()));
    }
    let mut found = Raw::default();
    let words: Vec<u32> = prop.words().collect();
    let mut rest = words.as_slice();
    while let Some((phandle, behind)) = rest.split_first() {
        let parent = named(index, node, EXTENDED, *phandle)?;
        let controller = follow(index, node, parent)?;
        let unit = interrupt_cells(index.node(parent))?;
        let cells = behind.split_at_checked(unit);
        let (cells, behind) = cells.ok_or_else(|| flaw(Flaw::Interrupt))?;
        rest = behind;
        match controller {
            Controller::Own if parent == index.controller => {
                found
                    .specifiers
                    .push(specifier(index, cells).map_err(flaw)?);
            }
            Controller::Own => {
                let path = index.node(parent).path().to_string();
                return Err(flaw(Flaw::NoController(path)));
            }
            Controller::Other(other) => {
                found.elsewhere = Some(index.node(other).path().to_string());
            }
        }
    }
    Ok(found)
}

/// Follows interrupt parents from `start` up to the first controller, and on to the end of the
/// chain, for a chain without end is refused wherever it bites its tail.
fn follow(index: &Index<'_>, device: Node<'_>, start: NodeId) -> Result<Controller, ConfigError> {
    let endless = |flaw| Err(ConfigError::new(device, "interrupt-parent", flaw));
    let mut first = None;
    let mut at = start;
    for _ in 0..MAX_STEPS {
        if at == index.controller {
            return Ok(first.map_or(Controller::Own, Controller::Other));
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
            (None, None) => return endless(Flaw::NoControllerAbove),
            (Some(next), _) => next,
        };
    }
    endless(Flaw::InterruptCircle)
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
    Err(ConfigError::new(node, name, Flaw::Phandle(phandle, what)))
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

/// Takes the cells of what is said to the interrupt controller that say which line it is.
fn specifier(index: &Index<'_>, cells: &[u32]) -> Result<Specifier, Flaw> {
    let bindings = index.bindings;
    let short = || Flaw::InterruptCells(cells.len(), bindings.cells);
    bindings.specifier(cells).ok_or_else(short)
}

/// Returns the private lines of a node, for those that the hypervisor itself uses.
///
/// # Errors
/// Refuses an entry that is no private line.
pub fn private_lines(index: &Index<'_>, id: NodeId) -> Result<Vec<IrqLine>, ConfigError> {
    let (node, controller) = (index.node(id), index.node(index.controller));
    let (unit, wanted) = (interrupt_cells(controller)?, index.bindings.cells);
    let Some(prop) = node.optional(PLAIN)? else {
        return Ok(Vec::new());
    };
    if unit < wanted {
        let flaw = Flaw::ControllerCells(unit, wanted);
        return Err(ConfigError::new(controller, "#interrupt-cells", flaw));
    }
    let words: Vec<u32> = prop.words().collect();
    let specifiers = words
        .chunks(unit)
        .map(|cells| index.bindings.specifier(cells));
    let lines = specifiers.map(|specifier| specifier.and_then(index.bindings.private));
    let all: Option<_> = lines.collect();
    all.ok_or_else(|| ConfigError::new(node, PLAIN, Flaw::NoPrivateLine))
}
