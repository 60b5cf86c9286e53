//! The architecture-specific parts of cases and verdicts: words, operations and numbers.
//!
//! A case is written for one architecture, and the words of the architectures are distinct, so each word identifies its
//! architecture.

use std::fmt;

use serde::{Deserialize, Serialize};
use wire::Answer;
use wire::arch::Op;

mod aarch64;
#[cfg(test)]
mod former_words;

#[cfg(test)]
pub use aarch64::sample;
pub use aarch64::{
    CONTROLLER_PHANDLE, FIRST_SHARED, IOMMUS, LINE_STATES, emulated, emulated_at, guest,
    interrupt_cells, is_controller, line_state, operation, shared_interrupts, shared_line,
};

/// The first words of expectations that only one architecture has.
pub const EXPECTATIONS: &[&str] = aarch64::EXPECTATIONS;

/// The operations that only one architecture has.
pub const OPERATIONS: &[&str] = aarch64::OPERATIONS;

/// The word for an input line of the interrupt controller, in actions outside the guests.
pub const LINE: &str = aarch64::LINE;

/// Interrupt lines of a guest whose case does not set them: those of the machine.
pub const GUEST_LINES: u32 = aarch64::GUEST_LINES;

/// The operation that reads the time from a counter that all domains share.
pub const NOW: &str = aarch64::NOW;

/// What only operations of one architecture can observe.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    /// Of AArch64.
    Aarch64(aarch64::Expect),
}

impl Expect {
    /// Parses an expectation that is specific to an architecture; none if it is not.
    pub fn parse(words: &[&str]) -> Option<Self> {
        aarch64::Expect::parse(words).map(Self::Aarch64)
    }

    /// Tells whether `answer` is what must be observed.
    pub fn met_by(&self, answer: &Answer) -> bool {
        match (self, answer) {
            (Self::Aarch64(expect), Answer::Arch(wire::arch::Answer::Aarch64(answer))) => {
                expect.met_by(*answer)
            }
            _ => false,
        }
    }

    /// Tells whether the probe can answer `op` in this way.
    pub const fn suits(&self, op: &Op) -> bool {
        match (self, op) {
            (Self::Aarch64(expect), Op::Aarch64(op)) => expect.suits(op),
        }
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aarch64(expect) => expect.fmt(f),
        }
    }
}

/// Tells whether the operation answers with a value or with the exception that it raised.
pub const fn answers_a_value(op: &Op) -> bool {
    match op {
        Op::Aarch64(op) => aarch64::answers_a_value(op),
    }
}
