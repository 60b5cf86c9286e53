//! A machine: which devices it has and where, what memory, and which addresses cases may use.

use std::collections::BTreeMap;

use model::Arch;
use runners::{HostLayout, PciHost};
use schemars::JsonSchema;
use serde::Deserialize;

use super::device::{Part, is_symbol};
use super::{Device, Library};

/// One file of `machines/`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// The name by which profiles and `--machine` refer to it.
    pub machine: String,
    /// What it is, in one line.
    pub title: String,
    /// The machine of which this one is a variant. What this file leaves out is that machine's; what it says replaces
    /// it, device by device and name by name. Only `options` are added to that machine's, and the architecture is the
    /// same.
    #[serde(default)]
    pub extends: Option<String>,
    /// Its architecture; if no machine that it extends says it either, that of cases that name none.
    #[serde(default)]
    pub arch: Option<Arch>,
    /// Options that QEMU's `-M` needs for it, in addition to those of the profile and of the machine that it extends.
    #[serde(default)]
    pub options: Vec<String>,
    /// Names of other versions of QEMU's model: a case chooses one by `machine: {version: NAME}`.
    #[serde(default)]
    pub versions: BTreeMap<String, String>,
    /// What it can do that not every machine can: a case that needs one names it (`machine: {features: [...]}`), and is
    /// skipped on a machine without it.
    #[serde(default)]
    pub features: Vec<String>,
    /// Features of the machine that it extends, and that it has not.
    #[serde(default)]
    pub lacks: Vec<String>,
    /// Named host addresses that are no device: RAM that nothing uses (`bank1`), where QEMU puts its tree.
    #[serde(default)]
    pub addresses: BTreeMap<String, u64>,
    /// Named guest addresses at which neither a guest nor the machine has anything (`window`).
    #[serde(default)]
    pub windows: BTreeMap<String, u64>,
    /// First byte of RAM.
    #[serde(default)]
    pub ram: Option<u64>,
    /// The machine's own addresses of what a hypervisor emulates for guests.
    #[serde(default)]
    pub host: Option<HostLayout>,
    /// Its PCI host bridge: ECAM and memory windows.
    #[serde(default)]
    pub pci: Option<PciHost>,
    /// The first of the interrupts to which the pins of the first PCI bus go, one after the other.
    #[serde(default)]
    pub pci_interrupt: Option<u32>,
    /// The device that is the IOMMU.
    #[serde(default)]
    pub iommu: Option<String>,
    /// The devices by the names that cases use.
    #[serde(default)]
    pub devices: BTreeMap<String, MachineDevice>,
}

/// A device of a machine.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MachineDevice {
    /// Its file in `devices/`.
    pub device: String,
    /// Path of its node in the host's tree.
    #[serde(default)]
    pub path: Option<String>,
    /// Address of its registers.
    pub base: u64,
    /// Size of its registers in bytes.
    pub size: u64,
    /// What of its registers a case assigns that does not say, if it is not what the device's file says.
    #[serde(default)]
    pub assigned: Option<Part>,
    /// The guest address at which a case maps it that does not say: the name of a window. Its own address if left out.
    #[serde(default)]
    pub window: Option<String>,
    /// Its interrupts, by the numbers that a guest sees.
    #[serde(default)]
    pub interrupts: Vec<u32>,
    /// The handle by which other nodes refer to its node.
    #[serde(default)]
    pub phandle: Option<u32>,
    /// The number by which the IOMMU knows it (for a PCI function, its requester id).
    #[serde(default)]
    pub stream: Option<u32>,
    /// Set if it is only there if a case asks for it (`machine: {devices: [...]}`), with what that takes.
    #[serde(default)]
    pub optional: Option<Optional>,
}

/// What it takes to add a device to a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Optional {
    /// Arguments of QEMU.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// A PCI function that stands for a platform device: its place on the first bus. The suite sets its first BAR to
    /// the address of the registers before the first instruction, and describes it by a node at `path`.
    #[serde(default)]
    pub pci: Option<u8>,
    /// Contents of a flash: each 32-bit word holds its own offset.
    #[serde(default)]
    pub pattern: Option<Pattern>,
}

