//! Assigns bus numbers and BAR addresses as firmware does: depth first, one after another.

use runners::PciHost;
use thiserror::Error;

use super::{Bar, BarKind, Firmware, Function, Model, PINS, Role, Topology, Wanted};
use crate::library::device::BarModel;

/// Devices of a bus, and functions of a device.
const DEVICES: u8 = 32;
const FUNCTIONS: u8 = 8;
/// The smallest window of a bridge (Bridge 3.2.5.8).
const WINDOW: u64 = 1 << 20;
/// Memory decoder and bus master of the command register (PCI 6.2.2).
const MEMORY: u16 = 2;
const MASTER: u16 = 4;

/// A function that cannot be plugged in or placed, and why.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{name}`: {why}")]
pub struct PlaceError {
    /// Name of the function in texts.
    pub name: String,
    /// What is wrong.
    pub why: String,
}

fn wrong(one: &Wanted, why: impl Into<String>) -> PlaceError {
    PlaceError {
        name: one.name.clone(),
        why: why.into(),
    }
}

/// A machine's PCI host bridge.
#[derive(Clone, Copy, Debug)]
pub struct Bridge {
    /// Its ECAM and its memory windows.
    pub windows: PciHost,
    /// The first of the interrupts to which the pins of its bus go.
    pub first_interrupt: u32,
    /// Addresses below this one are not used.
    pub taken: u64,
}

/// Plugs functions into the first bus and the functions below them into their buses, and does what firmware does.
pub fn place(
    wanted: &[Wanted],
    firmware: Firmware,
    bridge: &Bridge,
) -> Result<Topology, PlaceError> {
    let windows = &bridge.windows;
    let mut placer = Placer {
        topology: Topology {
            firmware,
            ecam: windows.ecam.base,
            functions: Vec::new(),
            last_bus: 0,
        },
        names: Vec::new(),
        chassis: 0,
        first_interrupt: bridge.first_interrupt,
    };
    let first = placer.plug(wanted, None)?;
    placer.number(&first, Some(0))?;
    let window = |window: runners::Window| (window.base, window.base.saturating_add(window.size));
    let low = window(windows.low);
    let mut room = Room {
        low: (low.0.max(bridge.taken), low.1),
        high: window(windows.high),
    };
    placer.place(&first, &mut room)?;
    Ok(placer.topology)
}

/// The remaining address space: the next address, and the end.
struct Room {
    low: (u64, u64),
    high: (u64, u64),
}

impl Room {
    fn take(&mut self, kind: BarKind, size: u64) -> Result<u64, String> {
        let room = match kind {
            BarKind::Prefetchable64 if self.high.0 < self.high.1 => &mut self.high,
            BarKind::Prefetchable64 | BarKind::Memory32 | BarKind::Memory64 => &mut self.low,
        };
        let at = room.0.checked_next_multiple_of(size);
        let end = at.and_then(|at| at.checked_add(size));
        match at.zip(end).filter(|(_, end)| *end <= room.1) {
            Some((at, end)) => {
                room.0 = end;
                Ok(at)
            }
            None => Err(format!("no room for {size:#x} bytes")),
        }
    }
}

struct Placer<'w> {
    topology: Topology,
    /// The functions as wanted, in the same order.
    names: Vec<&'w Wanted>,
    chassis: u32,
    first_interrupt: u32,
}

