//! The host tree as a whole: what is RAM, what is whose, what lies where.

use alloc::vec::Vec;

use super::bridge::{self, HostBridge};
use super::device::is_okay;
use super::error::{ConfigError, HostError, Warnings};
use super::index::{Found, Index, Marks, NodeId};
use super::interrupt_map::mapped_lines;
use super::interrupts::{HostLine, Interrupts, interrupts};
use super::iommu::{self, Iommu, Master};
use super::platform::{self, Console, Gic, Timer, one};
use super::reg::{EMPTY, Reg, reg, reserved_reg, windows};
use crate::addr::{Pa, Span};
use crate::dt::{Blob, Node, Prop};
use crate::fault::{self, Fault};
use crate::ids::IrqLine;

/// Most ranges that the nodes of a host tree may name; large boards name some thousand.
pub const MAX_REGIONS: usize = 16384;

/// Nodes of which a second one would have to be guessed at: what it says would be lost in silence.
const ONCE: [&str; 3] = ["/chosen", "/aliases", "/reserved-memory"];

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
    /// The range, byte-exact as the tree says it.
    pub span: Span<Pa>,
    /// The node that says it; none for the memory reservation block.
    pub node: Option<NodeId>,
    /// What lies there.
    pub owner: Owner,
}

/// The machine as its tree describes it.
#[derive(Clone, Debug)]
pub struct Host<'t> {
    /// The hypervisor's own arguments.
    pub arguments: &'t str,
    /// RAM, sorted and disjoint.
    pub ram: Vec<Span<Pa>>,
    /// The interrupt controller.
    pub gic: Gic,
    /// The UART to print on.
    pub console: Option<Console<'t>>,
    /// The timers.
    pub timer: Timer,
    /// Every IOMMU.
    pub iommus: Vec<Iommu>,
    /// Every PCI host bridge that can be used.
    pub bridges: Vec<HostBridge>,
    /// Every node that IOMMUs stand before or that has parts before which they stand, in the order of the tree.
    pub masters: Vec<Master>,
    /// Everything known about the address space, in the order of the tree.
    pub regions: Vec<Region>,
    /// The first node whose registers lie nobody knows where: what no node describes may be its.
    pub unreadable: Option<NodeId>,
    /// What in the tree could not be understood and is therefore nobody's.
    pub warnings: Warnings,
    /// Every node.
    pub index: Index<'t>,
}

impl<'t> Host<'t> {
    /// Reads the host tree.
    ///
    /// # Errors
    /// Refuses a tree without the parts that any hypervisor needs. A device that cannot be
    /// understood is no error: nothing of it can be assigned.
    pub fn read(blob: Blob<'t>) -> Result<Self, HostError> {
        let index = Index::new(blob)?;
        for path in ONCE {
            if index.by_path(path) == Found::Several {
                let name = path.trim_start_matches('/');
                let called = |id: &NodeId| index.node(*id).is_called(name);
                return Err(HostError::Part {
                    part: path,
                    count: index.children(NodeId::ROOT).filter(called).count(),
                });
            }
        }
        let gic = platform::gic(&index)?;
        let console = platform::console(&index, gic.id);
        let mut host = Self {
            arguments: arguments(&index),
            ram: Vec::new(),
            console,
            timer: platform::timer(&index, gic.id)?,
            iommus: iommu::iommus(&index, gic.id),
            bridges: Vec::new(),
            masters: Vec::new(),
            regions: Vec::with_capacity(96),
            unreadable: None,
            warnings: Warnings::default(),
            gic,
            index,
        };
        host.masters = host.find_masters();
        let reserved = one(host.index.by_path("/reserved-memory"));
        for id in host.index.ids() {
            host.add(id, reserved)?;
        }
        for reserved in blob.reserved() {
            // An empty entry reserves nothing; one that wraps reserves all there is behind it.
            let size = reserved
                .size
                .min((u64::MAX - reserved.base).saturating_add(1));
            if let Ok(span) = Span::new(Pa::new(reserved.base), size) {
                host.regions.push(Region {
                    span,
                    node: None,
                    owner: Owner::Reserved,
                });
            }
        }
        host.bridges = bridge::bridges(&host.index, &mut host.warnings);
        host.ram = Span::merged(host.ram);
        if host.ram.is_empty() {
            return Err(HostError::Part {
                part: "memory",
                count: 0,
            });
        }
        Ok(host)
    }

