//! The addresses that an AArch64 guest has for its devices and memory.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::address::{PciHost, Window};

/// The machine's own addresses of the devices that a hypervisor emulates. A direct-mapped domain finds the emulated
/// ones there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostLayout {
    /// The GIC's distributor.
    pub gicd: Window,
    /// The GIC's redistributors.
    pub gicr: Window,
    /// The console's UART.
    pub uart: Window,
    /// The PCI host bridge.
    #[serde(default)]
    pub pci: Option<PciHost>,
}

/// Addresses and interrupts of what the hypervisor gives every guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GuestLayout {
    /// The emulated GIC's distributor.
    pub gicd: Window,
    /// The emulated GIC's redistributors.
    pub gicr: Window,
    /// The emulated PL011.
    pub uart: Window,
    /// INTID of the emulated PL011.
    pub uart_irq: u32,
    /// INTID of the virtual timer.
    pub timer_irq: u32,
    /// The first bank of RAM, at its greatest size.
    pub ram: Window,
    /// The second bank of RAM, for what does not fit into the first.
    #[serde(default)]
    pub ram_high: Option<Window>,
    /// The PCI host bridge of a domain with functions, unless the domain is direct-mapped.
    #[serde(default)]
    pub pci: Option<PciHost>,
}
