//! QEMU's models of PCI functions, as the library describes them.

use serde::{Serialize, Serializer};

use crate::library::{Device, Library, PciModel};

pub use crate::library::{BarKind, Role};

/// A device of the library that is a PCI function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Model {
    /// The device.
    pub device: &'static Device,
    /// The function.
    pub pci: &'static PciModel,
}

impl Serialize for Model {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

impl Model {
    /// Returns its name in QEMU.
    pub const fn name(&self) -> &'static str {
        self.device.device.as_str()
    }

    /// Lists all models.
    pub fn all(library: &Library) -> impl Iterator<Item = Self> {
        library.devices().filter_map(Self::of)
    }

    /// Finds a model.
    pub fn find(library: &Library, name: &str) -> Result<Self, String> {
        let found = library.device(name).ok().and_then(Self::of);
        found.ok_or_else(|| {
            let names = || Self::all(library).map(|model| model.name());
            let near = text::nearest(name, names());
            let hint = near.map_or_else(|| names().collect::<Vec<_>>().join("`, `"), str::to_owned);
            format!("`{name}` is no PCI function of the library; did you mean `{hint}`?")
        })
    }

    fn of(device: &'static Device) -> Option<Self> {
        let pci = device.pci.as_ref()?;
        Some(Self { device, pci })
    }
}
