//! Who has what: committed for the domains that are judged, drafted for the one that is.

use alloc::vec::Vec;

use super::{FunctionPlan, IrqAssignment};
use crate::addr::{Ipa, Pa, Span};
use crate::config::{ModuleKind, NodeId, Origin};
use crate::ids::{DomainId, IrqLine, Sbdf, Stream};
use crate::span_set;

/// What the domains judged so far own.
#[derive(Clone, Debug, Default)]
pub(super) struct OwnerTable {
    pages: Vec<(Span<Pa>, DomainId)>,
    devices: Vec<(NodeId, DomainId)>,
    lines: Vec<(IrqLine, DomainId)>,
    streams: Vec<(Stream, DomainId)>,
    functions: Vec<(Sbdf, DomainId)>,
    modules: Vec<(Span<Pa>, ModuleKind)>,
}

/// What a domain will own if nothing speaks against it.
#[derive(Clone, Debug, Default)]
pub(super) struct PendingClaims<'t> {
    /// Whether its guest addresses are the host's.
    pub direct_mapped: bool,
    /// Device pages, one entry a tuple.
    pub mappings: Vec<Mapping<'t>>,
    /// Host nodes that it names, or whose pages it gets without naming them.
    pub devices: Vec<NodeId>,
    /// Host nodes in whose registers it can reach although it did not ask for them.
    pub neighbours: Vec<Neighbour<'t>>,
    /// Shared lines, each once.
    pub lines: Vec<IrqAssignment>,
    /// By what IOMMUs know its devices.
    pub streams: Vec<Stream>,
    /// PCI functions, with what of them it gets.
    pub functions: Vec<FunctionPlan>,
    /// Its modules.
    pub modules: Vec<(Span<Pa>, ModuleKind)>,
}

/// One tuple of `xen,reg`, proven on the host side.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mapping<'t> {
    /// The node of the partial tree that asks for it.
    pub origin: Origin<'t>,
    /// Host side.
    pub host: Span<Pa>,
    /// Guest side.
    pub guest: Span<Ipa>,
}

/// A host node whose registers share a page with a device that is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Neighbour<'t> {
    /// The node of the partial tree that asks for the device.
    pub origin: Origin<'t>,
    /// The neighbour.
    pub id: NodeId,
    /// Where it is met.
    pub at: Pa,
}

impl PendingClaims<'_> {
    /// Notes that the domain asks for a host node.
    pub fn name(&mut self, id: NodeId) {
        if !self.devices.contains(&id) {
            self.devices.push(id);
        }
    }
}

impl OwnerTable {
    /// Makes a draft true.
    pub fn commit(&mut self, owner: DomainId, pending: PendingClaims<'_>) {
        self.pages
            .extend(pending.mappings.iter().map(|mapping| (mapping.host, owner)));
        self.devices
            .extend(pending.devices.into_iter().map(|id| (id, owner)));
        self.lines
            .extend(pending.lines.iter().map(|irq| (irq.line, owner)));
        self.streams
            .extend(pending.streams.iter().map(|stream| (*stream, owner)));
        for function in pending.functions {
            self.add_function(owner, &function);
        }
        self.modules.extend(pending.modules);
    }

    /// Returns who has a page of this range, and which part of it.
    pub fn of_pages(&self, span: Span<Pa>) -> Option<(Span<Pa>, DomainId)> {
        self.pages
            .iter()
            .find_map(|(owned, owner)| Some((owned.intersection(span)?, *owner)))
    }

    /// Returns who has this host node.
    pub fn of_device(&self, id: NodeId) -> Option<DomainId> {
        self.devices
            .iter()
            .find(|(owned, _)| *owned == id)
            .map(|(_, owner)| *owner)
    }

    /// Returns who has this line.
    pub fn of_line(&self, line: IrqLine) -> Option<DomainId> {
        self.lines
            .iter()
            .find(|(owned, _)| *owned == line)
            .map(|(_, owner)| *owner)
    }

    /// Returns who has this stream.
    pub fn of_stream(&self, stream: Stream) -> Option<DomainId> {
        let mut streams = self.streams.iter();
        streams
            .find(|(owned, _)| *owned == stream)
            .map(|(_, owner)| *owner)
    }

    /// Returns who has this PCI function.
    pub fn of_function(&self, at: Sbdf) -> Option<DomainId> {
        let mut functions = self.functions.iter();
        functions
            .find(|(owned, _)| *owned == at)
            .map(|(_, owner)| *owner)
    }

