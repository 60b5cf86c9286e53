//! Why a run cannot be made, followed or continued.

use std::io;

use model::Arch;
use thiserror::Error;

use crate::run_record::Status;

/// Why nothing can be run for an architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0}: not available yet")]
pub struct NotAvailable(pub Arch);

/// Why a run could not be made or followed. What QEMU or the guest did in a run that could be
/// followed is a [`RunRecord`], however bad.
#[derive(Debug, Error)]
pub enum RunError {
    /// The architecture cannot be run yet.
    #[error(transparent)]
    NotAvailable(#[from] NotAvailable),
    /// A program is missing.
    #[error("{0}: no such program")]
    NoProgram(String),
    /// A name cannot stand on a command line, or would lie outside the folder of the run.
    #[error("{0}: not a name that can be used")]
    BadName(String),
    /// Something went wrong on our side.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// What went wrong.
        source: io::Error,
    },
    /// QEMU said what its protocol does not have.
    #[error("{what}: did not expect {text:?}{}", said(stderr))]
    Protocol {
        /// The protocol.
        what: &'static str,
        /// What came.
        text: String,
        /// What QEMU said besides.
        stderr: String,
    },
    /// A short-lived QEMU failed.
    #[error("{argv}: {status}{}", said(stderr))]
    Failed {
        /// Its command line.
        argv: String,
        /// How it ended.
        status: Status,
        /// What it said.
        stderr: String,
    },
    /// A short-lived QEMU did not end.
    #[error("{0}: did not end")]
    Hung(String),
}

impl RunError {
    /// Names what was being done when an error came up.
    pub(super) fn doing(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            doing: doing.into(),
            source,
        }
    }
}

fn said(stderr: &str) -> String {
    match stderr.trim() {
        "" => String::new(),
        text => format!("; QEMU said: {text}"),
    }
}

/// Why a session goes no further.
#[derive(Debug)]
pub(crate) enum Halt {
    Finished,
    Deadline,
    Flooded,
    /// QEMU has closed its side.
    Gone,
    Broken(RunError),
}
