//! Runs a machine under QEMU and brings back what was seen.
//!
//! The crate turns a [`Request`] into a [`RunRecord`]; it never says whether what was seen is good.
//! Saying what to run ([`qemu::argv`](crate::argv)) is pure and apart from running it ([`run()`]).
//!
//! What is *absent*, and why:
//! - no device tree is read or written here: trees are bytes, made by `dtb-gen`;
//! - no verdicts: a deadline or a dead QEMU is reported as that, and judged elsewhere;
//! - no sleeping and no polling: every wait is for an event of the console, QMP, qtest or the
//!   process itself, bounded by the deadline;
//! - no `unsafe`: the kernel's parent-death signal is set by util-linux' `setpriv`
//!   (see `qemu/process.rs`).

#![forbid(unsafe_code)]

pub mod adapter;
mod address;
mod arch;
mod deadline;
mod iommu;
mod profile;
mod qemu;
mod request;
mod run_record;
mod rundir;
mod subject;
mod waiver;

pub use address::{PciHost, Window};
pub use arch::{GuestLayout, HostLayout, NotAvailable, iommu_option};
pub use iommu::{Access, AccessFate, Counted, Iommu, Iommus, Queue, Reason, Tally, Trace};
pub use profile::{Control, DOMAIN, Modules, PanicFormat, Profile, ProfileError, Refusal};
pub use qemu::argv::{Io, argv, machine_arguments};
pub use qemu::script::{evidence_files, script};
pub use qemu::tools::{dump_tree, qemu_version, time_empty_start};
pub use qemu::{RunError, run};
pub use request::{
    Action, Answer, Command, File, Firmware, Icount, LabelledAction, Load, Machine, Request,
    RunController,
};
pub use run_record::{End, Record, RunRecord, Status, Timing};
pub use subject::{FetchError, Package};
pub use waiver::{Day, Waiver};
