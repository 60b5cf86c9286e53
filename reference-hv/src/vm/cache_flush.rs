//! What one domain has written into another's memory, on its way past the caches.

use super::Hypervisor;
use super::address_space::pages;
use crate::addr::{Address, Ipa, PAGE_SIZE, Span};
use crate::errno::Errno;
use crate::hal::Machine;
use crate::ids::DomainId;

/// Pages that one call deals with: 2 MiB.
const PORTION: u64 = 512;

impl<M: Machine> Hypervisor<M> {
    /// Has what caches hold of a domain's RAM reach memory, and forgets instructions fetched from it
    /// before. Returns the guest page to go on with, if there is more than goes at once.
    ///
    /// # Errors
    /// Refuses a domain that is not there, and pages that no address can name.
    pub fn write_back(
        &mut self,
        id: DomainId,
        first: u64,
        count: u64,
    ) -> Result<Option<u64>, Errno> {
        let place = self.living(id)?;
        if count == 0 {
            return Ok(None);
        }
        let wanted: Span<Ipa> = pages(first, count)?;
        let (machine, domain, _) = self.parts_of(place)?;
        let mut left = PORTION;
        let mut next = None;
        for extent in domain.memory.ram.iter() {
            let Some(guest) = extent.guest().and_then(|guest| guest.intersection(wanted)) else {
                continue;
            };
            if left == 0 {
                next = Some(guest.first().raw() / PAGE_SIZE);
                break;
            }
            let now = guest.pages().min(left);
            left -= now;
            let host = extent
                .pa
                .checked_add(guest.first().raw() - extent.ipa.raw())
                .and_then(|pa| Span::of_pages(pa, now))
                .ok_or(Errno::EINVAL)?;
            // All RAM of domains is memory that can be written back.
            let _ = machine.write_back(host);
            if now < guest.pages() {
                next = Some(guest.first().raw() / PAGE_SIZE + now);
                break;
            }
        }
        machine.publish_code();
        Ok(next)
    }
}
