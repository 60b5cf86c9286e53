//! Finding the functions that the firmware has numbered.
//!
//! Buses are looked through one after another. What a bridge says of the buses behind it is believed only when they
//! are behind its own bus, among those that its own bridge passes on, and named by no other bridge. A host bridge may
//! have more buses of its own than the first, which no register tells of: they are those that no bridge names and on
//! which a device answers. So each bus is looked at once, however the bridges lie.

use alloc::vec;
use alloc::vec::Vec;

use super::function::probe;
use super::{Function, Inventory, Kind, MAX_FUNCTIONS, Port, Segment, Warning};
use crate::fault::{self, Fault};
use crate::hal::ConfigSpace;
use crate::ids::Sbdf;

/// Devices of a bus (PCI 3.2.2.3.4).
const DEVICES: u8 = 32;
/// Functions of a device.
const FUNCTIONS: u8 = 8;

/// A bus that is to be looked through.
#[derive(Clone, Copy)]
struct Bus {
    segment: u16,
    number: u8,
    /// The last bus that can be behind one of its bridges.
    last: u8,
    above: Option<Sbdf>,
    /// Whether it is a link, at whose end there is one device (PCIe 7.3.1).
    link: bool,
}

/// No room is left for a function.
struct Full;

impl Inventory {
    /// Finds every function that the firmware has numbered in these segments.
    pub fn scan<S: ConfigSpace>(
        space: &mut S,
        segments: &[Segment],
        warnings: &mut dyn FnMut(Warning),
    ) -> Self {
        let mut functions = Vec::new();
        for segment in segments {
            if find(space, segment, &mut functions, warnings).is_err() {
                break;
            }
        }
        functions.sort_unstable_by_key(|function| function.at);
        functions.dedup_by_key(|function| function.at);
        let mut inventory = Self::empty(segments.into());
        inventory.functions = functions;
        inventory.relate(warnings);
        inventory
    }
}

/// Looks through a segment.
fn find<S: ConfigSpace>(
    space: &mut S,
    segment: &Segment,
    functions: &mut Vec<Function>,
    warnings: &mut dyn FnMut(Warning),
) -> Result<(), Full> {
    let mut named = [false; 256];
    let mut root = segment.buses.clone().next();
    while let Some(number) = root {
        let mut further = (number..=*segment.buses.end()).skip(1);
        let is_free = |bus: &u8, named: &[bool]| named.get(usize::from(*bus)) == Some(&false);
        let until_named = further.clone().take_while(|bus| is_free(bus, &named));
        let bus = Bus {
            segment: segment.number,
            number,
            last: until_named.last().unwrap_or(number),
            above: None,
            link: false,
        };
        follow(space, bus, &mut named, functions, warnings)?;
        root = further.find(|bus| {
            is_free(bus, &named)
                && !fault::on(Fault::PciExtraRootSkipped)
                && space.any_answer(Sbdf {
                    segment: segment.number,
                    bus: *bus,
                    devfn: 0,
                })
        });
    }
    Ok(())
}

/// Looks through a bus of the host bridge's and all that is behind it. Enters in `named` what bridges say is behind
/// them, believed or not.
fn follow<S: ConfigSpace>(
    space: &mut S,
    root: Bus,
    named: &mut [bool],
    functions: &mut Vec<Function>,
    warnings: &mut dyn FnMut(Warning),
) -> Result<(), Full> {
    let mut waiting = vec![root];
    while let Some(bus) = waiting.pop() {
        let start = functions.len();
        let probed = probe_buses(space, bus, functions, warnings);
        let Some(found) = functions.get_mut(start..) else {
            continue;
        };
        for function in &*found {
            if let Kind::Bridge {
                secondary: Some(first),
                subordinate: last,
            } = function.kind
            {
                let range = usize::from(first.min(last))..=usize::from(first.max(last));
                named.get_mut(range).unwrap_or_default().fill(true);
            }
        }
        number(bus, found, warnings);
        probed?;
        if fault::on(Fault::PciBridgeNotFollowed) {
            continue;
        }
        waiting.extend(found.iter().filter_map(|function| match function.kind {
            Kind::Bridge {
                secondary: Some(number),
                subordinate: last,
            } => Some(Bus {
                number,
                last,
                above: Some(function.at),
                link: function.port == Some(Port::Downstream),
                ..bus
            }),
            _ => None,
        }));
    }
    Ok(())
}

/// Adds the functions of a bus.
fn probe_buses<S: ConfigSpace>(
    space: &mut S,
    bus: Bus,
    functions: &mut Vec<Function>,
    warnings: &mut dyn FnMut(Warning),
) -> Result<(), Full> {
    let devices = match (bus.link, fault::on(Fault::PciLastDeviceForgotten)) {
        (true, _) => 1,
        (false, true) => DEVICES - 1,
        (false, false) => DEVICES,
    };
    for device in 0..devices {
        let mut multifunction = None;
        for function in 0..FUNCTIONS {
            let at = Sbdf {
                segment: bus.segment,
                bus: bus.number,
                devfn: device << 3 | function,
            };
            let Some(mut found) = probe(space, at, multifunction, warnings) else {
                // Functions may be missing, but not the first (PCI 3.2.2.3.4).
                let skip = if function == 0 {
                    fault::on(Fault::PciFirstFunctionMissing)
                } else {
                    !fault::on(Fault::PciHoleEndsDevice)
                };
                if skip {
                    multifunction = Some(true);
                    continue;
                }
                break;
            };
            found.above = bus.above;
            let more = found.multifunction;
            if functions.len() >= MAX_FUNCTIONS || functions.try_reserve(1).is_err() {
                warnings(Warning::Full(at));
                return Err(Full);
            }
            functions.push(found);
            if !more {
                break;
            }
            multifunction = Some(more);
        }
    }
    Ok(())
}

/// Decides which buses the bridges of a bus are believed to have behind them.
fn number(bus: Bus, found: &mut [Function], warnings: &mut dyn FnMut(Warning)) {
    let possible = |first: u8, last: u8| bus.number < first && first <= last && last <= bus.last;
    let mut named = [0_u8; 256];
    for function in found.iter() {
        if let Kind::Bridge {
            secondary: Some(first),
            subordinate: last,
        } = function.kind
            && possible(first, last)
        {
            let range = usize::from(first)..=usize::from(last);
            for count in named.get_mut(range).into_iter().flatten() {
                *count = count.saturating_add(1);
            }
        }
    }
    for function in found {
        let bridge = function.at;
        let Kind::Bridge {
            secondary,
            subordinate,
        } = &mut function.kind
        else {
            continue;
        };
        let (Some(first), last) = (*secondary, *subordinate) else {
            continue;
        };
        if !possible(first, last) {
            *secondary = None;
            warnings(Warning::Numbers {
                bridge,
                secondary: first,
                subordinate: last,
                last: bus.last,
            });
            continue;
        }
        let range = usize::from(first)..=usize::from(last);
        if named
            .get(range)
            .into_iter()
            .flatten()
            .any(|count| *count > 1)
        {
            *secondary = None;
            warnings(Warning::Overlap {
                bridge,
                secondary: first,
                subordinate: last,
            });
        }
    }
}
