//! A domain's node and its modules.

use crate::rig::*;
use crate::tree::{Tree, be};

const HOLE: u64 = 0x3a00_0000;
pub const NODE: &str = "/chosen/one";

/// Proves a machine with one domain and expects this refusal.
#[track_caller]
pub fn refused(rig: &Rig, words: &str) {
    assert_eq!(rig.refusal(), Some(format!("refuse domain one: {words}")));
}

/// A machine with one domain without devices, whose node is changed.
pub fn plain(change: impl FnOnce(&mut Tree)) -> Rig {
    let mut rig = Rig::default();
    rig.domain("one", None);
    change(rig.host.at(NODE));
    rig
}

/// A machine with one domain and a partial tree.
pub fn with_tree(partial: &Tree) -> Rig {
    let mut rig = Rig::default();
    rig.domain("one", Some(partial.blob()));
    rig
}

/// What a domain's node must say, it says, and what it asks for and would not get is refused.
#[test]
fn domain_nodes_are_read_to_the_letter() {
    for (name, value, words) in [
        ("memory", None, "is missing"),
        ("memory", Some(be(&[0x4000])), "is 4 bytes long, not 8"),
        ("memory", Some(be(&[0, 0])), "is 0 KiB, which is nothing"),
        (
            "memory",
            Some(be(&[0, 0x4001])),
            "is 16385 KiB, which is no whole number of pages",
        ),
        (
            "memory",
            Some(be(&[u32::MAX, u32::MAX])),
            "is 18446744073709551615 KiB, more than addresses can say",
        ),
        (
            "memory",
            Some(be(&[1 << 8, 0])),
            "is 1099511627776 KiB, more than the guest's address space has room for",
        ),
        (
            "memory",
            Some(be(&[0, 4])),
            "is 4 KiB, too little for the kernel",
        ),
        (
            "memory",
            Some(be(&[0, 1024])),
            "is 1024 KiB, too little for kernel and device tree",
        ),
        ("cpus", None, "is missing"),
        ("cpus", Some(be(&[0])), "is 0, not 1 to 8"),
        ("cpus", Some(be(&[9])), "is 9, not 1 to 8"),
        ("cpus", Some(be(&[0, 1])), "is 8 bytes long, not 4"),
        ("vpl011", Some(be(&[0])), "is 4 bytes long, not 0"),
        (
            "nr_spis",
            Some(be(&[989])),
            "is 989, more than the 988 of any interrupt controller",
        ),
        (
            "passthrough",
            Some(b"Enabled\0".to_vec()),
            "is \"Enabled\", neither \"enabled\" nor \"disabled\"",
        ),
        (
            "trap-unmapped-accesses",
            Some(be(&[0])),
            "is 0, which is not implemented: unmapped accesses always fault",
        ),
        (
            "trap-unmapped-accesses",
            Some(be(&[2])),
            "is 2, neither 0 nor 1",
        ),
        (
            "capabilities",
            Some(be(&[0x18])),
            "is 0x18; 0x18 of it is no capability",
        ),
        (
            "xen,enhanced",
            Some(b"enabled\0".to_vec()),
            "is \"enabled\", which is not implemented",
        ),
        (
            "xen,sci_type",
            Some(b"scmi_smc\0".to_vec()),
            "is \"scmi_smc\", which is not implemented",
        ),
        (
            "capabilities",
            Some(be(&[0x8000_0003])),
            "is 0x80000003; 0x80000000 of it is no capability",
        ),
        (
            "capabilities",
            Some(be(&[2])),
            "makes it the hardware domain, whose devices no IOMMU translates for: `direct-map` is missing",
        ),
        (
            "direct-map",
            Some(Vec::new()),
            "stands alone: `xen,static-mem` is missing, which says where its RAM is",
        ),
        ("direct-map", Some(be(&[0])), "is 4 bytes long, not 0"),
        ("xen,static-mem", Some(Vec::new()), "is empty"),
        (
            "xen,static-mem",
            Some(be(&[0, 1, 0])),
            "is 12 bytes long, not a multiple of 16",
        ),
        (
            "xen,static-mem",
            Some(be(&[0, 1, 0, 0])),
            "has size 0 at 0x1",
        ),
        (
            "xen,static-mem",
            Some(be(&[u32::MAX, u32::MAX, 0, 2])),
            "wraps: 0xffffffffffffffff and 0x2 bytes",
        ),
        (
            "xen,static-heap",
            Some(be(&[0, 1, 0, 1])),
            "is not implemented",
        ),
        ("sve", Some(be(&[256])), "is not implemented"),
        ("llc-colors", Some(b"1\0".to_vec()), "is not implemented"),
        ("domain-cpupool", Some(be(&[1])), "is not implemented"),
    ] {
        let rig = plain(|node| {
            match value {
                Some(value) => node.set(name, &value),
                None => node.remove(name),
            };
        });
        refused(&rig, &format!("{NODE}: `{name}` {words}"));
    }
    let fine = plain(|node| {
        node.set("passthrough", b"enabled\0")
            .set("trap-unmapped-accesses", &be(&[1]))
            .set("capabilities", &be(&[0]))
            .set("xen,enhanced", b"disabled\0")
            .set("max_grant_frames", &be(&[7]));
    });
    let proven = fine.prove();
    assert_eq!(proven.refusals(), []);
    let warnings: Vec<_> = proven.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [format!("{NODE}: `max_grant_frames` has no effect")]
    );
}

