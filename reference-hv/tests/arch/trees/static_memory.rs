//! Memory that a domain's node names as its own, and domains whose addresses are the host's.

use refhv::arch::aarch64::guest_layout::GUEST;
use refhv::assign::DomainPlan;
use refhv::assign::layout::Layout;

use crate::domains::{NODE, plain, refused};
use crate::rig::*;
use crate::tree::{Tree, be};

/// Two ranges of 8 MiB, the second one in front of the first.
const BANKS: [(u64, u64); 2] = [(0x4d00_0000, 0x80_0000), (0x4c00_0000, 0x80_0000)];

/// Returns ranges as `xen,static-mem` has them.
pub fn ranges(banks: &[(u64, u64)]) -> Vec<u8> {
    let cells = |(base, size): &(u64, u64)| [high(*base), low(*base), high(*size), low(*size)];
    be(banks.iter().flat_map(cells).collect::<Vec<_>>().as_slice())
}

/// Gives a node memory of its own, as much as it says it has.
pub fn own_memory(node: &mut Tree, banks: &[(u64, u64)]) {
    let kib = banks.iter().map(|(_, size)| size / 1024).sum();
    node.set("memory", &be(&[high(kib), low(kib)]))
        .set("xen,static-mem", &ranges(banks));
}

/// Makes a node ask for a domain whose addresses are the host's.
pub fn direct(node: &mut Tree, banks: &[(u64, u64)]) {
    own_memory(node, banks);
    node.set("direct-map", &[]);
}

fn only(rig: &Rig) -> DomainPlan {
    let proven = rig.prove();
    assert_eq!(proven.refusals(), []);
    proven.domains()[0].clone()
}

/// Returns what backs which guest pages.
fn backed(plan: &DomainPlan) -> Vec<(u64, u64, u64)> {
    let ram = plan.ram.iter();
    ram.map(|map| (map.ipa.raw(), map.pa.raw(), map.pages * 0x1000))
        .collect()
}

/// Memory that a domain names is put behind its own addresses in the order in which it is named.
#[test]
fn named_memory_is_behind_the_guests_own_banks() {
    let banks = [(0x4d00_1000, 0x7f_f000), (0x4c00_0000, 0x80_1000)];
    let plan = only(&plain(|node| own_memory(node, &banks)));
    assert!(plan.static_memory);
    assert_eq!(plan.layout, Layout::own(&GUEST, true));
    assert_eq!(
        backed(&plan),
        [
            (0x4000_0000, 0x4d00_1000, 0x7f_f000),
            (0x407f_f000, 0x4c00_0000, 0x80_1000)
        ]
    );
    assert_eq!(plan.memory, 0x100_0000);
    assert!(!only(&plain(|_| ())).static_memory);
}

/// A direct-mapped domain finds its RAM, its interrupt controller and its UART where the host has
/// them.
#[test]
fn direct_mapped_domains_have_the_hosts_addresses() {
    let rig = plain(|node| direct(node, &BANKS));
    let plan = only(&rig);
    assert_eq!(backed(&plan), BANKS.map(|(base, size)| (base, base, size)));
    let seen: Vec<u64> = plan.banks.iter().map(|bank| bank.first().raw()).collect();
    assert_eq!(seen, [0x4d00_0000, 0x4c00_0000]);
    let layout = plan.layout;
    assert_eq!(layout.controller.shared.first().raw(), 0x0800_0000);
    assert_eq!(layout.controller.per_cpu.first().raw(), 0x080a_0000);
    let uart = layout.uart.expect("a UART");
    assert_eq!(
        (uart.registers.first().raw(), uart.line.number()),
        (0x0900_0000, 33)
    );
    assert_eq!(plan.load.kernel.to.raw(), 0x4d00_0000);

    let tree = Tree::read(&rig.tree(&plan).expect("a tree"));
    for path in [
        "/memory@4d000000",
        "/memory@4c000000",
        "/interrupt-controller@8000000",
        "/pl011@9000000",
    ] {
        assert!(tree.find(path).is_some(), "{path}");
    }
    let uart = tree.find("/pl011@9000000").expect("a UART");
    assert_eq!(uart.get("interrupts"), Some(be(&[0, 1, 4]).as_slice()));
    assert_eq!(
        uart.get("reg"),
        Some(be(&[0, 0x900_0000, 0, 0x1000]).as_slice())
    );
}

/// A kernel lies on a multiple of 2 MiB, wherever RAM begins.
#[test]
fn kernels_are_aligned_in_odd_banks() {
    let plan = only(&plain(|node| direct(node, &[(0x4c00_1000, 0x7f_f000)])));
    assert_eq!(plan.load.kernel.to.raw(), 0x4c20_0000);
    let rig = plain(|node| direct(node, &[(0x4c00_1000, 0x1f_f000)]));
    refused(
        &rig,
        &format!("{NODE}: `memory` is 2044 KiB, too little for the kernel"),
    );
}

