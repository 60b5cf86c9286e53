//! What one function says about itself.

use alloc::vec::Vec;

use super::capabilities::{List, extended};
use super::registers as at;
use super::{
    Acs, Function, FunctionDefect, Group, Kind, Port, Registers, Reset, Settings, Warning, bars,
};
use crate::hal::ConfigSpace;
use crate::ids::Sbdf;

/// The layout of a header, without the bit that tells of more functions.
pub(super) const LAYOUT: u8 = 0x7f;
/// The device has more functions.
const MULTIFUNCTION: u8 = 0x80;

/// Tells whether a function answers with this vendor and device. Zero is nobody's number, all ones come where nothing
/// answers (PCI 6.1), and 1 from a function that is not ready (PCIe 2.3.2).
pub(super) const fn answers(id: u32) -> bool {
    !matches!(id & 0xffff, 0xffff | 0 | 1)
}

/// Looks at a function; nothing where there is none. `first` is whether function 0 has said that there are more, for
/// the others. Where it stands is for others to find out.
pub(super) fn probe<S: ConfigSpace>(
    space: &mut S,
    place: Sbdf,
    first: Option<bool>,
    warnings: &mut dyn FnMut(Warning),
) -> Option<Function> {
    let registers = &mut Registers::new(space, place);
    let id = registers.word(at::VENDOR);
    if !answers(id) {
        return None;
    }
    let [vendor, device] = halves(id);
    let class = registers.word(at::REVISION) >> 8;
    let [cache_line, latency, header, _] = registers.word(at::CACHE_LINE).to_le_bytes();
    let mut found = Function {
        at: place,
        vendor,
        device,
        class,
        kind: kind(registers, header & LAYOUT),
        multifunction: first.unwrap_or(header & MULTIFUNCTION != 0),
        bars: Vec::new(),
        pin: None,
        intx_route: None,
        capabilities: Vec::new(),
        port: None,
        above: None,
        requester: place,
        group: Group {
            first: place,
            why: None,
        },
        reset: Reset::None,
        acs: None,
        settings: Settings {
            cache_line,
            latency,
            ..Settings::default()
        },
        flaw: None,
    };
    let count = match found.kind {
        Kind::Endpoint => 6,
        Kind::Bridge { .. } => 2,
        Kind::Other(kind) => {
            warnings(Warning::Header { at: place, kind });
            return Some(found);
        }
    };
    let [command, status] = halves(registers.word(at::COMMAND));
    let [line, pin, ..] = registers.word(at::LINE).to_le_bytes();
    found.settings.line = line;
    found.pin = Some(pin).filter(|pin| matches!(pin, 1..=4));
    if status & at::STATUS_CAPABILITIES != 0 {
        let list = List::read(registers);
        if let Some(next) = list.cut {
            warnings(Warning::List { at: place, next });
        }
        found.capabilities = list.all().map(|(capability, _)| capability).collect();
        parse_capabilities(registers, &mut found, &list);
    }
    let command = at::Command::from_bits_retain(command);
    let (bars, flaw) = bars::size(registers, command, count);
    found.bars = bars;
    found.flaw = flaw;
    if let Some(flaw) = flaw {
        warnings(Warning::FunctionDefect { at: place, flaw });
    }
    Some(found)
}

/// Looks at a virtual function, of which the header says next to nothing (SR-IOV 3.4.1): it is called as the
/// capability of its physical function says. Nothing where one of the two is not there.
pub(super) fn probe_virtual<S: ConfigSpace>(
    space: &mut S,
    place: Sbdf,
    physical: &Function,
) -> Option<Function> {
    let registers = &mut Registers::new(space, physical.at);
    let capability = extended(registers, at::EXT_VIRTUAL)?;
    let device = registers.half(capability + at::VIRTUAL_DEVICE);
    let class = Registers::new(space, place).word(at::REVISION);
    (class != u32::MAX).then(|| Function {
        at: place,
        vendor: physical.vendor,
        device,
        class: class >> 8,
        kind: Kind::Endpoint,
        multifunction: false,
        bars: Vec::new(),
        pin: None,
        intx_route: None,
        capabilities: Vec::new(),
        port: Some(Port::Endpoint),
        above: physical.above,
        requester: place,
        group: Group {
            first: place,
            why: None,
        },
        reset: Reset::None,
        acs: None,
        settings: Settings::default(),
        flaw: Some(FunctionDefect::Virtual(physical.at)),
    })
}

/// Splits a double word into the half at the lower offset and the other.
pub(super) const fn halves(word: u32) -> [u16; 2] {
    let [a, b, c, d] = word.to_le_bytes();
    [u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d])]
}

fn kind<S: ConfigSpace>(registers: &mut Registers<'_, S>, layout: u8) -> Kind {
    match layout {
        0 => Kind::Endpoint,
        1 => {
            let [_, secondary, subordinate, _] = registers.word(at::BUSES).to_le_bytes();
            Kind::Bridge {
                secondary: Some(secondary),
                subordinate,
            }
        }
        other => Kind::Other(other),
    }
}

/// Finds out what the capabilities of a function are good for.
fn parse_capabilities<S: ConfigSpace>(
    registers: &mut Registers<'_, S>,
    found: &mut Function,
    list: &List,
) {
    let mut resets = Reset::None;
    if let Some((offset, head)) = list.first(at::CAP_EXPRESS) {
        let wide = u16::from(offset);
        found.port = Some(port(head));
        found.settings.control = registers.half(wide + at::DEVICE_CONTROL) & !at::DEVICE_RESET;
        if registers.word(wide + at::DEVICE_CAPABILITIES) & at::DEVICE_FLR != 0 {
            resets = Reset::Function(offset);
        }
        let port = found.port == Some(Port::Downstream);
        if port || found.multifunction {
            found.acs = acs(registers, port);
        }
    }
    if found.is_bridge() {
        return;
    }
    if let (Reset::None, Some((offset, head))) = (resets, list.first(at::CAP_ADVANCED)) {
        let [_, features] = head.to_le_bytes();
        if features & at::ADVANCED_BOTH == at::ADVANCED_BOTH {
            resets = Reset::Advanced(offset);
        }
    }
    if let (Reset::None, Some((offset, _))) = (resets, list.first(at::CAP_POWER)) {
        let control = registers.half(u16::from(offset) + at::POWER_CONTROL);
        if control & at::POWER_NO_RESET == 0 {
            resets = Reset::Power(offset);
        }
    }
    found.reset = resets;
}

/// Reads the kind of a port from the PCI Express capabilities register.
const fn port(head: u16) -> Port {
    match head >> 4 & 15 {
        4 | 6 => Port::Downstream,
        5 => Port::Upstream,
        7 => Port::ToConventional,
        8 => Port::FromConventional,
        _ => Port::Endpoint,
    }
}

/// Reads what a function has to keep accesses from its neighbours. A port has to have all of it. Any other function has
/// what it needs: services for accesses that it does not make are not there (PCIe 6.12.1.2).
fn acs<S: ConfigSpace>(registers: &mut Registers<'_, S>, port: bool) -> Option<Acs> {
    let offset = extended(registers, at::EXT_ACS)?;
    let can = at::Acs::from_bits_truncate(registers.half(offset + at::ACS_CAPABILITY));
    Some(Acs {
        offset,
        can,
        holds: !port || can.contains(at::Acs::ISOLATING),
    })
}
