//! The host tree as a whole: what is RAM, what is whose, what lies where.

use alloc::vec::Vec;
use core::ops::Deref;

use super::index::Index;
use super::interrupt_map::mapped_lines;
use super::interrupts::interrupts;
use super::platform::{one, only};
use super::reg::{Reg, reg, reserved_reg, windows};
use super::{bridge, iommu, is_okay, platform};
use crate::addr::{Pa, Span};
use crate::config::bindings::Bindings;
use crate::config::error::{ConfigError, HostError, Warnings};
use crate::config::flaw::Flaw;
use crate::config::limits::MAX_REGIONS;
use crate::config::machine::{
    Found, HostBridge, HostLine, HostMachine, Interrupts, Marks, NodeId, Owner, Region,
};
use crate::dt::{Blob, Node, Prop};
use crate::fault::{self, Fault};

/// Nodes of which a second one would have to be guessed at: what it says would be lost in silence.
const ONCE: [&str; 3] = ["/chosen", "/aliases", "/reserved-memory"];

/// The host as its tree describes it: the machine, and the nodes that claims name.
#[derive(Clone, Debug)]
pub struct Host<'t> {
    /// The machine.
    pub machine: HostMachine<'t>,
    /// Every node.
    pub index: Index<'t>,
}

impl<'t> Deref for Host<'t> {
    type Target = HostMachine<'t>;

    fn deref(&self) -> &HostMachine<'t> {
        &self.machine
    }
}

impl<'t> Host<'t> {
    /// Reads the host tree, as an architecture's bindings say how.
    ///
    /// # Errors
    /// Refuses a tree without the parts that any hypervisor needs. A device that cannot be
    /// understood is no error: nothing of it can be assigned.
    pub fn read(blob: Blob<'t>, bindings: &'static Bindings) -> Result<Self, HostError> {
        let mut index = Index::new(blob, bindings)?;
        for path in ONCE {
            if index.by_path(path) == Found::Several {
                let name = path.trim_start_matches('/');
                let called = |id: &NodeId| index.node(*id).is_called(name);
                return Err(HostError::Part(
                    path,
                    index.children(NodeId::ROOT).filter(called).count(),
                ));
            }
        }
        index.controller = only(&index, Marks::CONTROLLER, bindings.controller)?;
        let machine = HostMachine {
            arguments: arguments(&index),
            ram: Vec::new(),
            controller: platform::controller(&index)?,
            console: platform::console(&index),
            timer: platform::timer(&index)?,
            iommus: iommu::iommus(&index),
            bridges: Vec::new(),
            masters: Vec::new(),
            regions: Vec::with_capacity(96),
            unreadable: None,
            warnings: Warnings::default(),
        };
        let mut host = Self { machine, index };
        host.machine.masters = host.find_masters();
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
                host.machine.regions.push(Region {
                    span,
                    node: None,
                    owner: Owner::Reserved,
                });
            }
        }
        let Self { machine, index } = &mut host;
        machine.bridges = bridge::bridges(index, &machine.iommus, &mut machine.warnings);
        machine.ram = Span::merged(core::mem::take(&mut machine.ram));
        if machine.ram.is_empty() {
            return Err(HostError::Part("memory", 0));
        }
        Ok(host)
    }

    /// Returns the node.
    pub fn node(&self, id: NodeId) -> Node<'t> {
        self.index.node(id)
    }

    /// Reads the interrupts of a node.
    ///
    /// # Errors
    /// Refuses what cannot be read and lines that no domain can have.
    pub fn interrupts(&self, id: NodeId) -> Result<Interrupts, ConfigError> {
        interrupts(&self.index, id)
    }

    /// Reads the lines that what is behind a node raises.
    ///
    /// # Errors
    /// Refuses what cannot be read and lines that no domain can have.
    pub fn mapped_lines(&self, id: NodeId) -> Result<Vec<HostLine>, ConfigError> {
        mapped_lines(&self.index, id)
    }

    /// Returns the line on which a pin arrives that is raised by a device on the host bridge's own bus; nothing where
    /// the map names none (Devicetree Specification 2.4.3).
    ///
    /// # Errors
    /// Refuses what cannot be read, and lines that no domain can have.
    pub fn intx(
        &self,
        bridge: &HostBridge,
        devfn: u8,
        pin: u8,
    ) -> Result<Option<HostLine>, ConfigError> {
        let map = bridge.lines.as_ref().map_err(Clone::clone)?;
        let line = map.line(devfn, pin);
        line.map_err(|flaw| ConfigError::new(self.node(bridge.id), "interrupt-map", flaw))
    }

    /// Tells whether a seeded fault takes this part of the hypervisor's for anybody's.
    pub fn is_given_away(&self, id: NodeId) -> bool {
        let marks = self.index.marks(id);
        (fault::on(Fault::ControllerGivenAway) && marks.contains(Marks::CONTROLLER_PART))
            || (marks.contains(Marks::IOMMU) && self.is_iommu_given_away(id))
            || (fault::on(Fault::ConsoleGivenAway) && self.is_console(id))
    }

    fn is_iommu_given_away(&self, id: NodeId) -> bool {
        let node = self.index.node(id);
        fault::on(Fault::IommuGivenAway)
            || (fault::on(Fault::DisabledIommuGivenAway) && !is_okay(node))
            || (fault::on(Fault::MarkedIommuGivenAway) && node.has("xen,passthrough"))
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
            Reg::Unreadable(Flaw::NoBytes)
                if owner == Owner::Memory || owner == Owner::Reserved => {}
            Reg::Spans(spans) => {
                if owner == Owner::Memory && is_okay(node) {
                    self.machine.ram.extend(&spans);
                }
                self.machine.regions.extend(spans.iter().map(|span| Region {
                    span: *span,
                    node: Some(id),
                    owner,
                }));
            }
            // What is not known to be RAM must not be taken for a hole, so this cannot go on.
            Reg::Unreadable(flaw) if owner == Owner::Memory || owner == Owner::Reserved => {
                return Err(ConfigError::new(node, "reg", flaw).into());
            }
            Reg::Unreadable(flaw) => self.leave_out(id, "reg", &flaw),
        }
        if self.index.marks(id).contains(Marks::PCI) {
            match windows(&self.index, id) {
                Some(windows) => self
                    .machine
                    .regions
                    .extend(windows.iter().map(|window| Region {
                        span: window.cpu,
                        node: Some(id),
                        owner: Owner::PciWindow,
                    })),
                None => self.leave_out(id, "ranges", &Flaw::NotUnderstood),
            }
        }
        if self.regions.len() > MAX_REGIONS {
            return Err(HostError::TooManyRegions);
        }
        Ok(())
    }

    /// Notes that something lies nobody knows where.
    fn leave_out(&mut self, id: NodeId, property: &str, flaw: &Flaw) {
        self.machine.unreadable.get_or_insert(id);
        let path = self.index.node(id).path();
        let warnings = &mut self.machine.warnings;
        warnings.add(format_args!("{path}: `{property}` {flaw}; not assignable"));
    }

    fn owner(&self, id: NodeId) -> Owner {
        let marks = self.index.marks(id);
        if self.is_given_away(id) {
            return Owner::Device;
        }
        if marks.contains(Marks::CONTROLLER_PART) {
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
