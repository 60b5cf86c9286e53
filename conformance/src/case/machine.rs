//! A machine as a case file has it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Text;

/// Differences of the machine from the plain one.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// The IOMMU that the machine can have.
    #[serde(default)]
    pub iommu: bool,
    /// A second PL011 at 0x0904_0000.
    #[serde(default)]
    pub second_uart: bool,
    /// Fills the second CFI flash (0x0400_0000): each 32-bit word holds its own offset.
    #[serde(default)]
    pub flash_pattern: bool,
    /// The `edu` device as a platform device: a PCI function whose registers (0x1000_0000, 1 MiB) are set before the first
    /// instruction, and the host node /edu@10000000 with line 6 that describes them.
    #[serde(default)]
    pub edu: bool,
    /// The version of the board, as QEMU's `-M` takes it, where it is not the one that the profile pins: `virt-9.1` is the
    /// last whose IOMMU has no second stage.
    #[serde(default)]
    pub board: Option<String>,
    /// More QEMU devices, as `-device` takes them.
    #[serde(default)]
    pub devices: Vec<String>,
    /// PCI functions. [`crate::pci`] says where the firmware puts them; texts may call the results `${bdf:NAME}` (bus, device
    /// and function in 16 bits, as an IOMMU sees them), `${bar:NAME.N}`, `${config:NAME}` (of the host's ECAM) and `${irq:NAME}`.
    /// What they mean stands in [`crate::scenario::Scenario::pci`].
    #[serde(default, skip_serializing)]
    pub pci: Vec<PciFunction>,
    /// How far the firmware got with them: `full` unless said otherwise, `no-bus-numbers`, `no-bars`, `none`. With
    /// `u-boot` it is real, and starts the hypervisor.
    #[serde(default, skip_serializing)]
    pub firmware: Option<Text>,
    /// Seed of a topology that is generated, beside what `pci` lists.
    #[serde(default, skip_serializing)]
    pub topology: Option<Text>,
}

/// A PCI function as it is written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PciFunction {
    /// What texts call it.
    pub name: String,
    /// The model, as QEMU calls it. One that a row leaves empty is not there, with all below it.
    pub device: Text,
    /// `DEVICE` or `DEVICE.FUNCTION` on its bus, in decimal; left out: the next free device.
    #[serde(default)]
    pub slot: Option<Text>,
    /// Options of the model.
    #[serde(default)]
    pub options: BTreeMap<String, Text>,
    /// What is behind it, if it is a bridge.
    #[serde(default)]
    pub below: Vec<PciFunction>,
    /// Where the firmware puts its registers, by the number of the base address register, where that is not its own choice.
    /// Zero leaves one where nothing is.
    #[serde(default)]
    pub bars: BTreeMap<u8, Text>,
    /// What the firmware leaves in its command register: memory and bus master (6), unless it knows nothing of it.
    #[serde(default)]
    pub command: Option<Text>,
    /// `<secondary> <subordinate>` bus that the firmware gives a bridge, where that are not the next ones. Numbers that are
    /// wrong are written with `cfgwrite` at `start`.
    #[serde(default)]
    pub buses: Option<Text>,
}
