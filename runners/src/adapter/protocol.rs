//! What the suite and an adapter say to each other: one JSON object a line, a response to each request.
//!
//! `runners/adapters/protocol-2.schema.json` is made from these types, and a test keeps the two equal;
//! `docs/bring-your-own-hypervisor.md` tells it to people. Whatever changes what a line may say raises [`VERSION`].
//! No message has a place for a verdict: what a guest shows is seen by the suite alone.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::arch::{GuestLayout, HostLayout};
use crate::capability::{Capabilities, Capability};
use crate::profile::{Arch, Modules};

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

/// What `operate` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Operate {
    /// The scenario's id.
    pub scenario: String,
    /// What is to be done.
    pub operation: Operation,
}

/// What a hypervisor is to do at run time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Make this domain and start it.
    Create(Domain),
    /// End a domain and take back all that it has.
    Destroy(Destroy),
    /// Give something to a domain that runs.
    Assign(Transfer),
    /// Take something back from a domain that runs.
    Deassign(Transfer),
}

impl Operation {
    /// Returns its kind.
    pub const fn kind(&self) -> OperationKind {
        match self {
            Self::Create(_) => OperationKind::Create,
            Self::Destroy(_) => OperationKind::Destroy,
            Self::Assign(_) => OperationKind::Assign,
            Self::Deassign(_) => OperationKind::Deassign,
        }
    }
}

/// A kind of [`Operation`], as an adapter claims it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    /// Domains can be made at run time.
    Create,
    /// Domains can be ended at run time.
    Destroy,
    /// Devices can be given at run time.
    Assign,
    /// Devices can be taken back at run time.
    Deassign,
}

impl fmt::Display for OperationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Destroy => "destroy",
            Self::Assign => "assign",
            Self::Deassign => "deassign",
        })
    }
}

/// Which domain is ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Destroy {
    /// Its name.
    pub domain: String,
}

/// What is given to a domain or taken back from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// The domain's name.
    pub domain: String,
    /// What is given or taken back.
    pub what: Assigned,
}

/// Something of the machine that a domain may have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Assigned {
    /// A platform device.
    Device(Device),
    /// A PCI function.
    Pci(PciFunction),
}

/// A file of the scenario's folder. Each is written once, however often it is named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileRef {
    /// Where it lies.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of what it holds, in lower-case hexadecimal digits.
    pub sha256: String,
}

impl FileRef {
    /// Describes the file at `path` that holds `bytes`.
    pub fn of(path: impl Into<String>, bytes: &[u8]) -> Self {
        let mut sha256 = String::new();
        for byte in Sha256::digest(bytes) {
            // Writing to a string does not fail.
            let _ = write!(sha256, "{byte:02x}");
        }
        Self {
            path: path.into(),
            size: bytes.len() as u64,
            sha256,
        }
    }
}

/// What `teardown` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Teardown {
    /// The scenario's id.
    pub scenario: String,
}

/// A scenario as far as a hypervisor is concerned: not what must be seen, only what is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its id.
    pub id: String,
    /// The architecture.
    pub arch: Arch,
    /// The kernel of every domain: a flat Linux `Image` that runs wherever it is put (2 MiB aligned).
    pub kernel: FileRef,
    /// What the user wants added to the hypervisor's own arguments; mostly nothing.
    pub hypervisor_arguments: String,
    /// The machine.
    pub machine: Machine,
    /// The domains to start at boot, in the order of their creation.
    pub domains: Vec<Domain>,
    /// The same scenario as a Xen-like hypervisor reads it.
    pub dom0less: Dom0less,
}

/// The machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// QEMU's arguments for it. `arguments` of the answer are added to them, `argv` takes their place.
    pub arguments: Vec<String>,
    /// RAM in MiB.
    pub memory_mib: u32,
    /// CPUs.
    pub cpus: u32,
    /// The machine's own device tree, with whatever the case changes in it. Nodes that may be given to domains have the
    /// property `xen,passthrough`.
    pub tree: FileRef,
    /// RAM that is free for images at boot.
    pub modules: Modules,
    /// What a domain finds where.
    pub guest: GuestLayout,
    /// What a domain finds where when its addresses are those of the host.
    pub host: Option<HostLayout>,
    /// Width of guest-physical addresses.
    pub ipa_bits: u8,
}

