//! Power states: virtual CPUs on and off, the domain off (PSCI, Arm DEN 0022).

use super::life_cycle::{POWER_OFF, REBOOT};
use super::{Hypervisor, State, VcpuRef, parts};
use crate::addr::Ipa;
use crate::arch::aarch64::gic::AFFINITY;
use crate::arch::aarch64::psci::{AffinityState, Request, ReturnCode};
use crate::hal::Machine;
use crate::paging::Memory;
use crate::vdev::vgic;

impl<M: Machine> Hypervisor<M> {
    /// Does what a virtual CPU asks for; the guest goes on `step` bytes further where it goes on.
    pub(super) fn power(&mut self, place: VcpuRef, request: Request, step: u64) {
        let answer = match request {
            Request::SystemOff => {
                return self.stop(place.domain, POWER_OFF, format_args!("switched itself off"));
            }
            Request::SystemReset => {
                return self.stop(
                    place.domain,
                    REBOOT,
                    format_args!("asked for a reset, which ends it"),
                );
            }
            Request::CpuOff => return self.switch_off(place),
            Request::Suspend => {
                self.resume(place, ReturnCode::Success.value(), step);
                return self.block(place);
            }
            Request::CpuOn {
                target,
                entry,
                context,
            } => self
                .switch_on(place.domain, target, Ipa::new(entry), context)
                .value(),
            Request::AffinityInfo { target, level } => self.affinity(place.domain, target, level),
        };
        self.resume(place, answer, step);
    }

    fn resume(&mut self, place: VcpuRef, answer: u64, step: u64) {
        let Self {
            machine, domains, ..
        } = self;
        if let Some((_, vcpu, _)) = parts(domains, place) {
            machine.set_register(&mut vcpu.registers, 0, answer);
            machine.skip(&mut vcpu.registers, step);
        }
    }

    fn switch_off(&mut self, place: VcpuRef) {
        self.scheduler.remove(|other| other == place);
        let Some(domain) = self.domains.get_mut(place.domain) else {
            return;
        };
        if let Some(vcpu) = domain.vcpus.get_mut(place.vcpu) {
            vcpu.state = State::Off;
        }
        if domain.vcpus.iter().all(|vcpu| vcpu.state == State::Off) {
            self.stop(
                place.domain,
                POWER_OFF,
                format_args!("switched its last CPU off"),
            );
        }
    }

    fn switch_on(&mut self, domain: usize, target: u64, entry: Ipa, context: u64) -> ReturnCode {
        let Some(vcpu) = self.find(domain, target) else {
            return ReturnCode::InvalidParameters;
        };
        let place = VcpuRef { domain, vcpu };
        let Some(state) = self.state(place) else {
            return ReturnCode::InvalidParameters;
        };
        if state != State::Off {
            return ReturnCode::AlreadyOn;
        }
        let Self {
            machine, domains, ..
        } = self;
        let Some(owner) = domains.get_mut(domain) else {
            return ReturnCode::InvalidParameters;
        };
        let there = owner.memory.space.walk(machine.tables(), entry);
        if there.is_none_or(|there| there.attributes != Memory::Ram) {
            return ReturnCode::InvalidAddress;
        }
        // A CPU that switched itself off may be the one whose registers are still loaded.
        if self.loaded == Some(place) && !self.unload() {
            return ReturnCode::InvalidParameters;
        }
        let Self {
            machine, domains, ..
        } = self;
        let Some((vgic, vcpu, index)) = parts(domains, place) else {
            return ReturnCode::InvalidParameters;
        };
        machine.reset(&mut vcpu.registers, entry, context);
        vgic.reset_vcpu(index);
        vcpu.state = State::Ready;
        self.scheduler.add(place);
        ReturnCode::Success
    }

    /// Tells whether a CPU runs. Only single CPUs need an answer (DEN 0022, 5.6.4): domains have one
    /// level.
    fn affinity(&self, domain: usize, target: u64, level: u64) -> u64 {
        let state = self
            .find(domain, target)
            .and_then(|vcpu| self.state(VcpuRef { domain, vcpu }));
        match state.filter(|_| level == 0) {
            None => ReturnCode::InvalidParameters.value(),
            Some(State::Off) => AffinityState::Off.value(),
            Some(State::Ready | State::Blocked) => AffinityState::On.value(),
        }
    }

    fn state(&self, place: VcpuRef) -> Option<State> {
        Some(self.domains.get(place.domain)?.vcpus.get(place.vcpu)?.state)
    }

    /// Finds the virtual CPU with this affinity. Bits that no affinity has must be zero (DEN 0022, 5.1.4).
    fn find(&self, domain: usize, target: u64) -> Option<usize> {
        let vcpus = self.domains.get(domain)?.vcpus.len();
        let named = |(index, _): &(u32, usize)| vgic::affinity(*index) == target;
        (0u32..)
            .zip(0..vcpus)
            .find(|pair| target & !AFFINITY == 0 && named(pair))
            .map(|(_, place)| place)
    }
}
