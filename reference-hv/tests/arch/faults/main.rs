//! Each seeded fault of the trees and the proof changes what comes of a configuration that is
//! judged rightly without it. One test, for the selection is one for the whole process.

#[path = "../trees/check.rs"]
mod check;
#[path = "../trees/rig.rs"]
mod rig;
#[path = "../trees/tree.rs"]
mod tree;

mod pci;

use refhv::fault::{self, ALL};
use rig::*;
use tree::{Tree, be};

const HOLE: u64 = 0x3a00_0000;

/// What is seen of a configuration: who runs with which pages, lines and tree.
fn seen(rig: &Rig) -> Vec<String> {
    let proven = rig.prove();
    proven
        .domains()
        .iter()
        .map(|plan| {
            let tree = rig.tree(plan).expect("a tree");
            let digest = tree.iter().fold(0_u64, |sum, byte| {
                sum.wrapping_mul(0x100_0000_01b3)
                    .wrapping_add(u64::from(*byte))
            });
            let name = &plan.name;
            format!(
                "{name} {:?} {:?} {:?} {digest:x}",
                plan.ram, plan.mmio, plan.irqs
            )
        })
        .collect()
}

fn one(device: Tree) -> Rig {
    let mut rig = Rig::default();
    rig.with("one", &[device]);
    rig
}

fn two(first: Tree, second: Tree) -> Rig {
    let mut rig = Rig::default();
    rig.with("one", &[first]).with("two", &[second]);
    rig
}

fn gpio_of(range: (u64, u64, u64)) -> Rig {
    one(device("gpio", GPIO, &[range]))
}

fn nameless(at: u64) -> Tree {
    device("thing", "", &[(at, 0x1000, HOLE)])
}

fn host_gpio(name: &str, value: &[u8]) -> Rig {
    let mut rig = one(gpio(HOLE));
    rig.host.at(GPIO).put(name, value);
    rig
}

fn block(name: &str, at: u32, size: u32, interrupts: &[u32]) -> Tree {
    Tree::new(name)
        .cells("reg", &[0, at, 0, size])
        .cells("interrupts", interrupts)
        .flag("xen,passthrough")
}

/// Gives the first domain of a machine this memory, and its addresses to it.
fn directly(mut rig: Rig, banks: &[(u32, u32)]) -> Rig {
    let cells: Vec<u32> = banks
        .iter()
        .flat_map(|(base, size)| [0, *base, 0, *size])
        .collect();
    rig.host
        .at("/chosen/one")
        .set("xen,static-mem", &be(&cells))
        .put("direct-map", &[]);
    rig
}

/// The memory that a domain says it has, in one bank and in two.
const BANK: [(u32, u32); 1] = [(0x4c00_0000, 0x100_0000)];
const BANKS: [(u32, u32); 2] = [(0x4c00_0000, 0x80_0000), (0x4d00_0000, 0x80_0000)];

/// A machine whose hardware domain is made of a kernel under /chosen.
fn with_zero() -> Rig {
    let mut rig = Rig::default();
    let kernel = rig.load(kernel());
    let chosen = rig.host.at("/chosen");
    chosen.children.push(module(kernel, "multiboot,kernel"));
    rig
}

