//! A scenario: one case with one row of its parameters on one architecture, completely parsed.

use dtb_gen::{Edit, Value};
use model::{Arch, Class, Place};
use oft::Id;
use serde::Serialize;
use wire::Op;

use crate::case::expect::Expect;
use crate::case::{Machine, Role};
use crate::library::{self, Device as Model, MachineDevice};
use crate::pci::Topology;

mod domain_table;
pub mod generate;
pub mod iommu_events;
pub mod isolation_checks;
mod outside;
mod parse;
mod script;
mod steps;
pub mod tree_check;
mod validate;

pub use iommu_events::EventRule;
#[cfg(test)]
pub use outside::is_outside;
pub use parse::level;
#[cfg(test)]
pub use script::is_operation;
pub use script::is_request;
pub use tree_check::TreeCheck;

/// Name of the domain that shows that the rest of the machine still works.
pub const SENTINEL: &str = "sentinel";

/// Memory of a domain if its case does not set it, in KiB.
pub const DOMAIN_MEMORY_KIB: u64 = 8 * 1024;

/// Memory of a domain created at run time if its case does not set it, in KiB.
pub const CHILD_MEMORY_KIB: u64 = 2 * 1024;

/// The unit that is run and judged.
#[derive(Clone, Debug, Serialize)]
pub struct Scenario {
    /// `<requirement name>.<suffix>` and, for a case with parameters, `/<row>`.
    pub id: String,
    /// The case.
    #[serde(serialize_with = "as_text")]
    pub case: Id,
    /// What the case shows, in one line.
    pub title: String,
    /// Requirements it covers.
    #[serde(serialize_with = "all_as_text")]
    pub covers: Vec<Id>,
    /// The clause of the requirement that it shows, if the case names one.
    pub clause: Option<String>,
    /// Where the case is defined.
    pub place: Place,
    /// Kind of evidence.
    pub class: Class,
    /// Architecture.
    pub arch: Arch,
    /// How much it asks of a subject.
    pub level: model::Level,
    /// Capabilities it needs.
    pub needs: Vec<model::Capability>,
    /// How the case reads the requirement, or where it comes from.
    pub note: Option<String>,
    /// What the case asks of the machine.
    pub machine: Machine,
    /// The machine, as the library describes it.
    #[serde(serialize_with = "as_name")]
    pub board: &'static library::Machine,
    /// What the case needs and the machine cannot do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lacking: Vec<String>,
    /// The devices that the case adds to it.
    #[serde(skip)]
    pub added: Vec<Added>,
    /// The PCI functions of the machine, if the case lists any.
    pub pci: Option<Topology>,
    /// Arguments of the hypervisor, in addition to the profile's.
    pub arguments: Vec<String>,
    /// Edits of the host tree.
    #[serde(serialize_with = "all_as_debug")]
    pub host: Vec<Edit>,
    /// Host nodes that carry `xen,passthrough`; none: those that the domains name.
    pub passthrough: Option<Vec<String>>,
    /// The domains in tree order, then the sentinel, then the domains created at run time.
    pub domains: Vec<Domain>,
    /// Steps outside the guests.
    pub outside: Vec<Step>,
    /// What the IOMMU must have stopped or let pass, and what not.
    pub iommu_events: Vec<EventRule>,
}

/// A device that a case adds to the machine.
#[derive(Clone, Copy, Debug)]
pub struct Added {
    /// The device.
    pub device: &'static Model,
    /// Its place in the machine.
    pub place: &'static MachineDevice,
}

