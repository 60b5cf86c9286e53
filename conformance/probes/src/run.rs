//! Carries out a script: one answer an op, in order.

use core::sync::atomic::{AtomicU16, Ordering::Relaxed};

use wire::{Answer, CHUNK, Data, Note, Op, Reason, Same, Sweep, Trigger, Vector, Width};

use crate::board;
use crate::gic::Gic;
use crate::irq::Irqs;
use crate::machine::{Abort, Conduit, Machine, Stop};

/// The virtual timer's interrupt (BSA, and Xen's guests).
pub const TIMER: u32 = 27;

/// Higher than other interrupts', so that one left active keeps no wait from ending.
const TIMER_PRIORITY: u8 = 0x20;

/// How many times a register is polled before the time between two looks is slept away.
const EAGER: u32 = 16;

/// How many sleeps a second a poll takes.
const LOOKS: u64 = 10_000;

/// Words that a RAM test writes before it reads the first one back.
const BLOCK: usize = 64;

const PSCI_CPU_ON: u64 = 0xc400_0003;

/// A script's surroundings.
#[derive(Debug)]
pub struct Runner<'a, M> {
    /// The hardware.
    pub machine: &'a M,
    /// What the interrupt handler works from.
    pub irqs: &'a Irqs,
    /// Ops answered.
    pub done: &'a AtomicU16,
    /// The interrupt controller that the tree shows.
    pub controller: Option<board::Gic>,
    /// The same, once an op needed it.
    pub gic: Option<Gic>,
    /// The blob that the probe was started with.
    pub tree: &'a [u8],
    /// How PSCI is called.
    pub conduit: Conduit,
}

/// Serves an interrupt that the CPU interface handed out. Tells whether it is to be deactivated; `None`
/// for one that no op asked for.
pub fn handle(machine: &impl Machine, irqs: &Irqs, intid: u32) -> Option<bool> {
    let handling = irqs.take(intid)?;
    for (width, at, value) in handling.writes.into_iter().flatten() {
        // An abort here shows in the op's next answer: the line stays up, and the count grows.
        let _abort = machine.write(width, at, value);
    }
    Some(handling.ends)
}

