//! PCI functions: that they are there, whole and nobody's, that what they share with others stays in one domain, and
//! that they reach nobody's memory but their domain's.

use alloc::vec::Vec;

use super::irq::{self, Room};
use super::owner_table::PendingClaims;
use super::{AssignError, FunctionPlan, Ground, IrqAssignment, streams};
use crate::addr::{Pa, Span};
use crate::config::{Host, HostBridge, HostLine, NodeId, Owner};
use crate::fault::{self, Fault};
use crate::ids::{Sbdf, Stream};
use crate::pci::{Bar, BarKind, Function, Inventory, IsolationReason, Kind};

/// What is known of the domain that asks for a function.
pub(super) struct Asker<'a> {
    /// Whether its addresses are the host's.
    pub direct_mapped: bool,
    /// What its interrupt controller has room for.
    pub room: Room<'a>,
    /// All functions that it has or asks for at once.
    pub all: &'a [Sbdf],
}

impl<'a, 't> Ground<'a, 't> {
    /// Finds a function that may be somebody's, and its host bridge.
    pub fn find(self, at: Sbdf) -> Result<(&'a Function, &'a HostBridge), AssignError<'t>> {
        let segment = at.segment;
        let bridge = self.host.bridge(segment);
        let bridge = bridge.ok_or(AssignError::NoSegment { at, segment })?;
        let function = self.machine.functions.get(at);
        let function = function.ok_or(AssignError::NoFunction { at })?;
        match (function.kind, function.flaw) {
            (Kind::Bridge { .. }, _) => Err(AssignError::Bridge { at }),
            (Kind::Other(kind), _) => Err(AssignError::UnknownHeader { at, kind }),
            (Kind::Endpoint, _) if function.class >> 16 == BRIDGES => {
                Err(AssignError::BridgeByClass { at })
            }
            (Kind::Endpoint, Some(flaw)) => Err(AssignError::Unfit { at, flaw }),
            (Kind::Endpoint, None) => Ok((function, bridge)),
        }
    }

    /// Judges one function that is asked for; `lines` are those that the asker has already.
    pub fn judge(
        self,
        asker: &Asker<'_>,
        at: Sbdf,
        lines: &[IrqAssignment],
    ) -> Result<FunctionPlan, AssignError<'t>> {
        let (function, bridge) = self.find(at)?;
        let streams = streams_of(self.host, function, bridge)?;
        self.judge_owner(function, &streams)?;
        let bars = self.bars(asker, function, bridge)?;
        let line = self.line(asker, function, bridge, lines)?;
        for stream in &streams {
            let judged = streams::covered(self, bridge.id, *stream);
            judged.map_err(|error| error.of_function(at))?;
            if let Some(other) = streams::sharers(self.host, *stream, &[]).next() {
                let other = self.path(other);
                return Err(AssignError::FunctionStreamShared { at, other });
            }
        }
        let trusted = (asker.direct_mapped && !fault::on(Fault::PciIommuRequired))
            || fault::on(Fault::PciDirectMapNotRequired);
        if streams.is_empty() && !trusted {
            return Err(AssignError::FunctionMasters { at });
        }
        Ok(FunctionPlan {
            function: function.clone(),
            bars,
            line,
            streams,
            coherent: bridge.coherent,
        })
    }

    /// Refuses a function that another domain has, and one that cannot be kept apart from another's: what is not
    /// isolated goes to one domain.
    pub fn judge_owner(
        self,
        function: &Function,
        streams: &[Stream],
    ) -> Result<(), AssignError<'t>> {
        let (at, owners) = (function.at, self.owners);
        if let Some((at, owner)) = owners.functions.rival(self.by, at) {
            return Err(AssignError::FunctionOwned { at, owner });
        }
        for (member, why) in members(&self.machine.functions, function) {
            if let Some((member, owner)) = owners.functions.rival(self.by, member)
                && !fault::on(Fault::GroupForgotten)
            {
                return Err(AssignError::MemberOwned {
                    at,
                    why,
                    member,
                    owner,
                });
            }
        }
        for stream in streams {
            if let Some((Stream { id, .. }, owner)) = owners.streams.rival(self.by, *stream) {
                return Err(AssignError::FunctionStreamOwned { at, id, owner });
            }
        }
        Ok(())
    }

    /// Returns the pages of each base address register that decodes memory: nothing but this function's lies in them.
    fn bars(
        self,
        asker: &Asker<'_>,
        function: &Function,
        bridge: &HostBridge,
    ) -> Result<[Option<Span<Pa>>; 6], AssignError<'t>> {
        let at = function.at;
        let mut pages = [None; 6];
        for bar in function.bars.iter().filter(|bar| bar.kind != BarKind::Io) {
            let Bar {
                index,
                address,
                size,
                ..
            } = *bar;
            if address == 0 {
                return Err(AssignError::BarUnplaced { at, index });
            }
            let Some(span) = bridge.to_cpu(address, size) else {
                return Err(AssignError::BarOutside {
                    at,
                    index,
                    size,
                    address,
                });
            };
            let (whole, first) = (span.widened_to_pages(), span.first());
            if whole.first() != first && !fault::on(Fault::BarPageShared) {
                return Err(AssignError::BarUnaligned { at, index, first });
            }
            let mut regions = self.host.regions.iter();
            let stranger = regions
                .find(|region| region.owner != Owner::PciWindow && region.span.overlaps(whole));
            if let Some(region) = stranger {
                let node = self.path(region.node.unwrap_or(NodeId::ROOT));
                return Err(AssignError::BarOverNode {
                    at,
                    index,
                    span,
                    node,
                });
            }
            if let Some(taken) = self.machine.taken(whole) {
                let what = taken.what;
                return Err(AssignError::BarOverTaken {
                    at,
                    index,
                    span,
                    what,
                });
            }
            if let Some(other) = self.neighbour(asker, function, bridge, bar, whole)
                && !fault::on(Fault::BarPageShared)
            {
                return Err(AssignError::BarShared {
                    at,
                    index,
                    span,
                    other,
                });
            }
            if let Some(slot) = pages.get_mut(usize::from(index)) {
                *slot = Some(whole);
            }
        }
        Ok(pages)
    }

    /// Finds a function that has registers in these pages and is not asked for, or another BAR of the same function.
    fn neighbour(
        self,
        asker: &Asker<'_>,
        function: &Function,
        bridge: &HostBridge,
        bar: &Bar,
        pages: Span<Pa>,
    ) -> Option<Sbdf> {
        let all = self.machine.functions.functions().iter();
        let segment = all.filter(|other| other.at.segment == function.at.segment);
        segment
            .filter(|other| other.at == function.at || !asker.all.contains(&other.at))
            .find(|other| {
                let mut bars = other.bars.iter().filter(|other| other.kind != BarKind::Io);
                bars.any(|found| {
                    (other.at, found.index) != (function.at, bar.index)
                        && found.address != 0
                        && bridge
                            .to_cpu(found.address, found.size)
                            .is_some_and(|span| span.overlaps(pages))
                })
            })
            .map(|other| other.at)
    }

    /// Returns the line on which the function's interrupt arrives, where it has one.
    fn line(
        self,
        asker: &Asker<'_>,
        function: &Function,
        bridge: &HostBridge,
        lines: &[IrqAssignment],
    ) -> Result<Option<IrqAssignment>, AssignError<'t>> {
        let at = function.at;
        let Some(found) = line_of(self.host, function, bridge)? else {
            return Ok(None);
        };
        let IrqAssignment { line, trigger } = found;
        // What is not isolated from it is given up with it.
        let stays = |other: &Sbdf| {
            let other = self.machine.functions.get(*other);
            other.is_some_and(|other| {
                other.group.first != function.group.first
                    && matches!(line_of(self.host, other, bridge), Ok(Some(its)) if its.line == line)
            })
        };
        if let Some(owner) = self.by.yields
            && let Some(sharer) = self.owners.functions.of(owner).find(stays)
            && !fault::on(Fault::SharedPinForgotten)
        {
            return Err(AssignError::LineShared {
                at,
                line,
                sharer,
                owner,
            });
        }
        let wanted = HostLine { line, trigger };
        let judged = irq::judge_wanted(self, lines, wanted, &asker.room);
        judged.map_err(|error| error.of_interrupt(at))?;
        Ok(Some(found))
    }
}

