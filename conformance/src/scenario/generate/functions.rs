//! The PCI functions of a case's machine, and the actions on them from outside.

use text::nearest;

use super::Expansion;
use crate::case::load::SourceError;
use crate::case::value::number;
use crate::case::{PciForm, PciFunction, Text};
use crate::pci::{self, Bridge, Firmware, Model, Topology, Wanted};
use crate::scenario::{Action, outside};

impl Expansion<'_> {
    /// Parses what the case says about PCI functions, and has the firmware place them.
    pub(super) fn topology(&self) -> Result<Option<Topology>, SourceError> {
        let machine = &self.machine;
        let at = self.outside();
        let seed = at.optional(machine.topology.as_ref(), |text| at.scope.number(text))?;
        let mut wanted = self.functions(&machine.pci);
        if let Some(seed) = seed {
            let made = pci::generate::topology(self.names.library, seed);
            wanted.extend(made.map_err(|why| SourceError::new("topology:", why))?);
        }
        if !self.problems.borrow().is_empty() || wanted.is_empty() && machine.pci.is_empty() {
            return Ok(None);
        }
        let firmware = at
            .optional(machine.firmware.as_ref(), firmware)?
            .unwrap_or_default();
        let Some(windows) = self.names.machine.pci else {
            let why = format!("`{}` has no `pci`", self.names.machine.machine);
            return Err(SourceError::new("pci:", why));
        };
        let Some(first_interrupt) = self.names.machine.pci_interrupt else {
            let why = format!("`{}` has no `pci_interrupt`", self.names.machine.machine);
            return Err(SourceError::new("pci:", why));
        };
        let real = firmware == Firmware::UBoot;
        let before = |name: &&String| {
            let device = self.names.machine.device(name);
            let optional = device.and_then(|device| device.optional.as_ref());
            optional.is_some_and(|optional| optional.pci.is_some() || optional.pattern.is_some())
        };
        if let Some(name) = machine.devices.iter().find(before).filter(|_| real) {
            let why = format!(
                "with real firmware there is no `{name}`: it would be set up before the firmware, or be where its environment is"
            );
            return Err(SourceError::new("firmware:", why));
        }
        // A function that stands for a platform device has its registers at the start of the window.
        let asked = machine.devices.iter();
        let places = asked.filter_map(|name| self.names.machine.device(name));
        let functions = places.filter(|device| {
            let optional = device.optional.as_ref();
            optional.is_some_and(|optional| optional.pci.is_some())
        });
        let taken = functions.map(|device| device.base.saturating_add(device.size));
        let bridge = Bridge {
            windows,
            first_interrupt,
            taken: taken.max().unwrap_or(0),
        };
        pci::place(&wanted, firmware, &bridge)
            .map(Some)
            .map_err(|error| SourceError::new(&error.name, error.to_string()))
    }

    /// Parses a function that is assigned to a domain; none if a row leaves it out.
    pub(super) fn given(&self, text: &Text) -> Result<Option<[u32; 3]>, SourceError> {
        let at = self.outside();
        at.optional(Some(text), |text| {
            if !text.starts_with(|c: char| c.is_ascii_digit()) {
                let functions = self.names.pci.as_ref();
                let functions = functions.ok_or("the machine of this case has no `pci`")?;
                let bdf = u32::from(functions.bdf(text.trim())?);
                return Ok([0, bdf >> 8, bdf & 0xff]);
            }
            let numbers: Vec<u32> = text
                .split_whitespace()
                .map(|word| at.scope.number32(word))
                .collect::<Result<_, _>>()?;
            <[u32; 3]>::try_from(numbers).map_err(|numbers| {
                let count = numbers.len();
                format!(
                    "`{text}`: {count} numbers instead of three: segment, bus, device and function"
                )
            })
        })
    }

    fn functions(&self, written: &[PciFunction]) -> Vec<Wanted> {
        let made = written.iter().map(|one| self.function(one));
        self.outside().gather(made).into_iter().flatten().collect()
    }

    fn function(&self, written: &PciFunction) -> Result<Option<Wanted>, SourceError> {
        let written = &written
            .form()
            .map_err(|why| SourceError::new("pci:", why))?;
        let at = self.outside();
        let find = |name: &str| Model::find(self.names.library, name);
        let Some(model) = at.optional(Some(&written.device), find)? else {
            return Ok(None);
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let name = &written.name;
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) || !name.chars().all(plain) {
            let why = format!(
                "`{name}` is no name of a function: a letter, then letters, digits, `-` and `_`"
            );
            return Err(SourceError::new(name, why));
        }
        let options = self.properties_as_text(written)?;
        let mut bars = Vec::new();
        for (index, address) in &written.bars {
            let address = at.optional(Some(address), |text| at.scope.number(text))?;
            bars.extend(address.map(|address| (*index, address)));
        }
        Ok(Some(Wanted {
            name: name.clone(),
            model,
            slot: at.optional(written.slot.as_ref(), slot)?,
            options,
            bars,
            command: at.optional(written.command.as_ref(), |text| {
                u16::try_from(at.scope.number(text)?)
                    .map_err(|_| format!("`{text}` does not fit 16 bits"))
            })?,
            buses: at.optional(written.buses.as_ref(), buses)?,
            below: self.functions(&written.below),
        }))
    }

    fn properties_as_text(&self, written: &PciForm) -> Result<Vec<(String, String)>, SourceError> {
        let options = written.options.iter().map(|(name, value)| {
            let value = self.outside().fill(value)?;
            if value.contains(',') || name.contains([',', '=']) {
                let why = format!("`{name}={value}` is no single option");
                return Err(SourceError::new(name, why));
            }
            Ok((name.clone(), value))
        });
        options.collect()
    }

    /// Parses actions outside the guests; one text may stand for several.
    pub(super) fn acts(&self, text: &Text) -> Result<Vec<Action>, SourceError> {
        let at = self.outside();
        let read = at.optional(Some(text), |text| {
            let parts = text
                .split(';')
                .map(str::trim)
                .filter(|part| !part.is_empty());
            let acts = parts.map(|part| outside::actions(part, &at.scope));
            Ok(acts.collect::<Result<Vec<_>, String>>()?.concat())
        })?;
        Ok(read.unwrap_or_default())
    }
}

/// Reads `DEVICE` or `DEVICE.FUNCTION`.
fn slot(text: &str) -> Result<(u8, u8), String> {
    let (device, function) = text.split_once('.').unwrap_or((text, "0"));
    let part = |text: &str| {
        u8::try_from(number(text)?).map_err(|_| format!("`{text}` is no device or function"))
    };
    Ok((part(device)?, part(function)?))
}

/// Reads `<secondary> <subordinate>`.
fn buses(text: &str) -> Result<(u8, u8), String> {
    let (secondary, subordinate) = crate::case::value::cut(text);
    let part = |text: &str| {
        let bus = u8::try_from(number(text)?);
        bus.map_err(|_| format!("`{text}` is no bus"))
    };
    Ok((part(secondary)?, part(subordinate)?))
}

fn firmware(text: &str) -> Result<Firmware, String> {
    let known = Firmware::NAMES;
    let found = known.iter().find(|(name, _)| *name == text);
    found.map(|(_, firmware)| *firmware).ok_or_else(|| {
        let names = || known.iter().map(|(name, _)| *name);
        let near = nearest(text, names());
        let hint = near.map_or_else(|| names().collect::<Vec<_>>().join("`, `"), str::to_owned);
        format!("`{text}` is no state that firmware leaves; did you mean `{hint}`?")
    })
}
