//! Carries out the ops that only AArch64 has.

use wire::arch::aarch64::Op;
use wire::{Answer, Reason, arch};

use super::cpu::{Conduit, Cpu};
use super::gic::Gic;
use crate::machine::{Abort, Controller};

/// Carries out an op; `interrupts` switches the GIC on for ops that need it.
pub fn perform<M: Cpu>(
    machine: &M,
    op: &arch::Op,
    interrupts: impl FnOnce() -> Result<Option<Gic>, Abort>,
) -> Result<Answer, Abort> {
    let arch::Op::Aarch64(op) = op;
    Ok(match *op {
        Op::Hvc(arguments) => Answer::Value(machine.call(Conduit::Hvc, arguments)?),
        Op::Smc(arguments) => Answer::Value(machine.call(Conduit::Smc, arguments)?),
        Op::Mrs(register) => Answer::Value(machine.mrs(register)?),
        Op::CpuOn { mpidr } => match machine.start_cpu(mpidr)? {
            0 => Answer::Ok,
            status => Answer::Value(status),
        },
        Op::Sgi { irq } => match interrupts()? {
            None => Answer::Cannot(Reason::NoController),
            Some(gic) => {
                gic.send_sgi(machine, irq)?;
                Answer::Ok
            }
        },
        Op::Pend { irq } | Op::Unpend { irq } | Op::State { irq } => match interrupts()? {
            None => Answer::Cannot(Reason::NoController),
            Some(gic) if !Controller::<M>::has(gic, irq) => Answer::Cannot(Reason::NoIrq),
            Some(gic) => match op {
                Op::State { .. } => Answer::Arch(gic.state(machine, irq)?.into()),
                op => {
                    gic.set_pending(machine, irq, matches!(op, Op::Pend { .. }))?;
                    Answer::Ok
                }
            },
        },
    })
}
