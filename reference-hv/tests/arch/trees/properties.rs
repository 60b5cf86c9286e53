//! Whatever the trees claim: nothing panics, and what is assigned is what may be assigned.

use proptest::prelude::*;

use crate::check::check;
use crate::rig::*;
use crate::tree::{Tree, be};

/// Host addresses near everything that is there.
fn host_address() -> impl Strategy<Value = u64> {
    let pages = [
        0,
        0x0800_0000,
        0x080a_0000,
        0x0900_0000,
        0x0901_0000,
        0x0902_0000,
        0x0903_0000,
        0x0905_0000,
        0x0a00_0000,
        0x0b00_0000,
        0x0b00_1000,
        0x0c00_0000,
        0x1000_0000,
        0x4000_0000,
        0x4020_0000,
        0x4fff_f000,
        0x80_0000_0000,
        1 << 44,
        0xffff_ffff_ffff_f000,
    ];
    let odd = prop_oneof![9 => Just(0), 1 => 0_u64..0x3000];
    (proptest::sample::select(pages.to_vec()), odd)
        .prop_map(|(page, odd): (u64, u64)| page.wrapping_add(odd))
}

/// Guest addresses near everything that is there.
fn guest_address() -> impl Strategy<Value = u64> {
    let pages = [
        0,
        0x0300_0000,
        0x0300_1000,
        0x0401_f000,
        0x0402_0000,
        0x2200_0000,
        0x3800_0000,
        0x3a00_0000,
        0x3a00_1000,
        0x3a00_2000,
        0x3fff_f000,
        0x4000_0000,
        0x4100_0000,
        0xff_ffff_f000,
        1 << 40,
        0xffff_ffff_ffff_f000,
    ];
    (
        proptest::sample::select(pages.to_vec()),
        prop_oneof![9 => Just(0), 1 => 0_u64..0x2000],
    )
        .prop_map(|(page, odd): (u64, u64)| page.wrapping_add(odd))
}

fn size() -> impl Strategy<Value = u64> {
    prop_oneof![
        8 => Just(0x1000_u64),
        2 => Just(0x2000),
        1 => proptest::sample::select(&[0, 0x10_0000, 0x200, u64::MAX][..]),
    ]
}

fn path() -> impl Strategy<Value = String> {
    let paths = [
        "",
        "",
        GPIO,
        GPIO,
        RTC,
        RTC,
        "/first@b000000",
        "/second@b000800",
        "/alias@9030000",
        "/flash@0",
        "/pl011@9000000",
        "/smmuv3@9050000",
        "/intc@8000000",
        "/memory@40000000",
        "/pcie@10000000",
        "/virtio_mmio@a000000",
        "/nowhere",
        "pl061",
    ];
    proptest::sample::select(paths.to_vec()).prop_map(str::to_owned)
}

fn request() -> impl Strategy<Value = Tree> {
    let range = (host_address(), size(), guest_address());
    (
        path(),
        proptest::collection::vec(range, 1..4),
        prop_oneof![9 => Just(true), 1 => Just(false)],
    )
        .prop_map(|(path, ranges, forced)| {
            let mut node = device("device", &path, &ranges);
            if !forced {
                node.cut("xen,force-assign-without-iommu");
            }
            node
        })
}

/// Requests that stand a chance: pages of devices at free guest addresses.
fn sensible() -> impl Strategy<Value = Tree> {
    let devices = [
        (GPIO, GPIO_AT),
        (RTC, RTC_AT),
        ("/first@b000000", 0x0b00_0000),
        ("/second@b000800", 0x0b00_0000),
        ("/alias@9030000", GPIO_AT),
        ("", GPIO_AT),
        ("", 0x0b00_0000),
        ("", 0x0b80_0000),
    ];
    (proptest::sample::select(devices.to_vec()), 0_u64..8).prop_map(|((path, at), slot)| {
        device("device", path, &[(at, 0x1000, 0x3a00_0000 + slot * 0x1000)])
    })
}

