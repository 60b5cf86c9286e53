//! Tests where the firmware places functions.

use runners::{PciHost, Window};

use crate::language::{Names, Scope};
use crate::library::Library;
use crate::sample::outside;

use super::firmware::{Access, accesses};
use super::*;

const HOST: PciHost = PciHost {
    ecam: Window {
        base: 0x40_1000_0000,
        size: 0x1000_0000,
    },
    low: Window {
        base: 0x1000_0000,
        size: 0x2eff_0000,
    },
    high: Window {
        base: 0x80_0000_0000,
        size: 0x80_0000_0000,
    },
};

const BRIDGE: Bridge = Bridge {
    windows: HOST,
    first_interrupt: 35,
    taken: 0,
};

fn library() -> &'static Library {
    Library::shipped().unwrap()
}

fn one(name: &str, model: &str) -> Wanted {
    Wanted::new(name, Model::find(library(), model).unwrap())
}

fn at(slot: (u8, u8), wanted: Wanted) -> Wanted {
    Wanted {
        slot: Some(slot),
        ..wanted
    }
}

fn with(wanted: Wanted, below: Vec<Wanted>) -> Wanted {
    Wanted { below, ..wanted }
}

fn placed(wanted: &[Wanted]) -> Topology {
    place(wanted, Firmware::Full, &BRIDGE).unwrap()
}

/// A port with a switch of two ports behind it, a conventional bridge, and an endpoint, which the list has after them.
fn tree() -> Vec<Wanted> {
    let below = |name, model| vec![one(name, model)];
    let switch = vec![
        with(one("d1", "xio3130-downstream"), below("a", "edu")),
        with(
            one("d2", "xio3130-downstream"),
            below("b", "virtio-rng-pci-non-transitional"),
        ),
    ];
    let port = with(
        one("rp", "pcie-root-port"),
        vec![with(one("up", "x3130-upstream"), switch)],
    );
    let conventional = with(
        at((9, 0), one("bridge", "pcie-pci-bridge")),
        vec![one("c", "sdhci-pci"), one("d", "pci-ohci")],
    );
    vec![
        at((30, 0), one("last", "edu")),
        at((4, 0), port),
        conventional,
        at((5, 7), one("seven", "edu")),
        at((5, 0), one("zero", "edu")),
    ]
}

/// Buses are numbered depth first in the order of devices, not of the list, and each bridge's range contains the
/// numbers of all buses behind it.
#[test]
fn buses_are_numbered_depth_first() {
    let made = placed(&tree());
    let bdf = |name: &str| made.bdf(name).unwrap();
    let buses = |name: &str| made.find(name).unwrap().buses.unwrap();
    assert_eq!((bdf("rp"), buses("rp")), (0x20, (1, 4)));
    assert_eq!((bdf("up"), buses("up")), (0x100, (2, 4)));
    assert_eq!((bdf("d1"), buses("d1")), (0x200, (3, 3)));
    assert_eq!((bdf("d2"), buses("d2")), (0x208, (4, 4)));
    assert_eq!((bdf("a"), bdf("b")), (0x300, 0x400));
    assert_eq!((bdf("bridge"), buses("bridge")), (0x48, (5, 5)));
    assert_eq!((bdf("c"), bdf("d")), (0x508, 0x510));
    assert_eq!((bdf("seven"), bdf("zero"), bdf("last")), (0x2f, 0x28, 0xf0));
    assert_eq!(made.last_bus, 5);
}

/// BARs are placed one after another, aligned to their sizes, and bridges forward exactly what is behind them.
#[test]
fn registers_lie_in_the_windows_of_their_bridges() {
    let made = placed(&tree());
    let bar = |name: &str, index: u8| made.find(name).unwrap().bar(index).unwrap().address;
    let windows = |name: &str| made.find(name).unwrap().windows;
    assert_eq!(bar("rp", 0), Some(0x1000_0000));
    assert_eq!(bar("a", 0), Some(0x1010_0000));
    assert_eq!(bar("b", 1), Some(0x1020_0000));
    assert_eq!(bar("b", 4), Some(0x80_0000_0000));
    let high = Some((0x80_0000_0000, 0x80_000f_ffff));
    assert_eq!(windows("d1"), [Some((0x1010_0000, 0x101f_ffff)), None]);
    assert_eq!(windows("d2"), [Some((0x1020_0000, 0x102f_ffff)), high]);
    assert_eq!(windows("rp"), [Some((0x1010_0000, 0x102f_ffff)), high]);
    // Small BARs share a page, since firmware does not know pages.
    assert_eq!(
        (bar("c", 0), bar("d", 0)),
        (Some(0x1060_0000), Some(0x1060_0100))
    );
    for pair in made.functions.iter().flat_map(|one| &one.bars) {
        assert!(pair.address.unwrap().is_multiple_of(pair.size));
    }
}

