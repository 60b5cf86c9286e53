//! The PCI functions of a case's machine, and the actions on them from outside.

use text::nearest;

use super::Expansion;
use crate::case::load::SourceError;
use crate::case::value::{number, number32};
use crate::case::{PciFunction, Text};
use crate::dtb::{EDU_BASE, EDU_SIZE};
use crate::pci::{self, Firmware, Model, Role, Topology, Wanted};
use crate::scenario::{Action, ActionKind, parse};

/// Slot control (PCIe 7.5.3.10): power controller off and both indicators off, so that the port waits for nothing else.
const SLOT_OFF: u64 = 0x7c0;

impl Expansion<'_> {
    /// Parses what the case says about PCI functions, and has the firmware place them.
    pub(super) fn topology(&self) -> Result<Option<Topology>, SourceError> {
        let machine = &self.case.case.machine;
        let seed = self.optional(machine.topology.as_ref(), number)?;
        let mut wanted = self.functions(&machine.pci);
        wanted.extend(seed.map(pci::generate::topology).unwrap_or_default());
        if !self.problems.borrow().is_empty() || wanted.is_empty() && machine.pci.is_empty() {
            return Ok(None);
        }
        let firmware = self
            .optional(machine.firmware.as_ref(), firmware)?
            .unwrap_or_default();
        let Some(host) = self.profile.host.as_ref().and_then(|host| host.pci) else {
            let why = format!("the profile of `{}` has no `host.pci`", self.profile.name);
            return Err(SourceError::new("pci:", why));
        };
        let real = firmware == Firmware::UBoot;
        if real && (machine.edu || machine.flash_pattern) {
            let why = "with real firmware there is no `edu`, which would be placed before it, and no `flash_pattern`, where its environment is";
            return Err(SourceError::new("firmware:", why));
        }
        // The edu device as a platform device has its registers at the start of the window.
        let taken = if machine.edu { EDU_BASE + EDU_SIZE } else { 0 };
        pci::place(&wanted, firmware, &host, taken)
            .map(Some)
            .map_err(|error| SourceError::new(&error.name, error.to_string()))
    }

    /// Parses a function that is assigned to a domain; none if a row leaves it out.
    pub(super) fn given(&self, text: &Text) -> Result<Option<[u32; 3]>, SourceError> {
        self.optional(Some(text), |text| {
            if !text.starts_with(|c: char| c.is_ascii_digit()) {
                let functions = self.pci.as_ref();
                let functions = functions.ok_or("the machine of this case has no `pci`")?;
                let bdf = u32::from(functions.bdf(text.trim())?);
                return Ok([0, bdf >> 8, bdf & 0xff]);
            }
            let numbers: Vec<u32> = text
                .split_whitespace()
                .map(number32)
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
        self.gather(made).into_iter().flatten().collect()
    }

    fn function(&self, written: &PciFunction) -> Result<Option<Wanted>, SourceError> {
        let Some(model) = self.optional(Some(&written.device), Model::find)? else {
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
            let address = self.optional(Some(address), number)?;
            bars.extend(address.map(|address| (*index, address)));
        }
        Ok(Some(Wanted {
            name: name.clone(),
            model,
            slot: self.optional(written.slot.as_ref(), slot)?,
            options,
            bars,
            command: self.optional(written.command.as_ref(), |text| {
                u16::try_from(number(text)?).map_err(|_| format!("`{text}` does not fit 16 bits"))
            })?,
            buses: self.optional(written.buses.as_ref(), buses)?,
            below: self.functions(&written.below),
        }))
    }

    fn properties_as_text(
        &self,
        written: &PciFunction,
    ) -> Result<Vec<(String, String)>, SourceError> {
        let options = written.options.iter().map(|(name, value)| {
            let value = self.fill(value)?;
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
        self.each(text, |text| self.read_acts(text))
    }

    fn read_acts(&self, text: &str) -> Result<Vec<Action>, String> {
        let (body, expect) = text
            .split_once("=>")
            .map_or((text, None), |(body, expect)| (body, Some(expect)));
        let words: Vec<&str> = body.split_whitespace().collect();
        let functions = || {
            let why = "the machine of this case has no `pci`";
            self.pci.as_ref().ok_or_else(|| why.to_owned())
        };
        let as_memory = |verb: &str, name: &str, offset: &str, rest: &[&str]| {
            let at = functions()?.config(name, number(offset)?)?;
            let kind = verb.trim_start_matches("cfg");
            let mut plain = format!("{kind} {at:#x} {}", rest.join(" "));
            if let Some(expect) = expect {
                plain.push_str(" => ");
                plain.push_str(expect);
            }
            let act = parse::act(&plain)?;
            Ok(vec![Action {
                text: words.join(" "),
                ..act
            }])
        };
        match words.as_slice() {
            [verb, name, offset, rest @ ..] if verb.starts_with("cfg") => {
                as_memory(verb, name, offset, rest)
            }
            ["unplug", name] if expect.is_none() => unplug(functions()?, name, body.trim()),
            _ => parse::act(text).map(|act| vec![act]),
        }
    }
}

/// Unplugs a function. After the request the port's slot is powered off, as a guest would do on such a request, so that
/// the function disappears at once whatever the guests do.
fn unplug(functions: &Topology, name: &str, text: &str) -> Result<Vec<Action>, String> {
    let one = functions.find(name)?;
    let port = one.above.and_then(|above| functions.functions.get(above));
    let Some((port, Role::Port(control))) = port.map(|port| (port, port.model.role)) else {
        return Err(format!(
            "`{name}` is in no port from which it could be unplugged"
        ));
    };
    let at = functions.config(&port.name, u64::from(control))?;
    let act = |what| Action {
        text: text.to_owned(),
        what,
        expect: crate::case::expect::Expect::Works,
    };
    let id = vec![("id".to_owned(), one.id())];
    Ok(vec![
        act(ActionKind::Qmp("device_del".to_owned(), id)),
        act(ActionKind::Write(at, 2, SLOT_OFF)),
    ])
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
