//! What base address registers are found to decode.

use core::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::access::Width;
use crate::hal::ConfigSpace;

const PLACE: Sbdf = bdf(0, 1, 0);

fn bars_of(device: Device) -> (Vec<Bar>, Option<FunctionDefect>) {
    let mut fake = Functions::default().with(PLACE, device);
    let before = fake.devices().clone();
    let (found, said) = scan(&mut fake);
    assert!(*fake.devices() == before, "something was left changed");
    let function = found.get(PLACE).unwrap();
    let flaw = |flaw| Warning::FunctionDefect { at: PLACE, flaw };
    assert_eq!(said, Vec::from_iter(function.flaw.map(flaw)));
    (function.bars.clone(), function.flaw)
}

/// Makes a function whose register 0 holds `value`, of which `mask` can be written.
fn raw(index: u8, value: u32, mask: u32) -> Device {
    let mut device = Device::endpoint(0x1234, 0x11e8);
    device.set(at::BAR0 + 4 * u16::from(index), 4, value);
    device.allow(at::BAR0 + 4 * u16::from(index), 4, mask);
    device
}

/// All kinds are found with their sizes, from the smallest to the largest, wherever the firmware put them.
#[test]
fn sizes_are_found() {
    use BarKind::{Io, Memory32, Memory64};
    for (index, kind, size, address) in [
        (0, Io, 4, 0x1000),
        (5, Io, 0x100, 0),
        (0, Io, 0x8000_0000, 0x8000_0000),
        (0, Memory32, 0x10, 0x1000_0010),
        (5, Memory32, 0x1000, 0xffff_f000),
        (3, Memory32, 0x8000_0000, 0),
        (0, Memory64, 0x10, 0xffff_ffff_ffff_fff0),
        (2, Memory64, 0x8000_0000, 0x80_8000_0000),
        (4, Memory64, 0x1_0000_0000, 0x80_0000_0000),
        (0, Memory64, 1 << 63, 1 << 63),
    ] {
        let bar = Bar {
            index,
            kind,
            prefetchable: false,
            address,
            size,
        };
        let blank = || Device::endpoint(0x1234, 0x11e8).bar(index, kind, size, address);
        assert_eq!(bars_of(blank()), (vec![bar], None), "{bar:x?}");
        if kind != Io {
            let prefetchable = true;
            let bar = Bar {
                prefetchable,
                ..bar
            };
            assert_eq!(bars_of(blank().prefetchable(index)), (vec![bar], None));
        }
    }
}

/// All six are looked at, and a register of 64 bits is one with the next.
#[test]
fn registers_that_belong_together_are_one() {
    use BarKind::{Io, Memory32, Memory64};
    let device = Device::endpoint(0x1234, 0x11e8)
        .bar(0, Memory64, 0x1000, 0x80_0000_0000)
        .bar(2, Io, 0x20, 0x40)
        .bar(3, Memory64, 0x4000, 0)
        .bar(5, Memory32, 0x10_0000, 0x1000_0000);
    let (bars, flaw) = bars_of(device);
    let seen: Vec<_> = bars.iter().map(|bar| (bar.index, bar.kind)).collect();
    assert_eq!(seen, [(0, Memory64), (2, Io), (3, Memory64), (5, Memory32)]);
    assert_eq!(flaw, None);
}

