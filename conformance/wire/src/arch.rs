//! What is specific to one architecture: the syndromes of its CPUs, its own ops, and their answers.
//!
//! All of it compiles everywhere, since the harness reads the frames of every architecture's probes.

pub mod aarch64;

use core::fmt::{self, Write};

use crate::fault::class::FaultClass;
use crate::fields::Fields;
use crate::irq::Irq;
use crate::op::error::OpError;
use crate::op::words::Words;

/// The highest interrupt that an op can name.
pub const LAST_IRQ: Irq = aarch64::LAST_IRQ;

/// The ops that only one architecture has.
pub(crate) const OPS: &[&str] = aarch64::OPS;

/// An exception's syndrome, as the CPU reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Raw {
    /// Of an AArch64 CPU.
    Aarch64(aarch64::Syndrome),
}

/// An op that only one architecture has. A probe of another one answers `Cannot`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Of AArch64.
    Aarch64(aarch64::Op),
}

/// An answer that only ops of one architecture give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Of AArch64.
    Aarch64(aarch64::Answer),
}

impl Raw {
    pub(crate) const fn class(self) -> FaultClass {
        match self {
            Self::Aarch64(syndrome) => syndrome.class(),
        }
    }

    /// Tells whether the CPU reports the address of the access with this exception.
    pub(crate) const fn names_address(self) -> bool {
        match self {
            Self::Aarch64(syndrome) => syndrome.names_address(),
        }
    }

    pub(crate) fn write_body(self, out: &mut impl Write) -> fmt::Result {
        match self {
            Self::Aarch64(syndrome) => syndrome.write_body(out),
        }
    }

    /// Reads a syndrome; its first letter names the architecture.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        aarch64::Syndrome::from_word(word).map(Self::Aarch64)
    }

    pub(crate) fn show_fault(
        self,
        f: &mut fmt::Formatter<'_>,
        address: Option<u64>,
    ) -> fmt::Result {
        match self {
            Self::Aarch64(syndrome) => syndrome.show_fault(f, address),
        }
    }

    /// Shows an exception that no op expected.
    pub(crate) fn show_unexpected(
        self,
        f: &mut fmt::Formatter<'_>,
        address: Option<u64>,
        pc: u64,
    ) -> fmt::Result {
        match self {
            Self::Aarch64(syndrome) => syndrome.show_unexpected(f, address, pc),
        }
    }

    /// Shows the syndrome of a sweep's first fault, or that it has none.
    pub(crate) fn show_first(first: Option<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match first {
            Some(Self::Aarch64(syndrome)) => write!(f, " {syndrome}"),
            None => f.write_str(aarch64::NO_SYNDROME),
        }
    }
}

impl Op {
    pub(crate) fn parse(words: &mut Words<'_>, word: &str) -> Option<Result<Self, OpError>> {
        Some(aarch64::Op::parse(words, word)?.map(Self::Aarch64))
    }

    /// Parses an op on an interrupt from its verb on.
    pub(crate) fn of_irq(verb: &str, irq: Irq) -> Option<Self> {
        aarch64::Op::of_irq(verb, irq).map(Self::Aarch64)
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aarch64(op) => op.fmt(f),
        }
    }
}

impl From<aarch64::Op> for Op {
    fn from(op: aarch64::Op) -> Self {
        Self::Aarch64(op)
    }
}

impl From<aarch64::Syndrome> for Raw {
    fn from(syndrome: aarch64::Syndrome) -> Self {
        Self::Aarch64(syndrome)
    }
}

impl From<aarch64::Answer> for Answer {
    fn from(answer: aarch64::Answer) -> Self {
        Self::Aarch64(answer)
    }
}

impl Answer {
    pub(crate) fn write_body(self, out: &mut impl Write) -> fmt::Result {
        match self {
            Self::Aarch64(answer) => answer.write_body(out),
        }
    }

    pub(crate) fn read_body(letter: &str, fields: &mut Fields<'_>) -> Option<Self> {
        aarch64::Answer::read_body(letter, fields).map(Self::Aarch64)
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aarch64(answer) => answer.fmt(f),
        }
    }
}
