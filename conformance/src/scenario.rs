//! A scenario: one case with one row of parameters on one architecture, understood to the last word.

use serde::Serialize;
use wire::Op;

use crate::case::expect::Expect;
use crate::case::{Machine, Role};
use crate::pci::Topology;
use model::{Arch, Class, Place};
use oft::Id;

mod cast;
pub mod events;
pub mod generate;
pub mod guards;
mod macros;
mod parse;
mod sense;
mod steps;
pub mod tree_check;

pub use events::EventRule;
pub use parse::level;
pub use tree_check::TreeCheck;

/// Name of the domain that shows that the rest of the machine runs on.
pub const SENTINEL: &str = "sentinel";

/// Memory of a domain whose case does not say otherwise, in KiB.
pub const DOMAIN_MEMORY_KIB: u64 = 8 * 1024;

/// Memory of a domain made at run time whose case does not say otherwise, in KiB.
pub const CHILD_MEMORY_KIB: u64 = 2 * 1024;

/// One run of the suite's smallest unit.
#[derive(Clone, Debug, Serialize)]
pub struct Scenario {
    /// `<requirement name>.<suffix>` and, for a case with parameters, `/<row>`.
    pub id: String,
    /// The case.
    #[serde(serialize_with = "as_text")]
    pub case: Id,
    /// What the case shows, in a line.
    pub title: String,
    /// Requirements it covers.
    #[serde(serialize_with = "all_as_text")]
    pub covers: Vec<Id>,
    /// The clause of the requirement that it shows, where the case names one.
    pub clause: Option<String>,
    /// Where the case stands.
    pub place: Place,
    /// Kind of evidence.
    pub class: Class,
    /// Architecture.
    pub arch: Arch,
    /// How much it asks of a subject.
    pub level: model::Level,
    /// Capabilities it needs.
    pub needs: Vec<model::Capability>,
    /// What the case says about its reading of the requirement.
    pub note: Option<String>,
    /// The machine.
    pub machine: Machine,
    /// Its PCI functions, where the case says which it has.
    pub pci: Option<Topology>,
    /// Arguments that the hypervisor gets beside the profile's.
    pub arguments: Vec<String>,
    /// Edits of the host tree, as written.
    pub host: Vec<String>,
    /// Host nodes that carry `xen,passthrough`; none: those that the domains name.
    pub passthrough: Option<Vec<String>>,
    /// The domains in tree order, the sentinel last, and behind it those that are made at run time.
    pub domains: Vec<Domain>,
    /// Steps outside the guests.
    pub outside: Vec<Step>,
    /// What the IOMMU must have stopped or let pass, and what not.
    pub events: Vec<EventRule>,
}

/// A domain of a scenario.
#[derive(Clone, Debug, Serialize)]
pub struct Domain {
    /// Node name under /chosen; of a child, what the case calls it.
    pub name: String,
    /// Number in the frames of its probe, and its id for the hypervisor unless it is a child with another: its place, from
    /// 1; a hardware domain is 0.
    pub number: u8,
    /// What it may do to others.
    pub role: Role,
    /// How it is made, where that happens at run time.
    pub child: Option<Child>,
    /// Host memory that it is made of: first byte and length.
    pub banks: Vec<(u64, u64)>,
    /// Whether its addresses are those of the host.
    pub direct: bool,
    /// Memory in KiB; none: [`DOMAIN_MEMORY_KIB`].
    pub memory_kib: Option<u64>,
    /// Where its memory begins, in its own eyes.
    pub ram: u64,
    /// Virtual CPUs.
    pub cpus: u32,
    /// Emulated console.
    pub vpl011: bool,
    /// Number of interrupt lines; none: left out.
    pub guest_lines: Option<u32>,
    /// Further properties of the domain node: name and value in source form.
    pub extra: Vec<(String, String)>,
    /// The partial tree, where there is one.
    pub partial: Option<Partial>,
    /// PCI functions that it is given: segment, bus, and device and function.
    pub pci: Vec<[u32; 3]>,
    /// What the probe does and must observe.
    pub lines: Vec<Line>,
    /// What the domain's own tree must look like; empty when the tree is not looked at.
    pub tree: Vec<TreeCheck>,
    /// Whether it may run.
    pub fate: Fate,
    /// Whether what it finds decides where it is to be refused and runs all the same.
    pub otherwise: bool,
}

