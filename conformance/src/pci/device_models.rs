//! QEMU's models of PCI functions that the suite uses.
//!
//! The tests of this crate start QEMU with each of them and compare what it shows.

use serde::{Serialize, Serializer};

/// What addresses a BAR decodes (PCI 6.2.5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BarKind {
    /// Memory, with a 32-bit address.
    Memory32,
    /// Memory, with a 64-bit address.
    Memory64,
    /// Prefetchable memory, with a 64-bit address.
    Prefetchable64,
}

impl BarKind {
    /// Returns the low bits of the register, which are fixed by its kind.
    pub const fn bits(self) -> u32 {
        match self {
            Self::Memory32 => 0,
            Self::Memory64 => 4,
            Self::Prefetchable64 => 0xc,
        }
    }

    /// Tells whether it uses the next register as well.
    pub const fn is_wide(self) -> bool {
        !matches!(self, Self::Memory32)
    }
}

/// What a function is to the functions behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// No function is behind it.
    Endpoint,
    /// A PCI Express port: one device is behind it, which can be unplugged. The offset of its slot control register
    /// (PCIe 7.5.3.10).
    Port(u16),
    /// A bridge to a bus; the first free device number there.
    Bridge(u8),
}

/// A model.
#[derive(Debug, PartialEq, Eq)]
pub struct Model {
    /// Its name in QEMU.
    pub name: &'static str,
    /// Vendor id in the low half, device id in the high one.
    pub id: u32,
    /// Its INTx pin, 1 to 4; 0 for none.
    pub pin: u8,
    /// Its memory BARs: number, kind, size.
    pub bars: &'static [(u8, BarKind, u64)],
    /// What it is to those behind it.
    pub role: Role,
    /// Options that it always needs here.
    pub options: &'static str,
}

impl Serialize for Model {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name)
    }
}

impl Model {
    /// Finds a model.
    pub fn find(name: &str) -> Result<&'static Self, String> {
        let known = MODELS.iter().find(|model| model.name == name);
        known.ok_or_else(|| {
            let names = || MODELS.iter().map(|model| model.name);
            let near = text::nearest(name, names());
            let hint = near.map_or_else(|| names().collect::<Vec<_>>().join("`, `"), str::to_owned);
            format!("`{name}` is no model of a PCI function that the suite knows; did you mean `{hint}`?")
        })
    }
}

use BarKind::{Memory32 as M32, Memory64 as M64, Prefetchable64 as P64};

const fn endpoint(
    name: &'static str,
    id: u32,
    pin: u8,
    bars: &'static [(u8, BarKind, u64)],
    options: &'static str,
) -> Model {
    Model {
        name,
        id,
        pin,
        bars,
        role: Role::Endpoint,
        options,
    }
}

const fn bridge(
    name: &'static str,
    id: u32,
    pin: u8,
    bars: &'static [(u8, BarKind, u64)],
    role: Role,
) -> Model {
    Model {
        name,
        id,
        pin,
        bars,
        role,
        options: "",
    }
}

const VIRTIO: &[(u8, BarKind, u64)] = &[(1, M32, 0x1000), (4, P64, 0x4000)];
/// Without this option a virtio device bypasses the IOMMU.
const PROTECTED: &str = "iommu_platform=on";
/// The suite has no images of expansion ROMs.
const NO_ROM: &str = "rombar=0";

/// The models.
pub const MODELS: &[Model] = &[
    // Its DMA mask reaches all of memory.
    endpoint(
        "edu",
        0x11e8_1234,
        1,
        &[(0, M32, 0x10_0000)],
        "dma_mask=0xffffffffffffffff",
    ),
    endpoint("pci-testdev", 0x0005_1b36, 0, &[(0, M32, 0x1000)], ""),
    endpoint("sdhci-pci", 0x0007_1b36, 1, &[(0, M32, 0x100)], ""),
    endpoint("pci-ohci", 0x003f_106b, 1, &[(0, M32, 0x100)], ""),
    endpoint("i6300esb", 0x25ab_8086, 0, &[(0, M32, 0x10)], ""),
    endpoint("qemu-xhci", 0x000d_1b36, 1, &[(0, M64, 0x4000)], ""),
    endpoint("nec-usb-xhci", 0x0194_1033, 1, &[(0, M64, 0x4000)], ""),
    endpoint("ich9-usb-ehci1", 0x293a_8086, 4, &[(0, M32, 0x1000)], ""),
    endpoint("ich9-ahci", 0x2922_8086, 1, &[(5, M32, 0x1000)], ""),
    endpoint("intel-hda", 0x2668_8086, 1, &[(0, M32, 0x4000)], ""),
    endpoint(
        "lsi53c895a",
        0x0012_1000,
        1,
        &[(1, M32, 0x400), (2, M32, 0x2000)],
        "",
    ),
    endpoint("pci-serial", 0x0002_1b36, 1, &[], ""),
    endpoint("nvme", 0x0010_1b36, 1, &[(0, M64, 0x4000)], "serial=s"),
    endpoint(
        "virtio-rng-pci-non-transitional",
        0x1044_1af4,
        1,
        VIRTIO,
        PROTECTED,
    ),
    endpoint(
        "virtio-scsi-pci-non-transitional",
        0x1048_1af4,
        1,
        VIRTIO,
        PROTECTED,
    ),
    endpoint("rtl8139", 0x8139_10ec, 1, &[(1, M32, 0x100)], NO_ROM),
    endpoint("tulip", 0x0019_1011, 1, &[(1, M32, 0x80)], NO_ROM),
    endpoint(
        "vmxnet3",
        0x07b0_15ad,
        1,
        &[(0, M32, 0x1000), (1, M32, 0x1000), (2, M32, 0x2000)],
        NO_ROM,
    ),
    endpoint(
        "e1000e",
        0x10d3_8086,
        1,
        &[(0, M32, 0x2_0000), (1, M32, 0x2_0000), (3, M32, 0x4000)],
        NO_ROM,
    ),
    endpoint(
        "igb",
        0x10c9_8086,
        1,
        &[(0, M32, 0x2_0000), (1, M32, 0x2_0000), (3, M64, 0x4000)],
        NO_ROM,
    ),
    bridge(
        "pcie-root-port",
        0x000c_1b36,
        1,
        &[(0, M32, 0x1000)],
        Role::Port(0x6c),
    ),
    bridge("ioh3420", 0x3420_8086, 1, &[], Role::Port(0xa8)),
    bridge("x3130-upstream", 0x8232_104c, 0, &[], Role::Bridge(0)),
    bridge("xio3130-downstream", 0x8233_104c, 0, &[], Role::Port(0xa8)),
    bridge(
        "pcie-pci-bridge",
        0x000e_1b36,
        1,
        &[(0, M64, 0x100)],
        Role::Bridge(1),
    ),
    bridge("i82801b11-bridge", 0x244e_8086, 0, &[], Role::Bridge(1)),
];
