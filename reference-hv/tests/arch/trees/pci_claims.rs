//! PCI functions that partial trees ask for, and what the hardware domain has of the bridges.

#[path = "../../../src/hal/fake/functions.rs"]
#[expect(dead_code, reason = "the tests of discovery use the rest")]
mod fake;

use fake::{Device, Functions, bdf};
use refhv::ids::Sbdf;
use refhv::pci::{BarKind, Inventory, Port, Segment};

use crate::domains::NODE;
use crate::rig::*;
use crate::roles::{first, with_zero};
use crate::static_memory::direct;
use crate::tree::{Tree, be};

const BANK: (u64, u64) = (0x4c00_0000, 0x100_0000);
/// Where the firmware of these tests puts registers: the board's window for addresses of 32 bits.
const WINDOW: u64 = 0x1000_0000;

/// A device with 1 MiB of registers and an interrupt, as QEMU's edu is.
fn edu(address: u64) -> Device {
    let bar = |device: Device| device.bar(0, BarKind::Memory32, 0x10_0000, address);
    bar(Device::endpoint(0x1234, 0x11e8)).pin(1)
}

/// Finds the functions of a machine.
pub fn found(mut fake: Functions) -> Inventory {
    let segment = Segment {
        number: 0,
        buses: 0..=255,
    };
    Inventory::scan(&mut fake, &[segment], &mut |_| ())
}

/// A machine whose functions 00:03.0 and 00:04.0 are alike.
pub fn two() -> Inventory {
    let fake = Functions::default()
        .with(bdf(0, 3, 0), edu(WINDOW))
        .with(bdf(0, 4, 0), edu(WINDOW + 0x10_0000));
    found(fake)
}

/// A partial tree that asks for functions.
fn asking(functions: &[Sbdf]) -> Vec<u8> {
    let cells = functions.iter().flat_map(|at| {
        [
            u32::from(at.segment),
            u32::from(at.bus),
            u32::from(at.devfn),
        ]
    });
    let cells: Vec<u32> = cells.collect();
    raw(&be(&cells))
}

fn raw(value: &[u8]) -> Vec<u8> {
    let mut tree = partial(&[]);
    tree.at("/passthrough").put("xen,pci-assigned", value);
    tree.blob()
}

/// A machine with these functions, and a domain for each list of what it asks for.
fn machine(functions: Inventory, asked: &[&[Sbdf]]) -> Rig {
    let mut rig = Rig::default();
    rig.machine.functions = functions;
    for (name, asked) in ["one", "two", "three"].into_iter().zip(asked) {
        rig.domain(name, Some(asking(asked)));
    }
    rig
}

/// Checks what is said of the last domain that is refused; nothing where none is.
fn check(rig: &Rig, wanted: &[&str]) {
    let said: Vec<String> = rig
        .prove()
        .refusals()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(said, wanted);
}

/// A domain gets the pages, the line and the stream of a function, and a bridge to find it behind.
#[test]
fn a_function_comes_with_all_that_is_its() {
    let plan = first(&machine(two(), &[&[bdf(0, 3, 0)]]));
    let [function] = plan.functions.as_slice() else {
        panic!("one function, not {:?}", plan.functions)
    };
    assert_eq!(function.function.at, bdf(0, 3, 0));
    assert_eq!(function.bars[0], Some(span(WINDOW, 0x10_0000)));
    assert_eq!(function.bars[1..], [None; 5]);
    let lines: Vec<u32> = plan.irqs.iter().map(|irq| irq.line.number()).collect();
    assert_eq!(lines, [38]);
    let streams: Vec<u32> = plan.streams.iter().map(|stream| stream.id.0).collect();
    assert_eq!(streams, [0x18]);
    let bridge = plan.layout.bridge.expect("a bridge");
    assert_eq!(bridge.ecam.first().raw(), 0x1000_0000);
    assert!(plan.mmio.is_empty());
}