/// Contents of a flash that tell one page from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pattern {
    /// Bytes that are filled.
    pub filled: u64,
    /// Bytes of the flash.
    pub size: u64,
    /// Its number among QEMU's flashes.
    pub unit: u8,
}

impl Machine {
    /// Finds a device by the name that cases use.
    pub fn device(&self, name: &str) -> Option<&MachineDevice> {
        self.devices.get(name)
    }

    /// Returns its IOMMU.
    pub fn iommu(&self) -> Option<&MachineDevice> {
        self.devices.get(self.iommu.as_ref()?)
    }

    /// Returns its own addresses of what a hypervisor emulates for guests, and of its PCI host bridge.
    pub fn host_layout(&self) -> Option<HostLayout> {
        self.host.map(|host| HostLayout {
            pci: self.pci,
            ..host
        })
    }

    /// Returns its architecture.
    pub fn arch(&self) -> Arch {
        self.arch.unwrap_or_default()
    }

    /// Returns what is wrong if this machine extends another: a text of the file, and why.
    pub(super) fn cannot_be_over(&self, base: &Self) -> Option<(String, String)> {
        let own = self.arch.filter(|own| *own != base.arch())?;
        let (other, arch) = (&base.machine, base.arch());
        let why = format!("`{own}`: `{other}`, which it extends, is of {arch}");
        Some((own.to_string(), why))
    }

    /// Returns this machine with what it leaves out taken from another. Its options come after those of the other.
    pub(super) fn over(self, base: &Self) -> Self {
        fn merged<T: Clone>(
            base: &BTreeMap<String, T>,
            own: BTreeMap<String, T>,
        ) -> BTreeMap<String, T> {
            let mut all = base.clone();
            all.extend(own);
            all
        }
        Self {
            arch: base.arch,
            options: [base.options.clone(), self.options].concat(),
            versions: merged(&base.versions, self.versions),
            features: {
                let inherited = base.features.iter().chain(&self.features);
                let has = |name: &&String| !self.lacks.contains(*name);
                inherited.filter(has).cloned().collect()
            },
            addresses: merged(&base.addresses, self.addresses),
            windows: merged(&base.windows, self.windows),
            ram: self.ram.or(base.ram),
            host: self.host.or(base.host),
            pci: self.pci.or(base.pci),
            pci_interrupt: self.pci_interrupt.or(base.pci_interrupt),
            iommu: self.iommu.or_else(|| base.iommu.clone()),
            devices: merged(&base.devices, self.devices),
            ..self
        }
    }

    /// Returns what is wrong in the file: a text of it, and why.
    pub(super) fn check(&self, library: &Library) -> Vec<(String, String)> {
        let mut wrong = Vec::new();
        let mut report = |place: &str, why: String| wrong.push((place.to_owned(), why));
        let names = self
            .devices
            .keys()
            .chain(self.addresses.keys())
            .chain(self.windows.keys());
        for name in names.filter(|name| !is_symbol(name)) {
            report(name, format!("`{name}` is no name"));
        }
        if let Some(name) = self
            .iommu
            .as_ref()
            .filter(|name| self.device(name).is_none())
        {
            report(name, format!("`{name}` is none of its devices"));
        }
        for (name, device) in &self.devices {
            if let Err(why) = library.device(&device.device) {
                report(&device.device, format!("`{name}`: {why}"));
            }
            if device.size == 0 || device.base.checked_add(device.size - 1).is_none() {
                report(name, format!("`{name}`: its registers are none, or wrap"));
            }
            let window = device.window.as_ref();
            if let Some(window) = window.filter(|window| !self.windows.contains_key(*window)) {
                report(
                    window,
                    format!("`{name}`: `{window}` is none of the windows"),
                );
            }
        }
        wrong
    }
}

impl MachineDevice {
    /// Returns what of its registers a case assigns that does not say: all of them, if nothing says.
    pub fn assigned(&self, model: &Device) -> Part {
        let whole = Part {
            offset: 0,
            size: self.size,
        };
        self.assigned.or(model.assigned).unwrap_or(whole)
    }

    /// Returns its file in the library.
    pub fn model(&self, library: &Library) -> Result<&'static Device, String> {
        library.device(&self.device)
    }
}