/// What is named is whole pages of RAM that nobody else has.
#[test]
fn named_memory_is_judged() {
    let spoilt = |change: &dyn Fn(&mut Tree)| {
        plain(|node| {
            own_memory(node, &[(0x4c00_0000, 0x100_0000)]);
            change(node);
        })
    };
    for (banks, words) in [
        (
            vec![(0x4c00_0800, 0x100_0000)],
            "names 0x4c000800-0x4d0007ff, of which 0x4c000800 is not page aligned",
        ),
        (
            vec![(0x4c00_0000, 0x100_0800)],
            "names 0x4c000000-0x4d0007ff, of which 0x1000800 is not page aligned",
        ),
        (
            vec![(0x3f80_0000, 0x100_0000)],
            "names 0x3f800000-0x407fffff, which is not in RAM",
        ),
        (
            vec![(0x4f80_0000, 0x100_0000)],
            "names 0x4f800000-0x507fffff, which is not in RAM",
        ),
        (
            vec![(0x407f_f000, 0x1000), (0x4c00_0000, 0xff_f000)],
            "names 0x407ff000-0x407fffff, which overlaps the hypervisor",
        ),
        (
            vec![(0x480f_f000, 0x100_0000)],
            "names 0x480ff000-0x490fefff, which overlaps the host device tree",
        ),
        (
            vec![(0x4c00_0000, 0x80_0000), (0x4c7f_f000, 0x80_0000)],
            "names 0x4c7ff000-0x4cffefff, which overlaps 0x4c000000-0x4c7fffff",
        ),
        (
            vec![(0x4c00_0000, 0xff_f000)],
            "names 16380 KiB, not the 16384 of `memory`",
        ),
        (
            vec![(0x4c00_0000, 0x100_0000), (0x4e00_0000, 0x1000)],
            "names 16388 KiB, not the 16384 of `memory`",
        ),
        // The domain's own kernel.
        (
            vec![(0x49f0_0000, 0x100_0000)],
            "names 0x49f00000-0x4aefffff, which overlaps the module at 0x4a000000-0x4a000fff",
        ),
    ] {
        let rig = spoilt(&|node| {
            node.set("xen,static-mem", &ranges(&banks));
        });
        refused(&rig, &format!("{NODE}: `xen,static-mem` {words}"));
    }
    let many: Vec<(u64, u64)> = (0..65)
        .map(|n| (0x4c00_0000 + n * 0x1000, 0x1000))
        .collect();
    refused(
        &plain(|node| own_memory(node, &many)),
        &format!("{NODE}: `xen,static-mem` names 65 ranges, more than 64"),
    );
    let mut rig = spoilt(&|_| ());
    let reserved = Tree::new("buffer@4c800000").cells("reg", &[0, 0x4c80_0000, 0, 0x1000]);
    let parent = Tree::new("reserved-memory")
        .cells("#address-cells", &[2])
        .cells("#size-cells", &[2])
        .flag("ranges");
    rig.host.children.push(parent.child(reserved));
    refused(
        &rig,
        &format!(
            "{NODE}: `xen,static-mem` names 0x4c000000-0x4cffffff, which overlaps /reserved-memory/buffer@4c800000"
        ),
    );
    // As wide as the cells around the domain's node say.
    let mut rig = plain(|node| {
        own_memory(node, &[]);
        node.set("memory", &be(&[0, 0x4000]))
            .set("xen,static-mem", &be(&[0x4c00_0000, 0x100_0000]));
    });
    rig.host
        .at("/chosen")
        .set("#address-cells", &be(&[1]))
        .set("#size-cells", &be(&[1]));
    assert_eq!(
        backed(&only(&rig)),
        [(0x4000_0000, 0x4c00_0000, 0x100_0000)]
    );
}

/// A module of any domain keeps named memory away, for it may not have been copied yet.
#[test]
fn modules_of_others_are_kept_from_named_memory() {
    let mut rig = plain(|node| own_memory(node, &[(0x4a00_1000, 0x100_0000)]));
    assert_eq!(rig.refusal(), None);
    rig.domain("two", None);
    let proven = rig.prove();
    let lines: Vec<String> = proven.refusals().iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "refuse domain one: /chosen/one: `xen,static-mem` names 0x4a001000-0x4b000fff, which overlaps the module at 0x4a001000-0x4a001fff"
        ]
    );
    assert_eq!(proven.domains().len(), 1);
}

/// The earlier of two domains that name the same memory has it.
#[test]
fn named_memory_has_one_owner() {
    let mut rig = Rig::default();
    rig.domain("one", None).domain("two", None);
    own_memory(rig.host.at("/chosen/one"), &[(0x4c00_0000, 0x100_0000)]);
    own_memory(rig.host.at("/chosen/two"), &[(0x4cff_f000, 0x100_0000)]);
    let words = "names 0x4cfff000-0x4dffefff, which d1 has already";
    assert_eq!(
        rig.refusal(),
        Some(format!(
            "refuse domain two: /chosen/two: `xen,static-mem` {words}"
        ))
    );
    // A domain that is refused has nothing.
    rig.host.at("/chosen/one").set("cpus", &be(&[0]));
    let proven = rig.prove();
    assert_eq!(proven.domains()[0].name, "two");
}

