//! Test cases as data: what a YAML file of `requirements/` may say.
//!
//! The types hold the text as written: texts may still contain `${name}` parameters. [`crate::scenario::generate`]
//! expands and parses them. A text that a row leaves empty counts as left out.

use std::borrow::Cow;
use std::collections::BTreeMap;

pub use domain::{Destroyed, Device, Domain, Partial, Role};
pub use machine::{Machine, PciForm, PciFunction};
use model::{Arch, Capability, Class};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

pub mod domain;
pub mod errno;
pub mod expect;
pub mod load;
pub mod machine;
pub mod value;
pub mod yaml;

/// One file: a requirement and the cases that show it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseFile {
    /// Full id of the requirement, with its revision.
    pub requirement: String,
    /// What all cases have that do not say otherwise.
    #[serde(default)]
    pub defaults: Defaults,
    /// The cases, in the order in which they run.
    pub cases: Vec<Case>,
}

/// What the cases of a file have unless they say otherwise. A key of a case replaces it as a whole.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// Capabilities that a subject must have.
    #[serde(default)]
    #[schemars(with = "Option<Vec<model::Capability>>")]
    pub needs: Option<Vec<String>>,
    /// The machine.
    #[serde(default)]
    pub machine: Option<Machine>,
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
    /// roles, children and hypercalls. If left out: `iommu`, if the machine has one.
    #[serde(default)]
    #[schemars(with = "Option<Vec<model::Capability>>")]
    pub needs: Option<Vec<String>>,
    /// Rows of parameters; the case runs once for each row. `name` is the row's own.
    #[serde(default)]
    pub parameters: Vec<BTreeMap<String, Text>>,
    /// The machine, if it differs from the plain one.
    #[serde(default)]
    pub machine: Option<Machine>,
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
    #[schemars(with = "Vec<OutsideForm>")]
    pub outside: Vec<Outside>,
    /// What the machine's IOMMU must have done with accesses of devices:
    /// `STREAM EVENT [read|write] [FIRST[..LAST]] [=> at least N|none|any]`. STREAM is a device, a function, a number or `any`. EVENT is a
    /// name of the architecture (`F_TRANSLATION`), `event` for any recorded access, `stopped` for any stopped access,
    /// recorded or not, `aborted` for one stopped without a record, `bypassed` or `translated`. `others => none`:
    /// nothing is recorded that no other line is about. If something must be stopped or recorded, the subject must
    /// claim `iommu-events`.
    #[serde(default)]
    pub iommu_events: Vec<Text>,
    /// False leaves out the sentinel, the domain that shows that the rest of the machine works.
    #[serde(default = "yes")]
    pub sentinel: bool,
    /// Where the case comes from, or how it reads the requirement.
    #[serde(default)]
    pub note: Option<String>,
}

impl Case {
    /// Takes what the case leaves out from the defaults of its file.
    pub fn complete(&mut self, defaults: &Defaults) {
        self.needs = self.needs.take().or_else(|| defaults.needs.clone());
        self.machine = self.machine.take().or_else(|| defaults.machine.clone());
    }

    /// Returns the capabilities that it names. A machine with an IOMMU is for subjects that drive it, unless the case
    /// says otherwise.
    pub fn needs(&self) -> Vec<String> {
        let iommu = self.machine().iommu.then(|| Capability::Iommu.to_string());
        let needs = self.needs.clone();
        needs.unwrap_or_else(|| iommu.into_iter().collect())
    }

    /// Returns the machine that it asks for.
    pub fn machine(&self) -> Machine {
        self.machine.clone().unwrap_or_default()
    }
}

/// A step outside the guests, in full. The short form is `MOMENT: ACTION; ACTION...`.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Outside {
    /// `start` (before the first instruction), `end` (after the last awaited line) or `<domain> <mark>`.
    pub at: Text,
    /// `read32 A => V`, `write32 A V`, `wait32 A MASK V`, a procedure of a device (`dma-write edu A N`), `raise-line
    /// INTERRUPT`, `lower-line INTERRUPT`, `pulse-line INTERRUPT` at the interrupt controller, `post DOMAIN N` into the
    /// word for which a domain with static memory waits, `qmp NAME [KEY=VALUE...]`, `stop`, `cont`, `unplug FUNCTION`
    /// from its port, and `query-pci`, which asks QEMU for its list of functions.
    #[schemars(rename = "do")]
    pub acts: Vec<Text>,
}

