//! Devices that read and write memory by themselves, without an IOMMU between them and others.

use crate::assignment::refused;
use crate::domains::NODE;
use crate::rig::*;
use crate::static_memory::direct;
use crate::tree::{Tree, be};

const BANK: (u64, u64) = (0x4c00_0000, 0x100_0000);
const SMMU: &str = "/smmuv3@9050000";
const PCIE: &str = "/pcie@10000000";

/// A machine with a domain that asks for a GPIO block of which its node says this.
fn asks(property: &str, value: &[u8]) -> Rig {
    let mut rig = Rig::default();
    rig.with("one", &[gpio(GPIO_AT)]);
    rig.host.at(GPIO).put(property, value);
    rig
}

/// The same, with the domain's addresses being the host's.
fn asks_directly(property: &str, value: &[u8]) -> Rig {
    let mut rig = asks(property, value);
    direct(rig.host.at(NODE), &[BANK]);
    rig
}

fn unprotected(sign: &str) -> String {
    format!(
        "/passthrough/gpio: `xen,path` names {GPIO}, which can access memory by itself ({sign}) and no IOMMU protects; only a domain with `direct-map` can have it"
    )
}

/// Without an IOMMU, direct mapping and force make the difference, both of them.
#[test]
fn direct_mapping_and_force_are_required() {
    let signs: [(&str, &[u8]); 4] = [
        ("dma-coherent", &[]),
        ("dmas", &[0, 0, 0, 1]),
        ("compatible", b"qemu,edu\0"),
        ("compatible", b"virtio,mmio\0"),
    ];
    for (name, value) in signs {
        refused(&asks(name, value), &unprotected(&format!("`{name}`")));
        let rig = asks_directly(name, value);
        let proven = rig.prove();
        assert_eq!(proven.refusals(), [], "{name}");
        assert_eq!(proven.domains()[0].mmio.len(), 1);
        assert_eq!(proven.domains()[0].irqs.len(), 1);
    }
    let mut device = gpio(GPIO_AT);
    device.cut("xen,force-assign-without-iommu");
    let mut rig = Rig::default();
    rig.with("one", &[device]);
    rig.host.at(GPIO).put("dma-coherent", &[]);
    direct(rig.host.at(NODE), &[BANK]);
    refused(
        &rig,
        &format!(
            "/passthrough/gpio: `xen,force-assign-without-iommu` is missing, and no IOMMU protects {GPIO}"
        ),
    );
}

/// What an IOMMU translates for is anybody's while it is on, and unprotected while it, or a bus on the
/// way to it, is off.
#[test]
fn an_iommu_protects_while_it_is_on() {
    let iommus = be(&[0x8004, 0x18]);
    for rig in [asks("iommus", &iommus), asks_directly("iommus", &iommus)] {
        assert_eq!(rig.refusal(), None);
    }
    let mut rig = asks_directly("iommus", &iommus);
    rig.host.at(SMMU).put("status", b"disabled\0");
    assert_eq!(rig.refusal(), None);
    let mut rig = asks("iommus", &iommus);
    rig.host.at(SMMU).put("status", b"disabled\0");
    refused(&rig, &unprotected("`iommus`"));
    for (value, words) in [
        (be(&[0x7777, 1]), "names phandle 0x7777, which no node has"),
        (
            be(&[0x8003, 1]),
            "names phandle 0x8003, which /intc@8000000/its@8080000, no IOMMU, has",
        ),
        (be(&[0x8004]), "does not end with a whole entry"),
    ] {
        let mut changed = rig.clone();
        changed.host.at(GPIO).put("iommus", &value);
        refused(&changed, &format!("{GPIO}: `iommus` {words}"));
    }
}

/// What lies in a window of a PCI host bridge masters memory like anything behind a bridge, through
/// whatever the bridge goes through.
#[test]
fn functions_behind_a_bridge_are_masters() {
    let machine = |smmu: &str, straight: bool| {
        let at = 0x1000_0000;
        let mut rig = Rig::default();
        rig.with(
            "one",
            &[device("bar", "/bar@10000000", &[(at, 0x10_0000, at)])],
        );
        let bar = Tree::new("bar@10000000")
            .text("compatible", "test,plain")
            .cells("reg", &[0, low(at), 0, 0x10_0000])
            .flag("xen,passthrough");
        rig.host.children.push(bar);
        rig.host.at(SMMU).put("status", smmu.as_bytes());
        if straight {
            direct(rig.host.at(NODE), &[BANK]);
        }
        rig
    };
    let begin = format!(
        "/passthrough/bar: `xen,path` names /bar@10000000, which can access memory by itself (it is behind {PCIE})"
    );
    let through = format!("{begin} through {SMMU}, and names no stream of its own (`iommus`)");
    refused(&machine("okay\0", true), &through);
    refused(&machine("okay\0", false), &through);
    refused(
        &machine("disabled\0", false),
        &format!("{begin} and no IOMMU protects; only a domain with `direct-map` can have it"),
    );
    assert_eq!(machine("disabled\0", true).refusal(), None);
    // The bridge itself is no platform device.
    let mut rig = Rig::default();
    let ecam = 0x40_1000_0000;
    rig.with("one", &[device("bridge", PCIE, &[(ecam, 0x1000, HOLE)])]);
    rig.host.at(PCIE).put("xen,passthrough", &[]);
    direct(rig.host.at(NODE), &[BANK]);
    refused(
        &rig,
        &format!(
            "/passthrough/bridge: `xen,path` names {PCIE}, a PCI host bridge, which is no platform device"
        ),
    );
}

const HOLE: u64 = 0x3a00_0000;

/// Several masters in one page go to one domain, be it without naming them.
#[test]
fn masters_that_share_a_page_go_together() {
    let page = 0x0a00_0000;
    let names: Vec<String> = (0..8)
        .map(|n| format!("/virtio_mmio@a000{:x}00", 2 * n))
        .collect();
    let machine = |devices: &[Tree], marked: usize| {
        let mut rig = Rig::default();
        for name in &names[..marked] {
            rig.host.at(name).put("xen,passthrough", &[]);
        }
        rig.with("one", devices);
        direct(rig.host.at(NODE), &[BANK]);
        rig
    };
    let nameless = [device("v", "", &[(page, 0x1000, page)])];
    assert_eq!(machine(&nameless, 8).refusal(), None);
    refused(
        &machine(&nameless, 7),
        &format!(
            "/passthrough/v: `xen,reg` names {}, which is not marked `xen,passthrough`",
            names[7]
        ),
    );
    let named: Vec<Tree> = names
        .iter()
        .zip(0_u64..)
        .map(|(name, n)| device(&format!("v{n}"), name, &[(page, 0x1000, page + n * 0x1000)]))
        .collect();
    assert_eq!(machine(&named, 8).refusal(), None);
    refused(
        &machine(&named[..7], 8),
        &format!(
            "/passthrough/v0: `xen,reg` names the page of 0xa000000, in which {} lies too, which this domain does not ask for",
            names[7]
        ),
    );
}