/// Each bridge on the way rotates a pin.
#[test]
fn pins_are_turned_on_their_way() {
    let made = placed(&tree());
    let line = |name: &str| made.find(name).unwrap().line;
    assert_eq!(line("zero"), Some(35 + 1));
    assert_eq!(line("last"), Some(35 + 2));
    // Device 0 behind device 0 and 1 of the switch, which is device 0 behind device 4.
    assert_eq!((line("a"), line("b")), (Some(35), Some(35 + 1)));
    // Devices 1 and 2 behind device 9.
    assert_eq!((line("c"), line("d")), (Some(35 + 2), Some(35 + 3)));
    assert_eq!(line("up"), None);
}

/// The command line plugs each function in where it was placed, and texts refer to what the firmware did.
#[test]
fn the_command_line_says_where() {
    let made = placed(&tree());
    let said = made.arguments();
    assert_eq!(
        said[0],
        "edu,id=pci-last,bus=pcie.0,addr=1e.0,dma_mask=0xffffffffffffffff"
    );
    assert!(
        said.contains(
            &"xio3130-downstream,id=pci-d2,bus=pci-up,addr=1.0,chassis=3,slot=3".to_owned()
        )
    );
    let seven = said.iter().find(|text| text.contains("pci-seven")).unwrap();
    assert!(seven.contains("addr=5.7,") && seven.ends_with(",multifunction=on"));
    let known = outside().names;
    let names = Names {
        pci: Some(made),
        ..known.clone()
    };
    for (name, value) in [
        ("b.bdf", 0x400),
        ("b.stream", 0x400),
        ("b.bar4", 0x80_0000_0000),
        ("b.ids", 0x1044_1af4),
        ("a.config", 0x40_1030_0000),
        ("a.identity", 0x0100_00ed),
        ("a.STATUS", 0x1010_0020),
        ("a@window.STATUS", 0x0a00_0020),
        ("c.irq", 0x25),
        ("bridge.bus", 5),
        ("config:5:1.0", 0x40_1050_8000),
    ] {
        assert_eq!(Scope::outside(&names).number(name), Ok(value), "{name}");
    }
    for (name, told) in [
        ("up.irq", "nothing defines `up.irq`"),
        ("zero.bar1", "BAR 1 of `zero` is nowhere"),
        ("zerro.bar0", "did you mean `zero`?"),
    ] {
        let error = Scope::outside(&names).number(name).unwrap_err();
        assert!(error.contains(told), "{name}: {error}");
    }
}

/// Firmware that stops early leaves the rest undone.
#[test]
fn firmware_may_stop_half_way() {
    let made = |firmware| place(&tree(), firmware, &BRIDGE).unwrap();
    let unnumbered = made(Firmware::NoBusNumbers);
    assert!(
        unnumbered
            .bdf("a")
            .unwrap_err()
            .contains("without a number")
    );
    assert_eq!(unnumbered.find("rp").unwrap().buses, None);
    assert!(unnumbered.find("last").unwrap().bars[0].address.is_some());
    let bare = made(Firmware::NoBars);
    assert_eq!(bare.bdf("b"), Ok(0x400));
    assert!(bare.functions.iter().all(|one| one.command.is_none()));
    let writes = |topology: &Topology| {
        let all = accesses(topology);
        all.iter()
            .filter(|access| matches!(access, Access::Write { .. }))
            .count()
    };
    // The bus numbers of five bridges.
    assert_eq!(writes(&bare), 5);
    assert_eq!(writes(&made(Firmware::None)), 0);
}

