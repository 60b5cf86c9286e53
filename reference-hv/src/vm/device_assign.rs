//! Devices that a domain gets and gives up while the machine runs.
//!
//! Pages and lines go through the same proof as those of the trees ([`crate::assign::ResourceTable`]); what is judged
//! here is the guest's side.

use super::address_space::pages;
use super::ram::vacant;
use super::{Domain, Hypervisor};
use crate::addr::{Address, Ipa, PAGE_SIZE, Pa, Span};
use crate::assign::AssignError;
use crate::errno::Errno;
use crate::hal::Machine;
use crate::ids::{DomainId, IrqLine, Stream};

/// Most device pages that are mapped at once (Xen's limit too).
const MOST: u64 = 64;

impl<M: Machine> Hypervisor<M> {
    /// Says on the console why a domain is not given something, and returns that for the guest.
    pub(super) fn refused(&mut self, id: DomainId, what: &str, error: &AssignError<'_>) -> Errno {
        self.machine
            .line(format_args!("{id} is not given {what}: {error}"));
        error.errno()
    }

    /// Lets a domain have pages of devices, or takes them from it.
    ///
    /// # Errors
    /// Refuses pages that may not be given, or that another has; and to take those that are mapped.
    pub fn permit_pages(
        &mut self,
        id: DomainId,
        mfn: u64,
        count: u64,
        allow: bool,
    ) -> Result<(), Errno> {
        let place = self.living(id)?;
        let span: Span<Pa> = pages(mfn, count)?;
        if allow {
            self.roomy()?;
            let claimed = self.resources.claim_pages(id, span);
            return claimed.map_err(|error| self.refused(id, "a device", &error));
        }
        let domain = self.domains.get(place).ok_or(Errno::ESRCH)?;
        let mut mapped = domain.memory.devices.iter();
        if mapped.any(|extent| extent.host().is_some_and(|host| host.overlaps(span))) {
            return Err(Errno::EBUSY);
        }
        self.resources.release_pages(id, span);
        Ok(())
    }

    /// Maps pages of devices that a domain may have, or takes them out of its address space.
    ///
    /// # Errors
    /// Refuses pages that the domain may not have, guest pages that are taken, and to take out what is not
    /// mapped like this.
    pub fn map_pages(
        &mut self,
        id: DomainId,
        gfn: u64,
        mfn: u64,
        count: u64,
        add: bool,
    ) -> Result<(), Errno> {
        let place = self.living(id)?;
        let host: Span<Pa> = pages(mfn, count)?;
        let guest: Span<Ipa> = pages(gfn, count)?;
        if count > MOST {
            return Err(Errno::E2BIG);
        }
        if add {
            self.roomy()?;
        }
        let permitted = self.resources.has_pages(id, host);
        permitted.map_err(|error| self.refused(id, "a device", &error))?;
        let (machine, domain, resources) = self.parts_of(place)?;
        if !domain.memory.devices.reserve() {
            return Err(Errno::ENOMEM);
        }
        if add {
            // RAM is not a place for devices, whether or not something of it is there.
            if domain.memory.ram.meets(guest) {
                return Err(Errno::EINVAL);
            }
            let guest = vacant(domain, resources, gfn, count)?;
            return domain.memory.map_device(machine, guest, host.first());
        }
        if !is_mapped(domain, guest, host) {
            return Err(Errno::EINVAL);
        }
        domain.memory.remove(machine, guest)?;
        domain.memory.devices.remove(guest);
        Ok(())
    }

