//! RAM that a domain gets, gives up, or sees of another domain's.

use alloc::vec::Vec;

use super::memory::{extent, pages};
use super::{Domain, Hypervisor};
use crate::addr::{Ipa, Pa, Span};
use crate::arch::aarch64::inject::Exception;
use crate::arch::aarch64::sysreg::IdRegister;
use crate::assign::Estate;
use crate::carve;
use crate::errno::Errno;
use crate::fault::{self, Fault};
use crate::hal::Machine;
use crate::ids::DomainId;
use crate::paging::Memory;

/// Largest number of pages that is asked for at once, as a power of two: those of a block.
const MAX_ORDER: u32 = 9;

/// Judges guest pages in which something is to be mapped.
///
/// # Errors
/// Refuses what is too wide for a guest, what is imitated, and what is taken.
pub fn vacant<M: Machine>(
    domain: &Domain<M>,
    estate: &Estate<'_>,
    gfn: u64,
    count: u64,
) -> Result<Span<Ipa>, Errno> {
    let guest = pages(gfn, count)?;
    if guest.last() > estate.last() || domain.layout.uses(guest) {
        return Err(Errno::EINVAL);
    }
    if domain.memory.meets(guest) {
        return Err(Errno::EEXIST);
    }
    Ok(guest)
}

impl<M: Machine<Exception = Exception, Identity = IdRegister>> Hypervisor<M> {
    /// Gives a domain 2^`order` pages of cleared RAM from the guest page `gfn` on.
    ///
    /// # Errors
    /// Refuses pages that are taken or cannot be had, and more than the domain may have.
    pub fn populate(&mut self, id: DomainId, gfn: u64, order: u32) -> Result<(), Errno> {
        if order > MAX_ORDER {
            return Err(Errno::EINVAL);
        }
        let count = 1_u64 << order;
        let place = self.living(id)?;
        self.roomy()?;
        // Whatever comes back some day is to find room in the list of what is free.
        let extents: usize = self.domains.iter().map(|(_, d)| d.memory.ram.len()).sum();
        let (machine, domain, estate) = self.parts_of(place)?;
        let guest = vacant(domain, estate, gfn, count)?;
        if domain.pages().saturating_add(count) > domain.memory.max_pages {
            return Err(Errno::ENOMEM);
        }
        if !domain.memory.ram.reserve() || !estate.reserve(extents + 2) {
            return Err(Errno::ENOMEM);
        }
        let near = domain.memory.ram.next(guest.first());
        let block = estate.take(near, count).ok_or(Errno::ENOMEM)?;
        let cleared = block.clean || machine.scrub(block.span);
        let to = block.span.first();
        let mapped = if cleared {
            domain.memory.map(machine, guest, to, Memory::Ram)
        } else {
            Err(Errno::ENOMEM)
        };
        if let Err(error) = mapped {
            estate.give_back(block.span, cleared);
            return Err(error);
        }
        domain.memory.ram.add(extent(guest, to, ()));
        Ok(())
    }

    /// Takes the guest page `gfn` from a domain: RAM of its own, which is cleared and free then, or what it
    /// maps of another domain's.
    ///
    /// # Errors
    /// Refuses a page that is not there, is no RAM, or that another domain maps.
    pub fn unpopulate(&mut self, id: DomainId, gfn: u64) -> Result<(), Errno> {
        let place = self.living(id)?;
        let guest: Span<Ipa> = pages(gfn, 1)?;
        let domain = self.domains.get(place).ok_or(Errno::ESRCH)?;
        if let Some(page) = domain.memory.foreign.page(guest.first()) {
            let (machine, domain, _) = self.parts_of(place)?;
            if !domain.memory.foreign.reserve() {
                return Err(Errno::ENOMEM);
            }
            domain.memory.remove(machine, guest)?;
            domain.memory.foreign.remove(guest);
            self.settle(page.of);
            return Ok(());
        }
        if domain.memory.devices.meets(guest) {
            return Err(Errno::EINVAL);
        }
        let page = domain.memory.ram.page(guest.first()).ok_or(Errno::ENOENT)?;
        let host = page.host().ok_or(Errno::ENOENT)?;
        if !self.lent(id, host).is_empty() {
            return Err(Errno::EBUSY);
        }
        let (machine, domain, estate) = self.parts_of(place)?;
        if !domain.memory.ram.reserve() {
            return Err(Errno::ENOMEM);
        }
        domain.memory.remove(machine, guest)?;
        domain.memory.ram.remove(guest);
        release(machine, estate, host);
        Ok(())
    }

