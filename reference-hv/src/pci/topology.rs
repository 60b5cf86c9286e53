//! The way from each function up to the host bridge: where its interrupt intx_route, and as what it masters memory.

use alloc::vec::Vec;

use super::{Function, FunctionDefect, Kind, Port, Reset, Segment};
use crate::fault::{self, Fault};
use crate::ids::Sbdf;

/// The way from one function up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    /// The bridge above, by its place among all functions.
    pub(super) above: Option<usize>,
    /// The topmost bridge that speaks for it, by its place, and as what.
    pub(super) dma_alias: Option<(usize, Sbdf)>,
    /// The device of the first bus that the way goes through; nothing on another bus of the host bridge's.
    first: Option<u8>,
    /// By how many pins an interrupt is off when it arrives there.
    intx_swizzle: u8,
}

/// Finds the way of each function. A bridge comes before what is behind it, since its bus has a lower number.
pub(super) fn find(segments: &[Segment], functions: &[Function]) -> Vec<Way> {
    let is_first = |at: Sbdf| {
        let mut all = segments.iter();
        all.any(|segment| segment.number == at.segment && *segment.buses.start() == at.bus)
    };
    let mut topology: Vec<Way> = Vec::with_capacity(functions.len());
    for function in functions {
        let above = function.above.and_then(|bridge| {
            let place = functions.binary_search_by_key(&bridge, |found| found.at);
            let place = place.ok()?;
            Some((place, functions.get(place)?, *topology.get(place)?))
        });
        let way = match above {
            None => Way {
                above: None,
                dma_alias: None,
                first: is_first(function.at).then_some(function.at.devfn),
                intx_swizzle: 0,
            },
            Some((place, bridge, way)) => {
                // At the end of a link there is one device, number 0 (PCIe 7.3.1).
                let link = bridge.port == Some(Port::Downstream);
                let device = if link { 0 } else { function.at.device() };
                Way {
                    above: Some(place),
                    dma_alias: way.dma_alias.or_else(|| Some((place, speaks_as(bridge)?))),
                    first: way.first,
                    intx_swizzle: (way.intx_swizzle + device) % 4,
                }
            }
        };
        topology.push(way);
    }
    topology
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
pub(super) fn enter(functions: &mut [Function], topology: &[Way]) {
    let resets: Vec<_> = (functions.iter())
        .map(|function| by_bus(functions, function))
        .collect();
    for ((function, way), reset) in functions.iter_mut().zip(topology).zip(resets) {
        let intx_swizzle = if fault::on(Fault::PciPinNotTurned) {
            0
        } else {
            way.intx_swizzle
        };
        function.intx_route = function
            .pin
            .and_then(|pin| Some((way.first?, (pin - 1 + intx_swizzle) % 4 + 1)));
        function.requester = way.dma_alias.map_or(function.at, |(_, as_what)| as_what);
        if matches!(function.reset, Reset::Bus(_) | Reset::None) {
            function.reset = reset;
        }
    }
}

/// Returns how a function is reset by the bridge above it. A bridge on the same bus would lose what is behind it.
fn by_bus(functions: &[Function], function: &Function) -> Reset {
    let (Some(above), false) = (
        function.above,
        matches!(function.flaw, Some(FunctionDefect::Virtual(_))),
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
