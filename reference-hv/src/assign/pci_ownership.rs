//! PCI functions that appear, change hands and disappear while the machine runs.

use alloc::vec::Vec;

use super::irq::{Room, judge_line};
use super::layout::Layout;
use super::owner_table::Claimant;
use super::pci_claims::{Asker, line_of, members, streams_of};
use super::{AssignError, FunctionPlan, ResourceTable, streams};
use crate::addr::{Pa, Span};
use crate::config::NodeId;
use crate::fault::{self, Fault};
use crate::ids::{DomainId, IrqLine, Sbdf, Stream};
use crate::pci::{Function, Inventory, Reset};

/// What a domain gets with a function, and what the hardware domain gives up for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PciAssignment {
    /// The function.
    pub plan: FunctionPlan,
    /// What the hardware domain had: the function itself, and those that are not isolated from it.
    pub taken: Vec<FunctionPlan>,
    /// The line that was the hardware domain's.
    pub line: Option<IrqLine>,
}

impl<'h> ResourceTable<'h> {
    /// Returns the functions that are known.
    pub fn functions(&self) -> &Inventory {
        &self.machine.functions
    }

    /// Returns the functions that are known, to be changed as they come and go.
    pub fn functions_mut(&mut self) -> &mut Inventory {
        &mut self.machine.functions
    }

    /// Returns who has the hardware.
    pub fn hardware(&self) -> Option<DomainId> {
        self.hardware
    }

    /// Returns the host bridges, by their place.
    pub fn bridges(&self) -> &[crate::config::HostBridge] {
        &self.host.bridges
    }

    /// Returns who has a function.
    pub fn owner_of(&self, at: Sbdf) -> Option<DomainId> {
        self.owners.functions.owner(at)
    }

    /// Tells whether a domain other than the one with the hardware has a function.
    fn is_others(&self, at: Sbdf) -> bool {
        self.stranger(at).is_some()
    }

    /// Returns which domain other than the one with the hardware has a function.
    fn stranger(&self, at: Sbdf) -> Option<DomainId> {
        let rival = self.owners.functions.rival(self.for_hardware(), at);
        rival.map(|(_, owner)| owner)
    }

    /// Returns who asks when the hardware domain does.
    fn for_hardware(&self) -> Claimant {
        Claimant {
            who: self.hardware,
            yields: None,
        }
    }

    /// Tells whether a domain other than the one with the hardware has a function behind this bridge.
    pub fn is_above_others(&self, bridge: Sbdf) -> bool {
        let mut functions = self.machine.functions.functions().iter();
        functions.any(|function| self.is_others(function.at) && self.is_behind(function, bridge))
    }

    /// Tells whether what is reset together with a function is a part of `leaving`, or nobody's.
    pub fn may_reset_with(&self, at: Sbdf, leaving: &[Sbdf]) -> bool {
        let all = &self.machine.functions;
        let Some(Reset::Bus(bridge)) = all.get(at).map(|function| function.reset) else {
            return true;
        };
        let mut behind = all.functions().iter();
        behind.all(|function| {
            !self.is_behind(function, bridge)
                || leaving.contains(&function.at)
                || self.owners.functions.owner(function.at).is_none()
        })
    }

    fn is_behind(&self, function: &Function, bridge: Sbdf) -> bool {
        let all = &self.machine.functions;
        let mut above = core::iter::successors(function.above, |at| all.get(*at)?.above);
        above.any(|at| at == bridge)
    }

