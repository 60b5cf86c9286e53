//! Which host nodes and which host pages may be assigned.

use crate::assignment::{accepted, one, refused};
use crate::rig::*;
use crate::tree::{Tree, be};

const HOLE: u64 = 0x3a00_0000;

/// A path is the host's own, to the letter.
#[test]
fn paths_are_exact() {
    let long = format!("/{}", "x".repeat(4095));
    for (path, words) in [
        (
            "/PL061@9030000",
            format!("is /PL061@9030000, which no host node is; {GPIO} differs from it in case"),
        ),
        (
            "/pl061@9030000/",
            "is /pl061@9030000/, which no host node is".to_owned(),
        ),
        (
            "//pl061@9030000",
            "is //pl061@9030000, which no host node is".to_owned(),
        ),
        (
            "/./pl061@9030000",
            "is /./pl061@9030000, which no host node is".to_owned(),
        ),
        ("/pl061", "is /pl061, which no host node is".to_owned()),
        (
            "pl061@9030000",
            "is pl061@9030000, which is no absolute path".to_owned(),
        ),
        (
            "serial0",
            "is serial0, which is no absolute path".to_owned(),
        ),
        ("", "is , which is no absolute path".to_owned()),
        (
            "/",
            "names /, which is not marked `xen,passthrough`".to_owned(),
        ),
        (
            long.as_str(),
            format!(
                "is /{}... (4096 bytes), which no host node is",
                "x".repeat(79)
            ),
        ),
    ] {
        let device = gpio(HOLE).text("xen,path", path);
        refused(
            &one(device),
            &format!("/passthrough/gpio: `xen,path` {words}"),
        );
    }
    for (value, words) in [
        (GPIO.as_bytes().to_vec(), "is text without a NUL at its end"),
        (
            format!("{GPIO}\0{RTC}\0").into_bytes(),
            "holds 2 strings, not one",
        ),
        (Vec::new(), "is empty"),
        (b"/pl061\xff\0".to_vec(), "is not printable text"),
    ] {
        let device = gpio(HOLE).bytes("xen,path", &value);
        refused(
            &one(device),
            &format!("/passthrough/gpio: `xen,path` {words}"),
        );
    }
}

/// Every host page belongs to the device that is named.
#[test]
fn pages_are_the_devices() {
    for (range, page) in [
        ((GPIO_AT, 0x2000, HOLE), "0x9031000"),
        ((GPIO_AT - 0x1000, 0x2000, HOLE), "0x902f000"),
        ((RTC_AT, 0x1000, HOLE), "0x9010000"),
        ((0x0600_0000, 0x1000, HOLE), "0x6000000"),
    ] {
        let last = range.0 + range.1 - 1;
        refused(
            &one(device("gpio", GPIO, &[range])),
            &format!(
                "/passthrough/gpio: `xen,reg` names host range {:#x}-{last:#x}, of which {page} is not in {GPIO}",
                range.0
            ),
        );
    }
}

/// What the hypervisor needs is given to nobody, with or without a path, whatever its node says.
#[test]
fn the_hypervisors_own_is_kept() {
    for (path, at, size, what) in [
        (
            "/intc@8000000",
            0x0800_0000,
            0x1_0000,
            "/intc@8000000, the interrupt controller",
        ),
        (
            "/intc@8000000",
            0x080a_0000,
            0x2_0000,
            "/intc@8000000, the interrupt controller",
        ),
        (
            "/intc@8000000/its@8080000",
            0x0808_0000,
            0x1000,
            "/intc@8000000/its@8080000, the interrupt controller",
        ),
        (
            "/smmuv3@9050000",
            0x0905_0000,
            0x2_0000,
            "/smmuv3@9050000, an IOMMU",
        ),
        (
            "/smmuv3@9050000",
            0x0906_f000,
            0x1000,
            "/smmuv3@9050000, an IOMMU",
        ),
        (
            "/pl011@9000000",
            0x0900_0000,
            0x1000,
            "/pl011@9000000, the hypervisor's console",
        ),
        (
            "/memory@40000000",
            0x4600_0000,
            0x1000,
            "/memory@40000000, RAM",
        ),
    ] {
        let (node, what) = what.split_once(", ").expect("two parts");
        for disabled in [false, true] {
            let mut named = one(device("thief", path, &[(at, size, HOLE)]));
            let mut nameless = one(device("thief", "", &[(at, size, HOLE)]));
            for rig in [&mut named, &mut nameless] {
                rig.host.at(path).set("xen,passthrough", &[]);
                if disabled && node != "/memory@40000000" && node != "/intc@8000000" {
                    rig.host.at(path).set("status", b"disabled\0");
                }
            }
            let last = at + size - 1;
            refused(
                &named,
                &format!("/passthrough/thief: `xen,path` names {path}, which is {what}"),
            );
            refused(
                &nameless,
                &format!(
                    "/passthrough/thief: `xen,reg` names host range {at:#x}-{last:#x}, which lies in {path}, {what}"
                ),
            );
        }
    }
    // Not in the tree, but known all the same.
    let mut rig = one(device("thief", "", &[(0x0700_0000, 0x1000, HOLE)]));
    rig.machine.taken[0].span = span(0x0700_0000, 0x1000);
    refused(
        &rig,
        "/passthrough/thief: `xen,reg` names host range 0x7000000-0x7000fff, which overlaps the hypervisor",
    );
}

