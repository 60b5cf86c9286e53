//! What a probe can be told to do.

pub(crate) mod error;
mod hv;
mod operand;
mod parse;
mod show;
pub(crate) mod words;

pub use error::{OpError, OpErrorKind};
pub use hv::Hv;
pub use operand::{MAX_PATH, MAX_VALUES, Path, Place, SLOT, SLOTS, Value, Values};
pub use parse::parse_op;

use crate::arch;
use crate::irq::Irq;
use crate::name::Name;

/// The longest time an op may be told to wait, in milliseconds.
pub const MAX_MS: u32 = 60_000;

/// The most ops that a loop repeats.
pub const MAX_REPEATED: u8 = 16;

/// The size of an access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// One byte.
    W8,
    /// Two bytes.
    W16,
    /// Four bytes.
    W32,
    /// Eight bytes.
    W64,
}

/// How an interrupt line is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// Pending while the line is high.
    Level,
    /// Pending once the line has risen.
    Edge,
}

/// The memory type that the probe's own translation gives to addresses outside its RAM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attr {
    /// As a device: not cached, and each access is made once and in order.
    Device,
    /// As RAM: cached, write-back.
    Normal,
}

/// One step of a script, answered by one [`Note::Op`](crate::Note::Op).
///
/// The text form is given with each; addresses and values are decimal, or hexadecimal after `0x`,
/// with `_` where the eye wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `r32 A`: reads. Answers `Value` or `Fault`.
    Read {
        /// Size of the access.
        width: Width,
        /// Address; it need not be aligned.
        at: u64,
    },
    /// `w32 A V`: writes. Answers `Ok` or `Fault`.
    Write {
        /// Size of the access.
        width: Width,
        /// Address; it need not be aligned.
        at: u64,
        /// What is written.
        value: u64,
    },
    /// `sweep r32 A N S` or `sweep w32 A N S V`: N accesses, S bytes apart. Answers `Sweep`.
    Sweep {
        /// Size of each access.
        width: Width,
        /// First address.
        at: u64,
        /// How many accesses, at least one.
        count: u32,
        /// Bytes from one address to the next; the sum wraps.
        stride: u64,
        /// What is written; without it the sweep reads.
        value: Option<u64>,
    },
    /// `same r32 A N S V I`: reads N values and compares the i-th with V + i * I. Answers `Same`.
    Same {
        /// Size of each access.
        width: Width,
        /// First address.
        at: u64,
        /// How many accesses, at least one.
        count: u32,
        /// Bytes from one address to the next; the sum wraps.
        stride: u64,
        /// The first value wanted.
        value: u64,
        /// What each further value has more, cut to the width.
        inc: u64,
    },
    /// `wait32 A MASK V MS`: polls until `*A & MASK == V`. Answers `Value`, `Timeout` or `Fault`.
    Wait {
        /// Size of each access.
        width: Width,
        /// Address.
        at: u64,
        /// The bits looked at.
        mask: u64,
        /// What they must be.
        value: u64,
        /// The bound, by the guest's clock.
        ms: u32,
    },
    /// `ram A L`: writes a pattern of its own, reads it back, restores what was there; steps over the
    /// probe's own image, tree and ramdisk, and `Cannot` where nothing else is left. Answers `Ok`,
    /// `BadRam` or `Fault`.
    Ram {
        /// First address, a multiple of 8.
        at: u64,
        /// Bytes, a multiple of 8.
        len: u64,
    },
    /// `exec A`: branches there. Answers `Fault`, or `Ok` if what lies there returns.
    Exec {
        /// Address, a multiple of 4.
        at: u64,
    },
    /// `tree`: dumps the device tree that the probe was started with. Answers `Tree` after the chunks.
    Tree,
    /// `irq on I level|edge [PRIORITY]`: enables, and counts from 0. Answers `Ok`.
    IrqOn {
        /// The interrupt.
        irq: Irq,
        /// How its line is read.
        trigger: Trigger,
        /// Its priority; 0xa0 unless given.
        priority: u8,
    },
    /// `irq off I`: disables. Answers `Ok`.
    IrqOff {
        /// The interrupt.
        irq: Irq,
    },
    /// `irq act I w32 A V`: has the handler write V before the end of interrupt; up to four. Answers `Ok`.
    IrqAct {
        /// The interrupt.
        irq: Irq,
        /// Size of the access.
        width: Width,
        /// Address.
        at: u64,
        /// What is written.
        value: u64,
    },
    /// `irq noeoi I`: has the handler leave the interrupt active. Answers `Ok`.
    IrqNoEoi {
        /// The interrupt.
        irq: Irq,
    },
    /// `irq wait I N MS`: sleeps until N were counted since `irq on`. Answers `Irqs` or `Timeout`.
    IrqWait {
        /// The interrupt.
        irq: Irq,
        /// How many, at least one.
        count: u32,
        /// The bound, by the guest's clock.
        ms: u32,
    },
    /// `irq count I`. Answers `Irqs`.
    IrqCount {
        /// The interrupt.
        irq: Irq,
    },
    /// `timer MS`: sleeps until the timer's interrupt. Answers `Irqs`, or `Timeout` when
    /// ten times as long brought none.
    Timer {
        /// When it fires.
        ms: u32,
    },
    /// `yield N`: N timer waits of a millisecond, so that every domain that can run does. Answers `Ok`,
    /// or `Timeout` as `timer` does.
    Yield {
        /// How many, at least one.
        count: u32,
    },
    /// `attr device|normal`: the memory type of later accesses outside the probe's RAM. Answers `Ok`.
    Attr(Attr),
    /// `mark NAME`: tells the harness that this point is reached. Answers `Mark`.
    Mark(Name),
    /// `idle`: sleeps for ever, after answering `Ok`.
    Idle,
    /// `off`: has the machine switched off, after answering `Ok`.
    Off,
    /// `reset`: has the machine reset, after answering `Ok`.
    Reset,
    /// `crash`: has itself reported as crashed, after answering `Ok`.
    Crash,
    /// `spin`: never waits and never traps again, after answering `Ok`.
    Spin,
    /// `storm A N`: N reads of 32 bits in a row. Answers `Value` with the number of exceptions.
    Storm {
        /// Address.
        at: u64,
        /// How many, at least one.
        count: u32,
    },
    /// `hc N [A0 [A1 [A2 [A3 [A4]]]]]`: hypercall N with these arguments, 0 for those left out. Answers
    /// `Value` with the result, or `Fault`.
    Hypercall {
        /// The hypercall's number.
        number: u16,
        /// Its arguments, at most five.
        args: Values,
    },
    /// `hcmem SLOT+OFFSET V...`: writes up to five values of 64 bits there. Answers `Ok`, or `Fault`.
    ScratchWrite {
        /// The first byte.
        at: Place,
        /// What is written.
        values: Values,
    },
    /// `hcaim A SLOT+OFFSET`: writes there, in 64 bits, at which address the place is: to a device that masters memory, in a
    /// domain whose memory is where the hypervisor put it. Answers `Ok` or `Fault`.
    WriteScratchAddress {
        /// Address.
        at: u64,
        /// The place.
        place: Place,
    },
    /// `hcr SLOT+OFFSET 8|16|32|64`: reads there. Answers `Value`, or `Fault`.
    ScratchRead {
        /// The first byte.
        at: Place,
        /// Size of the access.
        width: Width,
    },
    /// `hv ...`: asks something of the hypervisor.
    Hv(Hv),
    /// An op that only one architecture has.
    Arch(arch::Op),
    /// `loop N M`: carries out the M ops that follow N times, and lets those of the last pass answer.
    /// Answers `Value` with the number of answers in all passes that were not the same as in the first.
    Loop {
        /// How often, at least twice.
        passes: u32,
        /// How many ops, at least one and at most 16.
        ops: u8,
    },
}

