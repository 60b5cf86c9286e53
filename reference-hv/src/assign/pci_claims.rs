//! PCI functions: that they are there, whole and nobody's, that what they share with others stays in one domain, and
//! that they reach nobody's memory but their domain's.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::irq::{self, Room};
use super::owner_table::{OwnerTable, PendingClaims};
use super::resource_table::AssignError;
use super::{FunctionPlan, IrqAssignment, Machine, streams, taken_by};
use crate::addr::{Pa, Span};
use crate::config::{Host, HostBridge, NodeId, Owner};
use crate::fault::{self, Fault};
use crate::ids::{DomainId, Sbdf, Stream};
use crate::pci::{Bar, BarKind, Function, Inventory, IsolationReason, Kind};

/// Who asks for a function.
pub(super) struct Asker<'a> {
    /// The domain, when it has a number yet.
    pub who: Option<DomainId>,
    /// Whether its addresses are the host's.
    pub direct_mapped: bool,
    /// What its interrupt controller has room for.
    pub room: Room<'a>,
    /// All functions that it has or asks for at once.
    pub all: &'a [Sbdf],
    /// Who gives up what it has when others are to have it: the hardware domain.
    pub yields: Option<DomainId>,
}

/// What is known of the machine when a function is judged.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a, 't> {
    pub host: &'a Host<'t>,
    pub machine: &'a Machine,
    pub owners: &'a OwnerTable,
}