impl<M: Machine> Runner<'_, M> {
    /// Carries out the ops, answers each, and says that the script is through.
    pub fn run(&mut self, ops: impl Iterator<Item = Op>) {
        for op in ops {
            if let Some(how) = ending(op) {
                self.answer(Answer::Ok);
                self.machine.stop(self.conduit, how);
            }
            let answer = self.perform(op).unwrap_or_else(Answer::from);
            self.answer(answer);
        }
        self.machine.say(Note::End { ops: self.done.load(Relaxed) });
    }

    fn answer(&self, answer: Answer) {
        let index = self.done.load(Relaxed);
        self.machine.say(Note::Op { index, answer });
        self.done.store(index.wrapping_add(1), Relaxed);
        if self.gic.is_some() {
            self.machine.serve();
        }
    }

    fn perform(&mut self, op: Op) -> Result<Answer, Abort> {
        let machine = self.machine;
        Ok(match op {
            Op::Read { width, at } => Answer::Value(machine.read(width, at)?),
            Op::Write { width, at, value } => {
                machine.write(width, at, value)?;
                Answer::Ok
            }
            Op::Sweep { width, at, count, stride, value } => self.sweep(width, at, count, stride, value)?,
            Op::Same { width, at, count, stride, value, inc } => self.same(width, (at, count, stride), value, inc)?,
            Op::Wait { width, at, mask, value, ms } => self.wait(width, at, mask, value, ms)?,
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
            Op::Hvc(arguments) => Answer::Value(machine.call(Conduit::Hvc, arguments)?),
            Op::Smc(arguments) => Answer::Value(machine.call(Conduit::Smc, arguments)?),
            Op::Mrs(register) => Answer::Value(machine.mrs(register)?),
            Op::Mark(name) => Answer::Mark(name),
            Op::CpuOn { mpidr } => match machine.start_cpu(self.conduit, mpidr)? {
                0 => Answer::Ok,
                status => Answer::Value(status),
            },
            Op::Storm { at, count } => {
                let mut faults = 0;
                for _ in 0..count {
                    match machine.read(Width::W32, at) {
                        Ok(_) => {}
                        Err(Abort::Fault { .. } | Abort::Serror { .. }) => faults += 1,
                        Err(abort @ (Abort::Unmapped | Abort::Own)) => return Err(abort),
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
            | Op::IrqPend { .. }
            | Op::IrqUnpend { .. }
            | Op::IrqState { .. }
            | Op::Sgi { .. }
            | Op::Timer { .. }
            | Op::Yield { .. } => match self.interrupts()? {
                Some(gic) => self.interrupt(gic, op)?,
                None => Answer::Cannot(Reason::NoGic),
            },
            // Taken care of by the caller: they never come back.
            Op::Idle | Op::Off | Op::Reset | Op::Crash | Op::Spin => Answer::Ok,
        })
    }

    fn interrupt(&self, gic: Gic, op: Op) -> Result<Answer, Abort> {
        let (machine, irqs) = (self.machine, self.irqs);
        let taken = |intid| Answer::Irqs { intid, count: irqs.count(intid) };
        let done = |result: Result<(), _>| if result.is_ok() { Answer::Ok } else { Answer::Cannot(Reason::Full) };
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
            Op::IrqOn { intid, trigger, priority } => {
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
            Op::IrqAct { intid, width, at, value } => done(irqs.act(intid, width, at, value)),
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
                Answer::Gic { enabled: state.enabled, pending: state.pending, active: state.active }
            }
            Op::Sgi { intid } => {
                machine.send_sgi(intid);
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
    fn interrupts(&mut self) -> Result<Option<Gic>, Abort> {
        let Some(controller) = &self.controller else { return Ok(None) };
        if self.gic.is_none() {
            let mpidr = self.machine.mrs(wire::Sysreg::Mpidr)?;
            let Some(gic) = Gic::start(self.machine, controller, mpidr)? else { return Ok(None) };
            // The first of an empty table.
            let _full = self.irqs.expect(TIMER);
            gic.enable(self.machine, TIMER, Trigger::Level, TIMER_PRIORITY)?;
            self.gic = Some(gic);
        }
        Ok(self.gic)
    }

    fn sweep(&self, width: Width, at: u64, count: u32, stride: u64, value: Option<u64>) -> Result<Answer, Abort> {
        let mut seen = Sweep::default();
        let mut address = at;
        for _ in 0..count {
            let result = match value {
                Some(value) => self.machine.write(width, address, value),
                None => self.machine.read(width, address).map(|_| ()),
            };
            let (esr, far) = match result {
                Ok(()) => {
                    seen.ok += 1;
                    seen.first_ok = seen.first_ok.or(Some(address));
                    address = address.wrapping_add(stride);
                    continue;
                }
                Err(Abort::Fault { esr, far }) => (esr, far_of(esr, far)),
                Err(Abort::Serror { esr }) => (esr, None),
                Err(abort @ (Abort::Unmapped | Abort::Own)) => return Err(abort),
            };
            seen.faults += 1;
            seen.first_fault = seen.first_fault.or(Some(address));
            seen.first_esr = seen.first_esr.or(u32::try_from(esr & 0xffff_ffff).ok());
            if far != Some(address) {
                seen.bad_far += 1;
            }
            address = address.wrapping_add(stride);
        }
        Ok(Answer::Sweep(seen))
    }

    fn same(&self, width: Width, (at, count, stride): (u64, u32, u64), value: u64, inc: u64) -> Result<Answer, Abort> {
        let mut seen = Same::default();
        let (mut address, mut wanted) = (at, value);
        for _ in 0..count {
            match self.machine.read(width, address) {
                Ok(found) if found == wanted => seen.matches += 1,
                Ok(found) => {
                    seen.mismatches += 1;
                    seen.first = seen.first.or(Some((address, found)));
                }
                Err(Abort::Fault { .. } | Abort::Serror { .. }) => seen.faults += 1,
                Err(abort @ (Abort::Unmapped | Abort::Own)) => return Err(abort),
            }
            address = address.wrapping_add(stride);
            wanted = wanted.wrapping_add(inc) & width.max();
        }
        Ok(Answer::Same(seen))
    }

    fn wait(&mut self, width: Width, at: u64, mask: u64, value: u64, ms: u32) -> Result<Answer, Abort> {
        let machine = self.machine;
        let deadline = self.after(ms);
        let mut looks = 0;
        loop {
            let now = machine.now();
            let found = machine.read(width, at)?;
            if found & mask == value {
                return Ok(Answer::Value(found));
            }
            if now >= deadline {
                return Ok(Answer::Timeout(found));
            }
            looks += 1;
            // The first looks come at once; later ones leave the CPU to others in between.
            if looks > EAGER && self.interrupts()?.is_some() {
                let next = now.saturating_add(machine.frequency() / LOOKS);
                machine.sleep(next.min(deadline));
            }
        }
    }

    /// Tests memory in blocks, so that one word aliasing another shows, around what must stay.
    fn ram(&self, at: u64, len: u64) -> Result<Answer, Abort> {
        let machine = self.machine;
        let Some(last) = at.checked_add(len - 1) else { return Err(Abort::Unmapped) };
        let mut address = at;
        while address <= last {
            if let Some(past) = self.past_own(address) {
                // Words are whole, and what follows the last one is not looked at.
                match past.checked_next_multiple_of(8) {
                    Some(next) if next <= last => address = next,
                    _ => break,
                }
                continue;
            }
            let next_own = machine.own().iter().map(|(first, _)| first & !7).filter(|first| *first > address).min();
            let end = next_own.unwrap_or(u64::MAX).min(last);
            let words = ((end - address) / 8 + u64::from(end == last)).max(1);
            let words = usize::try_from(words).unwrap_or(BLOCK).min(BLOCK);
            if let Some(bad) = self.ram_block(address, words)? {
                return Ok(Answer::BadRam(bad));
            }
            // At most 64 words.
            let step = u64::try_from(words).unwrap_or(1) * 8;
            match address.checked_add(step) {
                Some(next) => address = next,
                None => break,
            }
        }
        Ok(Answer::Ok)
    }

    fn ram_block(&self, base: u64, words: usize) -> Result<Option<u64>, Abort> {
        let machine = self.machine;
        let address = |word: usize| base.wrapping_add(u64::try_from(word).unwrap_or(0) * 8);
        // Different in every word, and in every bit between an address and the same one elsewhere.
        let pattern = |address: u64| address.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ !address.rotate_left(32);
        let mut kept = [0; BLOCK];
        for (word, value) in kept.iter_mut().take(words).enumerate() {
            *value = machine.read(Width::W64, address(word))?;
        }
        for word in 0..words {
            machine.write(Width::W64, address(word), pattern(address(word)))?;
        }
        let mut bad = None;
        for word in 0..words {
            let found = machine.read(Width::W64, address(word))?;
            if found != pattern(address(word)) {
                bad = bad.or(Some(address(word)));
            }
        }
        for (word, value) in kept.iter().take(words).enumerate() {
            machine.write(Width::W64, address(word), *value)?;
        }
        Ok(bad)
    }

    /// Returns the first address after the memory that must stay, if `at` lies in it.
    fn past_own(&self, at: u64) -> Option<u64> {
        let inside = |first: u64, last: u64| first & !7 <= at && at <= last;
        self.machine.own().iter().find(|(first, last)| inside(*first, *last)).map(|(_, last)| last.saturating_add(1))
    }

    fn dump(&self) -> Answer {
        let mut offset = 0;
        for piece in self.tree.chunks(CHUNK) {
            if let Some(data) = Data::new(piece) {
                self.machine.say(Note::Chunk { offset, data });
            }
            offset += u32::try_from(piece.len()).unwrap_or(0);
        }
        if self.tree.is_empty() { Answer::Cannot(Reason::NoTree) } else { Answer::Tree(offset) }
    }

    /// Takes `count` naps of `ms` milliseconds, each by an interrupt of the virtual timer.
    fn nap(&self, ms: u32, count: u32) -> Answer {
        let (machine, irqs) = (self.machine, self.irqs);
        let start = irqs.count(TIMER);
        for nap in 1..=count {
            let wake = self.after(ms);
            let give_up = self.after(ms.saturating_mul(10));
            while irqs.count(TIMER).wrapping_sub(start) < nap {
                if machine.now() >= give_up {
                    return Answer::Timeout(u64::from(irqs.count(TIMER).wrapping_sub(start)));
                }
                machine.sleep(wake);
            }
        }
        Answer::Irqs { intid: TIMER, count: irqs.count(TIMER).wrapping_sub(start) }
    }

    fn after(&self, ms: u32) -> u64 {
        let ticks = u64::from(ms).saturating_mul(self.machine.frequency()) / 1000;
        self.machine.now().saturating_add(ticks)
    }
}

/// Starts another CPU by PSCI.
pub fn cpu_on(machine: &impl Machine, conduit: Conduit, mpidr: u64, entry: u64, context: u64) -> Result<u64, Abort> {
    machine.call(conduit, [PSCI_CPU_ON, mpidr, entry, context])
}

/// Says that an interrupt came which no op asked for, as an accident without an instruction.
pub fn stray(intid: u32) -> Note {
    Note::Fault { vector: Vector::Irq, esr: u64::from(intid), elr: 0, far: 0 }
}

fn ending(op: Op) -> Option<Stop> {
    match op {
        Op::Idle => Some(Stop::Idle),
        Op::Off => Some(Stop::Off),
        Op::Reset => Some(Stop::Reset),
        Op::Crash => Some(Stop::Crash),
        Op::Spin => Some(Stop::Spin),
        _ => None,
    }
}

/// Returns FAR where the syndrome says that it holds an address (ISS.FnV, Arm ARM D24.2.40).
fn far_of(esr: u64, far: u64) -> Option<u64> {
    (esr & (1 << 10) == 0).then_some(far)
}
