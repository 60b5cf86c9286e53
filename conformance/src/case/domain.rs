//! A domain as a case file has it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::yaml::{NameOr, name_or};
use super::{Text, yes};

/// A domain and what it must observe.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Domain {
    /// Node name under /chosen; for a child, its name in scripts.
    pub name: String,
    /// Its privilege over other domains. If left out, a domain called `ctl` is a control domain, one called `hw` the
    /// hardware domain, and any other a guest.
    #[serde(default)]
    pub role: Option<Role>,
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
    /// `direct-map`: its memory and its emulated devices are at host addresses. `true`, or its memory as `static` has
    /// it.
    #[serde(default)]
    pub direct_map: DirectMap,
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
    /// Operations of the probe, each with what it must observe: `read32 gpio.id => gpio.identity`. A text may hold
    /// several, separated by `;`, and may be the only one. What a row leaves empty is left out. docs/case-language.md
    /// lists the operations.
    #[serde(default, deserialize_with = "super::yaml::one_or_many")]
    #[schemars(with = "OneOrMany")]
    pub script: Vec<Text>,
    /// What the domain's own device tree must look like.
    #[serde(default)]
    pub tree: Vec<Text>,
    /// The domain must not run. The texts are what the diagnostic must name.
    #[serde(default)]
    pub refused: Option<Vec<Text>>,
    /// What the domain must observe if it should be refused but runs, where the requirement leaves that open: these
    /// operations judge a subject that does not claim level `strict`. The script ends after them.
    #[serde(default, deserialize_with = "super::yaml::one_or_many")]
    #[schemars(with = "OneOrMany")]
    pub if_permitted: Vec<Text>,
    /// The domain must run up to a mark, and must be destroyed at another.
    #[serde(default)]
    pub destroyed: Option<Destroyed>,
    /// False leaves out the isolation checks: accesses by which every domain shows that only its own regions are
    /// mapped.
    #[serde(default = "yes")]
    pub isolation_checks: bool,
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

impl Domain {
    /// Returns its privilege over other domains.
    pub fn role(&self) -> Role {
        self.role.unwrap_or(match self.name.as_str() {
            "ctl" => Role::Control,
            "hw" => Role::Hardware,
            _ => Role::Guest,
        })
    }

    /// Returns its host memory as written.
    pub fn banks(&self) -> &[Text] {
        match &self.direct_map {
            DirectMap::Banks(banks) if self.banks.is_empty() => banks,
            _ => &self.banks,
        }
    }

    /// Tells whether its addresses are those of the host.
    pub const fn is_direct(&self) -> bool {
        !matches!(self.direct_map, DirectMap::Yes(false))
    }
}

/// One text, or several.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "it only describes what the reader accepts")]
enum OneOrMany {
    One(Text),
    Many(Vec<Text>),
}

/// Whether a domain's addresses are those of the host.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum DirectMap {
    /// Whether they are.
    Yes(bool),
    /// They are, and this is its memory.
    Banks(Vec<Text>),
}

impl Default for DirectMap {
    fn default() -> Self {
        Self::Yes(false)
    }
}

/// When a domain must be running, and from when on it must be gone: the domain that destroys it, or more than that.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub enum Destroyed {
    /// The name of the domain that destroys it: its own mark is `up`, the other's `gone`.
    By(String),
    /// With other marks.
    Marks(Marks),
}

/// When a domain must be running, and from when on it must be gone.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Marks {
    /// A mark of its own that it must have reached; everything before the mark is judged.
    pub after_mark: Text,
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
    pub corrupt: Option<Text>,
}

/// A device of a domain: the name of a device of the machine, or more than that.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub enum Device {
    /// A device of the machine, given as the machine wants it.
    Plain(String),
    /// A device with differences, or a node of its own.
    Node(Box<DeviceNode>),
}

/// A node of the partial tree. What it leaves out follows from the machine's device, if it names one.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceNode {
    /// The device of the machine that it is about.
    #[serde(default)]
    pub device: Option<Text>,
    /// Guest address at which its registers are mapped; by default that of the host, or the machine's window for it.
    #[serde(default)]
    pub at: Option<Text>,
    /// Node name under /passthrough; by default the library's name with the guest address.
    #[serde(default)]
    pub node: Option<Text>,
    /// `<host> <size> <guest>` triples, or rows of them: `... x <count> <host step> <guest step>`. By default what the
    /// library says is assigned of the device, at `at`.
    #[serde(default)]
    pub reg: Option<Vec<Text>>,
    /// `xen,path`: a device or a path. By default that of the device, for a domain that is created at boot. Empty: the
    /// device is named by its address alone.
    #[serde(default)]
    pub path: Option<Text>,
    /// `xen,force-assign-without-iommu`. By default set for a device that is not behind the IOMMU, for a domain that is
    /// created at boot.
    #[serde(default)]
    pub force: Option<Text>,
    /// Host node from which the guest's node takes `compatible` and `interrupts`: a device or a path; by default that
    /// of the device or of `path`.
    #[serde(default)]
    pub describe_as: Option<Text>,
    /// The interrupts that `give` binds, if the domain is a child; by default those of the device.
    #[serde(default)]
    pub interrupts: Option<Vec<Text>>,
    /// Additional or overriding properties, in device-tree source form.
    #[serde(default)]
    pub props: BTreeMap<String, Text>,
}

impl<'de> Deserialize<'de> for Device {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(match name_or(from, "the name of a device, or a map")? {
            NameOr::Name(name) => Self::Plain(name),
            NameOr::Map(node) => Self::Node(Box::new(node)),
        })
    }
}

impl<'de> Deserialize<'de> for Destroyed {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(match name_or(from, "the name of a domain, or a map")? {
            NameOr::Name(name) => Self::By(name),
            NameOr::Map(marks) => Self::Marks(marks),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(rest: &str) -> Domain {
        crate::case::yaml::read(&format!("{{{rest}}}")).unwrap()
    }

    /// The names `ctl` and `hw` imply a role, unless the case says which one a domain has.
    #[test]
    fn names_imply_roles() {
        for (rest, role) in [
            ("name: ctl", Role::Control),
            ("name: hw", Role::Hardware),
            ("name: dA", Role::Guest),
            ("name: ctl2", Role::Guest),
            ("name: ctl, role: guest", Role::Guest),
            ("name: hw, role: control", Role::Control),
            ("name: dA, role: hardware", Role::Hardware),
        ] {
            assert_eq!(read(rest).role(), role, "{rest}");
        }
    }

    /// A direct map may hold the domain's memory; `static` goes before it.
    #[test]
    fn a_direct_map_may_hold_the_memory() {
        for (rest, direct, banks) in [
            ("name: dA", false, &[][..]),
            ("name: dA, static: [bank1 8M]", false, &["bank1 8M"]),
            ("name: dA, direct_map: true", true, &[]),
            ("name: dA, direct_map: [bank1 8M]", true, &["bank1 8M"]),
            (
                "name: dA, direct_map: true, static: [bank1 8M]",
                true,
                &["bank1 8M"],
            ),
            (
                "name: dA, direct_map: [bank1 8M], static: [bank2 8M]",
                true,
                &["bank2 8M"],
            ),
        ] {
            let domain = read(rest);
            let read: Vec<&str> = domain.banks().iter().map(|bank| bank.0.as_str()).collect();
            assert_eq!((domain.is_direct(), &read[..]), (direct, banks), "{rest}");
        }
    }
}