/// What is no list of functions is refused, and so is what is none that can be given.
#[test]
fn what_is_no_function_is_refused() {
    let said = |value: &[u8]| {
        let mut rig = Rig::default();
        rig.machine.functions = two();
        rig.domain("one", Some(raw(value)));
        rig.refusal().unwrap_or_default()
    };
    let cell = |cells: &[u32]| be(cells);
    for (value, words) in [
        (cell(&[]), "names no function"),
        (
            cell(&[0, 0]),
            "is 8 bytes long, no multiple of the 12 of segment, bus and function",
        ),
        (cell(&[0, 0, 0x18])[..11].to_vec(), "is 11 bytes long"),
        (
            cell(&[0x1_0000, 0, 0x18]),
            "names segment 0x10000, bus 0x0, function 0x18, wider than",
        ),
        (
            cell(&[0, 0x100, 0x18]),
            "names segment 0x0, bus 0x100, function 0x18, wider than",
        ),
        (
            cell(&[0, 0, 0x100]),
            "names segment 0x0, bus 0x0, function 0x100, wider than",
        ),
        (cell(&[0, 0, 0x18, 0, 0, 0x18]), "names 0000:00:03.0 twice"),
        (
            cell(&[0, 0, 0x28]),
            "names 0000:00:05.0, where no function is known",
        ),
        (
            cell(&[7, 0, 0x18]),
            "names 0007:00:03.0, but no host bridge has segment 0x7",
        ),
        (cell(&[0; 99]), "names 33 functions, more than 32"),
    ] {
        let said = said(&value);
        let place = "refuse domain one: /passthrough: `xen,pci-assigned` ";
        let rest = said.strip_prefix(place).unwrap_or_else(|| panic!("{said}"));
        assert!(rest.starts_with(words), "{rest}, not {words}");
    }
}

/// A function has one owner; the domain that comes later is refused, and the first one keeps it.
#[test]
fn a_function_has_one_owner() {
    let rig = machine(two(), &[&[bdf(0, 3, 0)], &[bdf(0, 4, 0), bdf(0, 3, 0)]]);
    check(
        &rig,
        &[
            "refuse domain two: /passthrough: `xen,pci-assigned` names 0000:00:03.0, which d1 has already",
        ],
    );
    assert_eq!(rig.prove().domains().len(), 1);
    check(&machine(two(), &[&[bdf(0, 3, 0)], &[bdf(0, 4, 0)]]), &[]);
}

/// Functions of one device, behind one bridge that speaks for them, and on one line stay together.
#[test]
fn what_cannot_be_kept_apart_stays_together() {
    let device = |fake: Functions, first: Sbdf, second: Sbdf| {
        fake.with(first, edu(WINDOW).multifunction())
            .with(second, edu(WINDOW + 0x10_0000).pin(2))
    };
    let behind =
        Functions::default().with(bdf(0, 1, 0), Device::port(Port::ToConventional, 0, 1, 1));
    let conventional = behind
        .with(bdf(1, 1, 0), edu(WINDOW))
        .with(bdf(1, 2, 0), edu(WINDOW + 0x10_0000));
    let line = Functions::default()
        .with(bdf(0, 3, 0), edu(WINDOW))
        .with(bdf(0, 7, 0), edu(WINDOW + 0x10_0000));
    for (fake, first, second, why) in [
        (
            device(Functions::default(), bdf(0, 3, 0), bdf(0, 3, 1)),
            bdf(0, 3, 0),
            bdf(0, 3, 1),
            "which is one device with 0000:00:03.0",
        ),
        (
            conventional,
            bdf(1, 1, 0),
            bdf(1, 2, 0),
            "which masters memory under one name with 0000:01:01.0",
        ),
        (
            line,
            bdf(0, 3, 0),
            bdf(0, 7, 0),
            "whose interrupt names interrupt 38",
        ),
    ] {
        let apart = machine(found(fake.clone()), &[&[first], &[second]]);
        let said = apart.refusal().unwrap_or_default();
        let wanted = format!(
            "refuse domain two: /passthrough: `xen,pci-assigned` names {second}, {why}, which d1 has already"
        );
        assert_eq!(said, wanted);
        check(&machine(found(fake), &[&[first, second]]), &[]);
    }
}