/// A domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Domain {
    /// Its name.
    pub name: String,
    /// Its place in the order of creation, from 1; 0 is a hardware domain.
    pub number: u8,
    /// What it may do to others.
    pub role: Role,
    /// Its memory in KiB.
    pub memory_kib: u64,
    /// Its memory as it sees it.
    pub memory: Vec<Bank>,
    /// Whether its addresses are those of the host.
    pub direct_map: bool,
    /// Virtual CPUs.
    pub cpus: u32,
    /// Whether it has a PL011 of its own whose text comes out on the console of the machine.
    pub console: bool,
    /// Shared interrupt lines of its interrupt controller; none: whatever the hypervisor gives.
    pub interrupt_lines: Option<u32>,
    /// What its kernel must find as `bootargs` under `/chosen`, to the letter.
    pub arguments: String,
    /// What its kernel must find as ramdisk.
    pub ramdisk: Option<Placed>,
    /// The whole device tree of the domain, for a hypervisor that makes none. It says that the ramdisk lies where
    /// `ramdisk` has it. A hypervisor that makes the tree itself may put both wherever it likes.
    pub tree: Placed,
    /// What of the machine is given to it.
    pub devices: Vec<Device>,
    /// PCI functions of the machine that are given to it, in the order in which it is to see them.
    pub pci: Vec<PciFunction>,
}

/// What a domain may do to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Nothing.
    Guest,
    /// Create, change and destroy them by Xen's hypercalls.
    Control,
    /// That, and own the devices that nobody else does.
    Hardware,
}

/// A piece of a domain's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bank {
    /// Its first address, as the domain sees it.
    pub base: u64,
    /// Its size in bytes.
    pub size: u64,
    /// Its first address on the host, where the case wants a certain one.
    pub host: Option<u64>,
}

/// A file and where it lies in a domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Placed {
    /// The file.
    pub file: FileRef,
    /// Guest-physical address of its first byte.
    pub address: u64,
}

/// A device that is given to a domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Its node's name in the domain's tree, under `/passthrough`.
    pub name: String,
    /// Its registers.
    pub ranges: Vec<Range>,
    /// Its shared interrupts, by the numbers that the architecture's interrupt controller has for them.
    pub interrupts: Vec<u32>,
    /// Its node in the machine's tree.
    pub host_node: Option<String>,
    /// Whether it is to be given although no IOMMU guards it.
    pub force_without_iommu: bool,
    /// What else its node in the domain's tree says, `compatible` among it.
    pub properties: Vec<Property>,
}

/// A PCI function of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PciFunction {
    /// Its segment.
    pub segment: u32,
    /// Its bus.
    pub bus: u32,
    /// Its device.
    pub device: u32,
    /// Its function.
    pub function: u32,
}

/// Registers of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// Host-physical address.
    pub host: u64,
    /// Guest-physical address.
    pub guest: u64,
    /// Size in bytes.
    pub size: u64,
}

/// A property of a device-tree node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Property {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub base64: String,
}

/// The scenario as a hypervisor reads it that has Xen's dom0less form (Xen, docs/misc/arm/device-tree/booting.txt).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dom0less {
    /// The machine's tree with the domains under `/chosen`.
    pub tree: FileRef,
    /// What must lie in memory beside the hypervisor.
    pub modules: Vec<Module>,
}

/// A boot module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Module {
    /// The file.
    pub file: FileRef,
    /// Host-physical address of its first byte.
    pub address: u64,
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

/// What became of an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Operated {
    /// Why the hypervisor refused it; nothing where it did it. What that is worth shows in what its domains see.
    #[serde(default)]
    pub refused: Option<String>,
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