    /// Returns the value of the hypervisor's argument `name`, written `name=value`.
    pub fn argument(&self, name: &str) -> Option<&'t str> {
        self.arguments
            .split_ascii_whitespace()
            .find_map(|argument| argument.strip_prefix(name)?.strip_prefix('='))
    }

    /// Returns the node.
    pub fn node(&self, id: NodeId) -> Node<'t> {
        self.index.node(id)
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

    /// Reads the interrupts of a node.
    ///
    /// # Errors
    /// Refuses what cannot be read and lines that no domain can have.
    pub fn interrupts(&self, id: NodeId) -> Result<Interrupts, ConfigError> {
        interrupts(&self.index, self.gic.id, id)
    }

    /// Reads the lines that what is behind a node raises.
    ///
    /// # Errors
    /// Refuses what cannot be read and lines that no domain can have.
    pub fn mapped_lines(&self, id: NodeId) -> Result<Vec<HostLine>, ConfigError> {
        mapped_lines(&self.index, self.gic.id, id)
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

    /// Tells whether a seeded fault takes this part of the hypervisor's for anybody's.
    pub fn is_given_away(&self, id: NodeId) -> bool {
        (fault::on(Fault::ControllerGivenAway) && self.index.marks(id).contains(Marks::GIC_PART))
            || (self.index.marks(id).contains(Marks::IOMMU) && self.is_iommu_given_away(id))
            || (fault::on(Fault::ConsoleGivenAway) && self.is_console(id))
    }

    fn is_iommu_given_away(&self, id: NodeId) -> bool {
        let node = self.index.node(id);
        fault::on(Fault::IommuGivenAway)
            || (fault::on(Fault::DisabledIommuGivenAway) && !is_okay(node))
            || (fault::on(Fault::MarkedIommuGivenAway) && node.has("xen,passthrough"))
    }

    fn is_console(&self, id: NodeId) -> bool {
        self.console
            .as_ref()
            .is_some_and(|console| console.id == id)
    }

    /// Adds what one node says.
    fn add(&mut self, id: NodeId, reserved: Option<NodeId>) -> Result<(), HostError> {
        let node = self.index.node(id);
        let owner = if reserved.is_some() && self.index.parent(id) == reserved {
            Owner::Reserved
        } else {
            self.owner(id)
        };
        let found = if owner == Owner::Reserved {
            reserved_reg(&self.index, id)
        } else {
            reg(&self.index, id)
        };
        match found {
            Reg::Nothing => {}
            // Firmware leaves banks without modules, and buffers that are not there, in like this.
            Reg::Unreadable(EMPTY) if owner == Owner::Memory || owner == Owner::Reserved => {}
            Reg::Spans(spans) => {
                if owner == Owner::Memory && is_okay(node) {
                    self.ram.extend(&spans);
                }
                self.regions.extend(spans.iter().map(|span| Region {
                    span: *span,
                    node: Some(id),
                    owner,
                }));
            }
            // What is not known to be RAM must not be taken for a hole, so this cannot go on.
            Reg::Unreadable(what) if owner == Owner::Memory || owner == Owner::Reserved => {
                return Err(ConfigError::new(node, "reg", what).into());
            }
            Reg::Unreadable(what) => self.leave_out(id, "reg", what),
        }
        if self.index.marks(id).contains(Marks::PCI) {
            match windows(&self.index, id) {
                Some(windows) => self.regions.extend(windows.iter().map(|window| Region {
                    span: window.cpu,
                    node: Some(id),
                    owner: Owner::PciWindow,
                })),
                None => self.leave_out(id, "ranges", "cannot be understood"),
            }
        }
        if self.regions.len() > MAX_REGIONS {
            return Err(HostError::TooManyRegions);
        }
        Ok(())
    }

    /// Notes that something lies nobody knows where.
    fn leave_out(&mut self, id: NodeId, property: &str, what: &str) {
        self.unreadable.get_or_insert(id);
        let path = self.index.node(id).path();
        self.warnings
            .add(format_args!("{path}: `{property}` {what}; not assignable"));
    }

    fn owner(&self, id: NodeId) -> Owner {
        let marks = self.index.marks(id);
        if self.is_given_away(id) {
            return Owner::Device;
        }
        if marks.contains(Marks::GIC_PART) {
            return Owner::Hypervisor("the interrupt controller");
        }
        if marks.contains(Marks::IOMMU) {
            return Owner::Hypervisor("an IOMMU");
        }
        if self.is_console(id) {
            return Owner::Hypervisor("the hypervisor's console");
        }
        if marks.contains(Marks::MEMORY) {
            return Owner::Memory;
        }
        Owner::Device
    }
}

/// Returns the hypervisor's arguments: Xen's property where there is one.
fn arguments<'t>(index: &Index<'t>) -> &'t str {
    let Some(chosen) = one(index.by_path("/chosen")) else {
        return "";
    };
    let node = index.node(chosen);
    node.prop("xen,xen-bootargs")
        .or(node.prop("bootargs"))
        .and_then(|prop: Prop<'t>| prop.text().ok())
        .unwrap_or("")
}
