//! Domains that a control domain makes.

use alloc::format;

use super::domain::Frame;
use super::{Domain, Hypervisor};
use crate::addr::PAGE_SIZE;
use crate::assign::layout::Layout;
use crate::errno::Errno;
use crate::hal::Machine;
use crate::ids::{DomainId, MAX_DOMAINS, MAX_VCPUS, Privilege};
use crate::paging::Tables;

/// What the hypervisor must be able to allocate before it makes a domain, or notes what one gets: more than
/// either takes, so that no allocation on the way can fail.
const ROOM: u64 = 256 * 1024;

/// What a control domain says of a domain that it makes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NewDomain {
    /// How many virtual CPUs it is to have.
    pub cpus: u32,
    /// How many shared lines its interrupt controller has.
    pub shared_lines: u32,
    /// What its maker wants to know it by.
    pub handle: [u8; 16],
}

impl<M: Machine> Hypervisor<M> {
    /// Makes a domain that has nothing yet and is paused: with this number, or with the lowest that is
    /// free, zero aside.
    ///
    /// # Errors
    /// Refuses a number that is in use, more virtual CPUs or lines than there can be, and what there is
    /// no memory, no number or no tag for.
    pub fn create_domain(
        &mut self,
        wanted: Option<DomainId>,
        new: &NewDomain,
    ) -> Result<DomainId, Errno> {
        let guest = self.resources.guest();
        let lines = guest.lines;
        if new.cpus == 0 || new.cpus > MAX_VCPUS || new.shared_lines > lines.most {
            return Err(Errno::EINVAL);
        }
        let id = match wanted {
            Some(id) if self.find_domain(id).is_some() => return Err(Errno::EEXIST),
            Some(id) => id,
            None => self.free_id().ok_or(Errno::ENOMEM)?,
        };
        self.roomy()?;
        let tag = self.vmids.take().ok_or(Errno::ENOMEM)?;
        let frame = Frame {
            id,
            name: format!("{id}"),
            privilege: Privilege::default(),
            layout: Layout::own(guest, false),
            cpus: new.cpus,
            shared_lines: new.shared_lines.next_multiple_of(32).min(lines.most),
        };
        match Domain::bare(&mut self.machine, frame, tag) {
            Ok(mut domain) => {
                domain.handle = new.handle;
                domain.pauses = 1;
                self.domains.put(domain);
                Ok(id)
            }
            Err(_) => {
                self.vmids.give_back(tag);
                Err(Errno::ENOMEM)
            }
        }
    }

    /// Makes sure that there is memory to note what a domain gets.
    ///
    /// # Errors
    /// Says that there is none.
    pub(super) fn roomy(&self) -> Result<(), Errno> {
        if self.machine.free_heap() < ROOM {
            Err(Errno::ENOMEM)
        } else {
            Ok(())
        }
    }

    fn free_id(&self) -> Option<DomainId> {
        let mut all = (1..=MAX_DOMAINS).filter_map(DomainId::new);
        all.find(|id| self.find_domain(*id).is_none())
    }

    /// Makes the virtual CPUs of a domain: as many as were announced when it was created.
    ///
    /// # Errors
    /// Refuses another number.
    pub fn set_vcpus(&mut self, id: DomainId, count: u32) -> Result<(), Errno> {
        let place = self.living(id)?;
        self.roomy()?;
        let (machine, domain, _) = self.parts_of(place)?;
        if count != domain.cpus {
            return Err(Errno::EINVAL);
        }
        if domain.vcpus.is_empty() {
            domain.add_vcpus(machine);
        }
        Ok(())
    }

    /// Sets how much RAM a domain may have. What it has already it keeps.
    ///
    /// # Errors
    /// Refuses a domain that is not there.
    pub fn set_memory_limit(&mut self, id: DomainId, kib: u64) -> Result<(), Errno> {
        let place = self.living(id)?;
        let domain = self.domains.get_mut(place).ok_or(Errno::ESRCH)?;
        domain.memory.max_pages = kib / (PAGE_SIZE / 1024);
        Ok(())
    }

    /// Sets how much memory the tables of a domain may take.
    ///
    /// # Errors
    /// Refuses a part of a page, less than is in use, and more than there is.
    pub fn set_table_pool(&mut self, id: DomainId, bytes: u64) -> Result<(), Errno> {
        let place = self.living(id)?;
        if !bytes.is_multiple_of(PAGE_SIZE) {
            return Err(Errno::EINVAL);
        }
        let all = self.machine.tables().left() + self.resources.free() / PAGE_SIZE;
        let domain = self.domains.get_mut(place).ok_or(Errno::ESRCH)?;
        let frames = bytes / PAGE_SIZE;
        if frames < domain.memory.frames {
            return Err(Errno::EBUSY);
        }
        if frames > domain.memory.frames + all {
            return Err(Errno::ENOMEM);
        }
        domain.memory.frame_limit = frames;
        Ok(())
    }

    /// Tells how much memory the tables of a domain may take; of a domain without a limit, how much they
    /// do.
    ///
    /// # Errors
    /// Refuses a domain that is not there.
    pub fn table_pool(&self, id: DomainId) -> Result<u64, Errno> {
        let domain = self.domains.get(self.living(id)?).ok_or(Errno::ESRCH)?;
        let memory = &domain.memory;
        Ok(match memory.frame_limit {
            u64::MAX => memory.frames * PAGE_SIZE,
            limit => limit * PAGE_SIZE,
        })
    }
}
