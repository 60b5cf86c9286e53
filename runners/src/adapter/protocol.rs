//! The protocol between the suite and an adapter: one JSON object a line, one response to each request.
//!
//! `runners/adapters/protocol-2.schema.json` is made from these types, and a test keeps the two equal.
//! `docs/bring-your-own-hypervisor.md` explains the protocol. Every change of what a line may contain raises
//! [`VERSION`]. No message has a field for a verdict: the suite alone observes and judges.

mod operation;
mod scenario;

use std::collections::BTreeSet;

use model::{Arch, Capabilities, Capability};
pub use operation::{Assigned, Destroy, Operate, Operated, Operation, OperationKind, Transfer};
pub use scenario::{
    Bank, Device, Dom0less, Domain, FileRef, Machine, Module, PciFunction, Placed, Property, Range,
    Role, Scenario,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of the protocol. Every line of both sides carries it.
pub const VERSION: u32 = 2;

/// A line that the suite sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The version of the protocol.
    pub version: u32,
    /// Number of the request to this process, from 1.
    pub id: u64,
    /// The request.
    pub request: Request,
}

/// A request of the suite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// The first request to a process: name your hypervisor and what it can do. Answered by `description`.
    Describe(Describe),
    /// Say how QEMU is started for this scenario. Answered by `prepared`.
    Prepare(Box<Prepare>),
    /// Have the hypervisor do this while the machine of the scenario prepared last runs. Answered by `operated`. The
    /// suite asks only for operations that the adapter claims.
    Operate(Box<Operate>),
    /// The machine of the scenario prepared last is gone, whatever came of it: tidy up. Answered by `done`.
    Teardown(Teardown),
}

/// The content of `describe`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Describe {
    /// The architecture of the profile.
    pub arch: Arch,
    /// The image that the user named, or the one that the profile offers.
    pub image: Option<String>,
}

/// The content of `prepare`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prepare {
    /// The folder of this scenario, as an absolute path. Relative paths of both sides start here. The suite removes it
    /// after `teardown`.
    pub folder: String,
    /// The image that the user named, or the one that the profile offers.
    pub image: Option<String>,
    /// The scenario to prepare.
    pub scenario: Scenario,
}

/// The content of `teardown`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Teardown {
    /// The scenario's id.
    pub scenario: String,
}

/// A line that the adapter sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The version of the protocol.
    pub version: u32,
    /// The id of the request.
    pub id: u64,
    /// The response.
    pub response: Response,
}

/// A response of the adapter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// Response to `describe`.
    Description(Description),
    /// Response to `prepare`.
    Prepared(Box<Prepared>),
    /// Response to `operate`.
    Operated(Operated),
    /// Response to `teardown`.
    Done(Done),
    /// Response to any request: it cannot be done. The scenario is then broken, because it did not run.
    Error(Failure),
}

/// The hypervisor behind the adapter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// Name of the hypervisor.
    pub name: String,
    /// Its version, as the ledger shows it.
    pub version: String,
    /// What it can do. A scenario is run if the profile claims all capabilities that it needs. It is broken if this
    /// list then lacks one of them.
    #[schemars(with = "Vec<Capability>")]
    pub capabilities: Capabilities,
    /// The file that identifies the hypervisor. The ledger contains its digest.
    #[serde(default)]
    pub image: Option<String>,
    /// The operations that the adapter can carry out at run time.
    #[serde(default)]
    pub operations: BTreeSet<OperationKind>,
}

/// How QEMU is started. Each path is absolute or relative to the scenario's folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prepared {
    /// The image for QEMU's `-kernel`.
    #[serde(default)]
    pub image: Option<String>,
    /// The device tree for QEMU's `-dtb`. Without it, QEMU uses its own.
    #[serde(default)]
    pub tree: Option<Blob>,
    /// What QEMU loads into memory before the first instruction.
    #[serde(default)]
    pub loads: Vec<Load>,
    /// Files that the arguments name. QEMU gets copies of these and no other files.
    #[serde(default)]
    pub files: Vec<NamedFile>,
    /// Arguments added to those of the machine.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// Arguments that replace those of the machine. The suite always adds its own for the console, QMP, qtest and the
    /// paused start, with which it observes and controls the machine.
    #[serde(default)]
    pub argv: Option<Vec<String>>,
    /// Where the domains' output appears, if not on the first serial line.
    #[serde(default)]
    pub console: Option<Console>,
    /// Overrides what the machine's clock follows, where the case asks for a clock that counts instructions.
    #[serde(default)]
    pub icount: Option<Clock>,
    /// Time limit of this run in milliseconds, instead of that of the profile.
    #[serde(default)]
    pub deadline_ms: Option<u64>,
}

/// Bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Blob {
    /// The content of the file at this path.
    Path(String),
    /// The content of this file. The scenario is broken if size or digest no longer match.
    File(FileRef),
    /// These bytes, in base64 with padding.
    Base64(String),
}

/// Bytes to load into memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Host-physical address of the first byte.
    pub address: u64,
    /// The bytes.
    pub blob: Blob,
}

/// A file that arguments name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NamedFile {
    /// The name in the arguments: a plain name without folders.
    pub name: String,
    /// What it holds.
    pub blob: Blob,
}

/// Where the domains' output appears.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Console {
    /// Number of the serial line, from 0.
    pub serial: u8,
}

/// What the machine's clock follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// The host's clock, for a hypervisor that cannot run with a clock that counts instructions.
    None,
}

/// An empty answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Done {}

/// Why something cannot be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// One line of text.
    pub reason: String,
}
