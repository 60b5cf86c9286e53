//! Words of scripts about PCI functions: accesses to configuration space by the name of a function, and function names
//! in hypercalls.

use super::Writer;
use crate::case::Role;
use crate::case::value::number;
use crate::pci::{BarKind, config};

/// First base address register, and the command register with memory decoder and bus master on (PCI 6.2.2, 6.2.5.1).
const BAR0: u64 = 0x10;
const COMMAND: u64 = 4;
const ON: u16 = 6;
/// Number of BARs of an endpoint.
const BARS: u64 = 6;
/// Number of functions that one query returns.
const LISTED: usize = 64;

impl Writer<'_> {
    /// Returns the lines of `pci ...`; `expect` applies to the one operation that it stands for.
    pub(super) fn pci(&self, words: &[&str], expect: Option<&str>) -> Result<Vec<String>, String> {
        let behind = expect.map_or_else(String::new, |expect| format!(" => {expect}"));
        let width = |verb: &str, kind: &str| {
            let bits = verb.strip_prefix(kind).unwrap_or_default();
            match bits {
                "8" | "16" | "32" | "64" => Ok(bits.to_owned()),
                _ => Err(format!("`{verb}`: the width is 8, 16, 32 or 64")),
            }
        };
        match words {
            [verb, slot, offset] if verb.starts_with("read") => {
                let (bits, at) = (width(verb, "read")?, self.register(slot, offset)?);
                Ok(vec![format!("r{bits} {at:#x}{behind}")])
            }
            [verb, slot, offset, value] if verb.starts_with("write") => {
                let (bits, at) = (width(verb, "write")?, self.register(slot, offset)?);
                Ok(vec![format!("w{bits} {at:#x} {value}{behind}")])
            }
            ["enable", slot, places @ ..] if expect.is_none() => self.enable(slot, places),
            ["known"] if expect.is_none() => self.known(),
            _ => Err(format!(
                "`pci {}`: words are `pci read16 SLOT OFFSET`, `pci write16 SLOT OFFSET V`, `pci enable SLOT [barN ADDRESS]`, `pci known`",
                words.join(" ")
            )),
        }
    }

    /// Returns the address at which the domain finds a byte of configuration space.
    fn register(&self, slot: &str, offset: &str) -> Result<u64, String> {
        let ecam = self
            .ecam
            .ok_or("the profile does not say where the domain's PCI host bridge is")?;
        Ok(config(ecam, self.slot(slot)?) + number(offset)?)
    }

    /// Parses a function as a domain names it: by its name, as `DEVICE.FUNCTION` of the first bus, or with `BUS:`
    /// before that.
    fn slot(&self, text: &str) -> Result<u16, String> {
        let bad = || format!("`{text}` is neither a function's name nor `[BUS:]DEVICE[.FUNCTION]`");
        if text.starts_with(|c: char| c.is_ascii_digit()) {
            let (bus, rest) = text.split_once(':').unwrap_or(("0", text));
            let (device, function) = rest.split_once('.').unwrap_or((rest, "0"));
            let part = |text: &str, most: u64| {
                let value = number(text).ok().filter(|value| *value <= most);
                value
                    .and_then(|value| u16::try_from(value).ok())
                    .ok_or_else(bad)
            };
            return Ok(part(bus, 0xff)? << 8 | part(device, 31)? << 3 | part(function, 7)?);
        }
        let functions = self.functions.ok_or_else(bad)?;
        let bdf = functions.bdf(text)?;
        if self.role == Role::Hardware {
            return Ok(bdf);
        }
        // The first function assigned to the domain is its device 0, and so on.
        let own = self
            .own
            .iter()
            .position(|own| *own == [0, u32::from(bdf) >> 8, u32::from(bdf) & 0xff]);
        let device = own.and_then(|device| u16::try_from(device).ok());
        let device =
            device.ok_or_else(|| format!("`{text}` is not in the `pci` of `{}`", self.name))?;
        Ok(device << 3)
    }

    /// Sets BARs and switches memory decoder and bus mastering on.
    fn enable(&self, slot: &str, places: &[&str]) -> Result<Vec<String>, String> {
        let mut lines = Vec::new();
        for pair in places.chunks(2) {
            let &[bar, address] = pair else {
                return Err(format!("`{}` lacks its address", pair.join(" ")));
            };
            let index = bar.strip_prefix("bar").and_then(|index| number(index).ok());
            let index = index
                .filter(|index| *index < BARS)
                .ok_or_else(|| format!("`{bar}` is none of `bar0` to `bar5`"))?;
            let address = number(address)?;
            let at = BAR0 + 4 * index;
            let low = self.register(slot, &at.to_string())?;
            lines.push(format!("w32 {low:#x} {:#x}", address & 0xffff_ffff));
            if self.is_wide(slot, index) || address >> 32 != 0 {
                lines.push(format!("w32 {:#x} {:#x}", low + 4, address >> 32));
            }
        }
        let command = self.register(slot, &COMMAND.to_string())?;
        lines.push(format!("w16 {command:#x} {ON}"));
        Ok(lines)
    }

    fn is_wide(&self, slot: &str, index: u64) -> bool {
        let one = self.functions.and_then(|all| all.find(slot).ok());
        let kind = one.and_then(|one| one.bar(u8::try_from(index).ok()?));
        kind.is_some_and(|bar| bar.kind != BarKind::Memory32)
    }

    /// Asks which functions the hypervisor knows: on all buses of the machine, on the one after them, and on the last
    /// possible one.
    fn known(&self) -> Result<Vec<String>, String> {
        let functions = self
            .functions
            .ok_or("the machine of this case has no `pci`")?;
        let last = u32::from(functions.last_bus);
        let buses = (0..=(last + 1).min(0xff)).chain((last < 0xfe).then_some(0xff));
        let parts =
            buses.flat_map(|bus| (0..0x100).step_by(LISTED).map(move |part| bus << 8 | part));
        Ok(parts
            .map(|from| format!("hv pcilist {from:#x} => listed"))
            .collect())
    }

    /// Replaces the names of functions in a hypercall by numbers.
    pub(super) fn functions_by_number(&self, words: &[&str]) -> Vec<String> {
        let place = match words {
            [
                "hv",
                "pciassign" | "pcitest" | "pcideassign" | "pcigroup",
                ..,
            ] => 3,
            ["hv", verb, ..] if verb.starts_with("pci") => 2,
            _ => usize::MAX,
        };
        let number = |word: &str| self.functions?.bdf(word).ok();
        let words = words.iter().enumerate().map(|(at, word)| {
            // The third operand of `pciadd` is a function too.
            let is_function = at == place || words.get(1) == Some(&"pciadd") && at == 4;
            match number(word).filter(|_| is_function) {
                Some(bdf) => format!("{bdf:#x}"),
                None => (*word).to_owned(),
            }
        });
        words.collect()
    }
}
