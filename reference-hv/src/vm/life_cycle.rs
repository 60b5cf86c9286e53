//! Whether a domain runs: paused, let go on, shut down.

use core::fmt;

use super::{Domain, Hypervisor, Life, State, VcpuRef, console};
use crate::errno::Errno;
use crate::fault::{self, Fault};
use crate::hal::{Arch, Context, Machine, VirtualInterrupts};
use crate::ids::DomainId;

/// The guest switched itself off (xen/include/public/sched.h, SHUTDOWN_poweroff).
pub const POWER_OFF: u8 = 0;
/// The guest asked to begin again (SHUTDOWN_reboot).
pub const REBOOT: u8 = 1;
/// The guest did what no guest may (SHUTDOWN_crash).
pub const CRASH: u8 = 3;

impl<M: Machine> Hypervisor<M> {
    /// Finds a domain that was not destroyed.
    pub(super) fn living(&self, id: DomainId) -> Result<usize, Errno> {
        let place = self.find_domain(id).ok_or(Errno::ESRCH)?;
        let dying = self.domains.get(place).is_none_or(Domain::is_dying);
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
        self.cpu.drop_domain(place);
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
    fn resume_turns(&mut self, domain: usize) {
        let found = self.domains.get_mut(domain);
        let Some(found) = found.filter(|found| found.runs()) else {
            return;
        };
        for ((vcpu, index), at) in found.vcpus.iter_mut().zip(0u32..).zip(0..) {
            // What came meanwhile has woken nobody.
            if vcpu.state == State::Blocked && found.interrupts.pending(index) {
                vcpu.state = State::Ready;
            }
            if vcpu.state == State::Ready {
                self.cpu.scheduler.add(VcpuRef { domain, vcpu: at });
            }
        }
        // Timers of those that stay blocked were not looked at while the domain stood still.
        self.wake_due();
    }

    /// Sets the registers of a virtual CPU.
    ///
    /// # Errors
    /// Refuses a virtual CPU that is not there, and a mode that no guest has.
    pub fn set_context(
        &mut self,
        id: DomainId,
        vcpu: u32,
        context: <M::Arch as Arch>::Context,
    ) -> Result<(), Errno> {
        let domain = self.living(id)?;
        let vcpu = usize::try_from(vcpu).map_err(|_| Errno::EINVAL)?;
        let context = context.confined().ok_or(Errno::EINVAL)?;
        let at = VcpuRef { domain, vcpu };
        if self.cpu.loaded == Some(at) && !self.unload() {
            return Err(Errno::EINVAL);
        }
        let (machine, _, target, _) = self.vcpu_parts(at).ok_or(Errno::EINVAL)?;
        machine.set_context(&mut target.registers, &context);
        let online = context.is_online();
        target.state = if online { State::Ready } else { State::Off };
        self.cpu.scheduler.remove(|other| other == at);
        if online && self.domains.get(domain).is_some_and(Domain::runs) {
            self.cpu.scheduler.add(at);
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
    pub fn stop(&mut self, domain: usize, reason: u8, why: fmt::Arguments<'_>) {
        let found = self.domains.get_mut(domain);
        let Some(found) = found.filter(|found| found.life == Life::Alive) else {
            return;
        };
        found.life = Life::ShutDown(reason);
        self.cpu.drop_domain(domain);
        found.interrupts.release(&mut self.machine);
        console::flush(&mut self.machine, found);
        self.machine.line(format_args!(
            "domain {} ({}) stopped: {why}",
            found.name, found.id
        ));
        if fault::on(Fault::PowerOffReleases) {
            self.resources.release_lines(found.id);
            self.resources.release_devices(found.id);
        }
        if found.privilege.hardware {
            self.machine.off();
        }
        if self.cpu.holds(domain) {
            self.unload();
        }
    }
}
