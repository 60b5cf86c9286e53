//! PCI functions of a machine: which there are, and where the firmware places them.
//!
//! All of it is decided before the machine starts, so that cases can name a function's addresses and two runs are
//! equal. The runner only carries out the firmware's accesses ([`firmware`]), and the suite compares the machine with
//! what was decided. Clauses are those of PCI Local Bus 3.0 ("PCI") and PCI-to-PCI Bridge 1.2 ("Bridge").

use serde::Serialize;

pub mod device_models;
pub mod firmware;
pub mod generate;
mod place;
mod query;
#[cfg(test)]
mod tests;

pub use device_models::{BarKind, Model, Role};
pub use place::{Bridge, PlaceError, place};
pub use query::listed;

/// Bytes of configuration space per function in ECAM, as a power of two.
const SPACE: u32 = 12;
/// Interrupt pins of a device, and interrupt lines of the host bridge.
const PINS: u8 = 4;

/// How far the firmware set the functions up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Firmware {
    /// Every bus has its number and every memory BAR its address; memory decoders and bus mastering are on.
    #[default]
    Full,
    /// Bridges are as after reset: the functions behind them cannot be reached.
    NoBusNumbers,
    /// Buses have their numbers; nothing else was done.
    NoBars,
    /// Nothing was done.
    None,
    /// Real firmware, U-Boot, sets the functions up and starts the hypervisor. The result equals [`Self::Full`].
    UBoot,
}

impl Firmware {
    /// The names used in case files.
    pub const NAMES: [(&'static str, Self); 5] = [
        ("full", Self::Full),
        ("no-bus-numbers", Self::NoBusNumbers),
        ("no-bars", Self::NoBars),
        ("none", Self::None),
        ("u-boot", Self::UBoot),
    ];

    const fn numbers_buses(self) -> bool {
        matches!(self, Self::Full | Self::NoBars | Self::UBoot)
    }

    const fn places_registers(self) -> bool {
        matches!(self, Self::Full | Self::NoBusNumbers | Self::UBoot)
    }
}

/// A function that a machine should have.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Its name in texts.
    pub name: String,
    /// Its model.
    pub model: Model,
    /// Device and function on its bus; none: the next free device.
    pub slot: Option<(u8, u8)>,
    /// Options of the model, in addition to those that it always has.
    pub options: Vec<(String, String)>,
    /// BARs that the firmware places elsewhere than by default; zero is nowhere.
    pub bars: Vec<(u8, u64)>,
    /// Value that the firmware leaves in the command register, if it is not the default.
    pub command: Option<u16>,
    /// Secondary and subordinate bus that the firmware assigns, if they are not the next free ones.
    pub buses: Option<(u8, u8)>,
    /// The functions behind it.
    pub below: Vec<Self>,
}

impl Wanted {
    /// Creates a function of a model, with nothing else set.
    pub fn new(name: impl Into<String>, model: Model) -> Self {
        Self {
            name: name.into(),
            model,
            slot: None,
            options: Vec::new(),
            bars: Vec::new(),
            command: None,
            buses: None,
            below: Vec::new(),
        }
    }
}

/// All functions of a machine, with the bridge above each, and their places.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Topology {
    /// How far the firmware set them up.
    pub firmware: Firmware,
    /// Address of the host bridge's ECAM.
    pub ecam: u64,
    /// The functions, in the order of their `-device` arguments.
    pub functions: Vec<Function>,
    /// The last bus that has a number.
    pub last_bus: u8,
}

/// A function of a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Function {
    /// Its name in texts.
    pub name: String,
    /// Its model.
    pub model: Model,
    /// Its options, in the syntax of `-device`.
    pub options: String,
    /// The bridge above it, as an index into the functions.
    pub above: Option<usize>,
    /// Device and function on its bus.
    pub slot: (u8, u8),
    /// Its bus, if that has a number.
    pub bus: Option<u8>,
    /// Its memory BARs.
    pub bars: Vec<Bar>,
    /// Value that the firmware leaves in its command register.
    pub command: Option<u16>,
    /// Secondary and subordinate bus of a bridge.
    pub buses: Option<(u8, u8)>,
    /// What a bridge forwards: the 32-bit and the 64-bit window, each by its first and last byte; none if closed.
    pub windows: [Option<(u64, u64)>; 2],
    /// The shared interrupt to which its INTx pin is routed.
    pub line: Option<u32>,
}

/// A memory BAR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Bar {
    /// Its number, 0 to 5.
    pub index: u8,
    /// The kind of addresses that it decodes.
    pub kind: BarKind,
    /// Its size.
    pub size: u64,
    /// Its address, if it has one.
    pub address: Option<u64>,
}

impl Function {
    /// Returns its id in QEMU. It is derived, since the name may be taken in QEMU's models.
    pub fn id(&self) -> String {
        format!("pci-{}", self.name)
    }

    /// Returns device and function in 8 bits.
    pub const fn devfn(&self) -> u8 {
        self.slot.0 << 3 | self.slot.1
    }

    /// Returns bus, device and function in 16 bits.
    pub fn bdf(&self) -> Option<u16> {
        Some(u16::from(self.bus?) << 8 | u16::from(self.devfn()))
    }

    /// Returns a memory BAR by its number.
    pub fn bar(&self, index: u8) -> Option<&Bar> {
        self.bars.iter().find(|bar| bar.index == index)
    }
}

impl Topology {
    /// Finds a function by its name in texts.
    pub fn find(&self, name: &str) -> Result<&Function, String> {
        let known = || self.functions.iter().map(|one| one.name.as_str());
        self.functions
            .iter()
            .find(|one| one.name == name)
            .ok_or_else(|| {
                let near = text::nearest(name, known()).map(str::to_owned);
                let hint = near.unwrap_or_else(|| known().collect::<Vec<_>>().join("`, `"));
                format!("`{name}` is no function of `machine.pci`; did you mean `{hint}`?")
            })
    }

    /// Finds a function that can be reached, and returns its BDF.
    pub fn bdf(&self, name: &str) -> Result<u16, String> {
        let found = self.find(name)?;
        found
            .bdf()
            .ok_or_else(|| format!("`{name}` is on a bus without a number"))
    }

    /// Returns the address of a byte of a function's configuration space in the ECAM.
    pub fn config(&self, name: &str, offset: u64) -> Result<u64, String> {
        let bdf = self.bdf(name)?;
        if offset >= 1 << SPACE {
            return Err(format!("{offset:#x} is not in a configuration space"));
        }
        Ok(config(self.ecam, bdf) + offset)
    }

    /// Returns the arguments of `-device`, in order.
    pub fn arguments(&self) -> Vec<String> {
        let bus = |one: &Function| match one.above.and_then(|above| self.functions.get(above)) {
            None => "pcie.0".to_owned(),
            Some(bridge) => bridge.id(),
        };
        self.functions
            .iter()
            .map(|one| {
                let (device, function) = one.slot;
                let (name, id, bus) = (one.model.name(), one.id(), bus(one));
                let mut text = format!("{name},id={id},bus={bus},addr={device:x}.{function}");
                if !one.options.is_empty() {
                    text.push(',');
                    text.push_str(&one.options);
                }
                text
            })
            .collect()
    }

    /// Tells whether a function is of this model.
    pub fn has(&self, model: &str) -> bool {
        self.functions.iter().any(|one| one.model.name() == model)
    }
}

/// Returns the address of a function's configuration space in the ECAM at `ecam`.
pub fn config(ecam: u64, bdf: u16) -> u64 {
    ecam + (u64::from(bdf) << SPACE)
}
