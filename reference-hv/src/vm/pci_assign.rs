//! PCI functions that change hands while the machine runs.

use super::pci_functions::PendingReset;
use super::{Hypervisor, Progress};
use crate::assign::{FunctionPlan, PciAssignment};
use crate::errno::Errno;
use crate::fault::{self, Fault};
use crate::hal::Machine;
use crate::ids::{DomainId, Sbdf, Stream};
use crate::pci::quiesce;

impl<M: Machine> Hypervisor<M> {
    /// Goes on with all functions that are being taken from domains that live on.
    fn settle_functions(&mut self) {
        let pending_resets = self.domains.iter();
        let pending_resets = pending_resets.filter(|(_, domain)| !domain.is_dying());
        let places: alloc::vec::Vec<usize> = pending_resets
            .filter(|(_, domain)| !domain.functions.pending_resets.is_empty())
            .map(|(place, _)| place)
            .collect();
        for place in places {
            self.release_functions(place);
        }
    }

    /// Gives a domain a function that an IOMMU protects.
    ///
    /// # Errors
    /// Refuses a function that is not known, one that is another's or not isolated from another's, and one that no
    /// IOMMU protects; and a domain that has something else where its PCI host bridge is to be.
    pub fn assign_function(&mut self, id: DomainId, at: Sbdf) -> Result<(), Errno> {
        let place = self.living(id)?;
        if !self.has_iommu() && !fault::on(Fault::PciUnprotectedLater) {
            return Err(Errno::EOPNOTSUPP);
        }
        self.roomy()?;
        self.settle_functions();
        let domain = self.domains.get(place).ok_or(Errno::ESRCH)?;
        if domain.privilege.hardware {
            return Err(Errno::EINVAL);
        }
        if domain.layout.bridge.is_none() {
            let mut spans = domain.layout.guest.bridge.spans();
            if spans.any(|span| domain.memory.meets(span) || domain.layout.uses(span)) {
                return Err(Errno::EBUSY);
            }
        }
        let (layout, lines) = (domain.layout, domain.shared_lines);
        let claimed = self.resources.claim_function(id, at, &layout, lines);
        let assignment = claimed.map_err(|error| self.refused(id, "a PCI function", &error))?;
        self.take_from_hardware(&assignment);
        let given = self.hand_over(place, &assignment.plan);
        if given.is_err() {
            self.take_back(place, at);
        }
        given
    }

    /// Takes from the hardware domain what another domain is to have.
    fn take_from_hardware(&mut self, assignment: &PciAssignment) {
        let hardware = self
            .resources
            .hardware()
            .and_then(|id| self.find_domain(id));
        let Some(place) = hardware else {
            return;
        };
        self.unmap_from_hwdom();
        for plan in &assignment.taken {
            self.hide_from_hwdom(place, plan);
        }
        if let Some(line) = assignment.line
            && let Some(domain) = self.domains.get_mut(place)
        {
            domain.end_line(&mut self.machine, line);
        }
    }

    /// Gives a domain a function that was claimed for it.
    fn hand_over(&mut self, place: usize, plan: &FunctionPlan) -> Result<(), Errno> {
        let (machine, domain, _) = self.parts_of(place)?;
        quiesce(machine, &plan.function);
        domain.show(machine, plan)?;
        let (root, tag, id) = (domain.memory.space.root(), domain.memory.tag, domain.id);
        for stream in &plan.streams {
            if !machine.attach(*stream, id, root, tag.iommu_domain()) {
                return Err(Errno::EIO);
            }
        }
        if let Some(line) = plan.line {
            domain.begin_line(machine, line.line, line.trigger)?;
        }
        Ok(())
    }

    /// Takes a function from a domain that has it.
    ///
    /// # Errors
    /// Refuses a function that the domain does not have.
    pub fn deassign_function(&mut self, id: DomainId, at: Sbdf) -> Result<Progress, Errno> {
        let place = self.living(id)?;
        let domain = self.domains.get(place).ok_or(Errno::ESRCH)?;
        let pending_resets = |pending_resets: &PendingReset| pending_resets.plan.function.at == at;
        let mut own = domain.functions.own.iter();
        let known = own.any(|plan| plan.function.at == at);
        if !known && !domain.functions.pending_resets.iter().any(pending_resets) {
            return Err(Errno::ENODEV);
        }
        self.take_back(place, at);
        self.release_functions(place);
        let domain = self.domains.get(place).ok_or(Errno::ESRCH)?;
        if domain.functions.pending_resets.iter().any(pending_resets) {
            return Ok(Progress::Again);
        }
        Ok(Progress::Done)
    }

    /// Begins to take a function from a domain: it is off, and reaches no memory, when this returns.
    fn take_back(&mut self, place: usize, at: Sbdf) {
        let Ok((machine, domain, resources)) = self.parts_of(place) else {
            return;
        };
        let plan = domain
            .functions
            .own
            .iter()
            .find(|plan| plan.function.at == at)
            .cloned();
        let Some(plan) = plan else {
            return;
        };
        domain.detach_function(machine, at, resources.may_reset_with(at, &[at]));
        let own = &domain.functions.own;
        let is_shared = |stream: &Stream| own.iter().any(|other| other.streams.contains(stream));
        for stream in plan.streams.iter().filter(|stream| !is_shared(stream)) {
            machine.detach(*stream);
        }
        let line = plan.line.map(|line| line.line);
        let shared = own
            .iter()
            .any(|other| other.line.map(|line| line.line) == line);
        if let Some(line) = line.filter(|_| !shared) {
            domain.end_line(machine, line);
        }
    }

    /// Goes on with the functions that are being taken from a domain; returns whether nothing is left to do.
    pub(super) fn release_functions(&mut self, place: usize) -> bool {
        let Ok((machine, domain, resources)) = self.parts_of(place) else {
            return true;
        };
        let done = domain.advance_resets(machine, resources.functions());
        let (id, rest) = (domain.id, domain.functions.pending_resets.len());
        for plan in done {
            let kept = plan.streams.is_empty() && fault::on(Fault::PciUnprotectedKept);
            if !kept && !fault::on(Fault::FunctionOwnerKept) {
                self.resources.release_function(id, &plan);
            }
            self.give_to_hardware(plan.function.at);
        }
        rest == 0
    }

    /// Gives the hardware domain back what it has found once, when nobody else has a part of it any more.
    fn give_to_hardware(&mut self, at: Sbdf) {
        let hardware = self
            .resources
            .hardware()
            .and_then(|id| self.find_domain(id));
        let Some(place) = hardware else {
            return;
        };
        for plan in self.resources.return_to_hardware(at) {
            self.attach_to_hwdom(place, &plan);
        }
    }

    /// Tells whether a function could be given to a domain.
    ///
    /// # Errors
    /// Refuses a function that is not known, is a domain's, or that no IOMMU protects.
    pub fn test_function(&mut self, at: Sbdf) -> Result<(), Errno> {
        if !self.has_iommu() {
            return Err(Errno::EOPNOTSUPP);
        }
        self.settle_functions();
        let free = self.resources.test_function(at);
        free.map_err(|error| match error.errno() {
            // Whether it is known and free is the question here, so that is no other answer (and Xen's).
            Errno::EBUSY | Errno::ENODEV => Errno::EINVAL,
            other => other,
        })
    }
}