/// Registers lie where the firmware put them, in a window, alone in their pages, or are nobody's.
#[test]
fn registers_have_a_place_of_their_own() {
    let small = |address| Device::endpoint(0x1b36, 5).bar(0, BarKind::Memory32, 0x100, address);
    let said = |first: Device, second: Option<Device>, asked: &[Sbdf]| {
        let mut fake = Functions::default().with(bdf(0, 3, 0), first);
        if let Some(second) = second {
            fake = fake.with(bdf(0, 4, 0), second);
        }
        machine(found(fake), &[asked]).refusal().unwrap_or_default()
    };
    let own = [bdf(0, 3, 0)];
    for (said, words) in [
        (
            said(edu(0), None, &own),
            "whose BAR 0 the firmware has given no address",
        ),
        (
            said(edu(0x5000_0000), None, &own),
            "which no window of the host bridge holds",
        ),
        (
            said(edu(0x3ef0_0000), None, &own),
            "which no window of the host bridge holds",
        ),
        (
            said(small(WINDOW + 0x100), None, &own),
            "whose BAR 0 is at 0x10000100, where no page begins",
        ),
        (
            said(small(WINDOW), Some(small(WINDOW + 0x800)), &own),
            "in a page with registers of 0000:00:04.0, which this domain does not ask for",
        ),
    ] {
        assert!(said.contains(words), "{said:?}, not {words}");
    }
    assert_eq!(said(small(WINDOW), None, &own), "");
    let both = [bdf(0, 3, 0), bdf(0, 4, 0)];
    let said = said(small(WINDOW), Some(small(WINDOW + 0x800)), &both);
    assert!(said.contains("whose BAR 0 is at 0x10000800"), "{said}");
}

/// What a node of the tree describes is that node's.
#[test]
fn what_is_described_is_no_function() {
    let mut rig = machine(two(), &[&[bdf(0, 3, 0)]]);
    let node = Tree::new("edu@10000000")
        .text("compatible", "qemu,edu")
        .cells("reg", &[0, 0x1000_0000, 0, 0x10_0000]);
    rig.host.children.push(node);
    let said = rig.refusal().unwrap_or_default();
    assert!(
        said.contains("whose BAR 0 is 0x10000000-0x100fffff, where /edu@10000000 lies"),
        "{said}"
    );
}

/// Without an IOMMU that works a function goes to a direct-mapped domain, which finds it where the host has it.
#[test]
fn without_protection_addresses_are_the_hosts() {
    let off = |change: &dyn Fn(&mut Rig)| {
        let mut rig = machine(two(), &[&[bdf(0, 3, 0)]]);
        rig.machine.streams = vec![None];
        change(&mut rig);
        rig
    };
    let disabled = |rig: &mut Rig| rig.host.at("/smmuv3@9050000").put("status", b"disabled\0");
    let directly = |rig: &mut Rig| direct(rig.host.at(NODE), &[BANK]);
    let unprotected = "only a domain with `direct-map` can have it";
    for (rig, words) in [
        (off(&disabled), unprotected),
        // One that is on and cannot be used protects nobody, and lets nothing pass.
        (off(&|_| ()), "cannot be used"),
        (off(&|rig| directly(rig)), "cannot be used"),
        (
            off(&|rig| {
                rig.host
                    .at("/pcie@10000000")
                    .put("iommu-map", &be(&[0, 0x7777, 0, 0x1_0000]))
            }),
            "names phandle 0x7777, which no node has",
        ),
        (
            off(&|rig| {
                rig.host
                    .at("/pcie@10000000")
                    .put("iommu-map", &be(&[0x100, 0x8004, 0, 0x100]))
            }),
            unprotected,
        ),
    ] {
        let said = rig.refusal().unwrap_or_default();
        assert!(said.contains(words), "{said:?}, not {words}");
    }
    let rig = off(&|rig| {
        disabled(rig);
        directly(rig);
    });
    let plan = first(&rig);
    let bridge = plan.layout.bridge.expect("a bridge");
    assert_eq!(bridge.ecam.first().raw(), 0x40_1000_0000);
    assert_eq!(bridge.low.first().raw(), WINDOW);
    assert!(plan.streams.is_empty() && plan.functions[0].streams.is_empty());
}

