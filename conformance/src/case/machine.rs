//! A machine as a case file describes it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Text;
use super::yaml::{NameOr, name_or};

/// Differences from the plain machine.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Whether the machine has an IOMMU.
    #[serde(default)]
    pub iommu: bool,
    /// Devices that the machine has only on request, by their names in its file (`edu`, `uart2`, `flash-pattern`).
    #[serde(default)]
    pub devices: Vec<String>,
    /// Those among them that the host's tree does not put behind the IOMMU, though there is one.
    #[serde(default)]
    pub unprotected: Vec<String>,
    /// What the machine must be able to do (its file lists what it can); without it the case is skipped.
    #[serde(default)]
    pub features: Vec<Text>,
    /// Another version of the machine, by its name in the machine's file.
    #[serde(default)]
    pub version: Option<String>,
    /// QEMU devices that no file describes, as `-device` takes them.
    #[serde(default)]
    pub qemu_devices: Vec<String>,
    /// PCI functions. [`crate::pci`] decides where the firmware places them. Expressions refer to the results as
    /// `NAME.bdf` (bus, device and function in 16 bits, the requester id), `NAME.bar0`, `NAME.config` (address in the
    /// ECAM) and `NAME.irq`. [`crate::scenario::Scenario::pci`] holds the parsed form.
    #[serde(default, skip_serializing)]
    pub pci: Vec<PciFunction>,
    /// How far the firmware set them up: `full` (the default), `no-bus-numbers`, `no-bars` or `none`. With `u-boot`,
    /// real firmware does it and starts the hypervisor.
    #[serde(default, skip_serializing)]
    pub firmware: Option<Text>,
    /// Seed of a generated topology, in addition to what `pci` lists.
    #[serde(default, skip_serializing)]
    pub topology: Option<Text>,
}

/// A PCI function as written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[schemars(untagged)]
pub enum PciFunction {
    /// `DEVICE NAME [SLOT] [barN=ADDRESS]...`, and behind `>` the function behind it, in the same form.
    Short(String),
    /// A function with more than that.
    Full(PciForm),
}

/// A PCI function as written in full.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PciForm {
    /// Its name in texts.
    pub name: String,
    /// Its file in the library. If a row leaves it empty, the function and all below it are left out.
    pub device: Text,
    /// `DEVICE` or `DEVICE.FUNCTION` on its bus, in decimal; if left out, the next free device.
    #[serde(default)]
    pub slot: Option<Text>,
    /// Options of the model.
    #[serde(default)]
    pub options: BTreeMap<String, Text>,
    /// The functions behind it, if it is a bridge.
    #[serde(default)]
    pub below: Vec<PciFunction>,
    /// Addresses that override the firmware's choice, by the number of the BAR. Zero places the BAR nowhere.
    #[serde(default)]
    pub bars: BTreeMap<u8, Text>,
    /// Value that the firmware leaves in its command register; the default is memory decoder and bus master (6), unless
    /// the firmware does not know the function.
    #[serde(default)]
    pub command: Option<Text>,
    /// `<secondary> <subordinate>` bus that the firmware gives a bridge, if they are not the next free ones. To write
    /// wrong numbers, write them at `start`.
    #[serde(default)]
    pub buses: Option<Text>,
}

impl<'de> Deserialize<'de> for PciFunction {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let read = name_or(from, "`DEVICE NAME [SLOT]`, or a map")?;
        Ok(match read {
            NameOr::Name(text) => Self::Short(text),
            NameOr::Map(form) => Self::Full(form),
        })
    }
}

impl PciFunction {
    /// Returns the function in full, or says why the short form is none.
    pub fn form(&self) -> Result<PciForm, String> {
        let text = match self {
            Self::Full(form) => return Ok(form.clone()),
            Self::Short(text) => text,
        };
        let mut chain = text.rsplit('>').map(short);
        let mut last = chain.next().unwrap_or_else(|| short(text))?;
        for above in chain {
            let mut above = above?;
            above.below = vec![Self::Full(last)];
            last = above;
        }
        Ok(last)
    }
}

/// Parses one function of a short form.
fn short(text: &str) -> Result<PciForm, String> {
    let (settings, words): (Vec<&str>, Vec<&str>) =
        text.split_whitespace().partition(|word| word.contains('='));
    let (device, name, slot) = match *words.as_slice() {
        [device, name] => (device, name, None),
        [device, name, slot] => (device, name, Some(Text(slot.to_owned()))),
        _ => {
            return Err(format!(
                "`{}`: a function reads `DEVICE NAME [SLOT] [barN=ADDRESS]`",
                text.trim()
            ));
        }
    };
    let bar = |setting: &str| {
        let (bar, address) = setting.split_once('=')?;
        let number = bar.strip_prefix("bar")?.parse().ok()?;
        Some((number, Text(address.to_owned())))
    };
    let bars = settings
        .iter()
        .map(|setting| bar(setting).ok_or_else(|| format!("`{setting}`: it reads `barN=ADDRESS`")));
    Ok(PciForm {
        name: name.to_owned(),
        device: Text(device.to_owned()),
        slot,
        bars: bars.collect::<Result<_, _>>()?,
        ..PciForm::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Result<PciForm, String> {
        PciFunction::Short(text.to_owned()).form()
    }

    /// The short form says device, name, place and BARs, and what is behind a bridge; the rest is as if left out.
    #[test]
    fn functions_have_a_short_form() {
        let text = |text: &str| Text(text.to_owned());
        let behind = PciForm {
            name: "behind".to_owned(),
            device: text("edu"),
            bars: [(0, text("low"))].into(),
            ..PciForm::default()
        };
        assert_eq!(form("edu behind bar0=low"), Ok(behind.clone()));
        let port = PciForm {
            name: "port".to_owned(),
            device: text("pcie-root-port"),
            slot: Some(text("5")),
            below: vec![PciFunction::Full(behind)],
            ..PciForm::default()
        };
        let chain = "pcie-root-port port 5 > edu behind bar0=low";
        assert_eq!(form(chain), Ok(port.clone()));
        assert_eq!(PciFunction::Full(port.clone()).form(), Ok(port));
        let three = form("ioh3420 a > x3130-upstream b > edu c 0.1 bar0=0 bar2=${at}").unwrap();
        let second = three.below[0].form().unwrap();
        let third = second.below[0].form().unwrap();
        assert_eq!((second.name.as_str(), third.name.as_str()), ("b", "c"));
        assert_eq!(third.slot, Some(text("0.1")));
        assert_eq!(third.bars, [(0, text("0")), (2, text("${at}"))].into());
    }

    /// A short form that is none is refused with its part that is wrong.
    #[test]
    fn wrong_short_forms_are_refused() {
        for (text, wanted) in [
            (
                "edu",
                "`edu`: a function reads `DEVICE NAME [SLOT] [barN=ADDRESS]`",
            ),
            ("edu one 3 4", "`edu one 3 4`: a function reads"),
            ("pcie-root-port port 5 > edu", "`edu`: a function reads"),
            ("> edu one", "``: a function reads"),
            ("edu one bar=low", "`bar=low`: it reads `barN=ADDRESS`"),
            ("edu one barx=low", "`barx=low`: it reads `barN=ADDRESS`"),
            ("edu one serial=s", "`serial=s`: it reads `barN=ADDRESS`"),
        ] {
            let told = form(text).unwrap_err();
            assert!(told.contains(wanted), "{text}: {told}");
        }
    }
}
