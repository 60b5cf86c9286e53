//! Runs a machine under QEMU and returns what was observed.
//!
//! The crate turns a [`Request`] into a [`RunRecord`] and judges nothing. The command line ([`qemu::argv`](crate::argv))
//! is made by pure code, apart from the run ([`run()`]).
//!
//! What the crate does not do, and why:
//! - it neither reads nor writes device trees: they are bytes here, and `dtb-gen` makes them;
//! - it gives no verdicts: it reports a deadline or a dead QEMU, and other code judges it;
//! - it neither sleeps nor polls: every wait is for an event of the console, QMP, qtest or the process itself, bounded
//!   by the deadline;
//! - it has no `unsafe`: util-linux' `setpriv` sets the kernel's parent-death signal (see `qemu/process.rs`).

#![forbid(unsafe_code)]

pub mod adapter;
mod address;
mod answer;
mod arch;
mod deadline;
mod exit_status;
mod iommu;
mod profile;
mod qemu;
mod request;
mod run_record;
mod rundir;
mod subject;
mod waiver;

pub use address::{Modules, PciHost, Window};
pub use answer::Answer;
pub use arch::{GuestLayout, HostLayout, NotAvailable, iommu_option};
pub use exit_status::Status;
pub use iommu::{Access, AccessFate, Counted, Iommu, Iommus, Queue, Reason, Tally, Trace};
pub use profile::{Control, DOMAIN, PanicFormat, Profile, ProfileError, Refusal};
pub use qemu::argv::{Io, argv, machine_arguments};
pub use qemu::script::{evidence_files, script};
pub use qemu::tools::{dump_tree, qemu_version, time_empty_start};
pub use qemu::{RunError, run};
pub use request::{
    Action, Command, File, Firmware, Icount, LabelledAction, Load, Machine, Request, RunController,
};
pub use run_record::{End, Record, RunRecord, Timing};
pub use subject::{FetchError, Package};
pub use waiver::{Day, Waiver};
