//! Who has what: committed for the domains that are judged, drafted for the one that is.

use alloc::vec::Vec;

use super::{FunctionPlan, IrqAssignment};
use crate::addr::{Ipa, Pa, Span};
use crate::config::{ModuleKind, NodeId, Origin};
use crate::fault::{self, Fault};
use crate::ids::{DomainId, IrqLine, Sbdf, Stream};
use crate::span_set;

/// What has one owner at most.
pub(super) trait Resource: Copy + PartialEq {
    /// Seeded faults that have a claim overlook whose it is already: while the trees are judged, and later.
    const FORGOTTEN: [&'static [Fault]; 2];

    /// Returns what two of them share.
    fn common(self, other: Self) -> Option<Self> {
        (self == other).then_some(self)
    }

    /// Returns what is left of it without another.
    fn without(self, other: Self) -> (Option<Self>, Option<Self>) {
        ((self != other).then_some(self), None)
    }
}

impl Resource for Span<Pa> {
    const FORGOTTEN: [&'static [Fault]; 2] = [
        &[Fault::MmioOwnerForgotten, Fault::DeviceOwnerByNode],
        &[Fault::SecondPageOwner],
    ];

    fn common(self, other: Self) -> Option<Self> {
        self.intersection(other)
    }

    fn without(self, other: Self) -> (Option<Self>, Option<Self>) {
        self.without(other)
    }
}

impl Resource for NodeId {
    const FORGOTTEN: [&'static [Fault]; 2] = [
        &[Fault::MmioOwnerForgotten],
        &[Fault::SecondPageOwner, Fault::SecondStreamOwner],
    ];
}

impl Resource for IrqLine {
    const FORGOTTEN: [&'static [Fault]; 2] = [
        &[Fault::IrqOwnerForgotten, Fault::SharedPinForgotten],
        &[Fault::SecondLineOwner, Fault::SharedPinForgotten],
    ];
}

impl Resource for Stream {
    const FORGOTTEN: [&'static [Fault]; 2] = [
        &[Fault::GroupForgotten],
        &[Fault::GroupForgotten, Fault::SecondStreamOwner],
    ];
}

impl Resource for Sbdf {
    const FORGOTTEN: [&'static [Fault]; 2] = [
        &[Fault::FunctionOwnerForgotten],
        &[Fault::FunctionOwnerForgotten],
    ];
}

/// Who makes a claim.
#[derive(Clone, Copy, Default)]
pub(super) struct Claimant {
    /// The domain; none while the trees are judged, when it has nothing yet.
    pub who: Option<DomainId>,
    /// Who gives up what it has when others are to have it: the hardware domain.
    pub yields: Option<DomainId>,
}

impl From<DomainId> for Claimant {
    fn from(who: DomainId) -> Self {
        Self {
            who: Some(who),
            yields: None,
        }
    }
}

/// Who has what of one kind.
#[derive(Clone, Debug)]
pub(super) struct Owned<T>(Vec<(T, DomainId)>);

impl<T> Default for Owned<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Resource> Owned<T> {
    /// Decides whose something is that is asked for: returns who else has a part of it, and which. Every claim is
    /// judged here, and nowhere else.
    pub fn rival(&self, by: Claimant, wanted: T) -> Option<(T, DomainId)> {
        let [early, late] = T::FORGOTTEN;
        let forgotten = if by.who.is_some() { late } else { early };
        if forgotten.iter().any(|fault| fault::on(*fault)) {
            return None;
        }
        let mut others = self
            .0
            .iter()
            .filter(|(_, owner)| ![by.who, by.yields].contains(&Some(*owner)));
        others.find_map(|(owned, owner)| Some((owned.common(wanted)?, *owner)))
    }

    /// Returns who has it, or a part of it.
    pub fn owner(&self, wanted: T) -> Option<DomainId> {
        let mut owned = self.0.iter();
        owned.find_map(|(owned, owner)| owned.common(wanted).map(|_| *owner))
    }

    /// Tells whether a domain has it, or a part of it.
    pub fn has(&self, who: DomainId, wanted: T) -> bool {
        self.of(who).any(|own| own.common(wanted).is_some())
    }

    /// Returns what a domain has.
    pub fn of(&self, who: DomainId) -> impl Iterator<Item = T> + '_ {
        let own = self.0.iter().filter(move |(_, owner)| *owner == who);
        own.map(|(owned, _)| *owned)
    }

    /// Gives a domain something. What it has already stays its own.
    pub fn add(&mut self, who: DomainId, new: T) {
        self.remove(who, new);
        self.0.push((new, who));
    }

    /// Takes something from a domain.
    pub fn remove(&mut self, who: DomainId, gone: T) {
        let mut rest = Vec::with_capacity(self.0.len() + 1);
        for (owned, owner) in self.0.drain(..) {
            let left = if owner == who {
                owned.without(gone)
            } else {
                (Some(owned), None)
            };
            rest.extend(
                [left.0, left.1]
                    .into_iter()
                    .flatten()
                    .map(|part| (part, owner)),
            );
        }
        self.0 = rest;
    }

    /// Takes everything from a domain.
    pub fn remove_all(&mut self, who: DomainId) {
        self.0.retain(|(_, owner)| *owner != who);
    }
}

/// What the domains judged so far own.
#[derive(Clone, Debug, Default)]
pub(super) struct OwnerTable {
    /// Pages of devices.
    pub pages: Owned<Span<Pa>>,
    /// Nodes of the host's tree.
    pub devices: Owned<NodeId>,
    /// Shared lines.
    pub lines: Owned<IrqLine>,
    /// Streams of devices that access memory.
    pub streams: Owned<Stream>,
    /// PCI functions.
    pub functions: Owned<Sbdf>,
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
        let pages = pending.mappings.iter().map(|mapping| (mapping.host, owner));
        self.pages.0.extend(pages);
        let devices = pending.devices.into_iter().map(|id| (id, owner));
        self.devices.0.extend(devices);
        let lines = pending.lines.iter().map(|irq| (irq.line, owner));
        self.lines.0.extend(lines);
        let streams = pending.streams.into_iter().map(|stream| (stream, owner));
        self.streams.0.extend(streams);
        for function in pending.functions {
            self.add_function(owner, &function);
        }
        self.modules.extend(pending.modules);
    }

    /// Gives a domain a PCI function, and the pages of its registers.
    pub fn add_function(&mut self, who: DomainId, plan: &FunctionPlan) {
        self.functions.add(who, plan.function.at);
        for span in plan.bars.iter().flatten() {
            self.pages.add(who, *span);
        }
    }

    /// Tells whether `who` has every page of this range.
    pub fn has_pages(&self, who: DomainId, span: Span<Pa>) -> bool {
        let own: Vec<_> = self.pages.of(who).collect();
        span_set::without(&[span], &own).is_empty()
    }

    /// Takes everything but the lines from a domain.
    pub fn remove_rest(&mut self, who: DomainId) {
        self.pages.remove_all(who);
        self.streams.remove_all(who);
        self.devices.remove_all(who);
    }

    /// Returns a module that shares bytes with this range without being the same.
    pub fn other_module(&self, span: Span<Pa>, kind: ModuleKind) -> Option<Span<Pa>> {
        self.modules
            .iter()
            .find(|(other, its)| other.overlaps(span) && (*other, *its) != (span, kind))
            .map(|(other, _)| *other)
    }
}
