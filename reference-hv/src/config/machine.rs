//! What the host machine has, whoever says it: what is RAM, what is whose, what lies where. [`super::tree`] reads it
//! from a device tree.

use alloc::string::String;
use alloc::vec::Vec;

use super::error::{ConfigError, Warnings};
use crate::addr::{Pa, Span};
use crate::fault::{self, Fault};
use crate::ids::{IrqLine, Stream, Trigger};

mod bridge;
mod node;

pub use bridge::{HostBridge, LineMap, StreamMap, StreamRange, Window};
pub use node::{Found, Marks, NodeId};

/// What something in the host's address space is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owner {
    /// Registers of a device.
    Device,
    /// Addresses that a PCI host bridge passes on to whatever sits behind it.
    PciWindow,
    /// Something that the hypervisor keeps, and what.
    Hypervisor(&'static str),
    /// RAM, enabled or not.
    Memory,
    /// Memory that is somebody else's.
    Reserved,
}

/// A range of the host's address space about which something is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Region {
    /// The range, byte-exact as it is said.
    pub span: Span<Pa>,
    /// The node that says it; nothing where no node does.
    pub node: Option<NodeId>,
    /// What lies there.
    pub owner: Owner,
}

/// The machine as it is described.
#[derive(Clone, Debug)]
pub struct HostMachine<'t> {
    /// The hypervisor's own arguments.
    pub arguments: &'t str,
    /// RAM, sorted and disjoint.
    pub ram: Vec<Span<Pa>>,
    /// The interrupt controller.
    pub controller: Controller,
    /// The UART to print on.
    pub console: Option<Console<'t>>,
    /// The timers.
    pub timer: Timer,
    /// Every IOMMU.
    pub iommus: Vec<Iommu>,
    /// Every PCI host bridge that can be used.
    pub bridges: Vec<HostBridge>,
    /// Every node that IOMMUs stand before or that has parts before which they stand, in their order.
    pub masters: Vec<Master>,
    /// Everything known about the address space, in the order of the nodes.
    pub regions: Vec<Region>,
    /// The first node whose registers lie nobody knows where: what no node describes may be its.
    pub unreadable: Option<NodeId>,
    /// What could not be understood and is therefore nobody's.
    pub warnings: Warnings,
}

/// The interrupt controller.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Controller {
    /// Its node.
    pub id: NodeId,
    /// Where the registers lie that CPUs share.
    pub shared: Span<Pa>,
    /// Where the registers of single CPUs lie.
    pub per_cpu: Vec<Span<Pa>>,
    /// The line of its own interrupt, which the virtual CPU interface raises.
    pub maintenance: Option<IrqLine>,
}

/// The UART that the hypervisor prints on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Console<'t> {
    /// Its node.
    pub id: NodeId,
    /// Its path as the description names it.
    pub path: &'t str,
    /// Where its registers lie.
    pub span: Span<Pa>,
    /// Its shared lines.
    pub lines: Vec<IrqLine>,
}

/// The lines of the timers of each CPU.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timer {
    /// The guest's.
    pub virtual_: IrqLine,
    /// The hypervisor's.
    pub hypervisor: IrqLine,
}

/// An IOMMU, usable or not: its registers are nobody's either way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Iommu {
    /// Its node.
    pub id: NodeId,
    /// Where its registers lie.
    pub spans: Vec<Span<Pa>>,
    /// Its shared lines.
    pub lines: Vec<IrqLine>,
    /// Whether it and every bus on the way to it are on. One that is off is as good as none.
    pub active: bool,
    /// Whether it is of the one kind that this hypervisor drives.
    pub driven: bool,
}

/// A node that IOMMUs stand before, or that has parts before which they stand.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Master {
    /// The node.
    pub id: NodeId,
    /// By what active IOMMUs know it and its parts, each once, in order; or why nobody can tell.
    pub streams: Result<Vec<Stream>, ConfigError>,
}

/// A line of the interrupt controller as a node names it.
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
    /// Its shared lines of the interrupt controller.
    pub lines: Vec<HostLine>,
    /// Another controller that its interrupts go to instead.
    pub elsewhere: Option<String>,
}

impl<'t> HostMachine<'t> {
    /// Returns the value of the hypervisor's argument `name`, written `name=value`.
    pub fn argument(&self, name: &str) -> Option<&'t str> {
        self.arguments
            .split_ascii_whitespace()
            .find_map(|argument| argument.strip_prefix(name)?.strip_prefix('='))
    }

    /// Returns what a node says about the address space.
    pub fn regions_of(&self, id: NodeId) -> &[Region] {
        // Nodes come in their own order; what no node says comes behind them all.
        let start = self
            .regions
            .partition_point(|region| region.node.is_some_and(|node| node < id));
        let rest = self.regions.get(start..).unwrap_or_default();
        let length = rest.partition_point(|region| region.node == Some(id));
        rest.get(..length).unwrap_or_default()
    }

    /// Returns the streams by which active IOMMUs know a device and its parts, each once, in order.
    ///
    /// # Errors
    /// Refuses what cannot be understood, a device that goes through two IOMMUs, and one that goes around
    /// one: nothing says which of its accesses take which way.
    pub fn streams(&self, id: NodeId) -> Result<&[Stream], ConfigError> {
        let place = self.masters.binary_search_by_key(&id, |master| master.id);
        let Some(master) = place.ok().and_then(|place| self.masters.get(place)) else {
            return Ok(&[]);
        };
        match &master.streams {
            Ok(streams) => Ok(streams),
            Err(flaw) => Err(flaw.clone()),
        }
    }

    /// Finds the host bridge of a segment.
    pub fn bridge(&self, segment: u16) -> Option<&HostBridge> {
        let mut all = self.bridges.iter();
        all.find(|bridge| bridge.segment == segment)
    }

    /// Names the use that the hypervisor has for a line.
    pub fn use_of(&self, line: IrqLine) -> Option<&'static str> {
        let console = self
            .console
            .as_ref()
            .is_some_and(|console| console.lines.contains(&line));
        if console && !fault::on(Fault::ConsoleGivenAway) {
            return Some("the hypervisor's console");
        }
        let iommu = self.iommus.iter().any(|iommu| iommu.lines.contains(&line));
        let given = fault::on(Fault::IommuGivenAway) || fault::on(Fault::IommuLineGivenAway);
        (iommu && !given).then_some("an IOMMU")
    }

    /// Tells whether this is the UART that the hypervisor prints on.
    pub fn is_console(&self, id: NodeId) -> bool {
        self.console
            .as_ref()
            .is_some_and(|console| console.id == id)
    }
}