/// Only what is marked, enabled and unable to access memory by itself is assigned.
#[test]
fn host_nodes_consent() {
    let at = "/passthrough/gpio: `xen,path`";
    let with = |name: &str, value: Option<&[u8]>| {
        let mut rig = one(gpio(HOLE));
        match value {
            Some(value) => rig.host.at(GPIO).set(name, value),
            None => rig.host.at(GPIO).remove(name),
        };
        rig
    };
    refused(
        &with("xen,passthrough", None),
        &format!("{at} names {GPIO}, which is not marked `xen,passthrough`"),
    );
    refused(
        &with("xen,passthrough", Some(b"no\0")),
        &format!("{GPIO}: `xen,passthrough` is 3 bytes long, not 0"),
    );
    for status in [&b"disabled\0"[..], b"fail\0", b"", b"okay"] {
        refused(
            &with("status", Some(status)),
            &format!("{at} is {GPIO}, whose `status` is neither ok nor okay"),
        );
    }
    for status in [&b"okay\0"[..], b"ok\0"] {
        accepted(&with("status", Some(status)));
    }
    for (name, value) in [
        ("iommu-map", &be(&[0, 0x8004, 0, 0x100])[..]),
        ("dma-coherent", &[]),
        ("dma-ranges", &[]),
        ("dmas", &be(&[1, 2])),
        ("#dma-cells", &be(&[1])),
        ("msi-parent", &be(&[0x8003])),
        ("compatible", b"acme,x\0virtio,mmio\0"),
        ("compatible", b"qemu,fw-cfg-mmio\0"),
        ("compatible", b"qemu,edu\0"),
        ("device_type", b"pci\0"),
        ("compatible", b"pci-host-ecam-generic\0"),
    ] {
        let why = if name.starts_with("iommu") {
            format!(
                "names {GPIO}, which can access memory by itself (`{name}`) through /smmuv3@9050000, and names no stream of its own (`iommus`)"
            )
        } else if value.starts_with(b"pci") {
            format!("names {GPIO}, a PCI host bridge, which is no platform device")
        } else {
            format!(
                "names {GPIO}, which can access memory by itself (`{name}`) and no IOMMU protects; only a domain with `direct-map` can have it"
            )
        };
        refused(&with(name, Some(value)), &format!("{at} {why}"));
        let mut nameless = with(name, Some(value));
        let tree = partial(&[device("gpio", "", &[(GPIO_AT, 0x1000, HOLE)])]).blob();
        let (at, size) = nameless.load(tree);
        let domain = nameless.host.at("/chosen/one");
        domain.children.retain(|child| {
            !child
                .get("compatible")
                .is_some_and(|c| c.starts_with(b"multiboot,device-tree"))
        });
        domain
            .children
            .push(module((at, size), "multiboot,device-tree"));
        refused(&nameless, &format!("/passthrough/gpio: `xen,reg` {why}"));
    }
}

/// Where nothing is described, pages are given to whoever forces it; where only a PCI bridge
/// knows, to nobody.
#[test]
fn undescribed_pages_need_force_alone() {
    accepted(&one(device("hole", "", &[(0x0b00_0000, 0x1000, HOLE)])));
    accepted(&one(device("bus", "", &[(0x0c00_0000, 0x1000, HOLE)])));
    refused(
        &one(device("bar", "", &[(0x1000_0000, 0x1000, HOLE)])),
        "/passthrough/bar: `xen,reg` names host range 0x10000000-0x10000fff, of which 0x10000000 lies in /pcie@10000000, a window of a PCI host bridge",
    );
}

