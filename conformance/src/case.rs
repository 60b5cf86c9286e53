//! Test cases as data: what a YAML file of `requirements/` may say.
//!
//! The types hold the text as written: texts may still contain `${name}` parameters. [`crate::scenario::generate`]
//! expands and parses them. A text that a row leaves empty counts as left out.

use std::borrow::Cow;
use std::collections::BTreeMap;

pub use domain::{Destroyed, Device, Domain, Partial, Role};
pub use machine::{Machine, PciFunction};
use model::{Arch, Class};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

pub mod domain;
pub mod errno;
pub mod expect;
pub mod load;
pub mod machine;
pub mod template;
pub mod value;
pub mod yaml;

/// One file: a requirement and the cases that show it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseFile {
    /// Full id of the requirement, with its revision.
    pub requirement: String,
    /// The cases, in the order in which they run.
    pub cases: Vec<Case>,
}

/// One test case.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Full id, `XenValTestCase~<requirement>.<suffix>~<revision>`.
    pub id: String,
    /// One line that says what the case shows.
    pub title: String,
    /// Requirements that this case shows; if left out, the requirement of the file.
    #[serde(default)]
    pub covers: Vec<String>,
    /// The clause of the requirement that the case shows, if the requirement has several.
    #[serde(default)]
    pub clause: Option<String>,
    /// The kind of evidence.
    pub class: Class,
    /// `required` for what follows from the text of the requirement, `strict` for what only a subject promises that
    /// fails closed.
    #[serde(default)]
    pub level: Option<Text>,
    /// Architectures it runs on.
    #[serde(default = "every_arch")]
    pub arch: Vec<Arch>,
    /// Capabilities that a subject must have for this case to be judged, in addition to those that follow from its
    /// roles, children and hypercalls.
    #[serde(default)]
    #[schemars(with = "Vec<model::Capability>")]
    pub needs: Vec<String>,
    /// Rows of parameters; the case runs once for each row.
    #[serde(default)]
    pub each: Vec<BTreeMap<String, Text>>,
    /// The machine, if it differs from the plain one.
    #[serde(default)]
    pub machine: Machine,
    /// Edits of the host tree, applied after the domains were placed in it. `{kernel}`, `{ramdisk}` and `{tree}` after
    /// `/chosen/<domain>/` stand for the nodes of the domain's modules.
    #[serde(default)]
    pub host: Vec<Text>,
    /// Arguments of the hypervisor, in addition to those of its profile.
    #[serde(default)]
    pub arguments: Vec<Text>,
    /// Host nodes that carry `xen,passthrough`; if left out, the nodes of the devices that the domains name.
    #[serde(default)]
    pub passthrough: Option<Vec<Text>>,
    /// The domains, in tree order.
    pub domains: Vec<Domain>,
    /// Actions outside the guests, and what must be observed there.
    #[serde(default)]
    pub outside: Vec<Outside>,
    /// What the machine's IOMMU must have done with accesses of devices:
    /// `STREAM EVENT [read|write] [FIRST[..LAST]] [=> at least N|none|any]`. STREAM is a number or `any`. EVENT is a
    /// name of the architecture (`F_TRANSLATION`), `event` for any recorded access, `stopped` for any stopped access,
    /// recorded or not, `aborted` for one stopped without a record, `bypassed` or `translated`. `others => none`:
    /// nothing is recorded that no other line is about. If something must be stopped or recorded, the subject must
    /// claim `iommu-events`.
    #[serde(default)]
    pub events: Vec<Text>,
    /// False leaves out the sentinel, the domain that shows that the rest of the machine works.
    #[serde(default = "yes")]
    pub sentinel: bool,
    /// Where the case comes from, or how it reads the requirement.
    #[serde(default)]
    pub note: Option<String>,
}

/// A step outside the guests.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Outside {
    /// `start` (before the first instruction), `end` (after the last awaited line) or `<domain> <mark>`.
    pub at: Text,
    /// `read32 A => V`, `write32 A V`, `wait32 A MASK V`, an input line of the interrupt controller by its number
    /// `high` or `low`, `qmp NAME [KEY=VALUE...]`, `stop`, `cont`. For the functions of the machine's `pci`: `cfgread16
    /// NAME OFFSET => V`, `cfgwrite16 NAME OFFSET V`, `cfgwait16 NAME OFFSET MASK V` in configuration space, `unplug
    /// NAME` from its port, and `query-pci`, which asks QEMU for its list of functions.
    #[serde(rename = "do")]
    pub acts: Vec<Text>,
}

/// A scalar as written: text, number or truth value, kept as text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Text(pub String);

impl JsonSchema for Text {
    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A text, a number or a truth value; `${NAME}` stands for a parameter of the row or a constant of the subject.",
            "type": ["string", "number", "boolean"],
        })
    }
}

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
            fn visit_f64<E>(self, number: f64) -> Result<Text, E> {
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
    vec![Arch::default()]
}
