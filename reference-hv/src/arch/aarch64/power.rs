//! Power states: virtual CPUs on and off, the domain off (PSCI, Arm DEN 0022).

use super::Aarch64;
use super::gic::AFFINITY;
use super::psci::{AffinityState, Request, ReturnCode};
use super::vgic;
use crate::addr::Ipa;
use crate::hal::Machine;
use crate::vm::{Hypervisor, POWER_OFF, REBOOT, StartError, State, VcpuRef};

/// Does what a virtual CPU asks for; the guest goes on `step` bytes further where it goes on.
pub(super) fn serve<M: Machine<Arch = Aarch64>>(
    hypervisor: &mut Hypervisor<M>,
    at: VcpuRef,
    request: Request,
    step: u64,
) {
    let answer = match request {
        Request::SystemOff => {
            let why = format_args!("switched itself off");
            return hypervisor.stop(at.domain(), POWER_OFF, why);
        }
        Request::SystemReset => {
            let why = format_args!("asked for a reset, which ends it");
            return hypervisor.stop(at.domain(), REBOOT, why);
        }
        Request::CpuOff => return hypervisor.stop_vcpu(at),
        Request::Suspend => {
            resume(hypervisor, at, ReturnCode::Success.value(), step);
            return hypervisor.block(at);
        }
        Request::CpuOn {
            target,
            entry,
            context,
        } => {
            let started = match find(hypervisor, at, target) {
                Some(vcpu) => hypervisor.start_vcpu(vcpu, Ipa::new(entry), context),
                None => Err(StartError::Absent),
            };
            match started {
                Ok(()) => ReturnCode::Success,
                Err(StartError::Absent) => ReturnCode::InvalidParameters,
                Err(StartError::Running) => ReturnCode::AlreadyOn,
                Err(StartError::Entry) => ReturnCode::InvalidAddress,
            }
            .value()
        }
        // Only single CPUs need an answer (DEN 0022, 5.6.4): domains have one level.
        Request::AffinityInfo { target, level } => {
            let vcpu = find(hypervisor, at, target).filter(|_| level == 0);
            match vcpu.and_then(|vcpu| hypervisor.vcpu_state(vcpu)) {
                None => ReturnCode::InvalidParameters.value(),
                Some(State::Off) => AffinityState::Off.value(),
                Some(State::Ready | State::Blocked) => AffinityState::On.value(),
            }
        }
    };
    resume(hypervisor, at, answer, step);
}

fn resume<M: Machine<Arch = Aarch64>>(
    hypervisor: &mut Hypervisor<M>,
    at: VcpuRef,
    answer: u64,
    step: u64,
) {
    if let Some((machine, _, vcpu, _)) = hypervisor.vcpu_parts(at) {
        machine.set_register(&mut vcpu.registers, 0, answer);
        machine.skip(&mut vcpu.registers, step);
    }
}

/// Finds the virtual CPU of the same domain with this affinity. Bits that no affinity has must be zero (DEN 0022,
/// 5.1.4).
fn find<M: Machine>(hypervisor: &Hypervisor<M>, at: VcpuRef, target: u64) -> Option<VcpuRef> {
    let mut all = hypervisor.siblings(at);
    all.find(|(index, _)| target & !AFFINITY == 0 && vgic::affinity(*index) == target)
        .map(|(_, vcpu)| vcpu)
}
