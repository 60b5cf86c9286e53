//! A domain as a case file has it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Text, yes};

/// A domain and what it must find.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Domain {
    /// Node name under /chosen; of a child, what scripts call it.
    pub name: String,
    /// What it may do to others.
    #[serde(default)]
    pub role: Role,
    /// Domains that its script makes at run time.
    #[serde(default)]
    pub children: Vec<Domain>,
    /// Id that a child is made with, where it is not the next free one.
    #[serde(default)]
    pub id: Option<Text>,
    /// Memory in KiB.
    #[serde(default)]
    pub memory_kib: Option<Text>,
    /// Host memory that it is made of, `<address> <size>`: `xen,static-mem`. Its sum is the memory of a domain that does
    /// not say otherwise.
    #[serde(default, rename = "static")]
    pub banks: Vec<Text>,
    /// `direct-map`: its memory and what is emulated for it lie at host addresses.
    #[serde(default)]
    pub direct_map: bool,
    /// Virtual CPUs.
    #[serde(default)]
    pub cpus: Option<Text>,
    /// False leaves out the emulated console (and with it every word of the domain).
    #[serde(default = "yes")]
    pub vpl011: bool,
    /// Number of lines of the virtual interrupt controller.
    #[serde(default, rename = "nr_spis")]
    pub guest_lines: Option<Text>,
    /// Further properties of the domain node.
    #[serde(default)]
    pub extra: BTreeMap<String, Text>,
    /// What the partial device tree looks like apart from its devices; left out and without devices: no partial tree.
    #[serde(default)]
    pub partial: Option<Partial>,
    /// Devices of the partial device tree.
    #[serde(default)]
    pub devices: Vec<Device>,
    /// PCI functions that it is given, in the order of its virtual devices: names of `machine.pci`, or `<segment> <bus> <device
    /// and function>`. They stand in `xen,pci-assigned` of its partial tree, or are assigned by `give` to a child.
    #[serde(default)]
    pub pci: Vec<Text>,
    /// Operations of the probe, each with what it must observe: `r32 0x9030fe0 => 0x61`. A line that a row leaves empty is
    /// left out.
    ///
    /// In hypercalls (`hv`, `hc`, `hcmem`) the name of a domain stands for its id, and so do `self`, `io`, `xen` and
    /// `invalid`. They must return 0, or what is expected: `=> EBUSY`, `=> errno` for any error, `=> 4..6`; questions such
    /// as `hv free` must return no error. Some words stand for several operations:
    ///
    /// * `flag N` and `see N`: leaves N in a word of its own memory, waits for N there;
    /// * `await NAME N` and `signal NAME N`: the same, in the memory of another, for a domain in control;
    /// * `make NAME`, `give NAME`, `start NAME`: makes a child with its memory and what it boots, gives it its devices,
    ///   starts it; `build NAME` is all three. What is expected of `give` is expected of each of its calls;
    /// * `dma read A N` and `dma write A N`: has the edu device copy N bytes from A to its buffer, or from there to A, and waits
    ///   for it, or not with `begin` behind; `dma@B` for one whose registers are at B. A may be a place in scratch memory,
    ///   `@SLOT+OFFSET`;
    /// * `pci read16 F OFFSET`, `pci write16 F OFFSET V`: configuration space of the function that is called so, or is at
    ///   `[BUS:]DEVICE[.FUNCTION]`; `pci enable F [barN A]...` puts registers somewhere and switches decoder and mastering on;
    ///   `pci known` asks for all functions, and expects what `query-pci` showed outside;
    /// * in `hv pci...`, the name of a function stands for its number.
    #[serde(default)]
    pub script: Vec<Text>,
    /// What the domain's own device tree must look like.
    #[serde(default)]
    pub tree: Vec<Text>,
    /// The domain must not run. The texts are what the reason given must name.
    #[serde(default)]
    pub refused: Option<Vec<Text>>,
    /// What a refused domain must find where the subject makes it run all the same, because the requirement leaves that
    /// open: a subject that does not claim level `strict` is then judged by these operations. It ends there.
    #[serde(default)]
    pub otherwise: Vec<Text>,
    /// The domain must run so far, and must be gone from there on.
    #[serde(default)]
    pub destroyed: Option<Destroyed>,
    /// False leaves out the accesses that every domain makes to show that nothing but its own is mapped.
    #[serde(default = "yes")]
    pub guards: bool,
}

/// What a domain may do to others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Nothing.
    #[default]
    Guest,
    /// Create, change and destroy them by hypercall.
    Control,
    /// That, and own the devices that nobody else does.
    Hardware,
}

/// When a domain is there and from when on it is not.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Destroyed {
    /// A mark of its own that it must have reached; everything before it is judged.
    pub having: Text,
    /// `<domain> <mark>`: behind this mark of another domain nothing may come from it.
    pub by: Text,
}

/// Shape of a partial tree.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Partial {
    /// `<address> <size>` cells that /passthrough declares; `none` leaves both out.
    #[serde(default)]
    pub cells: Option<Text>,
    /// Widths in which the values are written, where they differ from the declared ones.
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
    /// Host node whose `compatible` and `interrupts` the guest's description takes over; left out: that of `path`.
    #[serde(default)]
    pub like: Option<Text>,
    /// Numbers of the interrupts that `give` binds, where the domain is a child.
    #[serde(default)]
    pub lines: Vec<Text>,
    /// Further or other properties, in device-tree source form.
    #[serde(default)]
    pub props: BTreeMap<String, Text>,
}
