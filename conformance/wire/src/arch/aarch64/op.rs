//! Ops of AArch64 and their answers.

use core::fmt::{self, Write};

use super::Sysreg;
use crate::fields::Fields;
use crate::irq::Irq;
use crate::op::error::OpError;
use crate::op::words::Words;

/// An op that only an AArch64 probe carries out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `hvc X0 X1 X2 X3`: SMCCC call by HVC. Answers `Value` with X0, or `Fault`.
    Hvc([u64; 4]),
    /// `smc X0 X1 X2 X3`: SMCCC call by SMC, likewise.
    Smc([u64; 4]),
    /// `mrs NAME`: reads a system register. Answers `Value` or `Fault`.
    Mrs(Sysreg),
    /// `cpuon MPIDR`: PSCI CPU_ON; the second CPU says hello. Answers `Ok`, `Value` with the error, or `Cannot`.
    CpuOn {
        /// The CPU.
        mpidr: u64,
    },
    /// `sgi I`: sends a software-generated interrupt to this CPU. Answers `Ok`.
    Sgi {
        /// The interrupt, 0 to 15.
        irq: Irq,
    },
    /// `irq pend I`: sets an interrupt pending in the GIC. Answers `Ok`.
    Pend {
        /// The interrupt.
        irq: Irq,
    },
    /// `irq unpend I`: clears an interrupt's pending state in the GIC. Answers `Ok`.
    Unpend {
        /// The interrupt.
        irq: Irq,
    },
    /// `irq state I`: reads an interrupt's state. Answers `State`.
    State {
        /// The interrupt.
        irq: Irq,
    },
}

/// An answer that only AArch64 ops give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// An interrupt's state in distributor or redistributor.
    State {
        /// Enabled (ISENABLER).
        enabled: bool,
        /// Pending (ISPENDR).
        pending: bool,
        /// Active (ISACTIVER).
        active: bool,
    },
}

pub const OPS: &[&str] = &["hvc", "smc", "mrs", "cpuon", "sgi"];

impl Op {
    pub(crate) fn parse(words: &mut Words<'_>, word: &str) -> Option<Result<Self, OpError>> {
        Some(match word {
            "hvc" => registers(words).map(Self::Hvc),
            "smc" => registers(words).map(Self::Smc),
            "mrs" => words
                .one_of("system register", Sysreg::NAMES, Sysreg::from_name)
                .map(Self::Mrs),
            "cpuon" => words
                .number("the MPIDR", 0, u64::MAX)
                .map(|mpidr| Self::CpuOn { mpidr }),
            "sgi" => words
                .small("the interrupt", 0, 15)
                .map(|number| Self::Sgi { irq: Irq(number) }),
            _ => return None,
        })
    }

    pub(crate) fn of_irq(verb: &str, irq: Irq) -> Option<Self> {
        match verb {
            "pend" => Some(Self::Pend { irq }),
            "unpend" => Some(Self::Unpend { irq }),
            "state" => Some(Self::State { irq }),
            _ => None,
        }
    }
}

fn registers(words: &mut Words<'_>) -> Result<[u64; 4], OpError> {
    let mut values = [0; 4];
    for (value, what) in values.iter_mut().zip(["x0", "x1", "x2", "x3"]) {
        *value = words.number(what, 0, u64::MAX)?;
    }
    Ok(values)
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Hvc([x0, x1, x2, x3]) => write!(f, "hvc {x0:#x} {x1:#x} {x2:#x} {x3:#x}"),
            Self::Smc([x0, x1, x2, x3]) => write!(f, "smc {x0:#x} {x1:#x} {x2:#x} {x3:#x}"),
            Self::Mrs(register) => write!(f, "mrs {}", register.name()),
            Self::CpuOn { mpidr } => write!(f, "cpuon {mpidr:#x}"),
            Self::Sgi { irq } => write!(f, "sgi {irq}"),
            Self::Pend { irq } => write!(f, "irq pend {irq}"),
            Self::Unpend { irq } => write!(f, "irq unpend {irq}"),
            Self::State { irq } => write!(f, "irq state {irq}"),
        }
    }
}

impl Answer {
    pub(crate) fn write_body(self, out: &mut impl Write) -> fmt::Result {
        let Self::State {
            enabled,
            pending,
            active,
        } = self;
        let flag = |on, letter| if on { letter } else { '-' };
        write!(
            out,
            "g {}{}{}",
            flag(enabled, 'e'),
            flag(pending, 'p'),
            flag(active, 'a')
        )
    }

    pub(crate) fn read_body(letter: &str, fields: &mut Fields<'_>) -> Option<Self> {
        if letter != "g" {
            return None;
        }
        let flags = fields.word()?;
        Some(Self::State {
            enabled: flags.contains('e'),
            pending: flags.contains('p'),
            active: flags.contains('a'),
        })
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::State {
            enabled,
            pending,
            active,
        } = *self;
        let bit = u8::from;
        write!(
            f,
            "gic enabled={} pending={} active={}",
            bit(enabled),
            bit(pending),
            bit(active)
        )
    }
}
