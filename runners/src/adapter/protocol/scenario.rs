//! The description of a scenario that an adapter gets: machine and domains, in a form that fits any hypervisor.

use std::fmt::Write as _;

use model::Arch;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::address::Modules;
use crate::arch::{GuestLayout, HostLayout};

/// A scenario without its expectations: only the machine and the domains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its id.
    pub id: String,
    /// The architecture.
    pub arch: Arch,
    /// The kernel of every domain: a flat Linux `Image` that runs wherever it is put (2 MiB aligned).
    pub kernel: FileRef,
    /// Arguments that the user adds to the hypervisor's own; usually empty.
    pub hypervisor_arguments: String,
    /// The machine.
    pub machine: Machine,
    /// The domains to start at boot, in the order of their creation.
    pub domains: Vec<Domain>,
    /// The same scenario in Xen's dom0less form.
    pub dom0less: Dom0less,
}

/// The machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// QEMU's arguments for the machine. The answer's `arguments` are added to them; its `argv` replaces them.
    pub arguments: Vec<String>,
    /// RAM in MiB.
    pub memory_mib: u32,
    /// CPUs.
    pub cpus: u32,
    /// The machine's own device tree, with the changes that the case makes. Nodes that may be assigned to domains have
    /// the property `xen,passthrough`.
    pub tree: FileRef,
    /// RAM that is free for images at boot.
    pub modules: Modules,
    /// Addresses of what a domain finds.
    pub guest: GuestLayout,
    /// The same addresses for a domain that is direct-mapped.
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
    /// What it may do to other domains.
    pub role: Role,
    /// Its memory in KiB.
    pub memory_kib: u64,
    /// Its memory in guest-physical addresses.
    pub memory: Vec<Bank>,
    /// Whether it is direct-mapped: its addresses equal those of the host.
    pub direct_map: bool,
    /// Virtual CPUs.
    pub cpus: u32,
    /// Whether it has an emulated PL011 whose output appears on the machine's console.
    pub console: bool,
    /// Number of shared lines of its interrupt controller; without it, the hypervisor's default.
    pub interrupt_lines: Option<u32>,
    /// The exact `bootargs` that its kernel must find under `/chosen`.
    pub arguments: String,
    /// The ramdisk that its kernel must find.
    pub ramdisk: Option<Placed>,
    /// The complete device tree of the domain, for a hypervisor that does not make one. It places the ramdisk at the
    /// address in `ramdisk`. A hypervisor that makes the tree itself may place both anywhere.
    pub tree: Placed,
    /// The platform devices assigned to it.
    pub devices: Vec<Device>,
    /// The PCI functions assigned to it, in the order in which it sees them.
    pub pci: Vec<PciFunction>,
}

/// What a domain may do to other domains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Nothing.
    Guest,
    /// Create, change and destroy other domains by Xen's hypercalls.
    Control,
    /// The same, and own all devices that no other domain owns.
    Hardware,
}

/// A bank of a domain's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bank {
    /// Its first guest-physical address.
    pub base: u64,
    /// Its size in bytes.
    pub size: u64,
    /// Its first host-physical address, where the case demands one.
    pub host: Option<u64>,
}

/// A file and its place in a domain's memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Placed {
    /// The file.
    pub file: FileRef,
    /// Guest-physical address of its first byte.
    pub address: u64,
}

/// A platform device that is assigned to a domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Its node's name in the domain's tree, under `/passthrough`.
    pub name: String,
    /// Its registers.
    pub ranges: Vec<Range>,
    /// Its shared interrupts, numbered as the architecture's interrupt controller numbers them.
    pub interrupts: Vec<u32>,
    /// Its node in the machine's tree.
    pub host_node: Option<String>,
    /// Whether it is assigned although no IOMMU filters its DMA.
    pub force_without_iommu: bool,
    /// The other properties of its node in the domain's tree, including `compatible`.
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

/// The scenario in Xen's dom0less form (Xen, docs/misc/arm/device-tree/booting.txt).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dom0less {
    /// The machine's tree with the domains under `/chosen`.
    pub tree: FileRef,
    /// What must be in memory in addition to the hypervisor.
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

/// A file of the scenario's folder. It is written once, even if several fields name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileRef {
    /// Its path.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of its content, in lower-case hexadecimal digits.
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
