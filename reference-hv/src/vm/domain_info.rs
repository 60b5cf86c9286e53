//! What a control domain is told about domains.

use super::{Domain, Hypervisor, Life, State, VcpuRef};
use crate::addr::{Ipa, PAGE_SIZE, Pa};
use crate::errno::Errno;
use crate::hal::Machine;
use crate::ids::{DomainId, Privilege};
use crate::paging::{Memory, Tables};

/// What is known of a domain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DomainInfo {
    /// Its number.
    pub id: DomainId,
    /// Whether it was destroyed, and something of it is left.
    pub dying: bool,
    /// Why it has ended by itself, as Xen numbers that.
    pub shutdown: Option<u8>,
    /// Whether it is paused.
    pub paused: bool,
    /// Whether it waits for interrupts.
    pub blocked: bool,
    /// Whether it runs, or waits for its turn.
    pub running: bool,
    /// How many pages of RAM it has.
    pub pages: u64,
    /// How many it may have.
    pub max_pages: u64,
    /// How many of its virtual CPUs are switched on.
    pub online: u32,
    /// The highest number of its virtual CPUs.
    pub max_vcpu: Option<u32>,
    /// What whoever made it wants to know it by.
    pub handle: [u8; 16],
    /// What it may do.
    pub privilege: Privilege,
}

impl DomainInfo {
    fn of<M: Machine>(domain: &Domain<M>) -> Self {
        let count = |state| {
            let all = domain.vcpus.iter().filter(|vcpu| vcpu.state == state);
            u32::try_from(all.count()).unwrap_or(u32::MAX)
        };
        let (ready, blocked) = (count(State::Ready), count(State::Blocked));
        let vcpus = u32::try_from(domain.vcpus.len()).unwrap_or(u32::MAX);
        Self {
            id: domain.id,
            dying: domain.is_dying(),
            shutdown: match domain.life {
                Life::ShutDown(reason) => Some(reason),
                Life::Alive | Life::Dying(_) => None,
            },
            paused: domain.pauses > 0,
            blocked: ready == 0 && blocked > 0,
            running: ready > 0 && domain.runs(),
            pages: domain.pages(),
            max_pages: domain.memory.max_pages,
            online: ready + blocked,
            max_vcpu: vcpus.checked_sub(1),
            handle: domain.handle,
            privilege: domain.privilege,
        }
    }
}

impl<M: Machine> Hypervisor<M> {
    /// Tells what is known of a domain.
    ///
    /// # Errors
    /// Refuses a domain that is not there.
    pub fn info(&self, id: DomainId) -> Result<DomainInfo, Errno> {
        let place = self.find_domain(id).ok_or(Errno::ESRCH)?;
        let domain = self.domains.get(place).ok_or(Errno::ESRCH)?;
        Ok(DomainInfo::of(domain))
    }

    /// Tells what is known of every domain from this number on, lowest first.
    pub fn infos_from(&self, first: DomainId) -> impl Iterator<Item = DomainInfo> {
        let mut next = Some(first);
        core::iter::from_fn(move || {
            let from = next?;
            let all = self.domains.iter().map(|(_, domain)| domain);
            let found = all
                .filter(|domain| domain.id >= from)
                .min_by_key(|domain| domain.id)?;
            next = DomainId::new(found.id.number() + 1);
            Some(DomainInfo::of(found))
        })
    }

    /// Returns the number of the domain that a virtual CPU belongs to.
    pub fn id_of(&self, place: VcpuRef) -> DomainId {
        // Who asks was found at its place just now.
        let domain = self.domains.get(place.domain);
        domain.map_or(DomainId::HARDWARE, |domain| domain.id)
    }

    /// Returns what the domain of a virtual CPU may do.
    pub fn privilege(&self, place: VcpuRef) -> Privilege {
        let domain = self.domains.get(place.domain);
        domain.map_or(Privilege::default(), |domain| domain.privilege)
    }

    /// Finds the RAM, its own or another domain's, that a guest sees at an address, and tells how many
    /// bytes of its page lie there and behind; `None` where there is none.
    pub fn guest_ram(&mut self, place: VcpuRef, at: Ipa) -> Option<(Pa, u64)> {
        let (machine, domain, _) = self.parts_of(place.domain).ok()?;
        let there = domain.memory.space.walk(machine.tables(), at)?;
        match there.attributes {
            Memory::Ram | Memory::Foreign => Some((there.to, PAGE_SIZE - at.raw() % PAGE_SIZE)),
            Memory::Device => None,
        }
    }

    /// Returns how many pages are left: RAM for domains, frames for tables, and what the hypervisor itself
    /// can allocate. Whatever leaks shows here.
    pub fn free_pages(&mut self) -> u64 {
        let tables = self.machine.tables().left();
        (self.resources.free() + self.machine.free_heap()) / PAGE_SIZE + tables
    }

    /// Returns how many pages of RAM the machine has.
    pub fn total_pages(&self) -> u64 {
        self.resources.ram() / PAGE_SIZE
    }
}