/// Nobody else gets memory that a node names, also while the domain itself is refused or its node
/// cannot be read.
#[test]
fn named_memory_is_never_free() {
    for spoil in [
        None,
        Some(("cpus", be(&[0]))),
        Some(("capabilities", be(&[0x100]))),
    ] {
        let mut rig = Rig::default();
        rig.domain("one", None).domain("two", None);
        // All there is but a little; what is free is at the top.
        let named = (0x4d00_0000, 0x300_0000);
        own_memory(rig.host.at("/chosen/one"), &[named]);
        if let Some((name, value)) = &spoil {
            rig.host.at("/chosen/one").set(name, value);
        }
        let proven = rig.prove();
        let two = proven.domains().last().expect("the second domain");
        assert_eq!(two.name, "two");
        for map in &two.ram {
            assert!(
                map.host().expect("a range").last().raw() < named.0,
                "{map:?}"
            );
        }
    }
}

/// In a direct-mapped domain devices keep clear of what is emulated where the host has it, and of
/// nothing else.
#[test]
fn direct_mapped_devices_keep_clear_of_the_hosts_layout() {
    let with = |guest: u64| {
        let mut rig = Rig::default();
        rig.with("one", &[gpio(guest)]);
        direct(rig.host.at(NODE), &BANKS);
        rig
    };
    for guest in [GPIO_AT, 0x0300_1000, 0x2200_0000, 0x3900_0000, 0x4000_0000] {
        assert_eq!(with(guest).refusal(), None, "{guest:#x}");
    }
    for (guest, what) in [
        (
            0x0800_f000,
            "its interrupt controller at 0x8000000-0x800ffff",
        ),
        (
            0x080a_0000,
            "its CPUs' interrupt controllers at 0x80a0000-0x8ffffff",
        ),
        (0x0900_0000, "its emulated UART at 0x9000000-0x9000fff"),
        (0x4d00_0000, "its RAM at 0x4d000000-0x4d7fffff"),
        (0x4c00_0000, "its RAM at 0x4c000000-0x4c7fffff"),
        (0x4020_0000, "its grant tables at 0x40200000-0x407fffff"),
    ] {
        let last = guest + 0xfff;
        refused(
            &with(guest),
            &format!(
                "/passthrough/gpio: `xen,reg` names guest range {guest:#x}-{last:#x}, which overlaps {what}"
            ),
        );
    }
}

/// What the host has no place for is refused.
#[test]
fn the_host_must_have_a_place() {
    let mut rig = plain(|node| direct(node, &BANKS));
    rig.host.at("/chosen").remove("stdout-path");
    let words = "asks for a UART where the host has its console, and it has none";
    refused(&rig, &format!("{NODE}: `vpl011` {words}"));
    rig.host.at(NODE).cut("vpl011");
    assert_eq!(rig.refusal(), None);

    let mut rig = plain(|node| direct(node, &BANKS));
    rig.host.at("/pl011@9000000").cut("interrupts");
    let words = "asks for a UART where the host has its console, which has no interrupt";
    refused(&rig, &format!("{NODE}: `vpl011` {words}"));

    let mut rig = plain(|node| direct(node, &BANKS));
    let reg = be(&[0, 0x900_0000, 0, 0x800]);
    rig.host.at("/pl011@9000000").put("reg", &reg);
    let words = "asks for a UART where the host has its console, which is no whole page";
    refused(&rig, &format!("{NODE}: `vpl011` {words}"));

    let mut rig = plain(|node| direct(node, &BANKS));
    let reg = be(&[0, 0x800_0000, 0, 0x1_0000, 0, 0x80a_0000, 0, 0x4_0000]);
    rig.host.at("/intc@8000000").put("reg", &reg);
    rig.host.at(NODE).set("cpus", &be(&[2]));
    assert_eq!(rig.refusal(), None);
    rig.host.at(NODE).set("cpus", &be(&[3]));
    let words = "is 3, more than the host's interrupt controller has room for in one place";
    refused(&rig, &format!("{NODE}: `cpus` {words}"));
}

/// What nobody can have as its own is not kept from others either.
#[test]
fn a_domain_that_names_everything_takes_nothing() {
    let mut rig = Rig::default();
    rig.domain("one", None).domain("two", None);
    own_memory(rig.host.at("/chosen/one"), &[(0x4000_0000, 0x1000_0000)]);
    let proven = rig.prove();
    assert_eq!(proven.refusals().len(), 1);
    assert_eq!(proven.domains()[0].name, "two");
}