/// A domain of a scenario.
#[derive(Clone, Debug, Serialize)]
pub struct Domain {
    /// Node name under /chosen; for a child, its name in the case.
    pub name: String,
    /// Number in the frames of its probe. It is also the domain id, unless a child asks for another. Numbers follow the
    /// order of domains, from 1; a hardware domain is 0.
    pub number: u8,
    /// Its privilege over other domains.
    pub role: Role,
    /// How it is created, if that happens at run time.
    pub child: Option<Child>,
    /// Host memory of the domain: first byte and length of each bank.
    pub banks: Vec<(u64, u64)>,
    /// Whether its guest-physical addresses equal the host's.
    pub direct: bool,
    /// Memory in KiB; none: [`DOMAIN_MEMORY_KIB`].
    pub memory_kib: Option<u64>,
    /// IPA at which its memory begins.
    pub ram: u64,
    /// Virtual CPUs.
    pub cpus: u32,
    /// Whether it has an emulated console.
    pub vpl011: bool,
    /// Number of interrupt lines; none: the property is left out.
    pub guest_lines: Option<u32>,
    /// Further properties of the domain node.
    #[serde(serialize_with = "all_as_debug")]
    pub extra: Vec<(String, Value)>,
    /// The partial device tree, if it has one.
    pub partial: Option<Partial>,
    /// PCI functions assigned to it: segment, bus, and device and function.
    pub pci: Vec<[u32; 3]>,
    /// What the probe does and must observe.
    pub lines: Vec<Line>,
    /// What the domain's own tree must look like; empty if the tree is not checked.
    pub tree: Vec<TreeCheck>,
    /// What must become of it.
    pub expectation: Expectation,
    /// Whether its observations decide the verdict if it should be refused but runs.
    pub if_permitted: bool,
}

/// What must become of a domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Expectation {
    /// It runs its script to the end.
    Runs,
    /// It never runs. A subject with diagnostics names all of these in one line.
    Refused(Vec<String>),
    /// It runs at least up to its own mark `after_mark`, and no frame comes from it after mark `mark` of domain `by`.
    Destroyed {
        /// Its own mark.
        after_mark: String,
        /// Number of the domain that destroys it.
        by: u8,
        /// The mark of that domain after which it is gone.
        mark: String,
    },
}

/// How a domain is created at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Child {
    /// Number of the domain that creates it.
    pub of: u8,
    /// The domain id that its creator asks for.
    pub id: u16,
    /// Index of its tree among the entries of its creator's ramdisk; its own ramdisk is the next entry.
    pub entry: u8,
    /// Where the tree is put in its memory.
    pub tree: u64,
    /// Where the ramdisk is put.
    pub ramdisk: u64,
}

/// A partial device tree.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Partial {
    /// `#address-cells` and `#size-cells` that /passthrough declares.
    pub cells: Option<(u32, u32)>,
    /// Widths in cells in which the values are written.
    pub encoding: Option<(u32, u32)>,
    /// phandle of the node that stands for the interrupt controller.
    pub controller: Option<u32>,
    /// The devices.
    pub devices: Vec<Device>,
    /// Edits of the finished tree.
    #[serde(serialize_with = "all_as_debug")]
    pub edits: Vec<Edit>,
    /// Size in bytes to which it is padded.
    pub pad: Option<u64>,
    /// Named defect of the blob.
    pub corruption: Option<String>,
}

/// A device of a partial tree.
#[derive(Clone, Debug, Serialize)]
pub struct Device {
    /// Node name.
    pub node: String,
    /// Host base, size and guest base.
    pub ranges: Vec<Range>,
    /// `xen,path`.
    pub path: Option<String>,
    /// `xen,force-assign-without-iommu`.
    pub force: bool,
    /// Host node from which the guest's description is taken.
    pub describe_as: Option<String>,
    /// Numbers of the interrupts that are bound to a child.
    pub interrupts: Vec<u32>,
    /// Further properties.
    #[serde(serialize_with = "all_as_debug")]
    pub props: Vec<(String, Value)>,
}

/// One triple of `xen,reg`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Range {
    /// Host physical base.
    pub host: u64,
    /// Size in bytes.
    pub size: u64,
    /// Guest physical base.
    pub guest: u64,
}

/// One operation of a probe and what it must observe.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// The operation.
    #[serde(serialize_with = "as_text")]
    pub op: Op,
    /// The expected result.
    pub expect: Expect,
    /// Where the expectation comes from.
    pub from: From,
    /// The words of the case, if it is the first operation that they stand for.
    #[serde(skip)]
    pub said: Option<String>,
}

/// Where a line of a script comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum From {
    /// The case.
    Case,
    /// The isolation checks that every domain makes: only what was assigned is mapped.
    Isolation,
}

