//! Virtual CPUs on and off.

use super::life_cycle::POWER_OFF;
use super::{Hypervisor, State, VcpuRef};
use crate::addr::Ipa;
use crate::hal::{Machine, VirtualInterrupts};
use crate::paging::Memory;

/// Why a virtual CPU is not switched on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StartError {
    /// There is no such virtual CPU.
    Absent,
    /// It is on.
    Running,
    /// No RAM is where it is to start.
    Entry,
}

impl<M: Machine> Hypervisor<M> {
    /// Switches a virtual CPU off, and its domain with the last.
    pub fn stop_vcpu(&mut self, at: VcpuRef) {
        self.cpu.scheduler.remove(|other| other == at);
        let Some(domain) = self.domains.get_mut(at.domain) else {
            return;
        };
        if let Some(vcpu) = domain.vcpus.get_mut(at.vcpu) {
            vcpu.state = State::Off;
        }
        if domain.vcpus.iter().all(|vcpu| vcpu.state == State::Off) {
            let why = format_args!("switched its last CPU off");
            self.stop(at.domain, POWER_OFF, why);
        }
    }

    /// Switches a virtual CPU on, with `argument` in the register of its first argument.
    ///
    /// # Errors
    /// Says why not.
    pub fn start_vcpu(&mut self, at: VcpuRef, entry: Ipa, argument: u64) -> Result<(), StartError> {
        if self.vcpu_state(at).ok_or(StartError::Absent)? != State::Off {
            return Err(StartError::Running);
        }
        let (machine, domain, _) = self.parts_of(at.domain).map_err(|_| StartError::Absent)?;
        let there = domain.memory.space.walk(machine.tables(), entry);
        if there.is_none_or(|there| there.attributes != Memory::Ram) {
            return Err(StartError::Entry);
        }
        // A CPU that switched itself off may be the one whose registers are still loaded.
        if self.cpu.loaded == Some(at) && !self.unload() {
            return Err(StartError::Absent);
        }
        let (machine, interrupts, vcpu, index) = self.vcpu_parts(at).ok_or(StartError::Absent)?;
        machine.reset(&mut vcpu.registers, entry, argument);
        interrupts.reset_vcpu(index);
        vcpu.state = State::Ready;
        self.cpu.scheduler.add(at);
        Ok(())
    }

    /// Tells what a virtual CPU is doing.
    pub fn vcpu_state(&self, at: VcpuRef) -> Option<State> {
        Some(self.domains.get(at.domain)?.vcpus.get(at.vcpu)?.state)
    }

    /// Returns the virtual CPUs of the domain that one belongs to, each with its number.
    pub fn siblings(&self, at: VcpuRef) -> impl Iterator<Item = (u32, VcpuRef)> {
        let domain = at.domain;
        let count = self
            .domains
            .get(domain)
            .map_or(0, |found| found.vcpus.len());
        (0_u32..).zip((0..count).map(move |vcpu| VcpuRef { domain, vcpu }))
    }
}
