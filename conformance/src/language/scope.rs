//! What names mean at one place of a case: for one domain, or outside of all.

use std::cell::RefCell;
use std::collections::BTreeMap;

use runners::Profile;

use super::expression::{Value, evaluate, parts};
use super::values;
use crate::case::Text;
use crate::library::{Library, Machine};
use crate::pci::Topology;
use crate::scenario::Range;

mod devices;
#[cfg(test)]
mod tests;

/// Everything that names of one scenario can refer to.
#[derive(Clone, Debug)]
pub struct Names<'a> {
    /// The library.
    pub library: &'a Library,
    /// The machine.
    pub machine: &'static Machine,
    /// The subject.
    pub profile: &'a Profile,
    /// The parameters of the row.
    pub row: &'a BTreeMap<String, Text>,
    /// The devices that the case asks for, of those that the machine has only on request.
    pub asked: &'a [String],
    /// The machine's PCI functions.
    pub pci: Option<Topology>,
    /// Where the memory of domains with static memory begins and ends on the host.
    pub banks: BTreeMap<String, (u64, u64)>,
}

/// A domain, as names in its script see it.
#[derive(Debug, Default)]
pub struct Inside {
    /// First byte of its memory, as it sees it, and the byte after the last one.
    pub ram: (u64, u64),
    /// Whether its addresses are those of the host.
    pub hosts: bool,
    /// What is mapped for it.
    pub ranges: Vec<Range>,
    /// The devices that it is given: their names in the machine, and their nodes in its partial tree.
    pub devices: Vec<Mapped>,
    /// Whether it has all PCI functions under their own numbers.
    pub all_functions: bool,
    /// The functions assigned to it: segment, bus, and device and function.
    pub functions: Vec<[u32; 3]>,
    /// Where its script has put BARs so far.
    pub placed: RefCell<BTreeMap<(String, u8), u64>>,
}

/// A device that a domain is given.
#[derive(Clone, Debug)]
pub struct Mapped {
    /// Its name in the machine.
    pub name: String,
    /// Name of its node in the partial tree.
    pub node: String,
}

/// Names at one place of a case.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// What they can refer to.
    pub names: &'a Names<'a>,
    /// The domain; none outside of all.
    pub inside: Option<&'a Inside>,
}

/// Returns the byte after a window.
const fn end_of(window: runners::Window) -> u64 {
    window.base.saturating_add(window.size)
}

/// The window through which a control domain accesses the memory of others.
const FOREIGN: &str = "foreign";

impl<'a> Scope<'a> {
    /// Returns the page through which a control domain accesses the memory of others.
    pub fn foreign(&self) -> Result<u64, String> {
        let found = self.names.machine.windows.get(FOREIGN).copied();
        found.ok_or_else(|| format!("the machine has no window `{FOREIGN}`"))
    }

    /// Makes the scope outside of all domains.
    pub const fn outside(names: &'a Names<'a>) -> Self {
        Self {
            names,
            inside: None,
        }
    }

    /// Returns the number that an expression stands for.
    pub fn number(&self, text: &str) -> Result<u64, String> {
        match self.value(text)? {
            Value::Number(number) => Ok(number),
            Value::Text(name) => Err(format!("`{text}` is `{name}`, which is no number")),
        }
    }

    /// Returns the number that an expression stands for, which must fit 32 bits.
    pub fn number32(&self, text: &str) -> Result<u32, String> {
        let number = self.number(text)?;
        u32::try_from(number).map_err(|_| format!("`{}` does not fit 32 bits", text.trim()))
    }

    /// Returns what an expression stands for.
    pub fn value(&self, text: &str) -> Result<Value, String> {
        evaluate(text, &|name| self.symbol(name))
    }

    /// Replaces every `${...}` in a text, or reports the first one that stands for nothing.
    pub fn fill(&self, text: &str) -> Result<String, String> {
        self.filled(text, true)
    }