    /// Returns the PCI functions of a domain.
    pub fn functions_of(&self, who: DomainId) -> impl Iterator<Item = Sbdf> + '_ {
        let own = self
            .functions
            .iter()
            .filter(move |(_, owner)| *owner == who);
        own.map(|(at, _)| *at)
    }

    /// Gives a domain a PCI function, and the pages of its registers.
    pub fn add_function(&mut self, who: DomainId, plan: &FunctionPlan) {
        self.functions.push((plan.function.at, who));
        let pages = plan.bars.iter().flatten();
        self.pages.extend(pages.map(|span| (*span, who)));
    }

    /// Takes a PCI function and its pages from a domain.
    pub fn drop_function(&mut self, who: DomainId, plan: &FunctionPlan) {
        let own = (plan.function.at, who);
        self.functions.retain(|entry| *entry != own);
        for span in plan.bars.iter().flatten() {
            self.drop_pages(who, *span);
        }
    }

    /// Gives a domain a device, without any of its pages.
    pub fn add_device(&mut self, who: DomainId, id: NodeId) {
        if !self.devices.contains(&(id, who)) {
            self.devices.push((id, who));
        }
    }

    /// Gives a domain a stream.
    pub fn add_stream(&mut self, who: DomainId, stream: Stream) {
        self.streams.push((stream, who));
    }

    /// Takes a stream from a domain.
    pub fn drop_stream(&mut self, who: DomainId, stream: Stream) {
        self.streams.retain(|entry| *entry != (stream, who));
    }

    /// Returns who else than `who` has a page of this range.
    pub fn other_of_pages(&self, span: Span<Pa>, who: DomainId) -> Option<DomainId> {
        let others = self.pages.iter().filter(|(_, owner)| *owner != who);
        others
            .filter(|(owned, _)| owned.overlaps(span))
            .map(|(_, owner)| *owner)
            .next()
    }

    /// Tells whether `who` has every page of this range.
    pub fn has_pages(&self, who: DomainId, span: Span<Pa>) -> bool {
        let own: Vec<_> = self
            .pages
            .iter()
            .filter(|(_, owner)| *owner == who)
            .map(|(owned, _)| *owned)
            .collect();
        span_set::without(&[span], &own).is_empty()
    }

    /// Tells whether `who` has a page of this range.
    pub fn has_part(&self, who: DomainId, span: Span<Pa>) -> bool {
        let mut pages = self.pages.iter();
        pages.any(|(owned, owner)| *owner == who && owned.overlaps(span))
    }

    /// Gives a domain pages of devices, and the devices with them. What it has already stays its own.
    pub fn add(&mut self, who: DomainId, span: Span<Pa>, devices: Vec<NodeId>) {
        self.drop_pages(who, span);
        self.pages.push((span, who));
        for id in devices {
            if !self.devices.contains(&(id, who)) {
                self.devices.push((id, who));
            }
        }
    }

    /// Takes pages from a domain.
    pub fn drop_pages(&mut self, who: DomainId, span: Span<Pa>) {
        let mut left = Vec::with_capacity(self.pages.len() + 1);
        for (owned, owner) in &self.pages {
            if *owner == who {
                let (before, after) = owned.without(span);
                left.extend(before.into_iter().chain(after).map(|part| (part, who)));
            } else {
                left.push((*owned, *owner));
            }
        }
        self.pages = left;
    }

    /// Gives a domain a line.
    pub fn add_line(&mut self, who: DomainId, line: IrqLine) {
        if !self.lines.contains(&(line, who)) {
            self.lines.push((line, who));
        }
    }

    /// Takes a line from a domain.
    pub fn drop_line(&mut self, who: DomainId, line: IrqLine) {
        self.lines.retain(|entry| *entry != (line, who));
    }

    /// Returns the devices of a domain.
    pub fn devices_of(&self, who: DomainId) -> impl Iterator<Item = NodeId> + '_ {
        let own = self.devices.iter().filter(move |(_, owner)| *owner == who);
        own.map(|(id, _)| *id)
    }

    /// Takes the devices from a domain of which it has nothing any more.
    pub fn drop_devices(&mut self, who: DomainId, gone: impl Fn(&Self, NodeId) -> bool) {
        let gone: Vec<_> = self.devices_of(who).filter(|id| gone(self, *id)).collect();
        self.devices
            .retain(|(id, owner)| *owner != who || !gone.contains(id));
    }

    /// Takes the lines from a domain.
    pub fn drop_lines(&mut self, who: DomainId) {
        self.lines.retain(|(_, owner)| *owner != who);
    }

    /// Takes everything but the lines from a domain.
    pub fn drop_rest(&mut self, who: DomainId) {
        self.pages.retain(|(_, owner)| *owner != who);
        self.streams.retain(|(_, owner)| *owner != who);
        self.devices.retain(|(_, owner)| *owner != who);
    }

    /// Returns a module that shares bytes with this range without being the same.
    pub fn other_module(&self, span: Span<Pa>, kind: ModuleKind) -> Option<Span<Pa>> {
        self.modules
            .iter()
            .find(|(other, its)| other.overlaps(span) && (*other, *its) != (span, kind))
            .map(|(other, _)| *other)
    }
}