/// When a step outside is taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TriggerPoint {
    /// Before the first instruction.
    Start,
    /// When the probe of this domain reports this mark.
    Mark(u8, String),
    /// When all awaited lines have arrived.
    End,
}

/// Steps outside the guests at one moment.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// When they are taken.
    pub at: TriggerPoint,
    /// The actions, in order.
    pub acts: Vec<Action>,
}

/// One action outside the guests.
#[derive(Clone, Debug, Serialize)]
pub struct Action {
    /// As written, without the expectation.
    pub text: String,
    /// What is done.
    pub what: ActionKind,
    /// What must be observed.
    pub expect: Expect,
}

/// Kinds of actions outside the guests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// Reads physical memory or a register: address and bytes.
    Read(u64, u8),
    /// Writes physical memory or a register: address, bytes, value.
    Write(u64, u8, u64),
    /// Reads a register repeatedly until it shows a value under a mask: address, bytes, mask and value.
    Wait(u64, u8, u64, u64),
    /// Sets the level of an input line at the interrupt controller, numbered from 0.
    Line(u32, bool),
    /// Sends a QMP command with its arguments, all as text.
    Qmp(String, Vec<(String, String)>),
    /// Asks QEMU for its list of PCI functions.
    QueryPci,
    /// Stops the virtual CPUs.
    Stop,
    /// Continues the virtual CPUs.
    Continue,
}

impl Scenario {
    /// Returns the name of its evidence folder.
    pub fn folder(&self) -> String {
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() || "._-+=^".contains(c) {
                c
            } else {
                '_'
            }
        };
        self.id
            .replace('/', "@")
            .chars()
            .map(|c| if c == '@' { '@' } else { plain(c) })
            .collect()
    }

    /// Returns the domain of this name.
    pub fn domain(&self, name: &str) -> Option<&Domain> {
        self.domains.iter().find(|domain| domain.name == name)
    }
}

impl Domain {
    /// Makes a guest of one virtual CPU with a console, which is given nothing, does nothing and must run.
    pub fn plain(name: impl Into<String>, number: u8, ram: u64) -> Self {
        Self {
            name: name.into(),
            number,
            role: Role::Guest,
            child: None,
            banks: Vec::new(),
            direct: false,
            memory_kib: None,
            ram,
            cpus: 1,
            vpl011: true,
            guest_lines: None,
            extra: Vec::new(),
            partial: None,
            pci: Vec::new(),
            lines: Vec::new(),
            tree: Vec::new(),
            expectation: Expectation::Runs,
            if_permitted: false,
        }
    }

    /// Tells whether the domain's probe stops reporting before the end of its script, on purpose.
    pub fn falls_silent(&self) -> bool {
        self.lines.iter().any(|line| silences(&line.op))
    }

    /// Counts the answers that must arrive: all up to the one that silences the probe, or up to the mark that the
    /// domain must reach.
    pub fn awaited(&self) -> usize {
        if let Expectation::Destroyed { after_mark, .. } = &self.expectation {
            let reached =
                |line: &Line| matches!(&line.op, Op::Mark(name) if name.as_str() == after_mark);
            return self
                .lines
                .iter()
                .position(reached)
                .map_or(0, |place| place + 1);
        }
        let silent = |line: &Line| silences(&line.op);
        self.lines
            .iter()
            .position(silent)
            .map_or(self.lines.len(), |place| place + 1)
    }
}

/// Tells whether the probe reports nothing more after the operation.
pub const fn silences(op: &Op) -> bool {
    matches!(op, Op::Idle | Op::Off | Op::Reset | Op::Crash | Op::Spin)
}

fn as_text<T: ToString, S: serde::Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&value.to_string())
}

fn all_as_text<T: ToString, S: serde::Serializer>(values: &[T], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(values.iter().map(ToString::to_string))
}

fn as_debug<T: std::fmt::Debug, S: serde::Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&format!("{value:?}"))
}

fn all_as_debug<T: std::fmt::Debug, S: serde::Serializer>(
    values: &[T],
    to: S,
) -> Result<S::Ok, S::Error> {
    to.collect_seq(values.iter().map(|value| format!("{value:?}")))
}

fn as_name<S: serde::Serializer>(machine: &&library::Machine, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&machine.machine)
}