    fn filled(&self, text: &str, from_row: bool) -> Result<String, String> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, from)) = rest.split_once("${") {
            filled.push_str(before);
            let Some((name, after)) = from.split_once('}') else {
                return Err(format!("`${{` without `}}` in `{text}`"));
            };
            match self.names.row.get(name).filter(|_| from_row) {
                // A value of a row may name places, but no other value of the row.
                Some(Text(value)) => filled.push_str(&self.filled(value, false)?),
                None => filled.push_str(&self.shown(name, from_row)?),
            }
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled)
    }

    /// Returns the text of `${...}`: `hex:EXPRESSION` leaves out the `0x`, as in unit addresses; `dec:EXPRESSION` is
    /// decimal.
    fn shown(&self, text: &str, from_row: bool) -> Result<String, String> {
        // Here a parameter is a name like any other.
        let symbol = |name: &str| match self.names.row.get(name).filter(|_| from_row) {
            Some(Text(value)) => self.value(&self.filled(value, false)?),
            None => self.symbol(name),
        };
        let (form, expression) = match text.split_once(':') {
            Some((form @ ("hex" | "dec"), expression)) => (form, expression),
            _ => ("", text),
        };
        Ok(match (evaluate(expression, &symbol)?, form) {
            (Value::Number(number), "hex") => format!("{number:x}"),
            (Value::Number(number), "dec") => number.to_string(),
            (Value::Number(number), _) => format!("{number:#x}"),
            (Value::Text(text), _) => text,
        })
    }

    /// Returns the path of a node: a device of the machine stands for its own.
    pub fn path(&self, text: &str) -> Result<String, String> {
        if text.starts_with('/') {
            return Ok(text.to_owned());
        }
        let (name, below) = text
            .find('/')
            .map_or((text, ""), |slash| text.split_at(slash));
        let known = self.names.machine.devices.iter();
        let known = known.filter(|(_, device)| device.path.is_some());
        let names = known.map(|(name, _)| name.as_str());
        if names.clone().any(|known| known == name) {
            let path = self.device(name)?.path.as_deref();
            return Ok(format!("{}{below}", path.unwrap_or_default()));
        }
        let near = text::nearest(name, names);
        let hint = near.map(|near| format!("; did you mean `{near}`?"));
        let hint = hint.unwrap_or_default();
        Err(format!(
            "`{text}` is neither a path nor a device with a node{hint}"
        ))
    }

    /// Returns the path of a node, or the text as it is if it is neither a path nor nearly the name of a device: what a
    /// hypervisor makes of a wrong path is the point of some cases.
    pub fn path_or_text(&self, text: &str) -> Result<String, String> {
        let (name, _) = text.split_once('/').unwrap_or((text, ""));
        match text::nearest(name, self.names.machine.devices.keys()) {
            Some(_) => self.path(text),
            None => Ok(text.to_owned()),
        }
    }

    fn symbol(&self, name: &str) -> Result<Value, String> {
        if let Some(rest) = name.strip_prefix("host.") {
            return Self::outside(self.names).symbol(rest);
        }
        if let Some(rest) = name
            .strip_prefix("guest.")
            .filter(|rest| !rest.starts_with("ram"))
        {
            // As a domain sees it that is given nothing.
            let guest = Inside::default();
            let scope = Scope {
                names: self.names,
                inside: Some(&guest),
            };
            return scope.symbol(rest);
        }
        if let Some(slot) = name.strip_prefix("config:") {
            return self.configuration(slot).map(Value::Number);
        }
        if let Some(known) = self.plain(name)? {
            return Ok(Value::Number(known));
        }
        let (head, place, tail) = parts(name);
        let place = place.map(|place| self.number(place)).transpose()?;
        // The case's own names go before those of the machine.
        let functions = self.names.pci.as_ref();
        if let Some(function) =
            functions.and_then(|all| all.functions.iter().find(|one| one.name == head))
        {
            return self.of_function(function, place, tail, name);
        }
        if let Some((first, end)) = self.names.banks.get(head) {
            match tail {
                "ram" => return Ok(Value::Number(*first)),
                "ram.end" => return Ok(Value::Number(*end)),
                _ => {}
            }
        }
        if self.names.machine.device(head).is_some() {
            return self.of_device(head, place, tail, name);
        }
        Err(self.unknown(name))
    }

    /// Returns a number that belongs to no device.
    fn plain(&self, name: &str) -> Result<Option<u64>, String> {
        let Names {
            machine, profile, ..
        } = self.names;
        let guest = &profile.guest;
        let end = 1_u64.checked_shl(u32::from(profile.ipa_bits)).unwrap_or(0);
        if let Some(value) = values::value(name) {
            return Ok(Some(value));
        }
        Ok(Some(match (name, self.inside) {
            ("ram", Some(inside)) => inside.ram.0,
            ("ram.end", Some(inside)) => inside.ram.1,
            ("ram", None) => machine.ram.unwrap_or_default(),
            ("ram.end", None) => {
                let size = u64::from(profile.machine.memory_mib) << 20;
                machine.ram.unwrap_or_default().saturating_add(size)
            }
            ("guest.ram", _) => guest.ram.base,
            ("ipa.end", _) => end,
            ("ecam", _) => self.bridge()?.ecam.base,
            ("low", _) => self.bridge()?.low.base,
            ("high", _) => self.bridge()?.high.base,
            ("ecam.end", _) => end_of(self.bridge()?.ecam),
            ("low.end", _) => end_of(self.bridge()?.low),
            ("high.end", _) => end_of(self.bridge()?.high),
            _ => {
                let known = machine.windows.get(name).or(machine.addresses.get(name));
                return Ok(known.copied());
            }
        }))
    }

    fn unknown(&self, name: &str) -> String {
        let Names {
            machine, row, pci, ..
        } = self.names;
        let functions = pci.iter().flat_map(|all| &all.functions);
        let known = machine
            .devices
            .keys()
            .chain(machine.windows.keys())
            .chain(machine.addresses.keys())
            .chain(row.keys())
            .chain(self.names.banks.keys())
            .map(String::as_str)
            .chain(functions.map(|one| one.name.as_str()))
            .chain(values::VALUES.iter().map(|(name, _)| *name))
            .chain(["ram", "ram.end", "ecam", "low", "high", "ipa.end"]);
        // What is wrong of a name that begins well is not its beginning.
        let (head, ..) = parts(name);
        match text::nearest(head, known).filter(|near| *near != head) {
            Some(near) => format!("nothing defines `{name}`; did you mean `{near}`?"),
            None => format!("nothing defines `{name}`"),
        }
    }
}
