//! Test cases as data: what a YAML file of `requirements/` may say.
//!
//! Everything here is what was written, not yet what it means: texts may still hold `${name}`
//! parameters. [`crate::scenario::generate`] expands and understands them. A text that a row leaves empty counts as
//! left out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use domain::{Destroyed, Device, Domain, Partial, Role};

pub mod domain;
pub mod errno;
pub mod expect;
pub mod load;
pub mod template;
pub mod value;

/// One file: a requirement and the cases that show it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseFile {
    /// Full id of the requirement, with its revision.
    pub requirement: String,
    /// The cases, in the order in which they run.
    pub cases: Vec<Case>,
}

/// One test case.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Full id, `XenValTestCase~<requirement>.<suffix>~<revision>`.
    pub id: String,
    /// One line that says what is shown.
    pub title: String,
    /// Requirements shown by this case; the file's own when left out.
    #[serde(default)]
    pub covers: Vec<String>,
    /// What kind of evidence this is.
    pub class: Class,
    /// `required` for what the requirement says, `strict` for what only a subject that fails closed promises.
    #[serde(default)]
    pub level: Option<Text>,
    /// Architectures it runs on.
    #[serde(default = "every_arch")]
    pub arch: Vec<Arch>,
    /// Capabilities that a subject must have for this case to be judged, beside those that its roles, children and
    /// hypercalls show.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Rows of parameters; the case runs once a row.
    #[serde(default)]
    pub each: Vec<BTreeMap<String, Text>>,
    /// The machine, where it differs from the plain one.
    #[serde(default)]
    pub machine: Machine,
    /// Edits of the host tree, applied after the domains were placed in it. `{kernel}`, `{ramdisk}` and `{tree}` behind
    /// `/chosen/<domain>/` stand for the nodes of its modules.
    #[serde(default)]
    pub host: Vec<Text>,
    /// Host nodes that carry `xen,passthrough`; left out: those of the devices named by the domains.
    #[serde(default)]
    pub passthrough: Option<Vec<Text>>,
    /// The domains, in tree order.
    pub domains: Vec<Domain>,
    /// What happens outside the guests, and what is seen there.
    #[serde(default)]
    pub outside: Vec<Outside>,
    /// False leaves out the domain that proves that the rest of the machine runs on.
    #[serde(default = "yes")]
    pub sentinel: bool,
    /// Where the case comes from or what its reading of the requirement is.
    #[serde(default)]
    pub note: Option<String>,
}

/// Kind of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// What must work.
    Positive,
    /// What must be refused.
    Negative,
    /// The last value that works, or the first that does not.
    Boundary,
    /// Hostile configuration or behaviour.
    Fault,
}

impl Class {
    /// Returns the name used in files and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Positive => "positive",
            Self::Negative => "negative",
            Self::Boundary => "boundary",
            Self::Fault => "fault",
        }
    }
}

/// Architecture of a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Arch {
    /// 64-bit Arm.
    Aarch64,
    /// AMD64, PVH.
    Amd64,
}

impl Arch {
    /// Returns the name used in files and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aarch64 => "aarch64",
            Self::Amd64 => "amd64",
        }
    }
}

/// Differences of the machine from the plain one.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// `none` or `smmuv3`.
    #[serde(default)]
    pub iommu: Option<String>,
    /// A second PL011 at 0x0904_0000.
    #[serde(default)]
    pub second_uart: bool,
    /// Fills the second CFI flash (0x0400_0000): each 32-bit word holds its own offset.
    #[serde(default)]
    pub flash_pattern: bool,
    /// The `edu` device as a platform device: a PCI function whose registers (0x1000_0000, 1 MiB) are set before the first
    /// instruction, and the host node /edu@10000000 with SPI 6 that describes them.
    #[serde(default)]
    pub edu: bool,
    /// The version of the board, as QEMU's `-M` takes it, where it is not the one that the profile pins: `virt-9.1` is the
    /// last whose SMMUv3 has no second stage.
    #[serde(default)]
    pub board: Option<String>,
    /// More QEMU devices, as `-device` takes them.
    #[serde(default)]
    pub devices: Vec<String>,
}

/// A step outside the guests.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outside {
    /// `start` (before the first instruction), `end` (after the last awaited line) or `<domain> <mark>`.
    pub at: Text,
    /// `read32 A => V`, `write32 A V`, `wait32 A MASK V`, `spi N high|low`, `qmp NAME`, `stop`, `cont`.
    #[serde(rename = "do")]
    pub acts: Vec<Text>,
}

/// A scalar as written: text, number or truth value, kept as text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Text(pub String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Scalar;
        impl serde::de::Visitor<'_> for Scalar {
            type Value = Text;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a text, a number or a truth value")
            }
            fn visit_str<E>(self, text: &str) -> Result<Text, E> {
                Ok(Text(text.to_owned()))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Text, E> {
                Ok(Text(format!("{number:#x}")))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Text, E> {
                Ok(Text(number.to_string()))
            }
            fn visit_bool<E>(self, truth: bool) -> Result<Text, E> {
                Ok(Text(truth.to_string()))
            }
        }
        from.deserialize_any(Scalar)
    }
}

fn yes() -> bool {
    true
}

fn every_arch() -> Vec<Arch> {
    vec![Arch::Aarch64]
}
