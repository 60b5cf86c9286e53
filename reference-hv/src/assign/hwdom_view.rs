//! What the hardware domain gets: every device that is neither reserved for another domain nor the
//! hypervisor's own, where the host has it.

use alloc::vec::Vec;

use super::guest_ranges::last_address;
use super::owner_table::{Mapping, OwnerTable, PendingClaims};
use super::{IrqAssignment, Machine, streams};
use crate::addr::{Pa, Span};
use crate::config::{Host, HostLine, Marks, NodeId, Origin, Owner, XEN_PASSTHROUGH, is_okay};
use crate::fault::{self, Fault};
use crate::ids::IrqLine;

/// What of the host's tree the hardware domain sees.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct View {
    /// The nodes that it does not see, nor what is below them.
    pub hidden: Vec<NodeId>,
    /// The nodes whose devices it must leave alone: nothing of them, or of what is below them, is
    /// mapped.
    pub disabled: Vec<NodeId>,
    /// The PCI host bridges whose functions it sees, by their place among all.
    pub bridges: Vec<usize>,
}

/// Adds to a draft what the hardware domain gets, and returns what it sees.
pub(super) fn judge<'t>(
    host: &Host<'t>,
    machine: &Machine,
    owners: &OwnerTable,
    pending: &mut PendingClaims<'t>,
    origin: Origin<'t>,
    promised: &[IrqLine],
) -> View {
    let mut survey = Survey::new(host, machine, owners, promised);
    for id in host.index.ids().skip(1) {
        survey.look(id, pending);
    }
    for id in pending.devices.clone() {
        // Those of an IOMMU that does not translate are stopped, or pass, whatever is done.
        let streams = host.streams(id).unwrap_or_default().iter();
        let translated = |iommu| matches!(machine.streams.get(iommu), Some(Some(_)));
        pending
            .streams
            .extend(streams.filter(|stream| translated(stream.iommu)));
    }
    pending.streams.sort_unstable();
    pending.streams.dedup();
    for host in Span::merged(survey.pages) {
        let guest = host.direct();
        pending.mappings.push(Mapping {
            origin,
            host,
            guest,
        });
    }
    survey.view
}

/// A walk over the host's nodes, as far as it has come.
struct Survey<'s, 't> {
    host: &'s Host<'t>,
    machine: &'s Machine,
    owners: &'s OwnerTable,
    view: View,
    /// Pages of somebody else's.
    others: Vec<Span<Pa>>,
    /// Lines of reserved devices.
    reserved: Vec<IrqLine>,
    /// Lines of the PCI functions that other domains ask for.
    promised: &'s [IrqLine],
    /// Pages found so far.
    pages: Vec<Span<Pa>>,
    /// The node that is not given and what is below it; nodes come in depth-first order.
    withheld: Option<NodeId>,
}

impl<'s, 't> Survey<'s, 't> {
    fn new(
        host: &'s Host<'t>,
        machine: &'s Machine,
        owners: &'s OwnerTable,
        promised: &'s [IrqLine],
    ) -> Self {
        let marked: Vec<NodeId> = host
            .index
            .ids()
            .filter(|id| host.node(*id).has(XEN_PASSTHROUGH))
            .collect();
        let is_reserved = |id: NodeId| {
            let mut above = core::iter::successors(Some(id), |id| host.index.parent(*id));
            above.any(|id| marked.contains(&id))
        };
        let mut reserved = Vec::new();
        if !marked.is_empty() {
            for id in host.index.ids().filter(|id| is_reserved(*id)) {
                let found = host.interrupts(id).unwrap_or_default();
                reserved.extend(found.lines.iter().map(|found| found.line));
            }
        }
        let foreign = host.regions.iter().filter(|region| match region.owner {
            Owner::Device | Owner::PciWindow => region.node.is_some_and(is_reserved),
            Owner::Hypervisor(_) | Owner::Memory | Owner::Reserved => true,
        });
        let taken = machine.taken.iter().map(|taken| taken.span);
        let others = foreign.map(|region| region.span).chain(taken);
        Self {
            host,
            machine,
            owners,
            view: View::default(),
            others: others.map(Span::widened_to_pages).collect(),
            reserved,
            promised,
            pages: Vec::new(),
            withheld: None,
        }
    }

    /// Returns the place of a PCI host bridge that is used, if this is one.
    fn bridge(&self, id: NodeId) -> Option<usize> {
        self.host.bridges.iter().position(|bridge| bridge.id == id)
    }

