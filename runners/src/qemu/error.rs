//! Errors that prevent a run, and the reasons why a session ends.

use std::io;

use model::Arch;
use thiserror::Error;

use crate::exit_status::Status;

/// The error for an architecture that the suite cannot run yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0}: not available yet")]
pub struct NotAvailable(pub Arch);

/// An error that prevented a run or its observation. What QEMU or the guest did in an observed run is a
/// [`RunRecord`](crate::RunRecord), however bad.
#[derive(Debug, Error)]
pub enum RunError {
    /// The suite cannot run the architecture yet.
    #[error(transparent)]
    NotAvailable(#[from] NotAvailable),
    /// A program is missing.
    #[error("{0}: no such program")]
    NoProgram(String),
    /// A name is unusable on a command line, or leads out of the folder of the run.
    #[error("{0}: not a name that can be used")]
    BadName(String),
    /// An operation of the suite failed.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// What went wrong.
        source: io::Error,
    },
    /// QEMU sent something that its protocol does not allow.
    #[error("{what}: did not expect {text:?}{}", said(stderr))]
    Protocol {
        /// The protocol.
        what: &'static str,
        /// The text that came.
        text: String,
        /// QEMU's standard error.
        stderr: String,
    },
    /// A short-lived QEMU failed.
    #[error("{argv}: {status}{}", said(stderr))]
    Failed {
        /// Its command line.
        argv: String,
        /// How it ended.
        status: Status,
        /// Its standard error.
        stderr: String,
    },
    /// A short-lived QEMU did not end.
    #[error("{0}: did not end")]
    Hung(String),
}

impl RunError {
    /// Adds to an error what was being done.
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

/// Why a session ends.
#[derive(Debug)]
pub(crate) enum Halt {
    Finished,
    Deadline,
    Flooded,
    /// QEMU has closed its side.
    Gone,
    Broken(RunError),
}
