//! Host trees as boards really have them, and such as no board should: what is known of the host
//! in each.

use refhv::config::{HostError, MAX_REGIONS};

use crate::assignment::{accepted, one, refused};
use crate::rig::*;
use crate::tree::Tree;

const HOLE: u64 = 0x3a00_0000;

fn fatal(rig: &Rig) -> String {
    rig.try_prove().expect_err("an unusable tree").to_string()
}

/// Boot loaders fill in banks of memory, and leave those that are not there empty.
#[test]
fn empty_banks_are_no_memory() {
    let mut rig = one(gpio(HOLE));
    rig.host.at("/memory@40000000").put(
        "reg",
        &crate::tree::be(&[
            0,
            0x4000_0000,
            0,
            0x1000_0000,
            0,
            0,
            0,
            0,
            0,
            0x8000_0000,
            0,
            0,
        ]),
    );
    rig.host.children.push(
        Tree::new("memory@80000000")
            .text("device_type", "memory")
            .cells("reg", &[0, 0x8000_0000, 0, 0]),
    );
    let ram = rig.judge(|host, proven| {
        assert_eq!(proven.refusals(), []);
        host.ram.clone()
    });
    assert_eq!(ram, Ok(vec![span(0x4000_0000, 0x1000_0000)]));
}

/// Of several ranges of a device one may be empty; the others are where they are.
#[test]
fn empty_ranges_are_nowhere() {
    let mut rig = one(gpio(HOLE));
    rig.host.at(GPIO).put(
        "reg",
        &crate::tree::be(&[0, 0x0903_0000, 0, 0x1000, 0, 0x0b00_0000, 0, 0]),
    );
    accepted(&rig);
    rig.host
        .at(GPIO)
        .put("reg", &crate::tree::be(&[0, 0x0903_0000, 0, 0]));
    refused(
        &rig,
        "/passthrough/gpio: `xen,reg` names host range 0x9030000-0x9030fff, of which 0x9030000 is not in /pl061@9030000",
    );
}

/// What is numbered on a bus without `ranges` (cells of a fuse block, partitions of a flash) hides
/// no registers, however it is written.
#[test]
fn numbers_that_no_bus_passes_on_are_nowhere() {
    let mut rig = one(device(
        "small",
        "/small@b000000",
        &[(0x0b00_0000, 0x1000, HOLE)],
    ));
    rig.host.children.push(
        Tree::new("small@b000000")
            .cells("reg", &[0, 0x0b00_0000, 0, 0x100])
            .flag("xen,passthrough"),
    );
    let cells = Tree::new("cell@10").cells("reg", &[0x10, 4]);
    rig.host.children.push(
        Tree::new("fuses@b001000")
            .cells("reg", &[0, 0x0b00_1000, 0, 0x1000])
            .child(cells),
    );
    accepted(&rig);
}

/// Reserved memory is reserved with and without the `ranges` that its binding asks for.
#[test]
fn reserved_memory_is_kept() {
    for (ranges, at, words) in [
        (
            true,
            0x0b00_0000,
            "/passthrough/thief: `xen,reg` names host range 0xb000000-0xb000fff, which lies in /reserved-memory/fw, reserved memory",
        ),
        (
            false,
            0x0b00_0000,
            "/passthrough/thief: `xen,reg` names host range 0xb000000-0xb000fff, which lies in /reserved-memory/fw, reserved memory",
        ),
        (
            true,
            0x4a00_0000,
            "/chosen/one/module@4a000000: `reg` names 0x4a000000-0x4a000fff, which overlaps /reserved-memory/fw",
        ),
        (
            false,
            0x4a00_0000,
            "/chosen/one/module@4a000000: `reg` names 0x4a000000-0x4a000fff, which overlaps /reserved-memory/fw",
        ),
    ] {
        let mut rig = one(device("thief", "", &[(0x0b00_0000, 0x1000, HOLE)]));
        let fw = Tree::new("fw")
            .cells("reg", &[0, at, 0, 0x1000])
            .flag("xen,passthrough");
        let mut node = Tree::new("reserved-memory")
            .cells("#address-cells", &[2])
            .cells("#size-cells", &[2])
            .child(fw)
            .child(
                Tree::new("pool")
                    .cells("size", &[0, 0x10_0000])
                    .flag("reusable"),
            );
        if ranges {
            node = node.flag("ranges");
        }
        rig.host.children.push(node);
        refused(&rig, words);
    }
}

/// Two nodes of a name that only one can have are not chosen from in silence.
#[test]
fn second_nodes_are_told() {
    for name in ["chosen", "aliases", "reserved-memory"] {
        let mut rig = one(gpio(HOLE));
        rig.host
            .children
            .retain(|child| child.name != name || name == "chosen");
        rig.host.children.push(Tree::new(name));
        if name != "chosen" {
            accepted(&rig);
            rig.host.children.push(Tree::new(name));
        }
        assert_eq!(
            fatal(&rig),
            format!("host device tree: has 2 nodes for /{name}, not one")
        );
    }
}

/// A device is as disabled as the buses in front of it.
#[test]
fn disabled_buses_disable() {
    let block = Tree::new("block@10")
        .cells("reg", &[0x1000, 0x1000])
        .flag("xen,passthrough");
    let bus = Tree::new("bus")
        .cells("#address-cells", &[1])
        .cells("#size-cells", &[1])
        .cells("ranges", &[0, 0, 0x0b10_0000, 0x1_0000])
        .child(block);
    let mut rig = one(device(
        "block",
        "/bus/block@10",
        &[(0x0b10_1000, 0x1000, HOLE)],
    ));
    rig.host.children.push(bus);
    accepted(&rig);
    rig.host.at("/bus").set("status", b"okay\0");
    accepted(&rig);
    rig.host.at("/bus").set("status", b"disabled\0");
    refused(
        &rig,
        "/passthrough/block: `xen,path` is /bus/block@10; the `status` of /bus is neither ok nor okay",
    );
}

/// A device is as able to access memory as its parts.
#[test]
fn parts_that_master_memory_are_seen() {
    for (path, property) in [(GPIO, "xen,path"), ("", "xen,reg")] {
        let mut rig = one(device("gpio", path, &[(GPIO_AT, 0x1000, HOLE)]));
        let part = Tree::new("core").child(Tree::new("dma").flag("dma-coherent"));
        rig.host.at(GPIO).children.push(Tree::new("hog"));
        accepted(&rig);
        rig.host.at(GPIO).children.push(part);
        refused(
            &rig,
            &format!(
                "/passthrough/gpio: `{property}` names {GPIO}, which can access memory by itself (`dma-coherent` of {GPIO}/core/dma) and no IOMMU protects; only a domain with `direct-map` can have it"
            ),
        );
    }
}

/// More ranges than are kept are told, not left out.
#[test]
fn ranges_have_a_bound() {
    let mut rig = one(gpio(HOLE));
    let few: Vec<u32> = (0..MAX_REGIONS / 2)
        .flat_map(|_| [1, 0, 0, 0x1000])
        .collect();
    rig.host.children.push(Tree::new("one").cells("reg", &few));
    accepted(&rig);
    rig.host.children.push(Tree::new("two").cells("reg", &few));
    assert_eq!(
        rig.try_prove().expect_err("too many ranges"),
        HostError::TooManyRegions
    );
    assert_eq!(
        fatal(&rig),
        "host device tree: names more than 16384 ranges"
    );
}
