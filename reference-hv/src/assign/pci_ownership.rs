//! PCI functions that appear, change hands and disappear while the machine runs.

use alloc::format;
use alloc::vec::Vec;

use super::irq::{Room, judge_line};
use super::layout::Layout;
use super::pci_claims::{Asker, Ground, line_of, members, streams_of};
use super::resource_table::{AssignError, ResourceTable};
use super::{FunctionPlan, taken_by};
use crate::addr::{Pa, Span};
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

impl ResourceTable<'_> {
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
        self.owners.of_function(at)
    }

    /// Tells whether a domain other than the one with the hardware has a function.
    fn is_others(&self, at: Sbdf) -> bool {
        let owner = self.owners.of_function(at);
        owner.is_some() && owner != self.hardware
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
                || self.owners.of_function(function.at).is_none()
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
    pub fn test_function(&self, at: Sbdf) -> Result<(), AssignError> {
        let (function, bridge) = self.ground().find(at)?;
        self.judge_sound(at)?;
        if streams_of(self.host, function, bridge)?.is_empty() {
            return Err(AssignError::Unprotected(format!(
                "names {at}, which no IOMMU protects"
            )));
        }
        match self.owners.of_function(at) {
            Some(owner) if Some(owner) != self.hardware => Err(AssignError::Owned(taken_by(
                format_args!("names {at}"),
                owner,
            ))),
            _ => Ok(()),
        }
    }

    fn judge_sound(&self, at: Sbdf) -> Result<(), AssignError> {
        if self.broken.contains(&at) {
            return Err(AssignError::Broken(format!("names {at}, which is broken")));
        }
        Ok(())
    }

    fn ground(&self) -> Ground<'_, '_> {
        Ground {
            host: self.host,
            machine: &self.machine,
            owners: &self.owners,
        }
    }

    /// Gives a domain, whose imitated devices lie like this, a function that an IOMMU protects.
    ///
    /// # Errors
    /// Says why not; then nothing has changed.
    pub fn claim_function(
        &mut self,
        who: DomainId,
        at: Sbdf,
        layout: &Layout,
        lines: u32,
    ) -> Result<PciAssignment, AssignError> {
        self.judge_sound(at)?;
        let mut all: Vec<Sbdf> = self.owners.functions_of(who).collect();
        if all.contains(&at) {
            return Err(AssignError::Owned(taken_by(
                format_args!("names {at}"),
                who,
            )));
        }
        all.push(at);
        let asker = Asker {
            who: Some(who),
            direct_mapped: fault::on(Fault::PciUnprotectedLater),
            room: Room { layout, lines },
            all: &all,
            yields: self.hardware,
        };
        let plan = self.ground().judge(&asker, at, &[])?;
        let taken = self.take_from_hardware(&plan);
        let line = plan.line.map(|line| line.line);
        let line = line.filter(|line| {
            let owner = self.owners.of_line(*line);
            owner.is_some() && owner == self.hardware
        });
        if let (Some(line), Some(hardware)) = (line, self.hardware) {
            self.owners.drop_line(hardware, line);
        }
        self.owners.add_function(who, &plan);
        if let Some(line) = plan.line {
            self.owners.add_line(who, line.line);
        }
        for stream in &plan.streams {
            if self.owners.of_stream(*stream).is_none() {
                self.owners.add_stream(who, *stream);
            }
        }
        Ok(PciAssignment { plan, taken, line })
    }

    /// Takes a function, and those that are not isolated from it, from the domain that has the hardware.
    fn take_from_hardware(&mut self, plan: &FunctionPlan) -> Vec<FunctionPlan> {
        let Some(hardware) = self.hardware else {
            return Vec::new();
        };
        let group = members(&self.machine.functions, &plan.function);
        let group = group.into_iter().map(|(at, _)| at);
        let own = |at: &Sbdf| self.owners.of_function(*at) == Some(hardware);
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
        self.owners.drop_function(who, &plan);
        for stream in &plan.streams {
            let shared = self.owners.functions_of(who).any(|other| {
                let other = self.described_function(other);
                other.is_some_and(|other| other.streams.contains(stream))
            });
            if !shared {
                self.owners.drop_stream(who, *stream);
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
            self.owners.drop_pages(who, *span);
        }
        let line = plan.line?.line;
        let shared = self.owners.functions_of(who).any(|other| {
            let plan = self.described_function(other).and_then(|plan| plan.line);
            plan.is_some_and(|its| its.line == line)
        });
        if shared {
            return None;
        }
        self.owners.drop_line(who, line);
        Some(line)
    }

    /// Gives the hardware domain a function that it has found. Returns what it gets with it; nothing where it has the
    /// function already.
    ///
    /// # Errors
    /// Says why not: another domain has it, or one that is not isolated from it.
    pub fn adopt_function(&mut self, at: Sbdf) -> Result<Option<FunctionPlan>, AssignError> {
        let Some(hardware) = self.hardware else {
            return Ok(None);
        };
        if self.owners.of_function(at) == Some(hardware) {
            return Ok(None);
        }
        let layout = Layout::own(self.machine.guest, false);
        let Some(function) = self.machine.functions.get(at) else {
            return Ok(None);
        };
        let asker = Asker {
            who: Some(hardware),
            direct_mapped: true,
            room: Room {
                layout: &layout,
                lines: self.machine.lines,
            },
            all: &[],
            yields: None,
        };
        self.ground().judge_owner(&asker, function)?;
        if let Some((line, owner)) = self.foreign_line(function)
            && !function.is_bridge()
        {
            let what = format_args!("names {at}, which interrupts by {line}");
            return Err(AssignError::Owned(taken_by(what, owner)));
        }
        let Some(mut plan) = self.described_function(at) else {
            return Ok(None);
        };
        // Without a line a bridge works all the same, and so does what has none that a domain can have.
        plan.line = plan.line.filter(|line| {
            let owner = self.owners.of_line(line.line);
            judge_line(self.host, &self.machine, line.line).is_ok()
                && owner.is_none_or(|owner| owner == hardware)
        });
        for stream in &plan.streams {
            if let Some(owner) = self
                .owners
                .of_stream(*stream)
                .filter(|owner| *owner != hardware)
            {
                let what = format_args!("names {at}, which its IOMMU knows by {}", stream.id);
                return Err(AssignError::Owned(taken_by(what, owner)));
            }
            let covered = self.machine.streams.get(stream.iommu).copied().flatten();
            if covered.is_some_and(|count| u64::from(stream.id.0) >= count) {
                return Err(AssignError::Range(format!(
                    "names {at}, whose {} is beyond what its IOMMU has",
                    stream.id
                )));
            }
        }
        self.owners.add_function(hardware, &plan);
        if let Some(line) = plan.line {
            self.owners.add_line(hardware, line.line);
        }
        for stream in &plan.streams {
            if self.owners.of_stream(*stream).is_none() {
                self.owners.add_stream(hardware, *stream);
            }
        }
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
        let owner = self.owners.of_line(line)?;
        let foreign = Some(owner) != self.hardware && !fault::on(Fault::HardwareRaisesForeignLine);
        foreign.then_some((line, owner))
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
        self.hardware
            .is_none_or(|hardware| self.owners.other_of_pages(span, hardware).is_some())
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
    pub fn forget_function(&mut self, at: Sbdf) -> Result<Option<FunctionPlan>, AssignError> {
        if self.machine.functions.get(at).is_none() {
            return Err(AssignError::Absent(format!(
                "names {at}, where no function is known"
            )));
        }
        let owner = self.owners.of_function(at);
        if let Some(owner) = owner.filter(|owner| Some(*owner) != self.hardware) {
            return Err(AssignError::Owned(taken_by(
                format_args!("names {at}"),
                owner,
            )));
        }
        let plan = self.described_function(at);
        let mut left = self.machine.functions.clone();
        if let Err(error) = left.remove(at) {
            return Err(AssignError::Owned(format!("names {at}: {error}")));
        }
        if let Some(owner) = owner {
            self.release_function_from(owner, at);
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
        self.owners.of_stream(stream)
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
