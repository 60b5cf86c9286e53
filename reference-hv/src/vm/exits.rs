//! Carries out what policy decides about an exit.

use alloc::string::ToString;
use core::fmt;

use super::life_cycle::CRASH;
use super::{Hypervisor, State, VcpuRef, parts};
use crate::exit::{Access, Exit};
use crate::hal::{Cpu, Machine};
use crate::policy::{self, Action, Device, INSTRUCTION, SgiRegister};
use crate::vdev::Rejected;
use crate::vdev::vgic::{Frame, SgiKind};

/// What becomes of a virtual CPU after a hypercall.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It goes on, with this in X0.
    Answer(u64),
    /// It makes the call again once others had their turn, with these as X0 to X4: there is more to do
    /// than goes at once.
    Again([u64; 5]),
    /// It goes on once others had their turn.
    Yield,
    /// It goes on when an interrupt waits for it.
    Block,
    /// It was stopped.
    Gone,
}

/// Shows where a guest stands.
struct At<'a, M: Cpu>(&'a M, &'a M::Vcpu);

impl<M: Cpu> fmt::Display for At<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.describe(self.1, f)
    }
}

impl<M: Machine> Hypervisor<M> {
    /// Answers an exit of the virtual CPU that is loaded.
    pub(super) fn answer(&mut self, place: VcpuRef, exit: &Exit) {
        let Some(domain) = self.domains.get(place.domain) else {
            return;
        };
        let action = policy::decide(&domain.policy, exit);
        self.apply(place, exit, action);
    }

    fn apply(&mut self, place: VcpuRef, exit: &Exit, action: Action) {
        let Self {
            machine, domains, ..
        } = self;
        let Some((vgic, vcpu, index)) = parts(domains, place) else {
            return;
        };
        let registers = &mut vcpu.registers;
        match action {
            Action::Emulate {
                device,
                offset,
                access,
            } => match self.emulate(place, device, offset, &access) {
                Ok(raw) => self.finish_access(place, &access, raw),
                Err(Rejected) => self.apply(place, exit, policy::rejected(exit)),
            },
            Action::Inject(exception) => machine.inject(registers, &exception),
            Action::Answer { value, step } => {
                machine.set_register(registers, 0, value);
                machine.skip(registers, step);
            }
            Action::Set { rt, value } => {
                machine.set_register(registers, rt, value);
                machine.skip(registers, INSTRUCTION);
            }
            Action::Identify { rt, register } => {
                let value = register.shown(machine.identify(register));
                machine.set_register(registers, rt, value);
                machine.skip(registers, INSTRUCTION);
            }
            Action::Skip => machine.skip(registers, INSTRUCTION),
            Action::Sgi { register, value } => {
                let kind = match register {
                    SgiRegister::Group1 => SgiKind::Group1,
                    SgiRegister::Group0 => SgiKind::Group0,
                };
                vgic.sgi(index, kind, value);
                machine.skip(registers, INSTRUCTION);
                self.wake_siblings(place);
            }
            Action::Deactivate { intid } => {
                vgic.deactivate(machine, index, intid);
                machine.skip(registers, INSTRUCTION);
            }
            Action::Wait => {
                machine.skip(registers, INSTRUCTION);
                self.block(place);
            }
            Action::Yield => {
                machine.skip(registers, INSTRUCTION);
                self.scheduler.pass();
            }
            Action::Power { request, step } => self.power(place, request, step),
            Action::Hypercall { number, args } => {
                let outcome = self.hypercall(place, number, &args);
                self.conclude(place, outcome);
            }
            Action::Stop(reason) => {
                let at = At(machine, registers).to_string();
                self.stop(place.domain, CRASH, format_args!("{reason} at {at}"));
            }
        }
    }

