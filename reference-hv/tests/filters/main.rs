//! Each seeded fault of the virtual configuration space changes what a guest sees, or what the machine sees of it. One test,
//! for the selection is one for the whole process.

#[path = "../../src/hal/fake/functions.rs"]
#[expect(dead_code, reason = "the tests of discovery use the rest")]
mod fake;
#[path = "../../src/vdev/vpci/tests/rig.rs"]
#[expect(dead_code, reason = "the unit tests of the filters use the rest")]
mod rig;

use refhv::access::Width;
use refhv::fault::{self, ALL};
use refhv::pci::{BarKind, Kind};
use refhv::vdev::vpci::{Access, Hardware, HostWindow};
use rig::*;

/// Every fault of these filters.
const FILTERS: [&str; 24] = [
    "command-unfiltered",
    "bar-passed-through",
    "bar-moved-while-decoding",
    "bar-anywhere",
    "decode-never-off",
    "sub-page-shown",
    "hidden-bar-shown",
    "msi-shown",
    "capability-passed-through",
    "gap-reads-hardware",
    "gap-passed-through",
    "extended-shown",
    "multi-function-shown",
    "absent-reads-hardware",
    "others-shown-to-hardware",
    "others-bridge-writable",
    "bus-numbers-writable",
    "hardware-bar-anywhere",
    "taken-stays-mapped",
    "hardware-first-bus-only",
    "hardware-first-function-only",
    "hardware-bars-frozen",
    "hardware-decode-ignored",
    "removed-stays-mapped",
];

/// What was seen: by whom, and what.
type Seen = Vec<(&'static str, u64)>;

fn look(seen: &mut Seen, rig: &Rig) {
    for (guest, host, size) in rig.machine.stage.shown() {
        seen.extend([("guest", guest), ("host", host), ("size", size)]);
    }
    let bytes = rig.machine.space(DISK).bytes();
    seen.extend(bytes.iter().map(|byte| ("hardware", u64::from(*byte))));
}

/// Has a guest do what drivers do, and what they should not.
fn guest() -> Seen {
    let mut seen = Vec::new();
    let mut rig = Rig::new();
    for register in (0..0x200).step_by(4) {
        seen.push(("read", u64::from(rig.word(register))));
    }
    install(&mut rig.machine, &endpoint(at(0, 1, 0), &[], &[]), &[]);
    seen.push(("absent", u64::from(rig.word(1 << 15))));
    for register in (0x10..0x28).step_by(4) {
        let before = rig.word(register);
        rig.set(register, u32::MAX);
        seen.push(("size", u64::from(rig.word(register))));
        rig.set(register, before);
    }
    for command in [0xffff, 0, 2] {
        rig.command(command);
        look(&mut seen, &rig);
    }
    rig.set(0x10, 0x2ab4_0000);
    look(&mut seen, &rig);
    for register in [0x42, 0x66, 0x78, 0x104] {
        rig.write(register, Width::Half, 0x5a5a);
    }
    look(&mut seen, &rig);
    rig.vpci.remove(&mut rig.machine, DISK);
    look(&mut seen, &rig);
    let mut rig = Rig::new();
    rig.set(0x10, 0x4000_0000);
    rig.command(2);
    look(&mut seen, &rig);
    seen
}

/// Has the hardware domain do the same, with a disk on bus 1, its second function and the bridge in front.
fn hardware() -> Seen {
    let mut seen = Vec::new();
    let mut machine = Machine::default();
    let bridge = at(0, 2, 0);
    let mut port = endpoint(bridge, &[], &[]);
    port.kind = Kind::Bridge {
        secondary: Some(1),
        subordinate: 1,
    };
    install(&mut machine, &disk(), DISK_WORDS);
    machine.functions.device(DISK).set(4, 4, 0);
    install(&mut machine, &port, &[(0x18, 0x0001_0100)]);
    let second = endpoint(
        at(1, 0, 1),
        &[bar(0, BarKind::Memory32, false, 0x1040_0000, 0x1000)],
        &[],
    );
    install(&mut machine, &second, &[]);
    let mut view = Hardware::new(vec![
        HostWindow {
            segment: 0,
            bus: 0x1000_0000,
            cpu: pa(0x1000_0000, 0x1000_0000),
        },
        HostWindow {
            segment: 0,
            bus: 0x80_0000_0000,
            cpu: pa(0x80_0000_0000, 0x1000_0000),
        },
    ]);
    for function in [&disk(), &port, &second] {
        view.refresh(&mut machine, function);
    }
    for function in [DISK, bridge, second.at] {
        for access in [Access::Full, Access::ReadOnly, Access::Hidden] {
            let read = view.read(&mut machine, function, 0, Width::Word, access);
            seen.push(("read", read.unwrap()));
        }
    }
    let mut write = |machine: &mut Machine, function, offset, value, access| {
        let done = view.write(machine, function, offset, Width::Word, value, access);
        done.unwrap();
        for (guest, host, size) in machine.stage.shown() {
            seen.extend([("guest", guest), ("host", host), ("size", size)]);
        }
        seen.push(("word", u64::from(machine.space(function).get(offset, 4))));
    };
    for access in [Access::ReadOnly, Access::Hidden] {
        write(&mut machine, bridge, 0x3c, 0x55, access);
    }
    write(&mut machine, bridge, 0x18, 0x0002_0200, Access::Full);
    write(&mut machine, DISK, 0x10, 0xffff_ffff, Access::Full);
    write(&mut machine, DISK, 0x10, 0x1010_0000, Access::Full);
    for command in [2, 0, 2] {
        write(&mut machine, DISK, 4, command, Access::Full);
    }
    write(&mut machine, second.at, 0x10, 0x4000_0000, Access::Full);
    write(&mut machine, second.at, 4, 2, Access::Full);
    view.forget(&mut machine, DISK);
    for (guest, host, size) in machine.stage.shown() {
        seen.extend([("guest", guest), ("host", host), ("size", size)]);
    }
    seen
}

fn seen() -> (Seen, Seen) {
    (guest(), hardware())
}

/// Without a fault the same is seen again, and with each something else.
#[test]
fn every_broken_filter_shows() {
    fault::select("").expect("no fault");
    let right = seen();
    assert_eq!(seen(), right);
    for name in FILTERS {
        assert!(ALL.iter().any(|entry| entry.name == name), "{name}");
        fault::select(name).expect("a fault");
        assert_ne!(seen(), right, "{name} does not show");
    }
}
