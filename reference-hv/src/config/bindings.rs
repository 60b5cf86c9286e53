//! What an architecture adds to the reading of a device tree: the models that it knows, and how its interrupt
//! controller writes interrupts down.

use super::flaw::Flaw;
use super::machine::{HostLine, Marks, Timer};
use crate::ids::IrqLine;

/// The first cells of an interrupt as the controller's binding writes it, zero where it has fewer.
pub type Specifier = [u32; 3];

/// The device tree bindings of an architecture.
#[derive(Debug)]
pub struct Bindings {
    /// The model of the interrupt controller with an article, for messages.
    pub controller: &'static str,
    /// The property of the interrupt controller that says how many ranges of registers are for single CPUs.
    pub per_cpu_regions: &'static str,
    /// How many cells of an interrupt say which it is.
    pub cells: usize,
    /// Reads an interrupt of a device; nothing where a seeded fault drops it.
    pub line: fn(Specifier) -> Result<Option<HostLine>, Flaw>,
    /// Tells which line that CPUs share an interrupt is; `None` for any other.
    pub shared: fn(Specifier) -> Option<IrqLine>,
    /// Tells which line of a single CPU an interrupt is; `None` for any other.
    pub private: fn(Specifier) -> Option<IrqLine>,
    /// The model of the timer with an article, for messages.
    pub timer: &'static str,
    /// Picks the lines of the timer out of those that its node names.
    pub timers: fn(&[IrqLine]) -> Result<Timer, Flaw>,
    /// Tells what a node of this model is.
    pub models: fn(&str) -> Marks,
    /// The node of a partial tree that stands for the domain's interrupt controller.
    pub partial_controller: &'static str,
    /// The node under the root by which the firmware can be called, if it has one.
    pub firmware: &'static str,
}

impl Bindings {
    /// Tells what a node of this model is, on any architecture or on this one.
    pub fn marks(&self, model: &str) -> Marks {
        match model {
            "virtio,pci-iommu" => Marks::IOMMU,
            _ if model.starts_with("pci-host-") => Marks::BRIDGE,
            _ => (self.models)(model),
        }
    }

    /// Takes the cells of an interrupt that say which it is; `None` where there are fewer.
    pub fn specifier(&self, cells: &[u32]) -> Option<Specifier> {
        let mut specifier = [0; 3];
        for (to, from) in specifier.iter_mut().zip(cells.get(..self.cells)?) {
            *to = *from;
        }
        Some(specifier)
    }
}