    fn conclude(&mut self, place: VcpuRef, outcome: Outcome) {
        let args = match outcome {
            Outcome::Answer(value) => &[value][..],
            Outcome::Again(ref args) => args,
            Outcome::Yield | Outcome::Block => &[0],
            Outcome::Gone => return,
        };
        let Self {
            machine, domains, ..
        } = self;
        let Some((_, vcpu, _)) = parts(domains, place) else {
            return;
        };
        for (value, n) in args.iter().zip(0..) {
            machine.set_register(&mut vcpu.registers, n, *value);
        }
        match outcome {
            Outcome::Again(_) => {
                // Back onto the HVC, so that interrupts come through in between.
                machine.skip(&mut vcpu.registers, INSTRUCTION.wrapping_neg());
                self.scheduler.pass();
            }
            Outcome::Yield => self.scheduler.pass(),
            Outcome::Block => self.block(place),
            Outcome::Answer(_) | Outcome::Gone => {}
        }
    }

    /// Lets an imitated device carry an access out; returns what a load found.
    fn emulate(
        &mut self,
        place: VcpuRef,
        device: Device,
        offset: u64,
        access: &Access,
    ) -> Result<u64, Rejected> {
        let Self {
            machine, domains, ..
        } = self;
        let Some(domain) = domains.get_mut(place.domain) else {
            return Err(Rejected);
        };
        let frame = match device {
            Device::Bridge(number) => {
                return self.configuration(place, number, offset, access);
            }
            Device::Distributor => Frame::Distributor,
            Device::Redistributor => Frame::Redistributor,
            Device::Uart => {
                let uart = domain.uart.as_mut().ok_or(Rejected)?;
                let raw = match access.write {
                    None => uart.read(offset, access.width),
                    Some(value) => {
                        if let Some(line) = uart.write(offset, access.width, value) {
                            machine.domain_line(domain.id, line);
                        }
                        0
                    }
                };
                if let Some(line) = domain.policy.uart_line() {
                    domain.vgic.set_line(line.intid(), uart.irq());
                }
                self.wake_siblings(place);
                return Ok(raw);
            }
        };
        match access.write {
            None => domain.vgic.read(machine, frame, offset, access.width),
            Some(value) => {
                domain
                    .vgic
                    .write(machine, frame, offset, access.width, value)?;
                self.wake_siblings(place);
                Ok(0)
            }
        }
    }

    fn finish_access(&mut self, place: VcpuRef, access: &Access, raw: u64) {
        let Self {
            machine, domains, ..
        } = self;
        let Some((_, vcpu, _)) = parts(domains, place) else {
            return;
        };
        if access.write.is_none() {
            machine.set_register(&mut vcpu.registers, access.rt, access.loaded(raw));
        }
        machine.skip(&mut vcpu.registers, INSTRUCTION);
    }

    /// Has a virtual CPU wait until an interrupt is pending for it.
    pub(super) fn block(&mut self, place: VcpuRef) {
        let Self {
            machine,
            domains,
            scheduler,
            wake,
            ..
        } = self;
        let Some((vgic, vcpu, index)) = parts(domains, place) else {
            return;
        };
        let (high, due) = machine.timer(&vcpu.registers);
        vgic.set_timer(index, high);
        if vgic.pending(index) {
            return;
        }
        vcpu.state = State::Blocked;
        scheduler.remove(|other| other == place);
        if let Some(due) = due.filter(|_| !high) {
            *wake = Some(wake.map_or(due, |first| first.min(due)));
        }
    }

    /// Wakes the blocked virtual CPUs of a domain that an interrupt now waits for.
    fn wake_siblings(&mut self, place: VcpuRef) {
        let Self {
            domains, scheduler, ..
        } = self;
        let Some(domain) = domains.get_mut(place.domain) else {
            return;
        };
        for ((sibling, index), vcpu) in domain.vcpus.iter_mut().zip(0u32..).zip(0..) {
            if sibling.state == State::Blocked && domain.vgic.pending(index) {
                sibling.state = State::Ready;
                scheduler.add(VcpuRef {
                    domain: place.domain,
                    vcpu,
                });
            }
        }
    }
}
