//! Architectures of subjects. This is the only place of the suite that lists them.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An architecture that a hypervisor is judged on.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Arch {
    /// 64-bit Arm with its virtualization extensions. Cases and commands that name no architecture mean this one.
    #[default]
    Aarch64,
    /// 64-bit x86 with AMD's virtualization extensions, guests started by PVH.
    Amd64,
}

impl Arch {
    /// Every architecture.
    pub const ALL: [Self; 2] = [Self::Aarch64, Self::Amd64];

    /// Returns the name used in files and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aarch64 => "aarch64",
            Self::Amd64 => "amd64",
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
