//! The host tree as a whole: what is RAM, what is whose, what lies where.

use alloc::vec::Vec;

use super::index::Index;
use super::interrupt_map::mapped_lines;
use super::interrupts::interrupts;
use super::platform::one;
use super::reg::{EMPTY, Reg, reg, reserved_reg, windows};
use super::{bridge, iommu, is_okay, platform};
use crate::addr::{Pa, Span};
use crate::config::error::{ConfigError, HostError, Warnings};
use crate::config::machine::{
    Found, Host, HostLine, Interrupts, MAX_REGIONS, Marks, NodeId, Owner, Region,
};
use crate::dt::{Blob, Node, Prop};

/// Nodes of which a second one would have to be guessed at: what it says would be lost in silence.
const ONCE: [&str; 3] = ["/chosen", "/aliases", "/reserved-memory"];

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

    /// Returns the node.
    pub fn node(&self, id: NodeId) -> Node<'t> {
        self.index.node(id)
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