impl<'w> Placer<'w> {
    /// Plugs functions into one bus, and returns their indices in the order of devices and functions.
    fn plug(
        &mut self,
        wanted: &'w [Wanted],
        above: Option<usize>,
    ) -> Result<Vec<usize>, PlaceError> {
        let bus = above.and_then(|above| self.topology.functions.get(above));
        let (first, devices) = match bus.map(|bridge| bridge.model.pci.role()) {
            None => (1, DEVICES),
            Some(Role::Port(_)) => (0, 1),
            Some(Role::Bridge(first)) => (first, DEVICES),
            Some(Role::Endpoint) => (0, 0),
        };
        let mut slots: Vec<(u8, u8)> = wanted.iter().filter_map(|one| one.slot).collect();
        let mut places = Vec::new();
        for one in wanted {
            if self.names.iter().any(|other| other.name == one.name) {
                return Err(wrong(one, "two functions have this name"));
            }
            let slot = match one.slot {
                Some(slot) => slot,
                None => {
                    let free = |device: &u8| slots.iter().all(|(taken, _)| taken != device);
                    let device = (first..devices).find(free);
                    let device =
                        device.ok_or_else(|| wrong(one, "no device is free on its bus"))?;
                    slots.push((device, 0));
                    (device, 0)
                }
            };
            if !(first..devices).contains(&slot.0) || slot.1 >= FUNCTIONS {
                let last = devices.saturating_sub(1);
                let why = format!(
                    "{}.{} is no place on its bus: devices {first} to {last}, functions 0 to 7",
                    slot.0, slot.1
                );
                return Err(wrong(one, why));
            }
            if slots.iter().filter(|taken| **taken == slot).count() > 1 {
                let why = format!("another function is at {}.{} already", slot.0, slot.1);
                return Err(wrong(one, why));
            }
            let several = slots
                .iter()
                .any(|(device, function)| *device == slot.0 && (*function > 0 || slot.1 > 0));
            let place = self.topology.functions.len();
            let options = self.options(one, several);
            self.topology.functions.push(Function {
                name: one.name.clone(),
                model: one.model,
                options,
                above,
                slot,
                bus: None,
                bars: bars(one)?,
                command: one.command,
                buses: None,
                windows: [None, None],
                line: None,
            });
            self.names.push(one);
            let line = self.line(place, one.model);
            if let Some(function) = self.topology.functions.get_mut(place) {
                function.line = line;
            }
            places.push((slot, place));
        }
        for ((_, place), one) in places.iter().zip(wanted) {
            if !one.below.is_empty() && one.model.pci.role() == Role::Endpoint {
                return Err(wrong(
                    one,
                    format!("nothing can be below a {}", one.model.name()),
                ));
            }
            self.plug(&one.below, Some(*place))?;
        }
        places.sort_unstable();
        Ok(places.into_iter().map(|(_, place)| place).collect())
    }

    fn options(&mut self, one: &Wanted, several: bool) -> String {
        let said = |name: &str| one.options.iter().any(|(known, _)| known == name);
        let mut options: Vec<String> = one
            .model
            .pci
            .options
            .split(',')
            .filter(|option| {
                let name = option.split_once('=').map_or(*option, |(name, _)| name);
                !name.is_empty() && !said(name)
            })
            .map(str::to_owned)
            .collect();
        if matches!(one.model.pci.role(), Role::Port(_)) {
            self.chassis += 1;
            options.push(format!("chassis={0},slot={0}", self.chassis));
        }
        if several && !said("multifunction") {
            options.push("multifunction=on".to_owned());
        }
        options.extend(
            one.options
                .iter()
                .map(|(name, value)| format!("{name}={value}")),
        );
        options.join(",")
    }

    /// Follows a pin to the first bus: each bridge on the way rotates it by the number of the device below (Bridge
    /// 9.1).
    fn line(&self, place: usize, model: Model) -> Option<u32> {
        let mut pin = model.pci.pin.checked_sub(1)?;
        let mut one = self.topology.functions.get(place)?;
        while let Some(bridge) = one
            .above
            .and_then(|above| self.topology.functions.get(above))
        {
            pin = (pin + one.slot.0) % PINS;
            one = bridge;
        }
        let line = u32::from((pin + one.slot.0) % PINS);
        Some(self.first_interrupt + line)
    }

    /// Returns the functions behind a bridge, in the order of devices and functions.
    fn behind(&self, bridge: usize) -> Vec<usize> {
        let functions = self.topology.functions.iter().enumerate();
        let mut found: Vec<usize> = functions
            .filter(|(_, one)| one.above == Some(bridge))
            .map(|(place, _)| place)
            .collect();
        found.sort_by_key(|place| self.topology.functions.get(*place).map(|one| one.slot));
        found
    }

