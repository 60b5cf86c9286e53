//! A domain as a case file has it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Text, yes};

/// A domain and what it must observe.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Domain {
    /// Node name under /chosen; for a child, its name in scripts.
    pub name: String,
    /// Its privilege over other domains.
    #[serde(default)]
    pub role: Role,
    /// Domains that its script creates at run time.
    #[serde(default)]
    pub children: Vec<Domain>,
    /// Domain id of a child, if it is not the next free one.
    #[serde(default)]
    pub id: Option<Text>,
    /// Memory in KiB.
    #[serde(default)]
    pub memory_kib: Option<Text>,
    /// Host memory of the domain, `<address> <size>`: `xen,static-mem`. Its sum is the domain's memory if `memory_kib`
    /// is left out.
    #[serde(default, rename = "static")]
    pub banks: Vec<Text>,
    /// `direct-map`: its memory and its emulated devices are at host addresses.
    #[serde(default)]
    pub direct_map: bool,
    /// Virtual CPUs.
    #[serde(default)]
    pub cpus: Option<Text>,
    /// False leaves out the emulated console, and with it all output of the domain.
    #[serde(default = "yes")]
    pub vpl011: bool,
    /// Number of lines of the virtual interrupt controller.
    #[serde(default, rename = "nr_spis")]
    pub guest_lines: Option<Text>,
    /// Further properties of the domain node.
    #[serde(default)]
    pub extra: BTreeMap<String, Text>,
    /// The form of the partial device tree, apart from its devices. If it and the devices are left out, there is no
    /// partial tree.
    #[serde(default)]
    pub partial: Option<Partial>,
    /// Devices of the partial device tree.
    #[serde(default)]
    pub devices: Vec<Device>,
    /// PCI functions assigned to it, in the order of its virtual devices: names of `machine.pci`, or `<segment> <bus>
    /// <device and function>`. They go to `xen,pci-assigned` of its partial tree, or `give` assigns them to a child.
    #[serde(default)]
    pub pci: Vec<Text>,
    /// Operations of the probe, each with what it must observe: `r32 0x9030fe0 => 0x61`. A line that a row leaves empty
    /// is left out.
    ///
    /// In hypercalls (`hv`, `hc`, `hcmem`) the name of a domain stands for its id, and so do `self`, `io`, `xen` and
    /// `invalid`. A hypercall must return 0, or what is expected: `=> EBUSY`, `=> errno` for any error, `=> 4..6`.
    /// Queries such as `hv free` must return no error. Some words stand for several operations:
    ///
    /// * `flag N` and `see N`: writes N into a word of its own memory; waits for N there;
    /// * `await NAME N` and `signal NAME N`: the same in the memory of another domain, for a control domain;
    /// * `make NAME`, `give NAME`, `start NAME`: creates a child with its memory and boot modules, assigns its devices,
    ///   starts it; `build NAME` does all three. An expectation of `give` applies to each of its calls;
    /// * `dma read A N` and `dma write A N`: the edu device copies N bytes from A to its buffer, or from its buffer to
    ///   A, and the probe waits for it, unless `begin` follows; `dma@B` is the same for a device whose registers are at
    ///   B. A may be a place in scratch memory, `@SLOT+OFFSET`;
    /// * `pci read16 F OFFSET`, `pci write16 F OFFSET V`: configuration space of the function F, a name or
    ///   `[BUS:]DEVICE[.FUNCTION]`; `pci enable F [barN A]...` sets its BARs and switches its memory decoder and bus
    ///   mastering on; `pci known` asks the hypervisor for all functions, and expects those that `query-pci` showed
    ///   outside;
    /// * in `hv pci...`, the name of a function stands for its number.
    #[serde(default)]
    pub script: Vec<Text>,
    /// What the domain's own device tree must look like.
    #[serde(default)]
    pub tree: Vec<Text>,
    /// The domain must not run. The texts are what the diagnostic must name.
    #[serde(default)]
    pub refused: Option<Vec<Text>>,
    /// What the domain must observe if it should be refused but runs, where the requirement leaves that open: these
    /// operations judge a subject that does not claim level `strict`. The script ends after them.
    #[serde(default)]
    pub otherwise: Vec<Text>,
    /// The domain must run up to a mark, and must be destroyed at another.
    #[serde(default)]
    pub destroyed: Option<Destroyed>,
    /// False leaves out the isolation checks: accesses by which every domain shows that only its own regions are
    /// mapped.
    #[serde(default = "yes")]
    pub guards: bool,
}

/// Privilege of a domain over other domains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// None.
    #[default]
    Guest,
    /// It creates, changes and destroys other domains by hypercall.
    Control,
    /// It does the same, and owns all devices that no other domain has.
    Hardware,
}

/// When a domain must be running, and from when on it must be gone.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Destroyed {
    /// A mark of its own that it must have reached; everything before the mark is judged.
    pub having: Text,
    /// `<domain> <mark>`: no frame may come from it after this mark of another domain.
    pub by: Text,
}

/// Form of a partial device tree.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Partial {
    /// `<address> <size>` cells that /passthrough declares; `none` leaves both out.
    #[serde(default)]
    pub cells: Option<Text>,
    /// Widths in cells in which the values are written, if they differ from the declared ones.
    #[serde(default)]
    pub encoding: Option<Text>,
    /// phandle of the node that stands for the interrupt controller; `none` leaves the node out.
    #[serde(default)]
    pub controller: Option<Text>,
    /// Edits of the finished tree.
    #[serde(default)]
    pub edit: Vec<Text>,
    /// Total size in bytes to which the tree is padded.
    #[serde(default)]
    pub pad: Option<Text>,
    /// One named defect of the finished blob.
    #[serde(default)]
    pub spoil: Option<Text>,
}

/// A node of the partial tree.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Node name under /passthrough.
    pub node: Text,
    /// `<host> <size> <guest>` triples, or rows of them: `... x <count> <host step> <guest step>`.
    #[serde(default)]
    pub reg: Vec<Text>,
    /// `xen,path`.
    #[serde(default)]
    pub path: Option<Text>,
    /// `xen,force-assign-without-iommu`.
    #[serde(default)]
    pub force: Option<Text>,
    /// Host node from which the guest's node takes `compatible` and `interrupts`; if left out, that of `path`.
    #[serde(default)]
    pub like: Option<Text>,
    /// Numbers of the interrupts that `give` binds, if the domain is a child.
    #[serde(default)]
    pub lines: Vec<Text>,
    /// Additional or overriding properties, in device-tree source form.
    #[serde(default)]
    pub props: BTreeMap<String, Text>,
}
