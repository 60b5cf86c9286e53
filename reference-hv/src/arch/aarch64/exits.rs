//! Carries out what [`super::policy`] decides about an exit.

use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;

use super::bindings::BINDINGS;
use super::exit::Exit;
use super::policy::{self, Action, INSTRUCTION};
use super::vgic::Frame;
use super::{Aarch64, guest_tree, xen};
use crate::access::Access;
use crate::assign::DomainPlan;
use crate::config::{Bindings, Host, Modules};
use crate::errno::Errno;
use crate::hal::{Cpu, Machine};
use crate::ids::IrqLine;
use crate::vdev::Rejected;
use crate::vm::{CRASH, Device, Guest, Hypervisor, Outcome, VcpuRef};

impl Guest for Aarch64 {
    const INFO: [u8; 12] = xen::INFO;
    const FEATURES: u32 = xen::SMCCC;
    const BINDINGS: &'static Bindings = &BINDINGS;
    type DescribeError = guest_tree::TreeError;

    fn answer<M: Machine<Arch = Self>>(hypervisor: &mut Hypervisor<M>, vcpu: VcpuRef, exit: &Exit) {
        let action = hypervisor
            .emulated(vcpu)
            .map(|devices| policy::decide(devices, exit));
        if let Some(action) = action {
            apply(hypervisor, vcpu, exit, action);
        }
    }

    fn describe<'t>(
        plan: &DomainPlan,
        host: &Host<'_>,
        modules: &dyn Modules<'t>,
    ) -> Result<Vec<u8>, guest_tree::TreeError> {
        guest_tree::build(plan, host, modules)
    }

    fn configure(config: &mut [u8; 12]) -> Option<u32> {
        xen::configure(config)
    }

    fn bound_line(kind: u32, machine: u32, guest: [u8; 4]) -> Result<IrqLine, Errno> {
        xen::bound_line(kind, machine, guest)
    }
}

/// Shows where a guest stands.
struct At<'a, M: Cpu>(&'a M, &'a M::Vcpu);

impl<M: Cpu> fmt::Display for At<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.describe(self.1, f)
    }
}

fn apply<M: Machine<Arch = Aarch64>>(
    hypervisor: &mut Hypervisor<M>,
    at: VcpuRef,
    exit: &Exit,
    action: Action,
) {
    let Some((machine, vgic, vcpu, index)) = hypervisor.vcpu_parts(at) else {
        return;
    };
    let registers = &mut vcpu.registers;
    match action {
        Action::Emulate {
            device,
            offset,
            access,
        } => match emulate(hypervisor, at, device, offset, &access) {
            Ok(raw) => finish_access(hypervisor, at, &access, raw),
            Err(Rejected) => apply(hypervisor, at, exit, policy::rejected(exit)),
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
            vgic.sgi(index, register, value);
            machine.skip(registers, INSTRUCTION);
            hypervisor.wake_siblings(at);
        }
        Action::Deactivate { intid } => {
            vgic.deactivate(machine, index, intid);
            machine.skip(registers, INSTRUCTION);
        }
        Action::Wait => {
            machine.skip(registers, INSTRUCTION);
            hypervisor.block(at);
        }
        Action::Yield => {
            machine.skip(registers, INSTRUCTION);
            hypervisor.give_way();
        }
        Action::Power { request, step } => super::power::serve(hypervisor, at, request, step),
        Action::Hypercall { number, args } => {
            let outcome = hypervisor.hypercall(at, number, &args);
            conclude(hypervisor, at, outcome);
        }
        Action::Stop(reason) => {
            let place = At(machine, registers).to_string();
            hypervisor.stop(at.domain(), CRASH, format_args!("{reason} at {place}"));
        }
    }
}

/// Has the guest see what came of its hypercall.
fn conclude<M: Machine<Arch = Aarch64>>(
    hypervisor: &mut Hypervisor<M>,
    at: VcpuRef,
    outcome: Outcome,
) {
    let args = match outcome {
        Outcome::Answer(value) => &[value][..],
        Outcome::Again(ref args) => args,
        Outcome::Yield | Outcome::Block => &[0],
        Outcome::Gone => return,
    };
    let Some((machine, _, vcpu, _)) = hypervisor.vcpu_parts(at) else {
        return;
    };
    for (value, n) in args.iter().zip(0..) {
        machine.set_register(&mut vcpu.registers, n, *value);
    }
    match outcome {
        Outcome::Again(_) => {
            // Back onto the HVC, so that interrupts come through in between.
            machine.skip(&mut vcpu.registers, INSTRUCTION.wrapping_neg());
            hypervisor.give_way();
        }
        Outcome::Yield => hypervisor.give_way(),
        Outcome::Block => hypervisor.block(at),
        Outcome::Answer(_) | Outcome::Gone => {}
    }
}

/// Lets an emulated device carry an access out; returns what a load found.
fn emulate<M: Machine<Arch = Aarch64>>(
    hypervisor: &mut Hypervisor<M>,
    at: VcpuRef,
    device: Device,
    offset: u64,
    access: &Access,
) -> Result<u64, Rejected> {
    let frame = match device {
        Device::SharedController => Frame::Distributor,
        Device::CpuController => Frame::Redistributor,
        Device::Uart => return hypervisor.uart(at, offset, access),
        Device::Bridge(number) => return hypervisor.configuration(at, number, offset, access),
    };
    let (machine, vgic, ..) = hypervisor.vcpu_parts(at).ok_or(Rejected)?;
    let Some(value) = access.write else {
        return vgic.read(machine, frame, offset, access.width);
    };
    vgic.write(machine, frame, offset, access.width, value)?;
    hypervisor.wake_siblings(at);
    Ok(0)
}

fn finish_access<M: Machine<Arch = Aarch64>>(
    hypervisor: &mut Hypervisor<M>,
    at: VcpuRef,
    access: &Access,
    raw: u64,
) {
    if let Some((machine, _, vcpu, _)) = hypervisor.vcpu_parts(at) {
        if access.write.is_none() {
            machine.set_register(&mut vcpu.registers, access.rt, access.loaded(raw));
        }
        machine.skip(&mut vcpu.registers, INSTRUCTION);
    }
}
