//! A machine as a case file describes it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Text;

/// Differences from the plain machine.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Whether the machine has an IOMMU.
    #[serde(default)]
    pub iommu: bool,
    /// A second PL011 at 0x0904_0000.
    #[serde(default)]
    pub second_uart: bool,
    /// Fills the second CFI flash (0x0400_0000): each 32-bit word holds its own offset.
    #[serde(default)]
    pub flash_pattern: bool,
    /// The `edu` device as a platform device: a PCI function whose registers (0x1000_0000, 1 MiB) are placed before the
    /// first instruction, and the host node /edu@10000000 with line 6 that describes it.
    #[serde(default)]
    pub edu: bool,
    /// The version of the board, as QEMU's `-M` takes it, if it is not the one that the profile pins: `virt-9.1` is the
    /// last whose IOMMU has no stage 2.
    #[serde(default)]
    pub board: Option<String>,
    /// More QEMU devices, as `-device` takes them.
    #[serde(default)]
    pub devices: Vec<String>,
    /// PCI functions. [`crate::pci`] decides where the firmware places them. Texts refer to the results as
    /// `${bdf:NAME}` (bus, device and function in 16 bits, the requester id), `${bar:NAME.N}`, `${config:NAME}`
    /// (address in the host's ECAM) and `${irq:NAME}`. [`crate::scenario::Scenario::pci`] holds the parsed form.
    #[serde(default, skip_serializing)]
    pub pci: Vec<PciFunction>,
    /// How far the firmware set them up: `full` (the default), `no-bus-numbers`, `no-bars` or `none`. With `u-boot`,
    /// real firmware does it and starts the hypervisor.
    #[serde(default, skip_serializing)]
    pub firmware: Option<Text>,
    /// Seed of a generated topology, in addition to what `pci` lists.
    #[serde(default, skip_serializing)]
    pub topology: Option<Text>,
}

/// A PCI function as written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PciFunction {
    /// Its name in texts.
    pub name: String,
    /// QEMU's name of the model. If a row leaves it empty, the function and all below it are left out.
    pub device: Text,
    /// `DEVICE` or `DEVICE.FUNCTION` on its bus, in decimal; if left out, the next free device.
    #[serde(default)]
    pub slot: Option<Text>,
    /// Options of the model.
    #[serde(default)]
    pub options: BTreeMap<String, Text>,
    /// The functions behind it, if it is a bridge.
    #[serde(default)]
    pub below: Vec<PciFunction>,
    /// Addresses that override the firmware's choice, by the number of the BAR. Zero places the BAR nowhere.
    #[serde(default)]
    pub bars: BTreeMap<u8, Text>,
    /// Value that the firmware leaves in its command register; the default is memory decoder and bus master (6), unless
    /// the firmware does not know the function.
    #[serde(default)]
    pub command: Option<Text>,
    /// `<secondary> <subordinate>` bus that the firmware gives a bridge, if they are not the next free ones. To write
    /// wrong numbers, use `cfgwrite` at `start`.
    #[serde(default)]
    pub buses: Option<Text>,
}
