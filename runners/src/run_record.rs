//! What was observed of a run.

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
    /// The run controller finished the run.
    Finished,
    /// The guest turned the machine off or reset it.
    PoweredOff {
        /// QEMU's reason, such as `guest-shutdown` or `guest-reset`.
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
        /// Its standard error.
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
    /// The answer.
    pub answer: Answer,
    /// Number of console lines before it.
    pub lines: u64,
}

/// Times of a run, counted from the call of `run`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// QEMU was paused and answered.
    pub ready: Option<Duration>,
    /// The first instruction was executed.
    pub started: Option<Duration>,
    /// The first byte of the console arrived.
    pub first_byte: Option<Duration>,
    /// QEMU was gone and all files were removed.
    pub total: Duration,
}

/// Everything that was observed of a run.
#[derive(Clone, Debug)]
pub struct RunRecord {
    /// Why the run ended.
    pub end: End,
    /// The console, up to the line at which the run controller finished; of a flood, its head and tail.
    pub console: Vec<u8>,
    /// QEMU's standard error.
    pub stderr: String,
    /// The actions carried out, in order.
    pub answers: Vec<Record>,
    /// What the IOMMUs did, where the request names any.
    pub iommus: Option<Iommus>,
    /// QEMU's command line.
    pub argv: Vec<String>,
    /// When things happened.
    pub timing: Timing,
}
