//! Ops: what a script can have a probe do.

pub(crate) mod error;
mod hv;
mod operand;
mod parse;
mod show;
mod width;
pub(crate) mod words;

pub use error::{OpError, OpErrorKind};
pub use hv::Hv;
pub use operand::{MAX_PATH, MAX_VALUES, Path, Place, SLOT, SLOTS, Value, Values};
pub use parse::parse_op;
pub use width::{MAX_MS, Width};

use crate::arch;
use crate::irq::Irq;
use crate::name::Name;

/// The most ops that a loop can repeat.
pub const MAX_REPEATED: u8 = 16;

/// How an interrupt line is triggered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// Level-sensitive: pending while the line is high.
    Level,
    /// Edge-triggered: pending once the line has risen.
    Edge,
}

/// The memory type that the probe's own translation gives to addresses outside its RAM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attr {
    /// Device memory: not cached; each access happens once, and in order.
    Device,
    /// Normal memory: cached, write-back.
    Normal,
}

/// One step of a script, answered by one [`Note::Op`](crate::Note::Op).
///
/// Each variant's documentation begins with its text form. Addresses and values are decimal, or
/// hexadecimal after `0x`; `_` may separate digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `r32 A`: reads memory. Answers `Value` or `Fault`.
    Read {
        /// Size of the access.
        width: Width,
        /// Address; it need not be aligned.
        at: u64,
    },
    /// `w32 A V`: writes memory. Answers `Ok` or `Fault`.
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
        /// The value to write; without it the sweep reads.
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
        /// The first expected value.
        value: u64,
        /// The increment from one value to the next, cut to the width.
        inc: u64,
    },
    /// `wait32 A MASK V MS`: polls until `*A & MASK == V`. Answers `Value`, `Timeout` or `Fault`.
    Wait {
        /// Size of each access.
        width: Width,
        /// Address.
        at: u64,
        /// The bits to compare.
        mask: u64,
        /// Their expected value.
        value: u64,
        /// The bound, by the guest's clock.
        ms: u32,
    },
    /// `ram A L`: writes a pattern, reads it back, and restores the old content. Skips the probe's own
    /// image, tree and ramdisk. Answers `Ok`, `BadRam`, `Fault`, or `Cannot` if nothing else is in the range.
    Ram {
        /// First address, a multiple of 8.
        at: u64,
        /// Bytes, a multiple of 8.
        len: u64,
    },
    /// `exec A`: branches to an address. Answers `Fault`, or `Ok` if the code there returns.
    Exec {
        /// Address, a multiple of 4.
        at: u64,
    },
    /// `tree`: dumps the device tree with which the probe was started. Answers `Tree` after the chunks.
    Tree,
    /// `irq on I level|edge [PRIORITY]`: enables an interrupt, and counts it from 0. Answers `Ok`.
    IrqOn {
        /// The interrupt.
        irq: Irq,
        /// How its line is triggered.
        trigger: Trigger,
        /// Its priority; 0xa0 unless given.
        priority: u8,
    },
    /// `irq off I`: disables an interrupt. Answers `Ok`.
    IrqOff {
        /// The interrupt.
        irq: Irq,
    },
    /// `irq act I w32 A V`: adds a write that the handler makes before the end of interrupt; up to four. Answers `Ok`.
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
    /// `irq noeoi I`: makes the handler leave the interrupt active. Answers `Ok`.
    IrqNoEoi {
        /// The interrupt.
        irq: Irq,
    },
    /// `irq wait I N MS`: sleeps until the interrupt was taken N times since `irq on`. Answers `Irqs` or `Timeout`.
    IrqWait {
        /// The interrupt.
        irq: Irq,
        /// How many, at least one.
        count: u32,
        /// The bound, by the guest's clock.
        ms: u32,
    },
    /// `irq count I`: tells how often the interrupt was taken. Answers `Irqs`.
    IrqCount {
        /// The interrupt.
        irq: Irq,
    },
    /// `timer MS`: sleeps until the timer's interrupt. Answers `Irqs`, or `Timeout` if the interrupt
    /// does not come within ten times that long.
    Timer {
        /// The time until the timer fires, in milliseconds.
        ms: u32,
    },
    /// `yield N`: sleeps N times for a millisecond, so that every runnable domain runs. Answers `Ok`,
    /// or `Timeout` as `timer` does.
    Yield {
        /// How many, at least one.
        count: u32,
    },
    /// `attr device|normal`: sets the memory type of later accesses outside the probe's RAM. Answers `Ok`.
    Attr(Attr),
    /// `mark NAME`: reports to the harness that the script reached this point. Answers `Mark`.
    Mark(Name),
    /// `idle`: answers `Ok`, then sleeps for ever.
    Idle,
    /// `off`: answers `Ok`, then requests to switch the machine off.
    Off,
    /// `reset`: answers `Ok`, then requests to reset the machine.
    Reset,
    /// `crash`: answers `Ok`, then reports itself to the hypervisor as crashed.
    Crash,
    /// `spin`: answers `Ok`, then never waits and never traps again.
    Spin,
    /// `storm A N`: makes N reads of 32 bits without a pause. Answers `Value` with the number of exceptions.
    Storm {
        /// Address.
        at: u64,
        /// How many, at least one.
        count: u32,
    },
    /// `hc N [A0 [A1 [A2 [A3 [A4]]]]]`: makes hypercall N with these arguments; omitted ones are 0.
    /// Answers `Value` with the result, or `Fault`.
    Hypercall {
        /// The hypercall's number.
        number: u16,
        /// Its arguments, at most five.
        args: Values,
    },
    /// `hcmem SLOT+OFFSET V...`: writes up to five 64-bit values to scratch memory. Answers `Ok` or `Fault`.
    ScratchWrite {
        /// The first byte.
        at: Place,
        /// What is written.
        values: Values,
    },
    /// `hcaim A SLOT+OFFSET`: writes the address of a place in scratch memory to address A, in 64 bits. A script uses
    /// it to program a device's DMA where it does not know the addresses of its RAM. Answers `Ok` or `Fault`.
    WriteScratchAddress {
        /// Address.
        at: u64,
        /// The place.
        place: Place,
    },
    /// `hcr SLOT+OFFSET 8|16|32|64`: reads scratch memory. Answers `Value` or `Fault`.
    ScratchRead {
        /// The first byte.
        at: Place,
        /// Size of the access.
        width: Width,
    },
    /// `hv ...`: makes a request to the hypervisor.
    Hv(Hv),
    /// An op that only one architecture has.
    Arch(arch::Op),
    /// `loop N M`: carries out the next M ops N times; only the last pass sends their answers. Answers `Value`
    /// with the number of answers, in all passes, that differ from the first pass's.
    Loop {
        /// The number of passes, at least two.
        passes: u32,
        /// The number of ops, at least one and at most 16.
        ops: u8,
    },
}

impl Op {
    /// Returns the address that the op accesses, if it accesses one.
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

    /// Tells whether a loop can repeat the op: it returns, and sends nothing but its answer.
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

#[cfg(test)]
mod tests {
    use super::Op;

    /// Probes copy ops by value; for larger ops the compiler calls `memcpy`.
    #[test]
    fn an_op_is_small() {
        assert!(size_of::<Op>() <= 48);
    }
}
