//! Whether a domain runs: paused, let go on, shut down.

use core::fmt;

use super::{Hypervisor, Life, State, VcpuRef, console};
use crate::errno::Errno;
use crate::fault::{self, Fault};
use crate::hal::{Context, Machine};
use crate::ids::DomainId;

/// The guest switched itself off (xen/include/public/sched.h, SHUTDOWN_poweroff).
pub const POWER_OFF: u8 = 0;
/// The guest asked to begin again (SHUTDOWN_reboot).
pub const REBOOT: u8 = 1;
/// The guest did what no guest may (SHUTDOWN_crash).
pub const CRASH: u8 = 3;

/// PSTATE of a 64-bit guest: flags, masks, and the exception level.
const PSTATE: u64 = 0xf << 28 | 0xf << 6 | 0xf;
/// `M[4]`: the guest is of 32 bits.
const NARROW: u64 = 1 << 4;
/// `M[3:0]` of EL0t, EL1t and EL1h.
const LEVELS: [u64; 3] = [0, 4, 5];

impl<M: Machine> Hypervisor<M> {
    /// Finds a domain that was not destroyed.
    pub(super) fn living(&self, id: DomainId) -> Result<usize, Errno> {
        let place = self.find_domain(id).ok_or(Errno::ESRCH)?;
        let dying = self.domains.get(place).is_none_or(super::Domain::is_dying);
        if dying { Err(Errno::EINVAL) } else { Ok(place) }
    }

    /// Finds a domain.
    pub(super) fn find_domain(&self, id: DomainId) -> Option<usize> {
        let mut all = self.domains.iter();
        all.find(|(_, domain)| domain.id == id)
            .map(|(place, _)| place)
    }

    /// Has a domain stand still until it is let go on as often.
    ///
    /// # Errors
    /// Refuses a domain that is not there, and more pauses than are counted.
    pub fn pause(&mut self, id: DomainId) -> Result<(), Errno> {
        let place = self.living(id)?;
        let domain = self.domains.get_mut(place).ok_or(Errno::ESRCH)?;
        domain.pauses = domain.pauses.checked_add(1).ok_or(Errno::EOVERFLOW)?;
        self.scheduler.remove(|other| other.domain == place);
        Ok(())
    }

    /// Lets a domain go on that was paused, once that was done as often as it was paused.
    ///
    /// # Errors
    /// Refuses a domain that is not there, is not paused, or has no virtual CPUs yet.
    pub fn unpause(&mut self, id: DomainId) -> Result<(), Errno> {
        let place = self.living(id)?;
        let domain = self.domains.get_mut(place).ok_or(Errno::ESRCH)?;
        if domain.vcpus.is_empty() {
            return Err(Errno::EINVAL);
        }
        domain.pauses = domain.pauses.checked_sub(1).ok_or(Errno::EINVAL)?;
        self.resume_turns(place);
        Ok(())
    }

    /// Gives turns to what is ready of a domain that runs.
    fn resume_turns(&mut self, place: usize) {
        let Self {
            domains, scheduler, ..
        } = self;
        let Some(domain) = domains.get_mut(place).filter(|domain| domain.runs()) else {
            return;
        };
        for (index, vcpu) in domain.vcpus.iter_mut().enumerate() {
            // What came meanwhile has woken nobody.
            let waits = u32::try_from(index).is_ok_and(|index| domain.vgic.pending(index));
            if vcpu.state == State::Blocked && waits {
                vcpu.state = State::Ready;
            }
            if vcpu.state == State::Ready {
                scheduler.add(VcpuRef {
                    domain: place,
                    vcpu: index,
                });
            }
        }
        // Timers of those that stay blocked were not looked at while the domain stood still.
        self.wake_due();
    }

    /// Sets the registers of a virtual CPU.
    ///
    /// # Errors
    /// Refuses a virtual CPU that is not there, and an exception level that no guest has.
    pub fn set_context(&mut self, id: DomainId, vcpu: u32, context: &Context) -> Result<(), Errno> {
        let domain = self.living(id)?;
        let vcpu = usize::try_from(vcpu).map_err(|_| Errno::EINVAL)?;
        let level = context.pstate & 0xf;
        let possible = LEVELS.contains(&level) || fault::on(Fault::LevelUnchecked);
        if context.pstate & NARROW != 0 || !possible {
            return Err(Errno::EINVAL);
        }
        let place = VcpuRef { domain, vcpu };
        if self.loaded == Some(place) && !self.unload() {
            return Err(Errno::EINVAL);
        }
        let Self {
            machine,
            domains,
            scheduler,
            ..
        } = self;
        let owner = domains.get_mut(domain).ok_or(Errno::ESRCH)?;
        let target = owner.vcpus.get_mut(vcpu).ok_or(Errno::EINVAL)?;
        let context = Context {
            pstate: context.pstate & PSTATE,
            ..*context
        };
        machine.set_context(&mut target.registers, &context);
        target.state = if context.online {
            State::Ready
        } else {
            State::Off
        };
        scheduler.remove(|other| other == place);
        if context.online && owner.runs() {
            scheduler.add(place);
        }
        Ok(())
    }

    /// Ends a domain, its own guest's wish or another's; it keeps what it has.
    ///
    /// # Errors
    /// Refuses a domain that is not there.
    pub fn shut_down(&mut self, id: DomainId, reason: u8) -> Result<(), Errno> {
        let place = self.living(id)?;
        self.stop(
            place,
            reason,
            format_args!("shut down by hypercall, reason {reason}"),
        );
        Ok(())
    }

    /// Stops a domain: nothing of it runs any more, and its lines are quiet. What it has stays its own.
    pub(super) fn stop(&mut self, domain: usize, reason: u8, why: fmt::Arguments<'_>) {
        let Self {
            machine,
            domains,
            scheduler,
            ..
        } = self;
        let Some(found) = domains
            .get_mut(domain)
            .filter(|found| found.life == Life::Alive)
        else {
            return;
        };
        found.life = Life::ShutDown(reason);
        scheduler.remove(|place| place.domain == domain);
        found.vgic.release(machine);
        console::flush(machine, found);
        machine.line(format_args!(
            "domain {} ({}) stopped: {why}",
            found.name, found.id
        ));
        if fault::on(Fault::PowerOffReleases) {
            self.resources.release_lines(found.id);
            self.resources.release_devices(found.id);
        }
        if found.privilege.hardware {
            machine.off();
        }
        if self.loaded.is_some_and(|place| place.domain == domain) {
            self.unload();
        }
    }
}