impl<'a> Ground<'a, '_> {
    /// Finds a function that may be somebody's, and its host bridge.
    pub fn find(&self, at: Sbdf) -> Result<(&'a Function, &'a HostBridge), AssignError> {
        let Some(bridge) = self.host.bridge(at.segment) else {
            let segment = at.segment;
            return Err(AssignError::Absent(format!(
                "names {at}, but no host bridge has segment {segment:#x}"
            )));
        };
        let Some(function) = self.machine.functions.get(at) else {
            return Err(AssignError::Absent(format!(
                "names {at}, where no function is known"
            )));
        };
        if let Some(flaw) = unfit(function) {
            return Err(AssignError::Absent(format!("names {at}, {flaw}")));
        }
        Ok((function, bridge))
    }

    /// Judges one function that is asked for; `lines` are those that the asker has already.
    pub fn judge(
        &self,
        asker: &Asker<'_>,
        at: Sbdf,
        lines: &[IrqAssignment],
    ) -> Result<FunctionPlan, AssignError> {
        let (function, bridge) = self.find(at)?;
        self.judge_owner(asker, function)?;
        let bars = self.bars(asker, function, bridge)?;
        let line = self.line(asker, function, bridge, lines)?;
        let streams = self.streams(asker, function, bridge)?;
        let trusted = (asker.direct_mapped && !fault::on(Fault::PciIommuRequired))
            || fault::on(Fault::PciDirectMapNotRequired);
        if streams.is_empty() && !trusted {
            return Err(AssignError::Unprotected(format!(
                "names {at}, which can access memory by itself and no IOMMU protects; only a domain with `direct-map` can have it"
            )));
        }
        Ok(FunctionPlan {
            function: function.clone(),
            bars,
            line,
            streams,
            coherent: bridge.coherent,
        })
    }

    /// Refuses a function that another domain has, and one that cannot be kept apart from another's.
    pub fn judge_owner(&self, asker: &Asker<'_>, function: &Function) -> Result<(), AssignError> {
        let at = function.at;
        let other = |at: Sbdf| {
            let owner = self.owners.of_function(at)?;
            (Some(owner) != asker.who && Some(owner) != asker.yields).then_some(owner)
        };
        if let Some(owner) = self.owners.of_function(at)
            && Some(owner) != asker.yields
            && !fault::on(Fault::FunctionOwnerForgotten)
        {
            return Err(AssignError::Owned(taken_by(
                format_args!("names {at}"),
                owner,
            )));
        }
        let group = members(&self.machine.functions, function);
        let foreign = group.into_iter().find_map(|(member, why)| {
            let owner = other(member)?;
            Some((member, why, owner))
        });
        if let Some((member, why, owner)) = foreign
            && !fault::on(Fault::GroupForgotten)
        {
            let what = format_args!("names {at}, which {why} {member}");
            return Err(AssignError::Owned(taken_by(what, owner)));
        }
        Ok(())
    }

    /// Returns the pages of each base address register that decodes memory: nothing but this function's lies in them.
    fn bars(
        &self,
        asker: &Asker<'_>,
        function: &Function,
        bridge: &HostBridge,
    ) -> Result<[Option<Span<Pa>>; 6], AssignError> {
        let at = function.at;
        let mut pages = [None; 6];
        for bar in function.bars.iter().filter(|bar| bar.kind != BarKind::Io) {
            let index = bar.index;
            let refuse = |what: String| {
                Err(AssignError::Forbidden(format!(
                    "names {at}, whose BAR {index} {what}"
                )))
            };
            if bar.address == 0 {
                return refuse("the firmware has given no address".into());
            }
            let Some(span) = bridge.to_cpu(bar.address, bar.size) else {
                let (address, size) = (bar.address, bar.size);
                return refuse(format!(
                    "is {size:#x} bytes at {address:#x}, which no window of the host bridge holds"
                ));
            };
            let whole = span.widened_to_pages();
            if whole.first() != span.first() && !fault::on(Fault::BarPageShared) {
                return refuse(format!("is at {}, where no page begins", span.first()));
            }
            let stranger = self
                .host
                .regions
                .iter()
                .find(|region| region.owner != Owner::PciWindow && region.span.overlaps(whole));
            if let Some(region) = stranger {
                let path = self.host.node(region.node.unwrap_or(NodeId::ROOT)).path();
                return refuse(format!("is {span}, where {path} lies"));
            }
            if let Some(taken) = self
                .machine
                .taken
                .iter()
                .find(|taken| taken.span.overlaps(whole))
            {
                return refuse(format!("is {span}, which overlaps the {}", taken.what));
            }
            if let Some(neighbour) = self.neighbour(asker, function, bridge, bar, whole)
                && !fault::on(Fault::BarPageShared)
            {
                return refuse(format!(
                    "is {span}, in a page with registers of {neighbour}, which this domain does not ask for"
                ));
            }
            let place = usize::from(index);
            if let Some(slot) = pages.get_mut(place) {
                *slot = Some(whole);
            }
        }
        Ok(pages)
    }

    /// Finds a function that has registers in these pages and is not asked for, or another BAR of the same function.
    fn neighbour(
        &self,
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
        &self,
        asker: &Asker<'_>,
        function: &Function,
        bridge: &HostBridge,
        lines: &[IrqAssignment],
    ) -> Result<Option<IrqAssignment>, AssignError> {
        let at = function.at;
        let Some(line) = line_of(self.host, function, bridge)? else {
            return Ok(None);
        };
        // What is not isolated from it is given up with it.
        let sharer = asker.yields.and_then(|owner| {
            let mut own = self.owners.functions_of(owner);
            own.find(|other| {
                self.machine.functions.get(*other).is_some_and(|other| {
                    other.group.first != function.group.first
                        && matches!(line_of(self.host, other, bridge), Ok(Some(its)) if its.line == line.line)
                })
            })
        });
        if let (Some(sharer), Some(owner)) = (sharer, asker.yields)
            && !fault::on(Fault::SharedPinForgotten)
        {
            let line = line.line;
            let what = format_args!("names {at}, which has {line} in common with {sharer}");
            return Err(AssignError::Owned(taken_by(what, owner)));
        }
        let owner = self.owners.of_line(line.line);
        let yielded = owner.is_some() && owner == asker.yields || owner == asker.who;
        let nobody = OwnerTable::default();
        let owners = if yielded || fault::on(Fault::SharedPinForgotten) {
            &nobody
        } else {
            self.owners
        };
        let wanted = crate::config::HostLine {
            line: line.line,
            trigger: line.trigger,
        };
        irq::judge_wanted(self.host, self.machine, owners, lines, wanted, &asker.room).map_err(
            |what| {
                let what = format!("names {at}, whose interrupt {what}");
                match owner {
                    Some(_) => AssignError::Owned(what),
                    None => AssignError::Forbidden(what),
                }
            },
        )?;
        Ok(Some(line))
    }

    /// Returns by what an IOMMU knows what the function does.
    fn streams(
        &self,
        asker: &Asker<'_>,
        function: &Function,
        bridge: &HostBridge,
    ) -> Result<Vec<Stream>, AssignError> {
        let at = function.at;
        let streams = streams_of(self.host, function, bridge)?;
        for stream in &streams {
            let node = self.host.node(bridge.id);
            let judged = streams::covered(self.host, self.machine, node.into(), *stream);
            judged.map_err(|flaw| match self.machine.streams.get(stream.iommu) {
                Some(Some(_)) => AssignError::Range(format!("names {at}: {flaw}")),
                Some(None) | None => AssignError::Unprotected(format!("names {at}: {flaw}")),
            })?;
            let owner = self.owners.of_stream(*stream);
            if let Some(owner) = owner
                && Some(owner) != asker.who
                && Some(owner) != asker.yields
                && !fault::on(Fault::GroupForgotten)
            {
                let what = format_args!("names {at}, which its IOMMU knows by {}", stream.id);
                return Err(AssignError::Owned(taken_by(what, owner)));
            }
            if let Some(other) = streams::sharers(self.host, *stream, &[]).next() {
                let other = self.host.node(other).path();
                return Err(AssignError::Forbidden(format!(
                    "names {at}, which its IOMMU cannot tell from {other}"
                )));
            }
        }
        Ok(streams)
    }
}

