//! What an adapter is told of a scenario: what is there, in no hypervisor's form.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::arch::{GuestLayout, HostLayout};
use crate::profile::Modules;
use model::Arch;

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