/// What must become of a domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It runs its script to the end.
    Runs,
    /// It never runs; a subject with diagnostics names all these in one line.
    Refused(Vec<String>),
    /// It runs at least up to its own mark `having`, and nothing comes from it behind mark `mark` of domain `by`.
    Destroyed {
        /// Its own mark.
        having: String,
        /// Number of the domain that destroys it.
        by: u8,
        /// The mark of that one behind which it is gone.
        mark: String,
    },
}

/// How a domain is made at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Child {
    /// Number of the domain that makes it.
    pub of: u8,
    /// The id that is asked for.
    pub id: u16,
    /// Place of its tree among what its maker was given; its ramdisk is the next.
    pub entry: u8,
    /// Where the tree is put in its memory.
    pub tree: u64,
    /// Where the ramdisk is put.
    pub ramdisk: u64,
}

/// A partial device tree.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Partial {
    /// Cells that /passthrough declares: address, size.
    pub cells: Option<(u32, u32)>,
    /// Widths in which the values are written.
    pub encoding: Option<(u32, u32)>,
    /// phandle of the node that stands for the interrupt controller.
    pub controller: Option<u32>,
    /// The devices.
    pub devices: Vec<Device>,
    /// Edits of the finished tree, as written.
    pub edits: Vec<String>,
    /// Size to which it is padded.
    pub pad: Option<u64>,
    /// Named defect of the blob.
    pub spoil: Option<String>,
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
    /// Host node that the guest's description is taken from.
    pub like: Option<String>,
    /// Numbers of the interrupts that are bound for a child.
    pub lines: Vec<u32>,
    /// Further properties: name and value in source form.
    pub props: Vec<(String, String)>,
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
    /// What must come of it.
    pub expect: Expect,
    /// Who wants it.
    pub from: From,
}

/// Where a line of a script comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum From {
    /// The case says so.
    Case,
    /// Every domain shows it: nothing but what was assigned is mapped.
    Guard,
}

/// When a step outside is taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// Before the first instruction.
    Start,
    /// When the probe of this domain reports this mark.
    Mark(u8, String),
    /// When every awaited line is in.
    End,
}

/// Steps outside the guests at one moment.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// When.
    pub at: Moment,
    /// What, in order.
    pub acts: Vec<Act>,
}

/// One act outside the guests.
#[derive(Clone, Debug, Serialize)]
pub struct Act {
    /// As written, without the expectation.
    pub text: String,
    /// What is done.
    pub what: What,
    /// What must be seen.
    pub expect: Expect,
}

/// Kinds of acts outside the guests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Reads physical memory or a register: address and bytes.
    Read(u64, u8),
    /// Writes physical memory or a register: address, bytes, value.
    Write(u64, u8, u64),
    /// Reads a register again and again until it shows a value under a mask: address, bytes, mask and value.
    Wait(u64, u8, u64, u64),
    /// Sets the level of an input line at the interrupt controller, numbered from 0.
    Line(u32, bool),
    /// A QMP command and its arguments, all texts.
    Qmp(String, Vec<(String, String)>),
    /// Asks QEMU which PCI functions there are.
    QueryPci,
    /// Stops the virtual CPUs.
    Stop,
    /// Lets them run on.
    Continue,
}

impl Scenario {
    /// Names the folder of its evidence.
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
    /// Tells whether its probe stops talking before the end of its script, on purpose.
    pub fn falls_silent(&self) -> bool {
        self.lines.iter().any(|line| silences(&line.op))
    }

    /// Counts the answers that must come: all up to the one that silences it, or up to the mark that it must have reached.
    pub fn awaited(&self) -> usize {
        if let Fate::Destroyed { having, .. } = &self.fate {
            let reached =
                |line: &Line| matches!(&line.op, Op::Mark(name) if name.as_str() == having);
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

/// Tells an operation after which the probe says nothing more.
pub const fn silences(op: &Op) -> bool {
    matches!(op, Op::Idle | Op::Off | Op::Reset | Op::Crash | Op::Spin)
}

fn as_text<T: ToString, S: serde::Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&value.to_string())
}

fn all_as_text<T: ToString, S: serde::Serializer>(values: &[T], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(values.iter().map(ToString::to_string))
}
