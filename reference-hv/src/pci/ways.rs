//! The way from each function up to the host bridge: where its interrupt arrives, and as what it masters memory.

use alloc::vec::Vec;

use super::{Flaw, Function, Kind, Port, Reset};
use crate::fault::{self, Fault};
use crate::ids::Sbdf;

/// The way from one function up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    /// The bridge above, by its place among all functions.
    pub(super) above: Option<usize>,
    /// The topmost bridge that speaks for it, by its place, and as what.
    pub(super) speaker: Option<(usize, Sbdf)>,
    /// The device of the first bus that the way goes through.
    first: u8,
    /// By how many pins an interrupt is off when it arrives there.
    turn: u8,
}

/// Finds the way of each function. A bridge comes before what is behind it, since its bus has a lower number.
pub(super) fn find(functions: &[Function]) -> Vec<Way> {
    let mut ways: Vec<Way> = Vec::with_capacity(functions.len());
    for function in functions {
        let above = function.above.and_then(|bridge| {
            let place = functions.binary_search_by_key(&bridge, |found| found.at);
            let place = place.ok()?;
            Some((place, functions.get(place)?, *ways.get(place)?))
        });
        let way = match above {
            None => Way {
                above: None,
                speaker: None,
                first: function.at.devfn,
                turn: 0,
            },
            Some((place, bridge, way)) => {
                // At the end of a link there is one device, number 0 (PCIe 7.3.1).
                let link = bridge.port == Some(Port::Downstream);
                let device = if link { 0 } else { function.at.device() };
                Way {
                    above: Some(place),
                    speaker: way.speaker.or_else(|| Some((place, speaks_as(bridge)?))),
                    first: way.first,
                    turn: (way.turn + device) % 4,
                }
            }
        };
        ways.push(way);
    }
    ways
}

/// Tells as what a bridge passes on accesses from behind it, if not as what makes them. A bridge from PCI Express to a
/// conventional bus takes a number of that bus; any other that has a conventional bus on one side is the master on the
/// other (PCI Express to PCI Bridge 1.0, 2.3; Bridge 1.2, 4).
const fn speaks_as(bridge: &Function) -> Option<Sbdf> {
    match (bridge.port, bridge.kind) {
        (
            Some(Port::ToConventional),
            Kind::Bridge {
                secondary: Some(bus),
                ..
            },
        ) => Some(Sbdf {
            segment: bridge.at.segment,
            bus,
            devfn: 0,
        }),
        (None | Some(Port::FromConventional), _) => Some(bridge.at),
        _ => None,
    }
}

/// Enters what follows from the ways into the functions.
pub(super) fn enter(functions: &mut [Function], ways: &[Way]) {
    let resets: Vec<_> = (functions.iter())
        .map(|function| by_bus(functions, function))
        .collect();
    for ((function, way), reset) in functions.iter_mut().zip(ways).zip(resets) {
        let turn = if fault::on(Fault::PciPinNotTurned) {
            0
        } else {
            way.turn
        };
        function.arrives = function
            .pin
            .map(|pin| (way.first, (pin - 1 + turn) % 4 + 1));
        function.requester = way.speaker.map_or(function.at, |(_, as_what)| as_what);
        if matches!(function.reset, Reset::Bus(_) | Reset::None) {
            function.reset = reset;
        }
    }
}

/// Returns how a function is reset by the bridge above it. A bridge on the same bus would lose what is behind it.
fn by_bus(functions: &[Function], function: &Function) -> Reset {
    let (Some(above), false) = (
        function.above,
        matches!(function.flaw, Some(Flaw::Virtual(_))),
    ) else {
        return Reset::None;
    };
    let start = functions.partition_point(|other| {
        other.at
            < Sbdf {
                devfn: 0,
                ..function.at
            }
    });
    let bus = functions.get(start..).unwrap_or_default();
    let own = |other: &&Function| {
        other.at.bus == function.at.bus && other.at.segment == function.at.segment
    };
    let plain = bus
        .iter()
        .take_while(own)
        .all(|other| other.kind == Kind::Endpoint);
    if plain {
        Reset::Bus(above)
    } else {
        Reset::None
    }
}