/// Returns a configuration that comes out differently with the fault, and whether it is refused
/// without it.
fn exposing(name: &str) -> Option<Rig> {
    let page = 0x1000;
    Some(match name {
        "tuple-truncated" => {
            let reg = gpio(HOLE)
                .get("xen,reg")
                .map(<[u8]>::to_vec)
                .unwrap_or_default();
            one(gpio(HOLE).bytes("xen,reg", &[reg, vec![0; 4]].concat()))
        }
        "cells-wrong-level" => {
            let mut tree = partial(&[gpio(HOLE)]);
            tree.put("#size-cells", &be(&[1]));
            let mut rig = Rig::default();
            rig.domain("one", Some(tree.blob()));
            rig
        }
        "cells-default-wrong" => {
            let reg = [0, low(GPIO_AT), 0x1000, 0, low(HOLE)];
            let mut tree = partial(&[gpio(HOLE).cells("xen,reg", &reg)]);
            tree.at("/passthrough")
                .remove("#address-cells")
                .cut("#size-cells");
            let mut rig = Rig::default();
            rig.domain("one", Some(tree.blob()));
            rig
        }
        "iommu-node-shown" => one(Tree::new("smmu").text("compatible", "arm,smmu-v3")),
        "iommu-given-away" => one(nameless(0x0905_0000)),
        "controller-given-away" => one(nameless(0x0800_0000)),
        "console-given-away" => one(device(
            "uart",
            "/pl011@9000000",
            &[(0x0900_0000, page, HOLE)],
        )),
        "line-off-by-one" => one(gpio(HOLE)),
        "private-line-accepted" => host_gpio("interrupts", &be(&[1, 7, 4])),
        "force-not-required" => {
            let mut device = gpio(HOLE);
            device.cut("xen,force-assign-without-iommu");
            one(device)
        }
        "mark-not-required" => {
            let mut rig = one(gpio(HOLE));
            rig.host.at(GPIO).cut("xen,passthrough");
            rig
        }
        "dma-accepted" => host_gpio("dma-coherent", &[]),
        "direct-map-not-required" => host_gpio("dma-coherent", &[]),
        "dma-force-not-required" => {
            let mut device = gpio(HOLE);
            device.cut("xen,force-assign-without-iommu");
            let mut rig = directly(one(device), &BANK);
            rig.host.at(GPIO).put("dma-coherent", &[]);
            rig
        }
        "static-memory-in-pool" => {
            let mut rig = Rig::default();
            rig.domain("one", None).domain("two", None);
            directly(rig, &[(0x4f00_0000, 0x100_0000)])
        }
        "static-over-module" => {
            let mut rig = Rig::default();
            rig.domain("one", None);
            directly(rig, &[(0x4a00_0000, 0x100_0000)])
        }
        "static-sum-unchecked" => {
            let mut rig = Rig::default();
            rig.domain("one", None);
            directly(rig, &[(0x4c00_0000, 0x80_0000)])
        }
        "second-bank-moved" => {
            let mut rig = Rig::default();
            rig.domain("one", None);
            directly(rig, &BANKS)
        }
        "iommu-shown-to-hardware" => with_zero(),
        "ram-given-away" => one(nameless(0x4e00_0000)),
        "alignment-rounded" => gpio_of((GPIO_AT + 0x800, page, HOLE)),
        "size-zero-accepted" => gpio_of((GPIO_AT, 0, HOLE)),
        "wrap-unchecked" => gpio_of((0xffff_ffff_ffff_f000, 2 * page, HOLE)),
        "page-too-many" => one(gpio(HOLE)),
        "page-too-few" | "last-tuple-lost" => {
            let at = 0x0b00_0000;
            let ranges = [(at, page, HOLE), (at + page, 2 * page, HOLE + page)];
            let mut rig = one(device("big", "/big@b000000", &ranges));
            rig.host
                .children
                .push(block("big@b000000", low(at), 0x3000, &[0, 100, 4]));
            rig
        }
        "columns-swapped" | "identity-always" => one(gpio(HOLE)),
        "guest-ram-overlap" => one(gpio(0x4000_0000)),
        "guest-device-overlap" => one(gpio(0x0300_1000)),
        "guest-ranges-overlap" => {
            let mut rig = Rig::default();
            rig.with("one", &[gpio(HOLE), rtc(HOLE)]);
            rig
        }
        "ipa-width-unchecked" => one(gpio((1 << 40) + HOLE)),
        "mmio-owner-forgotten" => two(gpio(HOLE), nameless(GPIO_AT)),
        "owner-by-node" => two(nameless(GPIO_AT), nameless(GPIO_AT)),
        "neighbour-forgotten" => {
            let at = 0x0b00_0000;
            let mut rig = one(device("a", "/a@b000000", &[(at, page, HOLE)]));
            for (name, at) in [("a@b000000", low(at)), ("b@b000200", low(at) + 0x200)] {
                rig.host.children.push(block(name, at, 0x200, &[0, 100, 4]));
            }
            rig
        }
        "irq-owner-forgotten" => {
            let mut rig = two(
                gpio(HOLE),
                device("b", "/b@b000000", &[(0x0b00_0000, page, HOLE)]),
            );
            rig.host
                .children
                .push(block("b@b000000", 0x0b00_0000, 0x1000, &[0, 7, 4]));
            rig
        }
        "later-domain-wins" => two(gpio(HOLE), gpio(HOLE)),
        "refused-keeps-claims" => {
            let mut rig = Rig::default();
            rig.with("one", &[gpio(HOLE), rtc(HOLE + 1)])
                .with("two", &[gpio(HOLE)]);
            rig
        }
        "line-limit-off-by-one" => {
            let mut rig = one(gpio(HOLE));
            rig.host.at("/chosen/one").put("nr_spis", &be(&[7]));
            rig
        }
        "trigger-conflict" => {
            let mut rig = Rig::default();
            let b = device("b", "/b@b000000", &[(0x0b00_0000, page, HOLE + page)]);
            rig.with("one", &[gpio(HOLE), b]);
            rig.host
                .children
                .push(block("b@b000000", 0x0b00_0000, 0x1000, &[0, 7, 1]));
            rig
        }
        "virtual-line-clash" => host_gpio("interrupts", &be(&[0, 0, 4])),
        "xen-property-left" => one(gpio(HOLE)),
        "iommus-left" => one(gpio(HOLE).cells("iommus", &[1, 2])),
        "iommu-map-left" => one(gpio(HOLE).cells("iommu-map", &[1, 2])),
        "phandle-clash" => {
            let mut tree = partial(&[Tree::new("clock").cells("phandle", &[65000])]);
            tree.children.retain(|node| node.name != "gic");
            let mut rig = Rig::default();
            rig.domain("one", Some(tree.blob()));
            rig
        }
        _ => return None,
    })
}