/// A device behind buses lies where their `ranges` put it, and nowhere where there are none.
#[test]
fn buses_are_followed() {
    let machine = |outer: Option<&[u32]>, inner: Option<&[u32]>| {
        let bus = |name: &str, ranges: Option<&[u32]>, child: Tree| {
            let node = Tree::new(name)
                .cells("#address-cells", &[1])
                .cells("#size-cells", &[1])
                .child(child);
            match ranges {
                Some(ranges) => node.cells("ranges", ranges),
                None => node,
            }
        };
        let block = Tree::new("block@10")
            .cells("reg", &[0x1000, 0x1000])
            .flag("xen,passthrough");
        let inner = bus("inner", inner, block);
        let mut rig = one(device(
            "block",
            "/outer/inner/block@10",
            &[(0x0b10_1000, 0x1000, HOLE)],
        ));
        rig.host.children.push(bus("outer", outer, inner));
        rig
    };
    let outer: &[u32] = &[0x50_0000, 0, 0x0b10_0000, 0x1_0000];
    let inner: &[u32] = &[0, 0x50_0000, 0x1_0000];
    accepted(&machine(Some(outer), Some(inner)));
    accepted(&machine(Some(&[0, 0, 0x0b10_0000, 0x1_0000]), Some(&[])));
    let outside = "/passthrough/block: `xen,reg` names host range 0xb101000-0xb101fff, of which 0xb101000 is not in /outer/inner/block@10";
    for (outer, inner) in [
        (None, Some(inner)),
        (Some(outer), None),
        (Some(outer), Some(&[0, 0x50_0000, 0x1800][..])),
        (Some(&[0x50_0000, 0, 0x0b20_0000, 0x1_0000]), Some(inner)),
        (Some(&[0x50_0000, 0, 0x0b10_0000]), Some(inner)),
    ] {
        refused(&machine(outer, inner), outside);
    }
}

/// While it is not known where some device lies, no page is given away that might be its.
#[test]
fn lost_registers_may_be_anywhere() {
    for (name, value) in [
        ("reg", be(&[0, 0x905_0000, 0])),
        ("reg", be(&[0, 0x905_0000, 0, 0])),
        ("reg", be(&[u32::MAX, u32::MAX, 1, 0])),
        ("reg", Vec::new()),
    ] {
        let mut rig = one(device("thief", "", &[(0x0905_0000, 0x1000, HOLE)]));
        rig.host.at("/smmuv3@9050000").put(name, &value);
        refused(
            &rig,
            "/passthrough/thief: `xen,reg` names host range 0x9050000-0x9050fff, of which 0x9050000 may be /smmuv3@9050000, whose place cannot be read",
        );
        // What is known to be another device is still that device.
        let mut rig = one(gpio(HOLE));
        rig.host.at("/smmuv3@9050000").put(name, &value);
        accepted(&rig);
    }
    // Three cells mean PCI only where a bridge is.
    let mut rig = one(device("thief", "", &[(0x0b00_0000, 0x1000, HOLE)]));
    let iommu = Tree::new("smmu")
        .text("compatible", "arm,smmu-v3")
        .cells("reg", &[0, 0, 0x0b00_0000, 0, 0x1000]);
    let bus = Tree::new("bus")
        .cells("#address-cells", &[3])
        .cells("#size-cells", &[2])
        .flag("ranges");
    rig.host.children.push(bus.child(iommu));
    refused(
        &rig,
        "/passthrough/thief: `xen,reg` names host range 0xb000000-0xb000fff, of which 0xb000000 may be /bus/smmu, whose place cannot be read",
    );
    // A bridge whose windows cannot be read may pass anything on.
    let mut rig = one(device("thief", "", &[(0x1000_0000, 0x1000, HOLE)]));
    rig.host
        .at("/pcie@10000000")
        .put("ranges", &be(&[0x200_0000, 0, 0x1000_0000]));
    refused(
        &rig,
        "/passthrough/thief: `xen,reg` names host range 0x10000000-0x10000fff, of which 0x10000000 may be /pcie@10000000, whose place cannot be read",
    );
}
