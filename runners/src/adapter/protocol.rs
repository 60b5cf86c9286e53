//! What the suite and an adapter say to each other: one JSON object a line, a response to each request.
//!
//! `runners/adapters/protocol-2.schema.json` is made from these types, and a test keeps the two equal;
//! `docs/bring-your-own-hypervisor.md` tells it to people. Whatever changes what a line may say raises [`VERSION`].
//! No message has a place for a verdict: what a guest shows is seen by the suite alone.

mod operation;
mod scenario;

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use model::{Arch, Capabilities, Capability};

pub use operation::{Assigned, Destroy, Operate, Operated, Operation, OperationKind, Transfer};
pub use scenario::{
    Bank, Device, Dom0less, Domain, FileRef, Machine, Module, PciFunction, Placed, Property, Range,
    Role, Scenario,
};

/// The version of the protocol, in every line of both sides.
pub const VERSION: u32 = 2;

/// A line of the suite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The version of the protocol.
    pub version: u32,
    /// Counts the requests to one process, from 1.
    pub id: u64,
    /// What is asked for.
    pub request: Request,
}

/// What the suite asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// The first request to a process: who are you, and what can your hypervisor do?
    Describe(Describe),
    /// What must QEMU be started with for this scenario? Answered by `prepared`.
    Prepare(Box<Prepare>),
    /// Have the hypervisor do this while the machine of the scenario prepared last runs. Answered by `operated`. Only asked
    /// of who claims the operation.
    Operate(Box<Operate>),
    /// The machine of the scenario prepared last is gone, whatever came of it: tidy up. Answered by `done`.
    Teardown(Teardown),
}

/// What `describe` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Describe {
    /// The architecture of the profile.
    pub arch: Arch,
    /// The image that the user named, or that the profile offers.
    pub image: Option<String>,
}

/// What `prepare` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prepare {
    /// A folder of this scenario alone, as an absolute path. Relative paths, in both directions, begin here. It is
    /// removed after `teardown`.
    pub folder: String,
    /// The image that the user named, or that the profile offers.
    pub image: Option<String>,
    /// What is to be run.
    pub scenario: Scenario,
}

/// What `teardown` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Teardown {
    /// The scenario's id.
    pub scenario: String,
}

/// A line of the adapter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The version of the protocol.
    pub version: u32,
    /// The id of the request.
    pub id: u64,
    /// What is answered.
    pub response: Response,
}

/// What the adapter answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// To `describe`.
    Description(Description),
    /// To `prepare`.
    Prepared(Box<Prepared>),
    /// To `operate`.
    Operated(Operated),
    /// To `teardown`.
    Done(Done),
    /// To any: it cannot be done. The scenario is broken, for it could not be run.
    Error(Failure),
}

/// Who answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// Name of the hypervisor.
    pub name: String,
    /// Its version; it stands in the ledger.
    pub version: String,
    /// What it can do. A scenario is run if the profile claims all that it needs, and broken if this list then lacks any
    /// of it.
    #[schemars(with = "Vec<Capability>")]
    pub capabilities: Capabilities,
    /// The file that identifies it; its digest stands in the ledger.
    #[serde(default)]
    pub image: Option<String>,
    /// What the adapter can have it do at run time.
    #[serde(default)]
    pub operations: BTreeSet<OperationKind>,
}

/// What QEMU must be started with. Each path is absolute or begins at the scenario's folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prepared {
    /// What QEMU's `-kernel` starts.
    #[serde(default)]
    pub image: Option<String>,
    /// The device tree that QEMU hands over, its `-dtb`; none: QEMU's own.
    #[serde(default)]
    pub tree: Option<Blob>,
    /// What lies in memory before the first instruction.
    #[serde(default)]
    pub loads: Vec<Load>,
    /// Files that the arguments name. QEMU gets copies, and no others.
    #[serde(default)]
    pub files: Vec<NamedFile>,
    /// Arguments beside those of the machine.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// Arguments in the place of those of the machine. What the suite needs to see and steer the machine is always its
    /// own: console, QMP, qtest and the paused start.
    #[serde(default)]
    pub argv: Option<Vec<String>>,
    /// Where the text of the domains comes out, unless it is the first serial line.
    #[serde(default)]
    pub console: Option<Console>,
    /// Whether the machine's clock follows its instructions, where the case would have it so.
    #[serde(default)]
    pub icount: Option<Icount>,
    /// The longest that this run may take, in milliseconds, in the place of what the profile says.
    #[serde(default)]
    pub deadline_ms: Option<u64>,
}

/// Bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Blob {
    /// What this file holds.
    Path(String),
    /// What this file holds, which is broken if that is something else by now.
    File(FileRef),
    /// These, in base64 with its padding.
    Base64(String),
}

/// Bytes in memory.
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
    /// What the arguments call it: a plain name without folders.
    pub name: String,
    /// What it holds.
    pub blob: Blob,
}

/// Where the text of the domains comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Console {
    /// The serial line, from 0.
    pub serial: u8,
}

/// What the machine's clock follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Icount {
    /// The host's clock, for a hypervisor that cannot run by instructions.
    None,
}

/// There is nothing to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Done {}

/// Why something cannot be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// In a line.
    pub reason: String,
}
