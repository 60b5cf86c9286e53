//! The end of a domain: what it had is free for others, in an order in which nobody ever reaches what
//! is not his.
//!
//! 1. Its virtual CPUs get no turn any more, and none is on the CPU.
//! 2. Its lines are off, not pending, not active, and without a route.
//! 3. Its devices reach no memory any more, and nothing of what they did is on its way. Its PCI functions are off, and
//!    are reset; they are its own until that is done.
//! 4. No CPU remembers a translation of its address space, and the tables go.
//! 5. What it mapped of others' RAM is let go of; so is the right to devices.
//! 6. Its RAM is cleared, and goes back to where it came from.
//! 7. Its number is free.
//!
//! A call does a bounded part of that, so that others get their turn in between.

use super::domain::TeardownStage;
use super::page_bitmap::PORTION;
use super::ram::release;
use super::{Hypervisor, Life, console};
use crate::errno::Errno;
use crate::fault::{self, Fault};
use crate::hal::Machine;
use crate::ids::DomainId;

/// How far a call came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// All is done.
    Done,
    /// There is more to do.
    Again,
}

impl<M: Machine> Hypervisor<M> {
    /// Destroys a domain, or goes on with that.
    ///
    /// # Errors
    /// Refuses a domain that is not there, and the one that has the hardware: its devices would go on reading
    /// and writing what was its memory, and no IOMMU stops them.
    pub fn destroy(&mut self, id: DomainId) -> Result<Progress, Errno> {
        let place = self.find_domain(id).ok_or(Errno::ESRCH)?;
        let domain = self.domains.get(place);
        let kept = domain.is_some_and(|domain| domain.privilege.hardware);
        if kept && !fault::on(Fault::HardwareDestroyed) {
            return Err(Errno::EPERM);
        }
        let mut left = PORTION;
        loop {
            let life = self.domains.get(place).map(|domain| domain.life);
            match life {
                None | Some(Life::Dying(TeardownStage::ForeignMapped)) => {
                    return Ok(Progress::Done);
                }
                Some(Life::Dying(_)) if left == 0 => return Ok(Progress::Again),
                Some(Life::Dying(TeardownStage::Functions)) => {
                    if !self.release_functions(place) {
                        return Ok(Progress::Again);
                    }
                    if let Some(domain) = self.domains.get_mut(place) {
                        domain.life = Life::Dying(TeardownStage::Tables);
                    }
                }
                Some(Life::Dying(TeardownStage::Tables)) => self.give_tables_back(place, &mut left),
                Some(Life::Dying(TeardownStage::Foreign)) => self.drop_foreign(place, &mut left),
                Some(Life::Dying(TeardownStage::Ram)) => self.give_ram_back(place, &mut left),
                Some(Life::Alive | Life::ShutDown(_)) => self.begin_destroy(place),
            }
        }
    }

    /// Has a domain cease to run and to be reached: steps 1 to 3, and of 4 what makes it final.
    fn begin_destroy(&mut self, place: usize) {
        if fault::on(Fault::DestroyedRuns) {
            if let Some(domain) = self.domains.get_mut(place) {
                domain.life = Life::Dying(TeardownStage::ForeignMapped);
            }
            return;
        }
        self.cpu.drop_domain(place);
        if self.cpu.holds(place) {
            self.unload();
        }
        let Self {
            machine,
            domains,
            resources,
            vmids,
            ..
        } = self;
        let Some(domain) = domains.get_mut(place) else {
            return;
        };
        domain.life = Life::Dying(TeardownStage::Functions);
        domain.end_lines(machine);
        resources.release_lines(domain.id);
        console::flush(machine, domain);
        if !fault::on(Fault::ReleaseForgotten) && !fault::on(Fault::ReleaseLate) {
            machine.release(domain.memory.tag.iommu_domain());
        }
        if !fault::on(Fault::PciOffLate) {
            domain.detach_all_functions(machine, resources);
        }
        // No virtual CPU brings the tables back into use, so what is dropped now stays away.
        machine.retire(domain.memory.space.root(), domain.memory.tag);
        if !fault::on(Fault::TagLost) {
            vmids.give_back(domain.memory.tag);
        }
        resources.release_devices(domain.id);
    }

    fn give_tables_back(&mut self, place: usize, left: &mut u64) {
        let Self {
            machine, domains, ..
        } = self;
        let Some(domain) = domains.get_mut(place) else {
            return;
        };
        if fault::on(Fault::TablesLost) || domain.memory.empty(machine, left) {
            domain.life = Life::Dying(TeardownStage::Foreign);
        }
    }

    /// Lets go of what the domain mapped of others' RAM.
    fn drop_foreign(&mut self, place: usize, left: &mut u64) {
        let Some(domain) = self.domains.get_mut(place) else {
            return;
        };
        match domain.memory.foreign.pop(*left) {
            Some(extent) => {
                *left -= extent.pages;
                if !fault::on(Fault::DeadLookerHolds) {
                    let gone = extent.host();
                    gone.into_iter()
                        .for_each(|gone| self.settle(extent.of, gone));
                }
            }
            None => domain.life = Life::Dying(TeardownStage::Ram),
        }
    }

    fn give_ram_back(&mut self, place: usize, left: &mut u64) {
        let Some(domain) = self.domains.get_mut(place) else {
            return;
        };
        let id = domain.id;
        let Some(extent) = domain.memory.ram.pop(*left) else {
            domain.life = Life::Dying(TeardownStage::ForeignMapped);
            self.free_domain(place);
            return;
        };
        *left -= extent.pages;
        let Some(span) = extent.host() else {
            return;
        };
        // What others map stays, and nothing is noted of it: what they map tells.
        let foreign_mapped = self.foreign_mapped(id, span);
        for span in foreign_mapped.rest() {
            release(&mut self.machine, &mut self.resources, span);
        }
        if let Some(domain) = self.domains.get_mut(place) {
            domain.foreign_mapped += foreign_mapped.count();
        }
    }

    /// Forgets a domain that has nothing any more.
    pub(super) fn free_domain(&mut self, place: usize) {
        let done = |domain: &super::Domain<M>| {
            domain.life == Life::Dying(TeardownStage::ForeignMapped) && domain.foreign_mapped == 0
        };
        if !self.domains.get(place).is_some_and(done) {
            return;
        }
        if let Some(mut domain) = self.domains.take(place) {
            if fault::on(Fault::PciOffLate) {
                domain.detach_all_functions(&mut self.machine, &self.resources);
            }
            if fault::on(Fault::ReleaseLate) {
                self.machine.release(domain.memory.tag.iommu_domain());
            }
            if !fault::on(Fault::TablesLost) {
                domain.memory.space.release(self.machine.tables());
            }
            self.machine.line(format_args!(
                "domain {} ({}) is gone",
                domain.name, domain.id
            ));
        }
    }
}
