//! PCI functions of a machine: which there are, and where the firmware puts them.
//!
//! All of it is decided before anything runs, so that cases can say where a function's registers are, and two runs are the
//! same. The runner only carries the firmware's accesses out ([`firmware`]), and what the machine then shows is compared with
//! what was decided. Clauses are those of PCI Local Bus 3.0 ("PCI") and PCI-to-PCI Bridge 1.2 ("Bridge").

use crate::arch;
use serde::Serialize;

pub mod firmware;
pub mod functions;
pub mod generate;
mod place;
mod query;
#[cfg(test)]
mod tests;

pub use functions::{BarKind, Model, Role};
pub use place::{PlaceError, place};
pub use query::listed;

/// Bytes of configuration space that ECAM has for a function, in bits.
const SPACE: u32 = 12;
/// QEMU's `virt` takes the pins of the first bus to these four lines, one after the other.
const FIRST_LINE: u32 = 3;
/// Pins of a device, and lines that they go to.
const PINS: u8 = 4;

/// How far the firmware got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Firmware {
    /// Every bus has its number, every memory register its address; decoders and mastering are on.
    #[default]
    Full,
    /// Bridges were left as they are after reset: what is behind them cannot be reached.
    NoBusNumbers,
    /// Buses have their numbers, and nothing else was done.
    NoBars,
    /// Nothing was done.
    None,
    /// Real firmware does it: U-Boot, which comes to the same as [`Self::Full`], and starts the hypervisor.
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

/// A function that a machine shall have.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What texts call it.
    pub name: String,
    /// What it is.
    pub model: &'static Model,
    /// Device and function on its bus; none: the next free device.
    pub slot: Option<(u8, u8)>,
    /// Options of the model, besides those that it always has.
    pub options: Vec<(String, String)>,
    /// Registers that the firmware puts elsewhere than it would by itself; zero is nowhere.
    pub bars: Vec<(u8, u64)>,
    /// What the firmware leaves in the command register, where that is something else.
    pub command: Option<u16>,
    /// Secondary and subordinate bus that the firmware chooses, where that are not the next ones.
    pub buses: Option<(u8, u8)>,
    /// What is behind it.
    pub below: Vec<Self>,
}

impl Wanted {
    /// Asks for a model where there is room for it.
    pub fn new(name: impl Into<String>, model: &'static Model) -> Self {
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

/// All functions of a machine, each behind the bridge that it is below, and where they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Topology {
    /// How far the firmware got.
    pub firmware: Firmware,
    /// Configuration space of the host bridge.
    pub ecam: u64,
    /// The functions, in the order in which they are plugged in.
    pub functions: Vec<Function>,
    /// The last bus that has a number.
    pub last_bus: u8,
}

/// A function of a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Function {
    /// What texts call it.
    pub name: String,
    /// What it is.
    pub model: &'static Model,
    /// Its options, as `-device` takes them.
    pub options: String,
    /// The bridge that it is below: its place among the functions.
    pub above: Option<usize>,
    /// Device and function on its bus.
    pub slot: (u8, u8),
    /// Its bus, where that has a number.
    pub bus: Option<u8>,
    /// Its memory registers.
    pub bars: Vec<Bar>,
    /// What the firmware leaves in its command register.
    pub command: Option<u16>,
    /// Secondary and subordinate bus of a bridge.
    pub buses: Option<(u8, u8)>,
    /// What a bridge forwards: 32 bits, and 64 bits, each the first and the last byte; none is nothing.
    pub windows: [Option<(u64, u64)>; 2],
    /// The shared interrupt that its pin arrives at.
    pub line: Option<u32>,
}

/// A memory register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Bar {
    /// Which of the six.
    pub index: u8,
    /// What it decodes.
    pub kind: BarKind,
    /// How much.
    pub size: u64,
    /// Where, if anywhere.
    pub address: Option<u64>,
}

impl Function {
    /// What QEMU calls it: names of functions may be names of something else in its models.
    pub fn id(&self) -> String {
        format!("pci-{}", self.name)
    }

    /// Device and function in 8 bits.
    pub const fn devfn(&self) -> u8 {
        self.slot.0 << 3 | self.slot.1
    }

    /// Bus, device and function in 16 bits.
    pub fn bdf(&self) -> Option<u16> {
        Some(u16::from(self.bus?) << 8 | u16::from(self.devfn()))
    }

    /// Returns a memory register by its number.
    pub fn bar(&self, index: u8) -> Option<&Bar> {
        self.bars.iter().find(|bar| bar.index == index)
    }
}

impl Topology {
    /// Finds a function by what texts call it.
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

    /// Finds a function that can be reached, and returns its bus, device and function.
    pub fn bdf(&self, name: &str) -> Result<u16, String> {
        let found = self.find(name)?;
        found
            .bdf()
            .ok_or_else(|| format!("`{name}` is on a bus without a number"))
    }

    /// Returns where the host bridge shows a byte of a function's configuration space.
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
                let (name, id, bus) = (one.model.name, one.id(), bus(one));
                let mut text = format!("{name},id={id},bus={bus},addr={device:x}.{function}");
                if !one.options.is_empty() {
                    text.push(',');
                    text.push_str(&one.options);
                }
                text
            })
            .collect()
    }

    /// Returns what texts may call the results of the firmware, and their values.
    pub fn names(&self) -> Vec<(String, String)> {
        let mut all = Vec::new();
        for one in &self.functions {
            let name = &one.name;
            let mut say = |kind: &str, value: u64| {
                all.push((format!("{kind}:{name}"), format!("{value:#x}")));
            };
            if let Some(bdf) = one.bdf() {
                say("bdf", u64::from(bdf));
                say("config", config(self.ecam, bdf));
            }
            if let Some(line) = one.line {
                say("irq", u64::from(line));
                say(arch::LINE, u64::from(line - arch::FIRST_SHARED));
            }
            if let Some((secondary, _)) = one.buses {
                say("bus", u64::from(secondary));
            }
            for bar in &one.bars {
                if let Some(address) = bar.address {
                    all.push((format!("bar:{name}.{}", bar.index), format!("{address:#x}")));
                }
            }
        }
        all
    }

    /// Tells whether one of the functions is of this model.
    pub fn has(&self, model: &str) -> bool {
        self.functions.iter().any(|one| one.model.name == model)
    }
}

/// Returns where ECAM at `ecam` shows the configuration space of a function.
pub fn config(ecam: u64, bdf: u16) -> u64 {
    ecam + (u64::from(bdf) << SPACE)
}