impl Op {
    /// Returns the address that it is about, where it is about one.
    pub const fn address(&self) -> Option<u64> {
        match self {
            Self::Read { at, .. }
            | Self::Write { at, .. }
            | Self::Sweep { at, .. }
            | Self::Same { at, .. }
            | Self::Wait { at, .. }
            | Self::Ram { at, .. }
            | Self::Exec { at }
            | Self::WriteScratchAddress { at, .. }
            | Self::Storm { at, .. } => Some(*at),
            _ => None,
        }
    }

    /// Tells whether a loop may repeat it: it comes back, and says nothing but its answer.
    pub const fn repeats(&self) -> bool {
        !matches!(
            self,
            Self::Tree
                | Self::Mark(_)
                | Self::Idle
                | Self::Off
                | Self::Reset
                | Self::Crash
                | Self::Spin
                | Self::Loop { .. }
        )
    }
}

impl Width {
    /// All of them.
    pub const ALL: &[Self] = &[Self::W8, Self::W16, Self::W32, Self::W64];

    /// Returns the number of bytes.
    pub const fn bytes(self) -> u64 {
        match self {
            Self::W8 => 1,
            Self::W16 => 2,
            Self::W32 => 4,
            Self::W64 => 8,
        }
    }

    /// Returns the largest value.
    pub const fn max(self) -> u64 {
        u64::MAX >> (64 - 8 * self.bytes())
    }

    /// Returns the number of bits, as op names end.
    pub const fn bits(self) -> &'static str {
        match self {
            Self::W8 => "8",
            Self::W16 => "16",
            Self::W32 => "32",
            Self::W64 => "64",
        }
    }

    /// Reads an op's name: `prefix` and then the bits.
    pub(crate) fn after(prefix: &str, word: &str) -> Option<Self> {
        let bits = word.strip_prefix(prefix)?;
        Self::ALL.iter().copied().find(|width| width.bits() == bits)
    }
}

#[cfg(test)]
mod tests {
    use super::Op;

    /// Probes copy ops by value, and beyond this size by a call.
    #[test]
    fn an_op_is_small() {
        assert!(size_of::<Op>() <= 48);
    }
}
