//! Ops on the interrupt controller and the timer.

use wire::{Answer, Op, Reason, Trigger};

use super::Runner;
use crate::machine::{Abort, Controller, Machine};

/// The timer's priority: higher than others, so that an interrupt that is left active blocks no sleep.
const TIMER_PRIORITY: u8 = 0x20;

/// How late the timer's interrupt may be before it counts as lost. The counter continues while a busy host does not
/// run the machine, so the limit is much longer than any such pause. In a normal run it is never reached.
const PATIENCE_MS: u32 = 5_000;

impl<M: Machine> Runner<'_, M> {
    pub(super) fn interrupt(&self, controller: M::Interrupts, op: Op) -> Result<Answer, Abort> {
        let (machine, irqs) = (self.machine, self.irqs);
        let taken = |irq| Answer::Irqs {
            irq,
            count: irqs.count(irq),
        };
        let done = |result: Result<(), _>| {
            if result.is_ok() {
                Answer::Ok
            } else {
                Answer::Cannot(Reason::Full)
            }
        };
        Ok(match op {
            Op::IrqOn { irq, .. } | Op::IrqOff { irq } if !controller.has(irq) => {
                Answer::Cannot(Reason::NoIrq)
            }
            Op::IrqOn {
                irq,
                trigger,
                priority,
            } => {
                if irqs.expect(irq).is_err() {
                    return Ok(Answer::Cannot(Reason::Full));
                }
                controller.enable(machine, irq, trigger, priority)?;
                Answer::Ok
            }
            Op::IrqOff { irq } => {
                controller.disable(machine, irq)?;
                Answer::Ok
            }
            Op::IrqAct {
                irq,
                width,
                at,
                value,
            } => done(irqs.act(irq, width, at, value)),
            Op::IrqNoEoi { irq } => done(irqs.leave_active(irq)),
            Op::IrqWait { irq, count, ms } => {
                let deadline = self.after(ms);
                loop {
                    machine.serve();
                    let seen = irqs.count(irq);
                    if seen >= count {
                        break taken(irq);
                    }
                    if machine.now() >= deadline {
                        break Answer::Timeout(u64::from(seen));
                    }
                    machine.sleep(deadline);
                }
            }
            Op::IrqCount { irq } => {
                machine.serve();
                taken(irq)
            }
            Op::Timer { ms } => self.nap(ms, 1),
            Op::Yield { count } => match self.nap(1, count) {
                Answer::Irqs { .. } => Answer::Ok,
                late => late,
            },
            _ => Answer::Cannot(Reason::Service),
        })
    }

    /// Switches the interrupt controller on for the first op that needs it; other scripts do not pay for it.
    pub(super) fn controller(&mut self) -> Result<Option<M::Interrupts>, Abort> {
        let Some(at) = &self.interrupts_at else {
            return Ok(None);
        };
        if self.interrupts.is_none() {
            let Some(controller) = self.machine.start_interrupts(at)? else {
                return Ok(None);
            };
            // An empty table has room for the first entry.
            let _full = self.irqs.expect(M::TIMER);
            controller.enable(self.machine, M::TIMER, Trigger::Level, TIMER_PRIORITY)?;
            self.interrupts = Some(controller);
        }
        Ok(self.interrupts)
    }

    /// Sleeps `count` times for `ms` milliseconds, each time until the timer's interrupt.
    pub(super) fn nap(&self, ms: u32, count: u32) -> Answer {
        let (machine, irqs) = (self.machine, self.irqs);
        let start = irqs.count(M::TIMER);
        for nap in 1..=count {
            let wake = self.after(ms);
            let give_up = self.after(ms.saturating_add(PATIENCE_MS));
            while irqs.count(M::TIMER).wrapping_sub(start) < nap {
                if machine.now() >= give_up {
                    return Answer::Timeout(u64::from(irqs.count(M::TIMER).wrapping_sub(start)));
                }
                machine.sleep(wake);
            }
        }
        Answer::Irqs {
            irq: M::TIMER,
            count: irqs.count(M::TIMER).wrapping_sub(start),
        }
    }
}
