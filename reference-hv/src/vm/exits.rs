//! What becomes of a virtual CPU that was left, whatever its architecture.

use super::domain::Interrupts;
use super::emulated::EmulatedDevices;
use super::{Hypervisor, State, Vcpu, VcpuRef};
use crate::access::Access;
use crate::hal::{Cpu, Machine, VirtualInterrupts};
use crate::vdev::Rejected;

/// What becomes of a virtual CPU after a hypercall.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It goes on, with this as the result.
    Answer(u64),
    /// It makes the call again once others had their turn, with these as arguments: there is more to do
    /// than goes at once.
    Again([u64; 5]),
    /// It goes on once others had their turn.
    Yield,
    /// It goes on when an interrupt waits for it.
    Block,
    /// It was stopped.
    Gone,
}

/// The machine, with a domain's interrupt controller, one of its virtual CPUs and that one's number.
pub type VcpuParts<'a, M> = (
    &'a mut M,
    &'a mut Interrupts<M>,
    &'a mut Vcpu<<M as Cpu>::Vcpu>,
    u32,
);

impl<M: Machine> Hypervisor<M> {
    /// Finds what an exit of a virtual CPU acts on.
    pub fn vcpu_parts(&mut self, at: VcpuRef) -> Option<VcpuParts<'_, M>> {
        let domain = self.domains.get_mut(at.domain)?;
        let vcpu = domain.vcpus.get_mut(at.vcpu)?;
        let index = u32::try_from(at.vcpu).ok()?;
        Some((&mut self.machine, &mut domain.interrupts, vcpu, index))
    }

    /// Returns where the emulated devices of a virtual CPU's domain lie.
    pub fn emulated(&self, at: VcpuRef) -> Option<&EmulatedDevices> {
        Some(&self.domains.get(at.domain)?.emulated)
    }

    /// Lets others have their turn.
    pub fn give_way(&mut self) {
        self.cpu.scheduler.pass();
    }

    /// Carries out an access to the registers of the emulated UART.
    ///
    /// # Errors
    /// Says that the domain has none.
    pub fn uart(&mut self, at: VcpuRef, offset: u64, access: &Access) -> Result<u64, Rejected> {
        let (machine, domain, _) = self.parts_of(at.domain).map_err(|_| Rejected)?;
        let uart = domain.uart.as_mut().ok_or(Rejected)?;
        let mut raw = 0;
        match access.write {
            None => raw = uart.read(offset, access.width),
            Some(value) => {
                if let Some(line) = uart.write(offset, access.width, value) {
                    machine.domain_line(domain.id, line);
                }
            }
        }
        if let Some(line) = domain.emulated.uart_line() {
            domain.interrupts.set_line(line, uart.irq());
        }
        self.wake_siblings(at);
        Ok(raw)
    }

    /// Has a virtual CPU wait until an interrupt is pending for it.
    pub fn block(&mut self, at: VcpuRef) {
        let Some((machine, interrupts, vcpu, index)) = self.vcpu_parts(at) else {
            return;
        };
        let (high, due) = machine.timer(&vcpu.registers);
        interrupts.set_timer(index, high);
        if interrupts.pending(index) {
            return;
        }
        vcpu.state = State::Blocked;
        self.cpu.scheduler.remove(|other| other == at);
        self.cpu.wake_by(due.filter(|_| !high));
    }

    /// Wakes the blocked virtual CPUs of a domain that an interrupt now waits for.
    pub fn wake_siblings(&mut self, at: VcpuRef) {
        let Some(found) = self.domains.get_mut(at.domain) else {
            return;
        };
        for ((sibling, index), vcpu) in found.vcpus.iter_mut().zip(0u32..).zip(0..) {
            if sibling.state == State::Blocked && found.interrupts.pending(index) {
                sibling.state = State::Ready;
                self.cpu.scheduler.add(VcpuRef { vcpu, ..at });
            }
        }
    }
}
