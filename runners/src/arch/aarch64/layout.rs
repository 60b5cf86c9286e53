//! Where an AArch64 guest finds what every guest has.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::address::{PciHost, Window};

/// Where the machine itself has what a hypervisor emulates for guests: a domain whose addresses are the host's finds it
/// there.
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

/// Where a guest finds what the hypervisor gives every guest.
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
    /// The first bank of RAM, as large as it can be.
    pub ram: Window,
    /// The second bank of RAM, for what the first does not hold.
    #[serde(default)]
    pub ram_high: Option<Window>,
    /// The PCI host bridge of a domain that is given functions, unless its addresses are the host's.
    #[serde(default)]
    pub pci: Option<PciHost>,
}
