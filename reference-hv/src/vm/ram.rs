//! RAM that a domain gets, gives up, or sees of another domain's.

use super::address_space::{extent, pages};
use super::page_bitmap::PageBitmap;
use super::{Domain, Hypervisor};
use crate::addr::{Ipa, Pa, Span};
use crate::assign::ResourceTable;
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
/// Refuses what is too wide for a guest, what is emulated, and what is taken.
pub fn vacant<M: Machine>(
    domain: &Domain<M>,
    resources: &ResourceTable<'_>,
    gfn: u64,
    count: u64,
) -> Result<Span<Ipa>, Errno> {
    let guest = pages(gfn, count)?;
    if guest.last() > resources.last() || domain.layout.uses(guest) {
        return Err(Errno::EINVAL);
    }
    if domain.memory.meets(guest) {
        return Err(Errno::EEXIST);
    }
    Ok(guest)
}

impl<M: Machine> Hypervisor<M> {
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
        let ranges = self.ranges();
        let (machine, domain, resources) = self.parts_of(place)?;
        let guest = vacant(domain, resources, gfn, count)?;
        if domain.pages().saturating_add(count) > domain.memory.max_pages {
            return Err(Errno::ENOMEM);
        }
        if !domain.memory.ram.reserve() || !resources.reserve(ranges + 2) {
            return Err(Errno::ENOMEM);
        }
        let near = domain.memory.ram.next(guest.first());
        let block = resources.take(near, count).ok_or(Errno::ENOMEM)?;
        let cleared = block.clean || machine.scrub(block.span);
        let to = block.span.first();
        let mapped = if cleared {
            domain.memory.map(machine, guest, to, Memory::Ram)
        } else {
            Err(Errno::ENOMEM)
        };
        if let Err(error) = mapped {
            resources.give_back(block.span, cleared);
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
            let gone = page.host();
            gone.into_iter().for_each(|gone| self.settle(page.of, gone));
            return Ok(());
        }
        if domain.memory.devices.meets(guest) {
            return Err(Errno::EINVAL);
        }
        let page = domain.memory.ram.page(guest.first()).ok_or(Errno::ENOENT)?;
        let host = page.host().ok_or(Errno::ENOENT)?;
        if self.foreign_mapped(id, host).count() != 0 {
            return Err(Errno::EBUSY);
        }
        let (machine, domain, resources) = self.parts_of(place)?;
        if !domain.memory.ram.reserve() {
            return Err(Errno::ENOMEM);
        }
        domain.memory.remove(machine, guest)?;
        domain.memory.ram.remove(guest);
        release(machine, resources, host);
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
        let ranges = self.ranges();
        let (machine, domain, resources) = self.parts_of(place)?;
        let guest = vacant(domain, resources, gfn, 1)?;
        if !domain.memory.foreign.reserve() || !resources.reserve(ranges + 2) {
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
    ) -> Result<(&mut M, &mut Domain<M>, &mut ResourceTable<'static>), Errno> {
        let domain = self.domains.get_mut(place).ok_or(Errno::ESRCH)?;
        Ok((&mut self.machine, domain, &mut self.resources))
    }

    /// Finds out what of a domain's RAM others map, of a range of at most [`super::page_bitmap::PORTION`] pages.
    pub(super) fn foreign_mapped(&self, owner: DomainId, span: Span<Pa>) -> PageBitmap {
        let mut foreign_mapped = PageBitmap::new(span);
        if fault::on(Fault::LentPagesFreed) {
            return foreign_mapped;
        }
        let others = self.domains.iter();
        let foreign = others.flat_map(|(_, domain)| domain.memory.foreign.iter());
        foreign
            .filter(|extent| extent.of == owner)
            .filter_map(|extent| extent.host())
            .for_each(|host| foreign_mapped.keep(host));
        foreign_mapped
    }

    /// Frees what a dying domain had kept only because another mapped it: `gone` is what that one maps no more, at
    /// most [`super::page_bitmap::PORTION`] pages.
    pub(super) fn settle(&mut self, owner: DomainId, gone: Span<Pa>) {
        let Some(place) = self.find_domain(owner) else {
            return;
        };
        let mut still = self.foreign_mapped(owner, gone);
        let Some(domain) = self.domains.get_mut(place) else {
            return;
        };
        if !domain.is_dying() || domain.foreign_mapped == 0 {
            return self.free_domain(place);
        }
        // What it has not come to give back yet goes with the rest.
        let own = domain.memory.ram.iter();
        own.filter_map(|extent| extent.host())
            .for_each(|host| still.keep(host));
        for span in still.rest() {
            domain.foreign_mapped = domain.foreign_mapped.saturating_sub(span.pages());
            if fault::on(Fault::LentNotScrubbed) {
                self.resources.give_back(span, true);
            } else {
                release(&mut self.machine, &mut self.resources, span);
            }
        }
        self.free_domain(place);
    }

    /// Returns how many ranges of RAM may come back one day at the most: each that a domain has, and one more for each
    /// that another maps of it, which stays behind and parts what comes back.
    fn ranges(&self) -> usize {
        let domains = self.domains.iter();
        let counts =
            domains.map(|(_, domain)| domain.memory.ram.len() + domain.memory.foreign.len());
        counts.sum()
    }
}

/// Clears RAM and gives it back to where it came from.
pub fn release<M: Machine>(machine: &mut M, resources: &mut ResourceTable<'_>, span: Span<Pa>) {
    let clean = fault::on(Fault::RamNotScrubbed) || machine.scrub(span);
    resources.give_back(span, clean);
}