    /// Numbers the buses behind those of one bus.
    fn number(&mut self, places: &[usize], bus: Option<u8>) -> Result<(), PlaceError> {
        let numbers = self.topology.firmware.numbers_buses();
        for &place in places {
            let (Some(one), Some(wanted)) = (
                self.topology.functions.get_mut(place),
                self.names.get(place),
            ) else {
                continue;
            };
            one.bus = bus;
            let (is_bridge, wanted) = (one.model.pci.role() != Role::Endpoint, *wanted);
            if !is_bridge {
                if wanted.buses.is_some() {
                    return Err(wrong(wanted, "only a bridge has buses"));
                }
                continue;
            }
            let behind = self.behind(place);
            if !numbers || bus.is_none() {
                self.number(&behind, None)?;
                continue;
            }
            let next = self.topology.last_bus.checked_add(1);
            let chosen = wanted.buses.map(|(secondary, _)| secondary).or(next);
            let secondary = chosen
                .filter(|chosen| next.is_some_and(|next| next <= *chosen))
                .ok_or_else(|| {
                    let why = "its bus is not behind those before it; numbers that are wrong are \
                               written at `start`";
                    wrong(wanted, why)
                })?;
            self.topology.last_bus = secondary;
            self.number(&behind, Some(secondary))?;
            let last = self.topology.last_bus;
            let subordinate = wanted.buses.map_or(last, |(_, subordinate)| subordinate);
            if subordinate < last {
                let why = format!("bus {last} is behind it, and it ends at {subordinate}");
                return Err(wrong(wanted, why));
            }
            self.topology.last_bus = subordinate;
            if let Some(one) = self.topology.functions.get_mut(place) {
                one.buses = Some((secondary, subordinate));
            }
        }
        Ok(())
    }

    /// Assigns addresses to the BARs of one bus and of all buses behind it.
    fn place(&mut self, places: &[usize], room: &mut Room) -> Result<(), PlaceError> {
        let firmware = self.topology.firmware;
        for &place in places {
            let behind = self.behind(place);
            let (Some(one), Some(wanted)) = (
                self.topology.functions.get_mut(place),
                self.names.get(place),
            ) else {
                continue;
            };
            let (wanted, reached) = (*wanted, one.bus.is_some());
            let places = firmware.places_registers() && reached;
            for bar in &mut one.bars {
                let fixed = wanted.bars.iter().find(|(index, _)| *index == bar.index);
                bar.address = match fixed {
                    Some((_, 0)) => None,
                    Some((_, address)) => Some(*address),
                    None if places => {
                        let at = room.take(bar.kind, bar.size);
                        Some(at.map_err(|why| wrong(wanted, why))?)
                    }
                    None => None,
                };
            }
            let is_bridge = one.model.pci.role() != Role::Endpoint;
            if places && one.command.is_none() {
                let decodes = is_bridge || one.bars.iter().any(|bar| bar.address.is_some());
                one.command = Some(if decodes { MEMORY | MASTER } else { MASTER });
            }
            if !is_bridge {
                continue;
            }
            let from = [room.align(false), room.align(true)];
            self.place(&behind, room)?;
            let to = [room.align(false), room.align(true)];
            let windows = [0, 1].map(|which| {
                let (from, to) = (from[which], to[which]);
                (from < to).then(|| (from, to - 1))
            });
            if let Some(one) = self.topology.functions.get_mut(place).filter(|_| places) {
                one.windows = windows;
            }
        }
        Ok(())
    }
}

impl Room {
    /// Advances to the next address at which a bridge's window can begin or end.
    fn align(&mut self, high: bool) -> u64 {
        let room = if high { &mut self.high } else { &mut self.low };
        room.0 = room.0.next_multiple_of(WINDOW);
        room.0
    }
}

fn bars(one: &Wanted) -> Result<Vec<Bar>, PlaceError> {
    for (index, address) in &one.bars {
        let known = one.model.pci.bars.iter().find(|bar| bar.bar == *index);
        let Some(BarModel { kind, size, .. }) = known else {
            let why = format!("a {} has no memory register {index}", one.model.name());
            return Err(wrong(one, why));
        };
        if !address.is_multiple_of(*size) {
            let why = format!("register {index} is a multiple of {size:#x}, not {address:#x}");
            return Err(wrong(one, why));
        }
        if !kind.is_wide() && u32::try_from(*address).is_err() {
            return Err(wrong(one, format!("register {index} has 32 bits")));
        }
    }
    let bars = one.model.pci.bars.iter();
    Ok(bars
        .map(|bar| Bar {
            index: bar.bar,
            kind: bar.kind,
            size: bar.size,
            address: None,
        })
        .collect())
}
