//! Ranges of addresses, as profiles and the adapter protocol have them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A range of guest-physical addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Its first address.
    pub base: u64,
    /// Its size in bytes.
    pub size: u64,
}

/// Addresses of a PCI host bridge with ECAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PciHost {
    /// Its configuration space.
    pub ecam: Window,
    /// The window for 32-bit addresses that it forwards.
    pub low: Window,
    /// The window for 64-bit addresses that it forwards.
    pub high: Window,
}

/// Where in host RAM the modules of a run may be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Modules {
    /// Their first address.
    pub base: u64,
    /// The size of the whole region.
    pub size: u64,
    /// The alignment of each module's address.
    pub align: u64,
}