    /// Decides about a node.
    fn look(&mut self, id: NodeId, pending: &mut PendingClaims<'t>) {
        let above =
            core::iter::successors(self.host.index.parent(id), |id| self.host.index.parent(*id));
        let withheld = self.withheld;
        if withheld.is_some() && above.into_iter().any(|above| Some(above) == withheld) {
            return;
        }
        if is_hidden(self.host, id) {
            self.withheld = Some(id);
            self.view.hidden.push(id);
            return;
        }
        if !is_okay(self.host.node(id)) {
            // It says itself that it is off.
            self.withheld = Some(id);
            return;
        }
        match self.device(id, pending) {
            Some((pages, lines)) => {
                pending.name(id);
                self.view.bridges.extend(self.bridge(id));
                self.pages.extend(pages);
                pending.lines.extend(lines);
            }
            None => {
                self.withheld = Some(id);
                self.view.disabled.push(id);
            }
        }
    }

    /// Returns the pages and the lines of a device that nothing else has part in.
    fn device(
        &self,
        id: NodeId,
        pending: &PendingClaims<'t>,
    ) -> Option<(Vec<Span<Pa>>, Vec<IrqAssignment>)> {
        let (host, machine) = (self.host, self.machine);
        if host.node(id).has(XEN_PASSTHROUGH) {
            return None;
        }
        let mut pages = Vec::new();
        for region in host.regions_of(id) {
            let span = region.span.widened_to_pages();
            let free = span.last().raw() <= last_address(machine.guest_bits())
                && !self.others.iter().any(|other| other.overlaps(span))
                && self.owners.pages.owner(span).is_none();
            if !free {
                return None;
            }
            // What is behind such a bridge it gets function by function, as its configuration says.
            if self.bridge(id).is_none() {
                pages.push(span);
            }
        }
        let mut lines: Vec<IrqAssignment> = Vec::new();
        let own = host.interrupts(id).ok()?.lines;
        let behind = host.mapped_lines(id).ok()?.into_iter();
        let behind = behind.filter(|mapped| !self.promised.contains(&mapped.line));
        for HostLine { line, trigger } in own.into_iter().chain(behind) {
            let known = lines
                .iter()
                .chain(&pending.lines)
                .find(|known| known.line == line);
            let free = host.use_of(line).is_none()
                && machine
                    .guest
                    .lines
                    .index(line)
                    .is_some_and(|index| index < machine.lines)
                && (!self.reserved.contains(&line) || fault::on(Fault::ReservedLineToHardware))
                && self.owners.lines.owner(line).is_none()
                && known.is_none_or(|known| known.trigger == trigger);
            if !free {
                return None;
            }
            if known.is_none() {
                lines.push(IrqAssignment { line, trigger });
            }
        }
        self.reaches_its_own(id).then_some((pages, lines))
    }

    /// Tells whether no other domain's device, and none reserved for one, is known by a stream of this one's.
    fn reaches_its_own(&self, id: NodeId) -> bool {
        let reserved = |stream| {
            let marked = |id: &NodeId| self.host.node(*id).has(XEN_PASSTHROUGH);
            streams::sharers(self.host, stream, &[id]).any(|id| marked(&id))
        };
        let streams = self.host.streams(id);
        streams.is_ok_and(|streams| {
            let mut streams = streams.iter().copied();
            streams.all(|stream| self.owners.streams.owner(stream).is_none() && !reserved(stream))
        })
    }
}

/// Tells whether a node is the hypervisor's, or is made anew for the domain.
fn is_hidden(host: &Host<'_>, id: NodeId) -> bool {
    let marks = host.index.marks(id);
    let made = Marks::CONTROLLER_PART | Marks::TIMER | Marks::FIRMWARE | Marks::MEMORY;
    let iommu = marks.contains(Marks::IOMMU) && !fault::on(Fault::IommuShownToHardware);
    let console = host
        .console
        .as_ref()
        .is_some_and(|console| console.id == id);
    marks.intersects(made) || iommu || console || is_made(host, id)
}

/// Tells whether a node describes the machine rather than a device.
fn is_made(host: &Host<'_>, id: NodeId) -> bool {
    const NAMES: [&str; 4] = ["chosen", "cpus", "reserved-memory", "hypervisor"];
    let mut names = NAMES.into_iter().chain([host.index.bindings.firmware]);
    host.index.parent(id) == Some(NodeId::ROOT) && names.any(|name| host.node(id).is_called(name))
}
