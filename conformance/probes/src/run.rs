//! Carries out a script: one answer per op, in order.

mod control;
mod interrupt;
mod memory;

use core::sync::atomic::{AtomicU16, Ordering::Relaxed};

use wire::pack::Pack;
use wire::{Answer, CHUNK, Data, Irq, MAX_REPEATED, Note, Op, Ops, Reason, Width};

pub use control::Control;

use crate::irq::Irqs;
use crate::machine::{Abort, Machine, Stop};

/// The state of a running script.
#[derive(Debug)]
pub struct Runner<'a, M: Machine> {
    /// The hardware.
    pub machine: &'a M,
    /// The table that the interrupt handler reads.
    pub irqs: &'a Irqs,
    /// The number of answered ops.
    pub done: &'a AtomicU16,
    /// The location of the interrupt controller, if the machine has one that the probe can drive.
    pub interrupts_at: Option<M::InterruptsAt>,
    /// The interrupt controller, once an op has needed it.
    pub interrupts: Option<M::Interrupts>,
    /// The device tree with which the probe was started.
    pub tree: &'a [u8],
    /// RAM as address and size; unused entries have size 0.
    pub banks: &'a [(u64, u64)],
    /// The ramdisk's pack.
    pub pack: Option<Pack<'a>>,
    /// What the probe has detected about the hypervisor.
    pub control: Control,
}

/// Serves an acknowledged interrupt. Tells whether to deactivate it; `None` for one that no op enabled.
pub fn handle(machine: &impl Machine, irqs: &Irqs, irq: Irq) -> Option<bool> {
    let handling = irqs.take(irq)?;
    for (width, at, value) in handling.writes.into_iter().flatten() {
        // An abort here shows in the op's next answer: the line stays up, and the count grows.
        let _abort = machine.write(width, at, value);
    }
    Some(handling.ends)
}

impl<M: Machine> Runner<'_, M> {
    /// Carries out and answers the ops, up to the first malformed one, and reports the end of the script.
    pub fn run(&mut self, mut ops: Ops<'_>) {
        while let Some(Ok(op)) = &ops.next() {
            if let Some(how) = ending(op) {
                self.answer(Answer::Ok);
                self.machine.stop(how);
            }
            if let Op::Loop {
                passes,
                ops: length,
            } = op
            {
                self.repeat(*passes, usize::from(*length), &mut ops);
                continue;
            }
            let answer = self.perform(op).unwrap_or_else(Answer::from);
            self.answer(answer);
        }
        self.machine.say(Note::End {
            ops: self.done.load(Relaxed),
        });
    }

    /// Carries out a loop. Answers how many answers differed, and then sends the last pass's answers.
    #[inline(never)]
    fn repeat(&mut self, passes: u32, length: usize, ops: &mut Ops<'_>) {
        let mut first = [Answer::Ok; MAX_REPEATED as usize];
        let mut last = first;
        let mut others = 0;
        for pass in 0..passes {
            // Every pass reads the same ops; the last one leaves the reader after them.
            let mut body = ops.clone();
            for (first, last) in first.iter_mut().zip(&mut last).take(length) {
                let Some(Ok(op)) = &body.next() else { break };
                *last = self.perform(op).unwrap_or_else(Answer::from);
                if pass == 0 {
                    *first = *last;
                } else if first != last {
                    others += 1;
                }
                self.serve();
            }
            if pass + 1 == passes {
                *ops = body;
            }
        }
        self.answer(Answer::Value(others));
        for answer in last.iter().take(length) {
            self.answer(*answer);
        }
    }

    fn answer(&self, answer: Answer) {
        let index = self.done.load(Relaxed);
        self.machine.say(Note::Op { index, answer });
        self.done.store(index.wrapping_add(1), Relaxed);
        self.serve();
    }

    fn serve(&self) {
        if self.interrupts.is_some() {
            self.machine.serve();
        }
    }

    fn perform(&mut self, op: &Op) -> Result<Answer, Abort> {
        let machine = self.machine;
        Ok(match *op {
            Op::Read { width, at } => Answer::Value(machine.read(width, at)?),
            Op::Write { width, at, value } => {
                machine.write(width, at, value)?;
                Answer::Ok
            }
            Op::Sweep {
                width,
                at,
                count,
                stride,
                value,
            } => self.sweep(width, at, count, stride, value)?,
            Op::Same {
                width,
                at,
                count,
                stride,
                value,
                inc,
            } => self.same(width, (at, count, stride), value, inc)?,
            Op::Wait {
                width,
                at,
                mask,
                value,
                ms,
            } => self.wait(width, at, mask, value, ms)?,
            Op::Ram { at, len } => self.ram(at, len)?,
            Op::Exec { at } => {
                machine.exec(at)?;
                Answer::Ok
            }
            Op::Tree => self.dump(),
            Op::Attr(attr) => {
                machine.attr(attr)?;
                Answer::Ok
            }
            Op::Mark(name) => Answer::Mark(name),
            Op::Storm { at, count } => {
                let mut faults = 0;
                for _ in 0..count {
                    match machine.read(Width::W32, at) {
                        Ok(_) => {}
                        Err(Abort::Fault(_)) => faults += 1,
                        Err(abort) => return Err(abort),
                    }
                }
                Answer::Value(faults)
            }
            Op::IrqOn { .. }
            | Op::IrqOff { .. }
            | Op::IrqAct { .. }
            | Op::IrqNoEoi { .. }
            | Op::IrqWait { .. }
            | Op::IrqCount { .. }
            | Op::Timer { .. }
            | Op::Yield { .. } => match self.controller()? {
                Some(controller) => self.interrupt(controller, *op)?,
                None => Answer::Cannot(Reason::NoController),
            },
            Op::Hypercall { number, ref args } => self.hypercall(u64::from(number), args)?,
            Op::ScratchWrite { at, ref values } => self.fill(at, values)?,
            Op::WriteScratchAddress { at, place } => {
                let place = self.scratch(place)?;
                machine.write(Width::W64, at, place)?;
                Answer::Ok
            }
            Op::ScratchRead { at, width } => Answer::Value(machine.read(width, self.scratch(at)?)?),
            Op::Hv(ref hv) => self.hv(hv)?,
            Op::Arch(ref op) => machine.perform(op, || self.controller())?,
            // The caller handles these: they never return, or they contain other ops.
            Op::Idle | Op::Off | Op::Reset | Op::Crash | Op::Spin | Op::Loop { .. } => Answer::Ok,
        })
    }

    fn dump(&self) -> Answer {
        let mut offset = 0;
        for piece in self.tree.chunks(CHUNK) {
            if let Some(data) = Data::new(piece) {
                self.machine.say(Note::Chunk { offset, data });
            }
            offset += u32::try_from(piece.len()).unwrap_or(0);
        }
        if self.tree.is_empty() {
            Answer::Cannot(Reason::NoTree)
        } else {
            Answer::Tree(offset)
        }
    }

    fn after(&self, ms: u32) -> u64 {
        let ticks = u64::from(ms).saturating_mul(self.machine.frequency()) / 1000;
        self.machine.now().saturating_add(ticks)
    }
}

fn ending(op: &Op) -> Option<Stop> {
    match op {
        Op::Idle => Some(Stop::Idle),
        Op::Off => Some(Stop::Off),
        Op::Reset => Some(Stop::Reset),
        Op::Crash => Some(Stop::Crash),
        Op::Spin => Some(Stop::Spin),
        _ => None,
    }
}