/// Faults that break what [`check::check`] demands of every assignment; the others give a domain
/// something else than it asks for, or too little, which only its claims can tell.
const UNIVERSAL: [&str; 20] = [
    "direct-map-not-required",
    "static-memory-in-pool",
    "static-over-module",
    "second-bank-moved",
    "iommu-shown-to-hardware",
    "iommu-given-away",
    "controller-given-away",
    "console-given-away",
    "mark-not-required",
    "dma-accepted",
    "ram-given-away",
    "guest-ram-overlap",
    "guest-device-overlap",
    "mmio-owner-forgotten",
    "owner-by-node",
    "irq-owner-forgotten",
    "line-limit-off-by-one",
    "xen-property-left",
    "iommus-left",
    "iommu-map-left",
];

/// Tells whether the check that the property tests and the fuzzer share lets a configuration pass.
fn passes(rig: &Rig) -> bool {
    let judge = || rig.judge(|host, proven| check::check(rig, host, proven));
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(judge)).is_ok()
}

/// Every fault shows, and each requirement that the proof bears on has at least three.
#[test]
fn every_fault_shows() {
    let mut requirements = std::collections::BTreeMap::new();
    let (mut checked, mut functions) = (0, 0);
    for entry in ALL {
        *requirements.entry(entry.requirement).or_insert(0) += 1;
        fault::select("").expect("no fault");
        if let Some(right) = pci::seen(entry.name) {
            fault::select(entry.name).expect("a fault");
            let wrong = pci::seen(entry.name);
            assert_ne!(Some(right), wrong, "{} does not show", entry.name);
            functions += 1;
        }
        let Some(rig) = exposing(entry.name) else {
            continue;
        };
        fault::select("").expect("no fault");
        let right = seen(&rig);
        assert!(
            passes(&rig),
            "{} fails the check without the fault",
            entry.name
        );
        fault::select(entry.name).expect("a fault");
        let wrong = seen(&rig);
        if UNIVERSAL.contains(&entry.name) {
            assert!(!passes(&rig), "{} passes the check", entry.name);
        }
        assert_ne!(right, wrong, "{} does not show", entry.name);
        checked += 1;
    }
    fault::select("").expect("no fault");
    assert!(fault::select("no-such-fault").is_err());
    assert!(checked >= 45, "{checked} faults of the trees and the proof");
    assert_eq!(functions, 16, "faults of PCI functions");
    let shown_here = [
        "assign_dma_platform_device_without_iommu",
        "assign_interrupt_less_platform_device",
        "assign_non_dma_platform_device",
        "forbid_same_platform_device_assignment",
        "hide_iommu_from_domain",
        "map_platform_device_mmio_region_ident",
        "map_platform_device_mmio_region_non_ident",
    ]
    .map(|tail| format!("XenSSR~{tail}~1"));
    assert!(
        shown_here.iter().all(|item| requirements
            .get(item.as_str())
            .is_some_and(|count| *count >= 3)),
        "{requirements:?}"
    );
    let mut names: Vec<_> = ALL.iter().map(|entry| entry.name).collect();
    names.sort_unstable();
    assert!(
        names.windows(2).all(|pair| pair[0] != pair[1]),
        "a name twice"
    );
}