/// The tree of a domain with functions has one bridge, which tells no more than there is.
#[test]
fn the_bridge_is_described() {
    let rig = machine(two(), &[&[bdf(0, 4, 0), bdf(0, 3, 0)]]);
    let tree = Tree::read(&rig.tree(&first(&rig)).expect("a tree"));
    let bridge = tree.find("/pcie@10000000").expect("a bridge");
    let cells = |name: &str| {
        let value = bridge.get(name).unwrap_or_else(|| panic!("no {name}"));
        let words = value
            .chunks(4)
            .map(|word| u32::from_be_bytes(word.try_into().expect("cells")));
        words.collect::<Vec<_>>()
    };
    assert_eq!(
        bridge.get("compatible"),
        Some(&b"pci-host-ecam-generic\0"[..])
    );
    assert_eq!(cells("reg"), [0, 0x1000_0000, 0, 0x1000_0000]);
    assert_eq!(cells("bus-range"), [0, 255]);
    let gic = tree.find("/interrupt-controller@3001000").expect("a GIC");
    let phandle = gic
        .get("phandle")
        .map(|value| u32::from_be_bytes(value.try_into().expect("a cell")));
    let line = |slot: u32, spi: u32| [slot << 11, 0, 0, 1, phandle.expect("a phandle"), 0, spi, 4];
    assert_eq!(cells("interrupt-map"), [line(0, 3), line(1, 6)].concat());
    for hidden in ["iommu-map", "iommu-map-mask", "msi-map", "msi-parent"] {
        assert_eq!(bridge.get(hidden), None, "{hidden}");
    }
    let plain = machine(two(), &[&[]]);
    assert!(
        plain
            .refusal()
            .is_some_and(|said| said.contains("names no function"))
    );
}

/// What others ask for is promised to them, although the hardware domain comes first.
#[test]
fn lines_are_promised() {
    let line = |promised: bool| {
        let mut rig = with_zero(|_| ());
        rig.machine.functions = two();
        if promised {
            rig.domain("one", Some(asking(&[bdf(0, 3, 0)])));
        }
        let proven = rig.prove();
        assert_eq!(proven.refusals(), []);
        let mut zero = proven.domains()[0].irqs.iter();
        zero.any(|irq| irq.line.number() == 38)
    };
    assert!(line(false) && !line(true));
}

/// A bridge whose interrupts cannot be read, or are partly a reserved device's, is withheld.
#[test]
fn bridges_bring_the_lines_of_what_is_behind_them() {
    let bridge = |map: &[u8]| {
        let mut rig = with_zero(|_| ());
        rig.host.at("/pcie@10000000").put("interrupt-map", map);
        let view = first(&rig).view.expect("a view");
        !view.bridges.is_empty()
    };
    let entry = |phandle: u32, line: [u32; 3]| {
        let [kind, number, flags] = line;
        be(&[0, 0, 0, 1, phandle, 0, 0, kind, number, flags])
    };
    let good = entry(0x8002, [0, 3, 4]);
    assert!(bridge(&good));
    for bad in [
        good[..36].to_vec(),
        good[..10].to_vec(),
        [good.clone(), be(&[0])].concat(),
        entry(0x7777, [0, 3, 4]),
        entry(0x8002, [1, 3, 4]),
        entry(0x8002, [0, 3, 2]),
        entry(0x8002, [0, 5000, 4]),
        // The GPIO block's line, reserved with it; the console's; one of its own in another way.
        entry(0x8002, [0, 7, 4]),
        entry(0x8002, [0, 1, 4]),
        [good.clone(), entry(0x8002, [0, 3, 1])].concat(),
    ] {
        assert!(!bridge(&bad), "{bad:x?}");
    }
}