/// Base class of bridges, those of the host among them, whose header need not be a bridge's (PCI, appendix D).
const BRIDGES: u32 = 0x06;

/// Returns the functions that are not isolated from this one, and how they go together.
pub(super) fn members(functions: &Inventory, function: &Function) -> Vec<(Sbdf, &'static str)> {
    let others = functions.members(function.group);
    others
        .filter(|other| other.at != function.at)
        .map(|other| {
            let why = match function.group.why.or(other.group.why) {
                Some(IsolationReason::Requester(_)) => "masters memory under one name with",
                Some(IsolationReason::Port(_)) => {
                    "can reach past the IOMMU, by a port without ACS,"
                }
                Some(IsolationReason::Page(_)) => "has registers in one page with",
                Some(IsolationReason::Device) | None => "is one device with",
            };
            (other.at, why)
        })
        .collect()
}

/// Returns the line on which the interrupt of a function arrives, where it has a pin and the host's tree a line for it.
pub(super) fn line_of<'t>(
    host: &Host<'t>,
    function: &Function,
    bridge: &HostBridge,
) -> Result<Option<IrqAssignment>, AssignError<'t>> {
    let (Some(_), Some((devfn, pin)), at) = (function.pin, function.intx_route, function.at) else {
        return Ok(None);
    };
    let found = host.intx(bridge, devfn, pin);
    let found = found.map_err(|flaw| AssignError::FunctionUnreadable { at, flaw })?;
    Ok(found.map(|HostLine { line, trigger }| IrqAssignment { line, trigger }))
}