    /// Shows a domain a page of another domain's RAM.
    ///
    /// # Errors
    /// Refuses pages that are taken, and what is no RAM of the other's.
    pub fn map_foreign(
        &mut self,
        into: DomainId,
        gfn: u64,
        from: DomainId,
        foreign_gfn: u64,
    ) -> Result<(), Errno> {
        let place = self.living(into)?;
        let owner = self.living(from)?;
        self.roomy()?;
        if place == owner {
            return Err(Errno::EINVAL);
        }
        let source: Span<Ipa> = pages(foreign_gfn, 1)?;
        let owner = self.domains.get(owner).ok_or(Errno::ESRCH)?;
        let mut page = owner.memory.ram.page(source.first());
        if fault::on(Fault::ForeignDevicePage) {
            page = page.or(owner.memory.devices.page(source.first()));
        }
        let page = page.ok_or(Errno::EINVAL)?;
        let (machine, domain, estate) = self.parts_of(place)?;
        let guest = vacant(domain, estate, gfn, 1)?;
        if !domain.memory.foreign.reserve() {
            return Err(Errno::ENOMEM);
        }
        domain
            .memory
            .map(machine, guest, page.pa, Memory::Foreign)?;
        domain.memory.foreign.add(extent(guest, page.pa, from));
        Ok(())
    }

    /// Returns a domain, with the machine and the record of who owns what beside it.
    ///
    /// # Errors
    /// Refuses a place that no domain has.
    pub(super) fn parts_of(
        &mut self,
        place: usize,
    ) -> Result<(&mut M, &mut Domain<M>, &mut Estate<'static>), Errno> {
        let domain = self.domains.get_mut(place).ok_or(Errno::ESRCH)?;
        Ok((&mut self.machine, domain, &mut self.estate))
    }

    /// Returns what of a domain's RAM others map.
    pub(super) fn lent(&self, owner: DomainId, span: Span<Pa>) -> Vec<Span<Pa>> {
        if fault::on(Fault::LentPagesFreed) {
            return Vec::new();
        }
        let others = self.domains.iter();
        others
            .flat_map(|(_, domain)| domain.memory.foreign.iter())
            .filter(|extent| extent.of == owner)
            .filter_map(|extent| extent.host()?.intersection(span))
            .collect()
    }

    /// Frees what a dying domain had kept only because another mapped it, as far as nobody does any more.
    pub(super) fn settle(&mut self, owner: DomainId) {
        let Some(place) = self.find_domain(owner) else {
            return;
        };
        let Some(domain) = self.domains.get_mut(place).filter(|d| d.is_dying()) else {
            return;
        };
        let held = core::mem::take(&mut domain.lent);
        let mut still = Vec::new();
        for span in held {
            let lent = self.lent(owner, span);
            let free = carve::without(&[span], &lent);
            still.extend(carve::without(&[span], &free));
            for span in free {
                release(&mut self.machine, &mut self.estate, span);
            }
        }
        if let Some(domain) = self.domains.get_mut(place) {
            domain.lent = still;
        }
        self.bury(place);
    }
}

/// Clears RAM and gives it back to where it came from.
pub fn release<M: Machine>(machine: &mut M, estate: &mut Estate<'_>, span: Span<Pa>) {
    let clean = fault::on(Fault::RamNotScrubbed) || machine.scrub(span);
    estate.give_back(span, clean);
}
