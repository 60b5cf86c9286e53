//! What was seen of a run.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use serde::Serialize;

use crate::iommu::Iommus;
use crate::request::{Action, Answer};

/// Why a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// The director said so.
    Finished,
    /// The guest turned the machine off or reset it.
    PoweredOff {
        /// QEMU's word for it, such as `guest-shutdown` or `guest-reset`.
        reason: String,
    },
    /// The time was up.
    Deadline,
    /// The guest printed more than the request allows.
    Flooded {
        /// Bytes printed until QEMU was gone.
        bytes: u64,
    },
    /// QEMU ended although neither the guest nor we asked for it.
    Died {
        /// How it ended.
        status: Status,
        /// What it said.
        stderr: String,
    },
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finished => write!(f, "finished"),
            Self::PoweredOff { reason } => write!(f, "powered off ({reason})"),
            Self::Deadline => write!(f, "deadline"),
            Self::Flooded { bytes } => write!(f, "flooded the console with {bytes} bytes"),
            Self::Died { status, stderr } => {
                let last = stderr.lines().last().unwrap_or("it said nothing");
                write!(f, "QEMU died, {status}: {last}")
            }
        }
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Its exit code, if it exited.
    pub code: Option<i32>,
    /// The signal that killed it, if one did.
    pub signal: Option<i32>,
}

impl From<ExitStatus> for Status {
    fn from(status: ExitStatus) -> Self {
        Self {
            code: status.code(),
            signal: status.signal(),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, self.signal) {
            (Some(code), _) => write!(f, "exit code {code}"),
            (None, Some(signal)) => write!(f, "signal {signal}"),
            (None, None) => write!(f, "status unknown"),
        }
    }
}

/// An action that was carried out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record {
    /// The name it was given.
    pub label: String,
    /// The action.
    pub action: Action,
    /// What came of it.
    pub answer: Answer,
    /// Console lines heard before it.
    pub lines: u64,
}

/// When things happened, counted from the call of `run`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// QEMU stood paused and answered.
    pub ready: Option<Duration>,
    /// The first instruction was let go.
    pub started: Option<Duration>,
    /// The first byte of console came.
    pub first_byte: Option<Duration>,
    /// QEMU was gone and everything tidied up.
    pub total: Duration,
}

/// Everything seen of a run.
#[derive(Clone, Debug)]
pub struct RunRecord {
    /// Why it ended.
    pub end: End,
    /// The console, up to the line at which the director finished; of a flood its head and tail.
    pub console: Vec<u8>,
    /// What QEMU itself had to say.
    pub stderr: String,
    /// The actions carried out, in order.
    pub answers: Vec<Record>,
    /// What IOMMUs did, where the request names any.
    pub iommus: Option<Iommus>,
    /// QEMU's command line.
    pub argv: Vec<String>,
    /// When things happened.
    pub timing: Timing,
}