/// A step outside the guests.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "it only describes what the reader accepts")]
enum OutsideForm {
    Full(Outside),
    /// `MOMENT: ACTION; ACTION...`
    #[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
    Short(BTreeMap<String, Text>),
}

impl<'de> Deserialize<'de> for Outside {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Step;
        impl<'de> serde::de::Visitor<'de> for Step {
            type Value = Outside;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("`{at: MOMENT, do: [ACTION...]}` or `MOMENT: ACTION; ACTION...`")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Outside, A::Error> {
                use serde::de::Error;
                let (mut at, mut acts) = (None, None);
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "at" if at.is_none() => at = Some(map.next_value()?),
                        "do" if acts.is_none() => acts = Some(map.next_value()?),
                        "at" | "do" => {
                            let why = format!("`{key}` is one too many in this step");
                            return Err(Error::custom(why));
                        }
                        _ if at.is_none() && acts.is_none() => {
                            (at, acts) = (Some(Text(key)), Some(vec![map.next_value()?]));
                        }
                        _ => return Err(Error::unknown_field(&key, &["at", "do"])),
                    }
                }
                Ok(Outside {
                    at: at.ok_or_else(|| Error::missing_field("at"))?,
                    acts: acts.ok_or_else(|| Error::missing_field("do"))?,
                })
            }
        }
        from.deserialize_map(Step)
    }
}

/// A scalar as written: text, number or truth value, kept as text.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Text(pub String);

impl JsonSchema for Text {
    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A text, a number or a truth value; `${NAME}` stands for a parameter of the row or a constant of the subject.",
            "type": ["string", "number", "boolean", "object"],
            "maxProperties": 1,
        })
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Scalar;
        impl<'de> serde::de::Visitor<'de> for Scalar {
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
            // YAML reads `on gpio.irq: lower gpio` as a map.
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Text, A::Error> {
                let pair = map.next_entry::<String, Text>()?;
                let more = map.next_entry::<String, Text>()?;
                match (pair, more) {
                    (Some((before, Text(after))), None) => Ok(Text(format!("{before}: {after}"))),
                    _ => Err(serde::de::Error::invalid_type(
                        serde::de::Unexpected::Map,
                        &self,
                    )),
                }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A step outside is a moment with its actions, in full or as a pair; a pair has one text for all of them.
    #[test]
    fn steps_outside_have_a_short_form() {
        let read = |text: &str| yaml::read::<Outside>(text);
        let step = |text: &str| {
            let step = read(text).unwrap();
            let acts: Vec<String> = step.acts.into_iter().map(|act| act.0).collect();
            (step.at.0, acts)
        };
        let full = step("{do: [read32 gpio.IE => 0, post ctl 1], at: dA ready}");
        let acts = ["read32 gpio.IE => 0".to_owned(), "post ctl 1".to_owned()];
        assert_eq!(full, ("dA ready".to_owned(), acts.into()));
        let short = step("dA ready: read32 gpio.IE => 0; post ctl 1");
        let acts = vec!["read32 gpio.IE => 0; post ctl 1".to_owned()];
        assert_eq!(short, ("dA ready".to_owned(), acts));
        for (text, wanted) in [
            ("{at: end}", "missing field `do`"),
            ("{do: [stop]}", "missing field `at`"),
            ("{start: stop, end: stop}", "unknown field `end`"),
            ("{att: end, do: [stop]}", "`do` is one too many"),
            ("{start: stop, at: end}", "`at` is one too many"),
            ("{at: end, at: start, do: []}", "`at` is one too many"),
            ("end: [stop]", "invalid type: sequence"),
            ("stop", "MOMENT: ACTION; ACTION..."),
        ] {
            let told = read(text).unwrap_err().to_string();
            assert!(told.contains(wanted), "{text}: {told}");
        }
    }
}