    /// Gives a domain the line with this number, under the same number.
    ///
    /// # Errors
    /// Refuses a line of no device that the domain has, one that another has, and one that the domain's
    /// interrupt controller lacks or emulates.
    pub fn bind_line(&mut self, id: DomainId, line: IrqLine) -> Result<(), Errno> {
        let place = self.living(id)?;
        let domain = self.domains.get(place).ok_or(Errno::ESRCH)?;
        let index = domain.layout.guest.lines.index(line);
        let reached = index.is_some_and(|index| index < domain.shared_lines);
        if domain.emulated.uart_line() == Some(line) || !reached {
            return Err(Errno::EINVAL);
        }
        if domain.lines.contains(&line) {
            return Ok(());
        }
        self.roomy()?;
        let claimed = self.resources.claim_line(id, line);
        let trigger = claimed.map_err(|error| self.refused(id, "a device", &error))?;
        let (machine, domain, resources) = self.parts_of(place)?;
        let begun = domain.begin_line(machine, line, trigger);
        if begun.is_err() {
            resources.release_line(id, line);
        }
        begun
    }

    /// Takes a line from a domain that does not run.
    ///
    /// # Errors
    /// Refuses a line that the domain does not have, and a domain that runs.
    pub fn unbind_line(&mut self, id: DomainId, line: IrqLine) -> Result<(), Errno> {
        let place = self.living(id)?;
        let (machine, domain, resources) = self.parts_of(place)?;
        if !domain.lines.contains(&line) {
            return Err(Errno::EINVAL);
        }
        if domain.runs() {
            return Err(Errno::EBUSY);
        }
        domain.end_line(machine, line);
        resources.release_line(id, line);
        Ok(())
    }

    /// Tells whether there is an IOMMU that works.
    pub fn has_iommu(&self) -> bool {
        self.resources.has_iommu()
    }

    /// Has what the protected device with this path does by itself go to a domain's memory, and to nothing else.
    ///
    /// # Errors
    /// Refuses what is no protected device, may not be given, or is another's.
    pub fn assign_device(&mut self, id: DomainId, path: &str) -> Result<(), Errno> {
        let place = self.living(id)?;
        let claimed = self.resources.claim_streams(id, path);
        let streams = claimed.map_err(|error| self.refused(id, "a device", &error))?;
        let domain = self.domains.get(place).ok_or(Errno::ESRCH)?;
        let (root, tag) = (domain.memory.space.root(), domain.memory.tag);
        let attach = |stream: &Stream| self.machine.attach(*stream, id, root, tag.iommu_domain());
        if streams.iter().all(attach) {
            return Ok(());
        }
        for stream in streams {
            self.machine.detach(*stream);
        }
        // They were claimed just now.
        let _ = self.resources.release_streams(id, path);
        Err(Errno::EIO)
    }

    /// Tells whether the protected device with this path could be assigned.
    ///
    /// # Errors
    /// Refuses what is no protected device, may not be given, or is somebody's.
    pub fn test_assign(&mut self, path: &str) -> Result<(), Errno> {
        let free = self.resources.is_free(path);
        free.map_err(|error| match error.errno() {
            // Whether it is taken is the question here, so that is no other answer (and Xen's).
            Errno::EBUSY => Errno::EINVAL,
            other => other,
        })
    }

    /// Has the protected device with this path, which a domain has, reach no memory any more.
    ///
    /// # Errors
    /// Refuses what is no protected device, and one that the domain does not have.
    pub fn deassign_device(&mut self, id: DomainId, path: &str) -> Result<(), Errno> {
        self.living(id)?;
        let waived = self.resources.release_streams(id, path);
        for stream in waived.map_err(|error| self.refused(id, "a device", &error))? {
            self.machine.detach(*stream);
        }
        Ok(())
    }
}

/// Tells whether exactly these host pages are mapped in these guest pages.
fn is_mapped<M: Machine>(domain: &Domain<M>, guest: Span<Ipa>, host: Span<Pa>) -> bool {
    (0..guest.pages()).all(|nth| {
        let at = guest.first().checked_add(nth * PAGE_SIZE);
        let page = at.and_then(|at| domain.memory.devices.page(at));
        page.is_some_and(|page| Some(page.pa) == host.first().checked_add(nth * PAGE_SIZE))
    })
}
