//! Names of the machine's devices and PCI functions: their registers and facts, where one place of a case finds them.

use runners::PciHost;

use super::{Names, Scope};
use crate::arch;
use crate::language::expression::{Value, indexed, parts};
use crate::library::device::RegisterForm;
use crate::library::{Device, MachineDevice};
use crate::pci::{Function, config};
use crate::scenario::Range;

/// The file with the registers of configuration space that all functions have.
const HEADER: &str = "pci-header";

impl<'a> Scope<'a> {
    /// Returns a device of the machine; one that is there only on request must have been asked for.
    pub fn device(&self, name: &str) -> Result<&'static MachineDevice, String> {
        let Names { machine, asked, .. } = self.names;
        let found = machine.device(name).ok_or_else(|| self.unknown(name))?;
        if found.optional.is_some() && !asked.iter().any(|asked| asked == name) {
            return Err(format!(
                "the machine has `{name}` only on request: `machine: {{devices: [{name}]}}`"
            ));
        }
        Ok(found)
    }

    /// Refuses a device that the machine of the case does not have, unless the name says at which address something
    /// like it is.
    pub fn is_there(&self, name: &str) -> Result<(), String> {
        let (head, place, _) = parts(name);
        match self.function(head).is_some() || place.is_some() {
            true => Ok(()),
            false => self.device(head).map(|_| ()),
        }
    }

    /// Refuses a part of a device, such as a register, where the device itself is meant.
    pub fn whole_device(&self, name: &str) -> Result<(), String> {
        match parts(name) {
            (_, _, "") => Ok(()),
            (head, ..) => Err(format!(
                "`{name}` is a part of `{head}`, which is meant here"
            )),
        }
    }

    /// Returns the number of a PCI function: its name, or `[BUS:]DEVICE[.FUNCTION]` as this place numbers it.
    pub fn slot(&self, text: &str) -> Result<u16, String> {
        let bad = || format!("`{text}` is neither a function's name nor `[BUS:]DEVICE[.FUNCTION]`");
        if text.starts_with(|c: char| c.is_ascii_digit()) {
            let (bus, rest) = text.split_once(':').unwrap_or(("0", text));
            let (device, function) = rest.split_once('.').unwrap_or((rest, "0"));
            let part = |text: &str, most: u64| {
                let value = crate::case::value::number(text).ok();
                let value = value.filter(|value| *value <= most);
                value
                    .and_then(|value| u16::try_from(value).ok())
                    .ok_or_else(bad)
            };
            return Ok(part(bus, 0xff)? << 8 | part(device, 31)? << 3 | part(function, 7)?);
        }
        let functions = self.names.pci.as_ref().ok_or_else(bad)?;
        let bdf = functions.bdf(text)?;
        let Some(inside) = self.inside.filter(|inside| !inside.all_functions) else {
            return Ok(bdf);
        };
        // The first function assigned to the domain is its device 0, and so on.
        let is = [0, u32::from(bdf) >> 8, u32::from(bdf) & 0xff];
        let own = inside.functions.iter().position(|own| *own == is);
        let device = own.and_then(|device| u16::try_from(device).ok());
        let device = device.ok_or_else(|| format!("`{text}` is not in the `pci` of the domain"))?;
        Ok(device << 3)
    }

    /// Returns the PCI host bridge that is found at this place.
    pub(super) fn bridge(&self) -> Result<PciHost, String> {
        let found = match self.inside {
            Some(inside) if !inside.hosts => self.names.profile.guest.pci,
            _ => self.names.machine.pci,
        };
        found.ok_or_else(|| "nothing says where the PCI host bridge is".to_owned())
    }

    /// Returns the address of a function's configuration space.
    fn config(&self, slot: &str) -> Result<u64, String> {
        let ecam = self.bridge()?.ecam.base;
        Ok(config(ecam, self.slot(slot)?))
    }

    /// Returns the address that `config:SLOT` or `config:SLOT.REGISTER` means.
    pub(super) fn configuration(&self, text: &str) -> Result<u64, String> {
        let register = text.rsplit_once('.');
        let named =
            register.filter(|(_, name)| name.starts_with(|c: char| c.is_ascii_alphabetic()));
        match named {
            Some((slot, name)) => Ok(self.config(slot)? + self.header(name)?),
            None => self.config(text),
        }
    }

    /// Returns the offset of a register of configuration space.
    fn header(&self, register: &str) -> Result<u64, String> {
        let header = self.names.library.device(HEADER)?;
        let (register, index) = indexed(register);
        Ok(self.register_of(header, register, index)?.offset)
    }

    /// Returns what a name means that begins with a device of the machine.
    pub(super) fn of_device(
        &self,
        name: &str,
        place: Option<u64>,
        tail: &str,
        whole: &str,
    ) -> Result<Value, String> {
        let device = self.names.machine.device(name);
        let device = device.ok_or_else(|| self.unknown(whole))?;
        let model = device.model(self.names.library)?;
        let named = tail;
        let (tail, index) = indexed(tail);
        facts_stand_alone(whole, tail, place, index)?;
        // Numbers of a device that is not there can be the point of a case, and a place is where another one is.
        let facts = ["size", "irq", "phandle", "stream", "identity"];
        let of_model = facts.contains(&tail) || model.values.contains_key(tail);
        if place.is_none() && !of_model {
            self.device(name)?;
        }
        let interrupt = |index: u64| {
            let index = usize::try_from(index).unwrap_or(usize::MAX);
            device.interrupts.get(index).copied().map(u64::from)
        };
        // Its place on the first bus, if it stands for a PCI function.
        let function = device.optional.as_ref().and_then(|optional| optional.pci);
        let at = |offset| match place {
            Some(place) => place.wrapping_add(offset),
            None => self.seen(name, device, device.base.wrapping_add(offset)),
        };
        let number = match tail {
            "" | "base" => Some(at(0)),
            "size" => Some(device.size),
            // The byte after the last one, which may be mapped apart from the first one.
            "end" => at(device.size.saturating_sub(1)).checked_add(1),
            "irq" => interrupt(index.unwrap_or(0)),
            "phandle" => device.phandle.map(u64::from),
            "stream" => device.stream.map(u64::from),
            "identity" => model.identity.as_ref().map(|is| is.value),
            "assigned" => Some(at(device.assigned(model).offset)),
            "path" => {
                return device
                    .path
                    .clone()
                    .map(Value::Text)
                    .ok_or_else(|| self.unknown(whole));
            }
            "node" => return Ok(Value::Text(self.node(name, device, model))),
            "device" => function.map(u64::from),
            "slot" => {
                let slot = function.ok_or_else(|| self.unknown(whole))?;
                return Ok(Value::Text(slot_text(u16::from(slot) << 3)));
            }
            "config" => function
                .and_then(|slot| Some(config(self.bridge().ok()?.ecam.base, u16::from(slot) << 3))),
            _ if tail.starts_with("config.") => {
                let register = named.strip_prefix("config.").unwrap_or_default();
                let slot = function.ok_or_else(|| self.unknown(whole))?;
                let space = config(self.bridge()?.ecam.base, u16::from(slot) << 3);
                Some(space + self.header(register)?)
            }
            value if model.values.contains_key(value) => model.values.get(value).copied(),
            _ => {
                let register = self.register_of(model, tail, index)?;
                Some(at(register.offset))
            }
        };
        number.map(Value::Number).ok_or_else(|| self.unknown(whole))
    }

    fn register_of(
        &self,
        model: &Device,
        name: &str,
        index: Option<u64>,
    ) -> Result<RegisterForm, String> {
        let name = match name {
            "scratch" => model.scratch.as_deref().unwrap_or(name),
            "id" => model.identity.as_ref().map_or(name, |is| &is.register),
            name => name,
        };
        let full = index.map_or_else(|| name.to_owned(), |index| format!("{name}[{index}]"));
        model.register(&full).ok_or_else(|| {
            let known = model.registers.keys().map(String::as_str);
            let near = text::nearest(name, known);
            let hint = near.map(|near| format!("; did you mean `{near}`?"));
            format!(
                "`{full}` is no register of `{}`{}",
                model.device,
                hint.unwrap_or_default()
            )
        })
    }

    /// Returns the register of a device or function, at the address where this place finds it, with its size.
    pub fn register(&self, device: &str, register: &str) -> Result<(u64, RegisterForm), String> {
        let (head, place, _) = parts(device);
        let place = place.map(|place| self.number(place)).transpose()?;
        let (register, index) = indexed(register);
        let Some(function) = self.function(head) else {
            let found = match place {
                Some(_) => self.names.machine.device(head),
                None => Some(self.device(head)?),
            };
            let found = found.ok_or_else(|| self.unknown(device))?;
            let form = self.register_of(found.model(self.names.library)?, register, index)?;
            let at = match place {
                Some(place) => place.wrapping_add(form.offset),
                None => self.seen(head, found, found.base.wrapping_add(form.offset)),
            };
            return Ok((at, form));
        };
        let form = self.register_of(function.model.device, register, index)?;
        let base = match place {
            Some(place) => place,
            None => self.bar(function, form.bar)?,
        };
        Ok((base.wrapping_add(form.offset), form))
    }

    /// Returns the model of a device or function, be it there or not; none if there is no such name.
    pub fn known_model(&self, device: &str) -> Option<&'static Device> {
        let (head, ..) = parts(device);
        if let Some(function) = self.function(head) {
            return Some(function.model.device);
        }
        let found = self.names.machine.device(head)?;
        found.model(self.names.library).ok()
    }

    /// Returns the model of a device or function, be it there or not.
    pub fn model(&self, device: &str) -> Result<&'static Device, String> {
        let found = self.known_model(device);
        found.ok_or_else(|| self.unknown(device))
    }

    fn function(&self, name: &str) -> Option<&'a Function> {
        let functions = &self.names.pci.as_ref()?.functions;
        functions.iter().find(|one| one.name == name)
    }

    /// Returns what a name means that begins with a PCI function.
    pub(super) fn of_function(
        &self,
        function: &'a Function,
        place: Option<u64>,
        tail: &str,
        whole: &str,
    ) -> Result<Value, String> {
        let named = tail;
        let (tail, index) = indexed(tail);
        facts_stand_alone(whole, tail, place, index)?;
        let number = match tail {
            "bdf" | "stream" => function.bdf().map(u64::from),
            "irq" => function.line.map(u64::from),
            "bus" => function.buses.map(|(secondary, _)| u64::from(secondary)),
            "config" => Some(self.config(&function.name)?),
            "slot" => {
                let bdf = function.bdf().ok_or_else(|| self.unknown(whole))?;
                return Ok(Value::Text(slot_text(bdf)));
            }
            "device" => Some(u64::from(function.slot.0)),
            "identity" => function.model.device.identity.as_ref().map(|is| is.value),
            "ids" => Some(u64::from(function.model.pci.id)),
            bar if bar.strip_prefix("bar").is_some_and(|bar| bar.len() == 1) => {
                let bar = bar.trim_start_matches("bar").parse().unwrap_or(u8::MAX);
                Some(self.bar(function, bar)?)
            }
            value if function.model.device.values.contains_key(value) => {
                function.model.device.values.get(value).copied()
            }
            _ => Some(match named.strip_prefix("config.") {
                Some(register) => self.config(&function.name)? + self.header(register)?,
                None => {
                    let form = self.register_of(function.model.device, tail, index)?;
                    let base = match place {
                        Some(place) => place,
                        None => self.bar(function, form.bar)?,
                    };
                    base.wrapping_add(form.offset)
                }
            }),
        };
        number.map(Value::Number).ok_or_else(|| self.unknown(whole))
    }

    /// Returns the address of a function's BAR: where the script put it, else where the firmware did.
    fn bar(&self, function: &Function, bar: u8) -> Result<u64, String> {
        if let Some(inside) = self.inside {
            let placed = inside.placed.borrow();
            if let Some(at) = placed.get(&(function.name.clone(), bar)) {
                return Ok(*at);
            }
        }
        let found = function.bar(bar).and_then(|bar| bar.address);
        found.ok_or_else(|| format!("BAR {bar} of `{}` is nowhere", function.name))
    }

    /// Remembers where the script puts a BAR.
    pub fn place_bar(&self, function: &str, bar: u8, at: u64) {
        if let Some(inside) = self.inside {
            let mut placed = inside.placed.borrow_mut();
            placed.insert((function.to_owned(), bar), at);
        }
    }

    /// Returns the address at which this place finds a byte of a device: where it is mapped for the domain, else where
    /// the host has it.
    fn seen(&self, name: &str, device: &MachineDevice, host: u64) -> u64 {
        let Some(inside) = self.inside else {
            return host;
        };
        let holds = |range: &&Range| host.wrapping_sub(range.host) < range.size;
        if let Some(range) = inside.ranges.iter().find(holds) {
            return (host - range.host).wrapping_add(range.guest);
        }
        let emulated = arch::emulated_at(name, &self.names.profile.guest);
        match emulated.filter(|_| !inside.hosts) {
            Some(guest) => host.wrapping_sub(device.base).wrapping_add(guest),
            None => host,
        }
    }

    /// Returns the name of a device's node in the domain's partial tree, or the one that it would have.
    fn node(&self, name: &str, device: &MachineDevice, model: &Device) -> String {
        let devices = self.inside.map_or(&[][..], |inside| &inside.devices);
        if let Some(mapped) = devices.iter().find(|mapped| mapped.name == name) {
            return mapped.node.clone();
        }
        let base = model.node.as_deref().unwrap_or(name);
        format!("{base}@{:x}", device.base)
    }
}

/// Writes a function as `BUS:DEVICE.FUNCTION`, as hypervisors name it.
fn slot_text(bdf: u16) -> String {
    let (bus, device, function) = (bdf >> 8, bdf >> 3 & 31, bdf & 7);
    format!("{bus:02x}:{device:02x}.{function}")
}

/// Refuses an index or a place beside a fact that has neither.
fn facts_stand_alone(
    whole: &str,
    tail: &str,
    place: Option<u64>,
    index: Option<u64>,
) -> Result<(), String> {
    let single = [
        "", "base", "size", "end", "phandle", "stream", "identity", "assigned", "path", "node",
        "device", "slot", "config", "bdf", "bus", "ids",
    ];
    let bar = tail.len() == 4 && tail.starts_with("bar");
    if index.is_some() && (single.contains(&tail) || bar) {
        return Err(format!("`{whole}`: there is only one"));
    }
    let anywhere = [
        "irq", "phandle", "stream", "path", "node", "device", "slot", "config", "bdf", "bus", "ids",
    ];
    let header = tail.starts_with("config.");
    if place.is_some() && (anywhere.contains(&tail) || bar || header) {
        return Err(format!("`{whole}`: it depends on no place"));
    }
    Ok(())
}
