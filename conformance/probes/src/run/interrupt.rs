//! Ops on the interrupt controller and the timer.

use wire::{Answer, Op, Reason, Trigger};

use super::{Runner, TIMER};
use crate::gic::Gic;
use crate::machine::{Abort, Machine};

/// Higher than other interrupts', so that one left active keeps no wait from ending.
const TIMER_PRIORITY: u8 = 0x20;

/// How late the timer's interrupt may come before it counts as lost. The counter runs on while a busy host lets the
/// machine stand still, so this is long against any such pause; it bounds a wait and is waited out by nobody.
const PATIENCE_MS: u32 = 5_000;

impl<M: Machine> Runner<'_, M> {
    pub(super) fn interrupt(&self, gic: Gic, op: Op) -> Result<Answer, Abort> {
        let (machine, irqs) = (self.machine, self.irqs);
        let taken = |intid| Answer::Irqs {
            intid,
            count: irqs.count(intid),
        };
        let done = |result: Result<(), _>| {
            if result.is_ok() {
                Answer::Ok
            } else {
                Answer::Cannot(Reason::Full)
            }
        };
        Ok(match op {
            Op::IrqOn { intid, .. }
            | Op::IrqOff { intid }
            | Op::IrqPend { intid }
            | Op::IrqUnpend { intid }
            | Op::IrqState { intid }
                if !gic.has(intid) =>
            {
                Answer::Cannot(Reason::Intid)
            }
            Op::IrqOn {
                intid,
                trigger,
                priority,
            } => {
                if irqs.expect(intid).is_err() {
                    return Ok(Answer::Cannot(Reason::Full));
                }
                gic.enable(machine, intid, trigger, priority)?;
                Answer::Ok
            }
            Op::IrqOff { intid } => {
                gic.disable(machine, intid)?;
                Answer::Ok
            }
            Op::IrqAct {
                intid,
                width,
                at,
                value,
            } => done(irqs.act(intid, width, at, value)),
            Op::IrqNoEoi { intid } => done(irqs.leave_active(intid)),
            Op::IrqWait { intid, count, ms } => {
                let deadline = self.after(ms);
                loop {
                    machine.serve();
                    let seen = irqs.count(intid);
                    if seen >= count {
                        break taken(intid);
                    }
                    if machine.now() >= deadline {
                        break Answer::Timeout(u64::from(seen));
                    }
                    machine.sleep(deadline);
                }
            }
            Op::IrqCount { intid } => {
                machine.serve();
                taken(intid)
            }
            Op::IrqPend { intid } => {
                gic.set_pending(machine, intid, true)?;
                Answer::Ok
            }
            Op::IrqUnpend { intid } => {
                gic.set_pending(machine, intid, false)?;
                Answer::Ok
            }
            Op::IrqState { intid } => {
                let state = gic.state(machine, intid)?;
                Answer::Gic {
                    enabled: state.enabled,
                    pending: state.pending,
                    active: state.active,
                }
            }
            Op::Sgi { intid } => {
                gic.send_sgi(machine, intid)?;
                Answer::Ok
            }
            Op::Timer { ms } => self.nap(ms, 1),
            Op::Yield { count } => match self.nap(1, count) {
                Answer::Irqs { .. } => Answer::Ok,
                late => late,
            },
            _ => Answer::Cannot(Reason::Service),
        })
    }

    /// Switches the interrupt controller on when the first op asks for it: scripts without pay nothing.
    pub(super) fn interrupts(&mut self) -> Result<Option<Gic>, Abort> {
        let Some(controller) = &self.controller else {
            return Ok(None);
        };
        if self.gic.is_none() {
            let mpidr = self.machine.mrs(wire::Sysreg::Mpidr)?;
            let Some(gic) = Gic::start(self.machine, controller, mpidr)? else {
                return Ok(None);
            };
            // The first of an empty table.
            let _full = self.irqs.expect(TIMER);
            gic.enable(self.machine, TIMER, Trigger::Level, TIMER_PRIORITY)?;
            self.gic = Some(gic);
        }
        Ok(self.gic)
    }

    /// Takes `count` naps of `ms` milliseconds, each by an interrupt of the virtual timer.
    pub(super) fn nap(&self, ms: u32, count: u32) -> Answer {
        let (machine, irqs) = (self.machine, self.irqs);
        let start = irqs.count(TIMER);
        for nap in 1..=count {
            let wake = self.after(ms);
            let give_up = self.after(ms.saturating_add(PATIENCE_MS));
            while irqs.count(TIMER).wrapping_sub(start) < nap {
                if machine.now() >= give_up {
                    return Answer::Timeout(u64::from(irqs.count(TIMER).wrapping_sub(start)));
                }
                machine.sleep(wake);
            }
        }
        Answer::Irqs {
            intid: TIMER,
            count: irqs.count(TIMER).wrapping_sub(start),
        }
    }
}