/// Base class of bridges, those of the host among them, whose header need not be a bridge's (PCI, appendix D).
const BRIDGES: u32 = 0x06;

/// Says why a function can be nobody's.
fn unfit(function: &Function) -> Option<String> {
    match (function.kind, function.flaw) {
        (Kind::Bridge { .. }, _) => Some("a bridge".into()),
        (Kind::Other(kind), _) => Some(format!("whose header is of the unknown kind {kind:#x}")),
        (Kind::Endpoint, _) if function.class >> 16 == BRIDGES => {
            Some("a bridge by its class".into())
        }
        (Kind::Endpoint, flaw) => flaw.map(|flaw| format!("unfit: {flaw}")),
    }
}

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
pub(super) fn line_of(
    host: &Host<'_>,
    function: &Function,
    bridge: &HostBridge,
) -> Result<Option<IrqAssignment>, AssignError> {
    let (Some(_), Some((devfn, pin))) = (function.pin, function.intx_route) else {
        return Ok(None);
    };
    let found = host.intx(bridge, devfn, pin);
    let found =
        found.map_err(|flaw| AssignError::Forbidden(format!("names {}: {flaw}", function.at)))?;
    Ok(found.map(|found| IrqAssignment {
        line: found.line,
        trigger: found.trigger,
    }))
}

/// Returns by what an IOMMU knows a function: its own name, and that of the bridge which speaks for it. Nothing where
/// no IOMMU stands before it.
pub(super) fn streams_of(
    host: &Host<'_>,
    function: &Function,
    bridge: &HostBridge,
) -> Result<Vec<Stream>, AssignError> {
    let mut found = Vec::new();
    let mut names = alloc::vec![function.at, function.requester];
    if fault::on(Fault::RequesterForgotten) {
        names.truncate(1);
    }
    names.dedup();
    let count = names.len();
    for name in names {
        let stream = host.requester(bridge, name.requester());
        let flawed = |flaw| AssignError::Forbidden(format!("names {}: {flaw}", function.at));
        found.extend(stream.map_err(flawed)?);
    }
    if !found.is_empty() && found.len() != count {
        let (at, requester) = (function.at, function.requester);
        return Err(AssignError::Forbidden(format!(
            "names {at}, which an IOMMU stands before as itself or as {requester}, but not as both"
        )));
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
pub(super) fn judge(
    ground: Ground<'_, '_>,
    asker: &Asker<'_>,
    pending: &mut PendingClaims<'_>,
) -> Result<(), AssignError> {
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