/// Odd registers are either what an older standard let them be, nothing, or a reason to give the function to nobody.
#[test]
fn odd_registers_are_judged() {
    for (case, device, wanted) in [
        ("nothing, of 32 bits", raw(0, 0, 0), Ok(None)),
        ("nothing, of 64 bits", raw(0, 0b1100, 0), Ok(None)),
        ("I/O of 16 bits", raw(1, 0x1001, 0xfff0), Ok(Some(16))),
        (
            "below 1 MiB",
            raw(0, 0xf_0002, 0xf_f000 | 0xfff0_0000),
            Ok(Some(0x1000)),
        ),
        (
            "a gap",
            raw(2, 0x1000_0000, 0xffef_0000),
            Err(FunctionDefect::Size(2)),
        ),
        (
            "only low ones",
            raw(2, 0, 0x00ff_f000),
            Err(FunctionDefect::Size(2)),
        ),
        (
            "a reserved kind",
            raw(0, 0b0110, 0xffff_f000),
            Err(FunctionDefect::Kind(0)),
        ),
        (
            "half of two",
            raw(5, 0b0100, 0xffff_f000),
            Err(FunctionDefect::Kind(5)),
        ),
        (
            "a kind that changes",
            raw(0, 0, 0xffff_f001),
            Err(FunctionDefect::Kind(0)),
        ),
        (
            "an address that cannot be written",
            raw(0, 0x1000_0000, 0),
            Err(FunctionDefect::Size(0)),
        ),
    ] {
        let (bars, flaw) = bars_of(device);
        let seen = flaw.map_or(Ok(bars.first().map(|bar| bar.size)), Err);
        assert_eq!(seen, wanted, "{case}");
    }
}

/// A function that has an address but says that it can have none like it.
struct Liar;

impl ConfigSpace for Liar {
    fn config_read(&mut self, place: Sbdf, offset: u16, _: Width) -> u32 {
        static ASKED: AtomicBool = AtomicBool::new(false);
        match offset {
            _ if place != PLACE => u32::MAX,
            at::VENDOR => 0x11e8_1234,
            at::BAR0 if ASKED.swap(true, Ordering::Relaxed) => 0xffff_f000,
            at::BAR0 => 0x1000_0800,
            _ => 0,
        }
    }

    fn config_write(&mut self, _: Sbdf, _: u16, _: Width, _: u32) {}
}

/// An address that is not one of those that the register can hold is not believed.
#[test]
fn impossible_addresses_are_found() {
    let segment = Segment {
        number: 0,
        buses: 0..=0,
    };
    let found = Inventory::scan(&mut Liar, &[segment], &mut |_| ());
    assert_eq!(found.functions()[0].flaw, Some(FunctionDefect::Address(0)));
    assert_eq!(found.functions()[0].bars, []);
}

/// One bad register makes the function unfit, and the others are found all the same.
#[test]
fn one_bad_register_spoils_the_function() {
    let device = raw(2, 0x1000_0000, 0xffef_0000).bar(4, BarKind::Io, 8, 0x80);
    let (bars, flaw) = bars_of(device);
    assert_eq!((bars.len(), flaw), (1, Some(FunctionDefect::Size(2))));
}

/// Nothing is decoded while registers hold nonsense, and everything is as before after that.
#[test]
fn nothing_is_decoded_meanwhile() {
    for command in [0x0000, 0x0003, 0x0007, 0x0146] {
        let mut device = edu(0x1000_0000).bar(1, BarKind::Io, 8, 0x80);
        device.set(at::COMMAND, 2, command);
        let mut fake = Functions::default().with(PLACE, device);
        let _ = scan(&mut fake);
        assert_eq!(fake.device(PLACE).get(at::COMMAND, 2), command);
        let mut decodes = command & 3 != 0;
        for write in fake.writes.iter().filter(|write| write.at == PLACE) {
            match write.offset {
                at::COMMAND => decodes = write.value & 3 != 0,
                _ => assert!(!decodes, "{write:x?}"),
            }
        }
    }
}

/// Bridges have two registers; what else stands there is something else.
#[test]
fn bridges_have_two() {
    let bridge = root_port(1, 1).bar(0, BarKind::Memory64, 0x1000, 0x1000_0000);
    let (bars, flaw) = bars_of(bridge.clone());
    assert_eq!((bars.len(), flaw), (1, None));
    let mut fake = Functions::default().with(PLACE, bridge);
    let _ = scan(&mut fake);
    let written = |offset| fake.writes.iter().any(|write| write.offset == offset);
    assert!(written(at::BAR0) && written(at::BAR0 + 4));
    assert!((at::BUSES..at::CAPABILITIES).all(|offset| !written(offset)));
}