/// Returns by what an IOMMU knows a function: its own name, and that of the bridge which speaks for it. Nothing where
/// no IOMMU stands before it.
pub(super) fn streams_of<'t>(
    host: &Host<'t>,
    function: &Function,
    bridge: &HostBridge,
) -> Result<Vec<Stream>, AssignError<'t>> {
    let (at, requester) = (function.at, function.requester);
    let mut found = Vec::new();
    let mut names = alloc::vec![at, requester];
    if fault::on(Fault::RequesterForgotten) {
        names.truncate(1);
    }
    names.dedup();
    for name in &names {
        let stream = host.requester(bridge, name.requester());
        found.extend(stream.map_err(|flaw| AssignError::FunctionUnreadable { at, flaw })?);
    }
    if !found.is_empty() && found.len() != names.len() {
        return Err(AssignError::HalfProtected { at, requester });
    }
    found.dedup();
    Ok(found)
}

/// Finds the node of the host's tree that describes a function as a device of the platform: it has registers where a
/// BAR of the function is.
pub fn described(host: &Host<'_>, function: &Function) -> Option<NodeId> {
    let bridge = host.bridge(function.at.segment)?;
    let bars = function.bars.iter().filter(|bar| bar.kind != BarKind::Io);
    let mut spans = bars.filter_map(|bar| bridge.to_cpu(bar.address, bar.size));
    spans.find_map(|span| {
        let mut regions = host.regions.iter();
        regions
            .find(|region| region.owner == Owner::Device && region.span.overlaps(span))?
            .node
    })
}

/// Adds to a draft the functions that a domain asks for.
pub(super) fn judge<'t>(
    ground: Ground<'_, 't>,
    asker: &Asker<'_>,
    pending: &mut PendingClaims<'_>,
) -> Result<(), AssignError<'t>> {
    for at in asker.all {
        let plan = ground.judge(asker, *at, &pending.lines)?;
        if let Some(line) = plan.line
            && pending.lines.iter().all(|known| known.line != line.line)
        {
            pending.lines.push(line);
        }
        for stream in &plan.streams {
            if !pending.streams.contains(stream) {
                pending.streams.push(*stream);
            }
        }
        pending.functions.push(plan);
    }
    Ok(())
}