/// A node that says it gets no devices gets none, and is not run as if it had asked for none.
#[test]
fn disabled_passthrough_and_devices_contradict() {
    let mut rig = Rig::default();
    rig.with("one", &[gpio(HOLE)]);
    rig.host.at(NODE).set("passthrough", b"disabled\0");
    refused(
        &rig,
        &format!("{NODE}: `passthrough` is \"disabled\", yet /passthrough/gpio asks for a device"),
    );
    let mut rig = Rig::default();
    rig.with("one", &[]);
    rig.host.at(NODE).set("passthrough", b"disabled\0");
    assert_eq!(rig.refusal(), None);
}

/// Two properties of one name leave open which is meant.
#[test]
fn nothing_is_read_twice() {
    let rig = plain(|node| node.props.push(("cpus".to_owned(), be(&[2]))));
    refused(&rig, &format!("{NODE}: `cpus` is there twice"));
    let mut device = gpio(HOLE);
    device.props.push(("xen,path".to_owned(), b"/x\0".to_vec()));
    let mut rig = Rig::default();
    rig.with("one", &[device]);
    refused(&rig, "/passthrough/gpio: `xen,path` is there twice");
}

/// Modules are whole, of one known kind, in RAM and apart from everything else.
#[test]
fn modules_are_judged() {
    let kernel = |change: &dyn Fn(&mut Tree)| {
        plain(|node| {
            let module = node.children.last_mut().expect("the kernel");
            module.name = "kernel".to_owned();
            change(module);
        })
    };
    let at = "/chosen/one/kernel";
    let reg = |base: u64, size: u64| be(&[high(base), low(base), high(size), low(size)]);
    for (base, size, words) in [
        (0x4a00_0000, 0, "has size 0 at 0x4a000000".to_owned()),
        (
            0xffff_ffff_ffff_f000,
            0x1001,
            "wraps: 0xfffffffffffff000 and 0x1001 bytes".to_owned(),
        ),
        (
            0x3000_0000,
            0x1000,
            "names 0x30000000-0x30000fff, which is not in RAM".to_owned(),
        ),
        (
            0x4fff_f000,
            0x2000,
            "names 0x4ffff000-0x50000fff, which is not in RAM".to_owned(),
        ),
        (
            0x4020_0000,
            0x1000,
            "names 0x40200000-0x40200fff, which overlaps the hypervisor".to_owned(),
        ),
        (
            0x480f_f000,
            0x1000,
            "names 0x480ff000-0x480fffff, which overlaps the host device tree".to_owned(),
        ),
        (
            0x4b00_0000,
            0x1000,
            "names 0x4b000000-0x4b000fff, which cannot be read".to_owned(),
        ),
    ] {
        refused(
            &kernel(&|module| module.put("reg", &reg(base, size))),
            &format!("{at}: `reg` {words}"),
        );
    }
    for (value, words) in [
        (
            be(&[0, 0x4a00_0000, 0]),
            "is 12 bytes long, not a multiple of 16",
        ),
        (Vec::new(), "is empty"),
        (
            [reg(0x4a00_0000, 1), reg(0x4a00_0000, 1)].concat(),
            "names more than one range",
        ),
    ] {
        refused(
            &kernel(&|module| module.put("reg", &value)),
            &format!("{at}: `reg` {words}"),
        );
    }
    refused(
        &kernel(&|module| module.cut("reg")),
        &format!("{at}: `reg` is missing"),
    );
    for (compatible, words) in [
        (
            "multiboot,kernel",
            "names multiboot,kernel without multiboot,module",
        ),
        ("multiboot,module", "names no known kind of module"),
        (
            "multiboot,module\0multiboot,kernel\0multiboot,ramdisk",
            "names more than one kind of module",
        ),
        (
            "xen,domain-shared-memory-v1",
            "names xen,domain-shared-memory-v1, which is not implemented",
        ),
    ] {
        let value = [compatible.as_bytes(), &[0]].concat();
        refused(
            &kernel(&|module| module.put("compatible", &value)),
            &format!("{at}: `compatible` {words}"),
        );
    }
    let rig = plain(|node| node.children.clear());
    refused(
        &rig,
        &format!("{NODE}: `compatible` is that of a domain without a kernel"),
    );
    let rig = plain(|node| node.children.push(node.children[0].clone()));
    let name = rig.host.find(NODE).expect("the domain").children[0]
        .name
        .clone();
    refused(
        &rig,
        &format!("{NODE}/{name}: `compatible` names a second multiboot,kernel"),
    );
}

/// Two domains may be made from one kernel, but not from overlapping modules.
#[test]
fn modules_may_be_shared_whole() {
    let mut rig = Rig::default();
    rig.domain("one", None).domain("two", None);
    let shared = rig.host.find(NODE).expect("the domain").children[0].clone();
    rig.host.at("/chosen/two").children = vec![shared.clone()];
    assert_eq!(rig.refusal(), None);
    let reg = be(&[0, 0x4a00_0800, 0, 0x800]);
    rig.host.at("/chosen/two").children = vec![shared.bytes("reg", &reg)];
    let words = rig.refusal().expect("a refusal");
    assert!(words.starts_with("refuse domain two: "), "{words}");
    assert!(
        words.ends_with(
            "names 0x4a000800-0x4a000fff, which overlaps the module at 0x4a000000-0x4a000fff"
        ),
        "{words}"
    );
}

/// Only what begins like an Image is a kernel.
#[test]
fn kernels_are_images() {
    for (at, value, words) in [
        (56, 0, "which is no arm64 Image"),
        (24, 1, "names a big-endian kernel, flags 0x1"),
        (8, 1, "names a kernel with the text offset 0x1"),
        (11, 1, "names a kernel with the text offset 0x1000000"),
    ] {
        let mut rig = Rig::default();
        rig.domain("one", None);
        rig.memory[0].1[at] = value;
        let line = rig.refusal().expect("a refusal");
        assert!(line.ends_with(words), "{line}");
    }
}