    /// Tells whether a function may be given to a domain.
    ///
    /// # Errors
    /// Says why not.
    pub fn test_function(&self, at: Sbdf) -> Result<(), AssignError<'h>> {
        let (function, bridge) = self.ground(self.for_hardware()).find(at)?;
        self.judge_sound(at)?;
        if streams_of(self.host, function, bridge)?.is_empty() {
            return Err(AssignError::FunctionUnprotected { at });
        }
        match self.stranger(at) {
            Some(owner) => Err(AssignError::FunctionOwned { at, owner }),
            None => Ok(()),
        }
    }

    fn judge_sound(&self, at: Sbdf) -> Result<(), AssignError<'h>> {
        if self.broken.contains(&at) {
            return Err(AssignError::FunctionBroken { at });
        }
        Ok(())
    }

    /// Gives a domain, whose emulated devices lie like this, a function that an IOMMU protects.
    ///
    /// # Errors
    /// Says why not; then nothing has changed.
    pub fn claim_function(
        &mut self,
        who: DomainId,
        at: Sbdf,
        layout: &Layout,
        lines: u32,
    ) -> Result<PciAssignment, AssignError<'h>> {
        self.judge_sound(at)?;
        let mut all: Vec<Sbdf> = self.owners.functions.of(who).collect();
        if all.contains(&at) {
            return Err(AssignError::FunctionOwned { at, owner: who });
        }
        all.push(at);
        let by = Claimant {
            who: Some(who),
            yields: self.hardware,
        };
        let asker = Asker {
            direct_mapped: fault::on(Fault::PciUnprotectedLater),
            room: Room { layout, lines },
            all: &all,
        };
        let plan = self.ground(by).judge(&asker, at, &[])?;
        let taken = self.take_from_hardware(&plan);
        let line = plan.line.map(|line| line.line);
        let yielded = |line: &IrqLine| {
            self.hardware
                .is_some_and(|id| self.owners.lines.has(id, *line))
        };
        let line = line.filter(yielded);
        if let (Some(line), Some(hardware)) = (line, self.hardware) {
            self.owners.lines.remove(hardware, line);
        }
        self.own(who, &plan);
        Ok(PciAssignment { plan, taken, line })
    }

    /// Gives a domain a function, and what it gets with it.
    fn own(&mut self, who: DomainId, plan: &FunctionPlan) {
        self.owners.add_function(who, plan);
        if let Some(line) = plan.line {
            self.owners.lines.add(who, line.line);
        }
        for stream in &plan.streams {
            if self.owners.streams.owner(*stream).is_none() {
                self.owners.streams.add(who, *stream);
            }
        }
    }

    /// Takes a function, and those that are not isolated from it, from the domain that has the hardware.
    fn take_from_hardware(&mut self, plan: &FunctionPlan) -> Vec<FunctionPlan> {
        let Some(hardware) = self.hardware else {
            return Vec::new();
        };
        let group = members(&self.machine.functions, &plan.function);
        let group = group.into_iter().map(|(at, _)| at);
        let own = |at: &Sbdf| self.owners.functions.has(hardware, *at);
        let taken: Vec<Sbdf> = group.chain([plan.function.at]).filter(own).collect();
        let plans = taken.iter().filter_map(|at| self.described_function(*at));
        let plans = plans.collect();
        for at in taken {
            self.release_function_from(hardware, at);
        }
        plans
    }

    /// Takes a function and its streams from a domain.
    fn release_function_from(&mut self, who: DomainId, at: Sbdf) {
        let Some(plan) = self.described_function(at) else {
            return;
        };
        self.owners.functions.remove(who, at);
        for stream in &plan.streams {
            let shared = self.owners.functions.of(who).any(|other| {
                let other = self.described_function(other);
                other.is_some_and(|other| other.streams.contains(stream))
            });
            if !shared {
                self.owners.streams.remove(who, *stream);
            }
        }
    }

    /// Describes a function as it would be planned, whoever has it.
    fn described_function(&self, at: Sbdf) -> Option<FunctionPlan> {
        let function = self.machine.functions.get(at)?;
        let bridge = self.host.bridge(at.segment)?;
        Some(FunctionPlan {
            function: function.clone(),
            bars: [None; 6],
            line: line_of(self.host, function, bridge).ok().flatten(),
            streams: streams_of(self.host, function, bridge).unwrap_or_default(),
            coherent: bridge.coherent,
        })
    }

    /// Takes a function from a domain. Nothing of it may be left anywhere. Its line stays the domain's for as long as
    /// another of its functions has the same; returns it otherwise.
    pub fn release_function(&mut self, who: DomainId, plan: &FunctionPlan) -> Option<IrqLine> {
        self.release_function_from(who, plan.function.at);
        for span in plan.bars.iter().flatten() {
            self.owners.pages.remove(who, *span);
        }
        let line = plan.line?.line;
        let shared = self.owners.functions.of(who).any(|other| {
            let plan = self.described_function(other).and_then(|plan| plan.line);
            plan.is_some_and(|its| its.line == line)
        });
        if shared {
            return None;
        }
        self.owners.lines.remove(who, line);
        Some(line)
    }

    /// Gives the hardware domain a function that it has found. Returns what it gets with it; nothing where it has the
    /// function already.
    ///
    /// # Errors
    /// Says why not: another domain has it, or one that is not isolated from it.
    pub fn adopt_function(&mut self, at: Sbdf) -> Result<Option<FunctionPlan>, AssignError<'h>> {
        let (Some(hardware), Some(function)) = (self.hardware, self.machine.functions.get(at))
        else {
            return Ok(None);
        };
        if self.owners.functions.has(hardware, at) {
            return Ok(None);
        }
        let Some(mut plan) = self.described_function(at) else {
            return Ok(None);
        };
        let ground = self.ground(hardware.into());
        ground.judge_owner(function, &plan.streams)?;
        if let Some((line, owner)) = self.foreign_line(function)
            && !function.is_bridge()
        {
            return Err(AssignError::FunctionLineOwned { at, line, owner });
        }
        // Without a line a bridge works all the same, and so does what has none that a domain can have.
        let line = plan.line;
        plan.line = line.filter(|line| judge_line(ground, line.line).is_ok());
        let bridge = self
            .host
            .bridge(at.segment)
            .map_or(NodeId::ROOT, |bridge| bridge.id);
        for stream in &plan.streams {
            // Where an IOMMU does not translate, it stops what is behind it.
            if let Err(error @ AssignError::StreamBeyond { .. }) =
                streams::covered(ground, bridge, *stream)
            {
                return Err(error.of_function(at));
            }
        }
        self.own(hardware, &plan);
        if !self.found_by_hardware.contains(&at) {
            self.found_by_hardware.push(at);
        }
        Ok(Some(plan))
    }

    /// Gives the hardware domain back what it had of a function and of those that are not isolated from it, once no other
    /// domain has any of them. Returns what it gets with each.
    pub fn return_to_hardware(&mut self, at: Sbdf) -> Vec<FunctionPlan> {
        let mut group = self.group_of(at);
        group.push(at);
        if group.iter().any(|at| self.is_others(*at)) {
            return Vec::new();
        }
        group.retain(|at| self.found_by_hardware.contains(at));
        let returned = group.into_iter().map(|at| self.adopt_function(at));
        returned
            .filter_map(|adopted| adopted.ok().flatten())
            .collect()
    }

    /// Returns the line on which a function interrupts, and its owner, where that is a domain that does not have the
    /// hardware.
    fn foreign_line(&self, function: &Function) -> Option<(IrqLine, DomainId)> {
        let bridge = self.host.bridge(function.at.segment)?;
        let line = line_of(self.host, function, bridge).ok()??.line;
        let rival = self.owners.lines.rival(self.for_hardware(), line);
        rival.filter(|_| !fault::on(Fault::HardwareRaisesForeignLine))
    }

    /// Tells whether a bridge, which the hardware domain may look at, would interrupt another domain.
    pub fn is_loud(&self, bridge: &Function) -> bool {
        self.foreign_line(bridge).is_some()
    }

    /// Tells whether the hardware domain may look at a function and use it. `seen` is what it has found there itself, of
    /// one that is not known.
    pub fn is_for_hardware(&self, at: Sbdf, seen: Option<&Function>) -> bool {
        let known = self.machine.functions.get(at).or(seen);
        let loud = known.is_some_and(|known| !known.is_bridge() && self.is_loud(known));
        !loud && self.is_isolated_from_others(at)
    }

    /// Tells whether neither a function, known or not, nor anything that is not isolated from it is another domain's.
    fn is_isolated_from_others(&self, at: Sbdf) -> bool {
        match self.machine.functions.get(at) {
            Some(function) => {
                let group = members(&self.machine.functions, function);
                !self.is_others(at) && !group.into_iter().any(|(at, _)| self.is_others(at))
            }
            // What is not known may be a part of a device that another domain has.
            None => {
                let mut functions = self.machine.functions.functions().iter();
                !functions.any(|other| {
                    let same = (other.at.segment, other.at.bus, other.at.device())
                        == (at.segment, at.bus, at.device());
                    same && self.is_others(other.at)
                })
            }
        }
    }

    /// Tells whether a domain other than the one with the hardware has a page of this range.
    pub fn is_foreign(&self, span: Span<Pa>) -> bool {
        let rival = self.owners.pages.rival(self.for_hardware(), span);
        rival.is_some()
    }

    /// Returns the functions that are not isolated from this one, itself left out.
    pub fn group_of(&self, at: Sbdf) -> Vec<Sbdf> {
        let function = self.machine.functions.get(at);
        let group = function.map(|function| members(&self.machine.functions, function));
        group.into_iter().flatten().map(|(at, _)| at).collect()
    }

    /// Forgets a function that is gone. Its owner must not be a domain that does not have the hardware.
    ///
    /// # Errors
    /// Says that it is not known, or that another domain has it.
    pub fn forget_function(&mut self, at: Sbdf) -> Result<Option<FunctionPlan>, AssignError<'h>> {
        if self.machine.functions.get(at).is_none() {
            return Err(AssignError::NoFunction { at });
        }
        if let Some(owner) = self.stranger(at) {
            return Err(AssignError::FunctionOwned { at, owner });
        }
        let plan = self.described_function(at);
        let mut left = self.machine.functions.clone();
        if let Err(why) = left.remove(at) {
            return Err(AssignError::FunctionNeeded { at, why });
        }
        if let Some(hardware) = self.hardware {
            self.release_function_from(hardware, at);
        }
        if !fault::on(Fault::RemovedStaysKnown) {
            self.machine.functions = left;
        }
        self.broken.retain(|broken| *broken != at);
        self.found_by_hardware.retain(|found| *found != at);
        Ok(plan)
    }

    /// Returns who has a stream.
    pub fn owner_of_stream(&self, stream: Stream) -> Option<DomainId> {
        self.owners.streams.owner(stream)
    }

    /// Notes that functions cannot be relied on any more.
    pub fn mark_broken(&mut self, functions: impl IntoIterator<Item = Sbdf>) {
        for at in functions {
            if !self.broken.contains(&at) {
                self.broken.push(at);
            }
        }
    }
}