fn machine() -> impl Strategy<Value = Rig> {
    let domain = proptest::collection::vec(prop_oneof![2 => sensible(), 1 => request()], 0..3);
    (
        proptest::collection::vec(domain, 1..4),
        proptest::collection::vec(any::<bool>(), 4),
    )
        .prop_map(|(domains, marks)| {
            let mut rig = Rig::default();
            let block = |name: &str, at: u32, size: u32, spi: u32| {
                Tree::new(name)
                    .text("compatible", "test,block")
                    .cells("reg", &[0, at, 0, size])
                    .cells("interrupts", &[0, spi, 4])
            };
            let blocks = [
                block("first@b000000", 0x0b00_0000, 0x800, 100),
                block("second@b000800", 0x0b00_0800, 0x1800, 101),
                block("alias@9030000", 0x0903_0000, 0x1000, 7),
            ];
            for (block, marked) in blocks.into_iter().zip(&marks) {
                rig.host.children.push(if *marked {
                    block.flag("xen,passthrough")
                } else {
                    block
                });
            }
            if marks[3] {
                rig.host.at("/flash@0").put("xen,passthrough", &[]);
            }
            for (place, devices) in domains.iter().enumerate() {
                rig.with(&format!("d{place}"), devices);
            }
            rig
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 2 } else { 1_000 }, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every mapped page lies in a device that may be assigned or where nothing is, with one
    /// owner; every line has one owner; RAM is nobody else's.
    #[test]
    fn what_is_assigned_may_be_assigned(rig in machine()) {
        let judged = rig.judge(|host, proven| {
            check(&rig, host, proven);
            proven.domains().len() + proven.refusals().len()
        });
        prop_assert_eq!(judged, Ok(rig.host.find("/chosen").expect("there").children.len()));
    }

    /// Renaming and reordering the devices of a domain changes neither verdict nor outcome.
    #[test]
    fn order_inside_a_domain_does_not_matter(devices in proptest::collection::vec(sensible(), 1..4)) {
        let prove = |devices: &[Tree]| {
            let mut rig = Rig::default();
            rig.with("one", devices);
            let proven = rig.prove();
            let mut seen: Vec<_> = proven.domains().iter().flat_map(|plan| &plan.mmio).map(|map| (map.ipa, map.pa)).collect();
            seen.sort();
            seen
        };
        let reversed: Vec<Tree> = devices.iter().rev().cloned().collect();
        prop_assert_eq!(prove(&devices), prove(&reversed));
    }

    /// Damaged trees, host and partial, are judged or refused, and what is proven of them still
    /// holds.
    #[test]
    fn damage_does_not_widen_what_is_assigned(
        rig in machine(),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<proptest::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut rig = rig;
        for (module, at, value) in changes {
            let module = module.index(rig.memory.len());
            let (_, bytes) = &mut rig.memory[module];
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        rig.judge(|host, proven| check(&rig, host, proven)).expect("a host");
    }
}

/// The same with the host tree's own properties emptied or filled with one word, each in turn.
#[test]
fn no_property_of_the_host_brings_the_hypervisor_down() {
    let mut rig = Rig::default();
    rig.with("one", &[gpio(0x3a00_0000), rtc(0x3a00_1000)]);
    fn paths(node: &Tree, at: &str, all: &mut Vec<(String, String)>) {
        all.extend(
            node.props
                .iter()
                .map(|(name, _)| (at.to_owned(), name.clone())),
        );
        for child in &node.children {
            paths(child, &format!("{at}/{}", child.name), all);
        }
    }
    let mut all = Vec::new();
    paths(&rig.host, "", &mut all);
    let step = if cfg!(miri) { 200 } else { 1 };
    for (path, name) in all.iter().step_by(step) {
        for value in [
            vec![],
            vec![0],
            be(&[0]),
            be(&[3]),
            be(&[u32::MAX]),
            be(&[u32::MAX; 24]),
        ] {
            let mut rig = rig.clone();
            rig.host.at(path).put(name, &value);
            // A host that cannot be read is an answer as well.
            let _ = rig.judge(|host, proven| check(&rig, host, proven));
        }
    }
}
