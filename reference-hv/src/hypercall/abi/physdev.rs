//! Operations on physical devices (public/physdev.h).

use super::layout;
use crate::ids::Sbdf;

/// PHYSDEVOP_pci_device_add.
pub const PCI_ADD: u64 = 25;
/// PHYSDEVOP_pci_device_remove.
pub const PCI_REMOVE: u64 = 26;
/// PHYSDEVOP_pci_device_reset.
pub const PCI_RESET: u64 = 32;

/// XEN_PCI_DEV_EXTFN: one of several functions of a device beyond the first eight.
pub const EXTENDED: u32 = 1;
/// XEN_PCI_DEV_VIRTFN: a virtual function.
pub const VIRTUAL: u32 = 2;
/// XEN_PCI_DEV_PXM: a proximity domain is named.
pub const PROXIMITY: u32 = 4;
/// Highest kind of reset (PCI_DEVICE_RESET_FLR).
pub const LAST_RESET: u32 = 3;

layout! {
    /// A function (`struct physdev_pci_device`).
    PciDevice: 4 {
        /// Its segment.
        segment: u16 = 0,
        /// Its bus.
        bus: u8 = 2,
        /// Its device and function.
        devfn: u8 = 3,
    }

    /// A function that has appeared (`struct physdev_pci_device_add`), without what may stand behind it.
    PciAdd: 12 {
        /// Its segment.
        segment: u16 = 0,
        /// Its bus.
        bus: u8 = 2,
        /// Its device and function.
        devfn: u8 = 3,
        /// What else is said of it.
        flags: u32 = 4,
        /// Of a virtual function: the bus of its physical one.
        physical_bus: u8 = 8,
        /// Of a virtual function: the device and function of its physical one.
        physical_devfn: u8 = 9,
        /// Unused.
        padding: u16 = 10,
    }

    /// A function that was reset (`struct pci_device_reset`).
    PciReset: 8 {
        /// Its segment.
        segment: u16 = 0,
        /// Its bus.
        bus: u8 = 2,
        /// Its device and function.
        devfn: u8 = 3,
        /// How.
        flags: u32 = 4,
    }
}

macro_rules! sbdf {
    ($($name:ty),+) => {
        $(impl $name {
            /// Returns the function that it is about.
            pub fn at(&self) -> Sbdf {
                Sbdf {
                    segment: self.segment,
                    bus: self.bus,
                    devfn: self.devfn,
                }
            }
        })+
    };
}

sbdf!(PciDevice, PciAdd, PciReset);