/// The choices of a case override the firmware's own.
#[test]
fn a_case_chooses_otherwise() {
    let far = with(
        Wanted {
            buses: Some((0xfe, 0xff)),
            ..one("far", "pcie-pci-bridge")
        },
        vec![at((31, 7), one("end", "edu"))],
    );
    let odd = Wanted {
        bars: vec![(0, 0x1234_5000)],
        command: Some(0x407),
        ..one("odd", "pci-testdev")
    };
    let none = Wanted {
        bars: vec![(0, 0)],
        ..one("none", "edu")
    };
    let bridge = Bridge {
        taken: 0x1010_0000,
        ..BRIDGE
    };
    let made = place(&[far, odd, none], Firmware::Full, &bridge).unwrap();
    assert_eq!(made.bdf("end"), Ok(0xfeff));
    assert_eq!(made.last_bus, 0xff);
    let bar = |name: &str| made.find(name).unwrap().bars[0].address;
    assert_eq!((bar("odd"), bar("none")), (Some(0x1234_5000), None));
    let command = |name: &str| made.find(name).unwrap().command;
    assert_eq!((command("odd"), command("none")), (Some(0x407), Some(4)));
    // The addresses below were taken.
    let bridge = made.find("far").unwrap().bars[0].address;
    assert_eq!((bridge, bar("end")), (Some(0x1010_0000), Some(0x1020_0000)));
}

/// A function that cannot be plugged in or placed is reported by name.
#[test]
fn impossible_functions_are_refused() {
    let refused = |wanted: &[Wanted]| {
        place(wanted, Firmware::Full, &BRIDGE)
            .unwrap_err()
            .to_string()
    };
    let edu = |slot| at(slot, one("x", "edu"));
    let table = [
        (vec![edu((0, 0))], "0.0 is no place"),
        (vec![edu((32, 0))], "32.0 is no place"),
        (vec![edu((3, 8))], "3.8 is no place"),
        (
            vec![edu((3, 0)), at((3, 0), one("y", "edu"))],
            "another function is at 3.0",
        ),
        (
            vec![one("x", "edu"), one("x", "edu")],
            "two functions have this name",
        ),
        (
            vec![with(one("x", "edu"), vec![one("y", "edu")])],
            "nothing can be below a edu",
        ),
        (
            vec![with(
                one("x", "pcie-root-port"),
                vec![one("y", "edu"), one("z", "edu")],
            )],
            "`z`: no device is free",
        ),
        (
            vec![Wanted {
                bars: vec![(1, 0x1000)],
                ..one("x", "edu")
            }],
            "has no memory register 1",
        ),
        (
            vec![Wanted {
                bars: vec![(0, 0x1000_1000)],
                ..one("x", "edu")
            }],
            "is a multiple of 0x100000",
        ),
        (
            vec![Wanted {
                bars: vec![(0, 1 << 40)],
                ..one("x", "edu")
            }],
            "has 32 bits",
        ),
        (
            vec![Wanted {
                buses: Some((0, 0)),
                ..one("x", "pcie-root-port")
            }],
            "are written at `start`",
        ),
        (
            vec![Wanted {
                buses: Some((1, 1)),
                ..one("x", "edu")
            }],
            "only a bridge has buses",
        ),
    ];
    for (wanted, told) in table {
        let error = refused(&wanted);
        assert!(error.contains(told), "{told}: {error}");
    }
    assert!(
        Model::find(library(), "eduu")
            .unwrap_err()
            .contains("did you mean `edu`")
    );
}

/// A seed gives one topology, and another seed another one. All of them can be placed, and they have bridges behind
/// bridges.
#[test]
fn seeds_stand_for_topologies() {
    let made = |seed| placed(&generate::topology(library(), seed).unwrap());
    let mut depths = 0;
    for seed in 0..100 {
        let topology = made(seed);
        assert_eq!(topology, made(seed));
        assert_ne!(topology, made(seed + 1));
        assert!(
            (4..=64).contains(&topology.functions.len()),
            "{seed}: {}",
            topology.functions.len()
        );
        let bridges = topology.functions.iter().filter(|one| one.buses.is_some());
        depths += usize::from(bridges.clone().any(|one| one.bus > Some(0)));
        // Each device has function 0, without which the others would not be found.
        for one in &topology.functions {
            let first =
                |other: &Function| other.above == one.above && other.slot == (one.slot.0, 0);
            assert!(topology.functions.iter().any(first), "{seed}: {}", one.name);
        }
    }
    assert!(depths > 30, "{depths}");
}
