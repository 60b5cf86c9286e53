//! A domain's node, its modules, its interrupts and the shape of its partial tree.

use crate::rig::*;
use crate::tree::{Tree, be};

const HOLE: u64 = 0x3a00_0000;
const NODE: &str = "/chosen/one";

/// Proves a machine with one domain and expects this refusal.
#[track_caller]
fn refused(rig: &Rig, words: &str) {
    assert_eq!(rig.refusal(), Some(format!("refuse domain one: {words}")));
}

/// A machine with one domain without devices, whose node is changed.
fn plain(change: impl FnOnce(&mut Tree)) -> Rig {
    let mut rig = Rig::default();
    rig.domain("one", None);
    change(rig.host.at(NODE));
    rig
}

/// A machine with one domain and a partial tree.
fn with_tree(partial: &Tree) -> Rig {
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
            "is 989, more than the 988 of any GIC",
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
            Some(be(&[2])),
            "is 0x2; no capability is implemented",
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
        ("direct-map", Some(Vec::new()), "is not implemented"),
        (
            "xen,static-mem",
            Some(be(&[0, 1, 0, 1])),
            "is not implemented",
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
    let notices: Vec<_> = proven.notices().iter().map(ToString::to_string).collect();
    assert_eq!(
        notices,
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

/// Interrupts come from the host node, through whatever parents it names, and only shared lines
/// of the interrupt controller are routed.
#[test]
fn interrupts_are_the_hosts() {
    let with = |change: &dyn Fn(&mut Tree)| {
        let mut rig = Rig::default();
        rig.with("one", &[gpio(HOLE)]);
        change(&mut rig.host);
        rig
    };
    for (cells, words) in [
        (
            vec![1, 7, 4],
            "names private interrupt 7; only shared ones can be assigned",
        ),
        (vec![2, 7, 4], "names interrupt 7 of the unknown type 2"),
        (vec![0, 988, 4], "names interrupt 988, which no GIC has"),
        (
            vec![0, u32::MAX, 4],
            "names interrupt 4294967295, which no GIC has",
        ),
        (
            vec![0, 7, 0],
            "gives interrupt 7 the trigger 0, neither rising edge nor high level",
        ),
        (
            vec![0, 7, 2],
            "gives interrupt 7 the trigger 2, neither rising edge nor high level",
        ),
        (
            vec![0, 7, 8],
            "gives interrupt 7 the trigger 8, neither rising edge nor high level",
        ),
        (vec![0, 7], "is 8 bytes long, not a multiple of 12"),
        (vec![], "is empty"),
        (
            vec![0, 1, 4],
            "names INTID 33, which is that of the hypervisor's console",
        ),
        (
            vec![0, 0x4a, 1],
            "names INTID 106, which is that of an IOMMU",
        ),
        (
            vec![0, 0, 4],
            "names INTID 32, which is that of the emulated UART",
        ),
        (
            vec![0, 256, 4],
            "names INTID 288, beyond the 256 of the domain",
        ),
    ] {
        let rig = with(&|host| host.at(GPIO).put("interrupts", &be(&cells)));
        refused(&rig, &format!("{GPIO}: `interrupts` {words}"));
    }
    let rig = with(&|host| {
        host.at(GPIO).put(
            "interrupts-extended",
            &be(&[0x8002, 0, 9, 1, 0x8002, 0, 10, 4]),
        )
    });
    let lines: Vec<_> = rig.prove().domains()[0]
        .irqs
        .iter()
        .map(|irq| irq.line.intid())
        .collect();
    assert_eq!(
        lines,
        [41, 42],
        "interrupts-extended goes before interrupts"
    );
    for (cells, words) in [
        (vec![0x8002, 0, 9], "does not end with a whole interrupt"),
        (
            vec![0x7777, 0, 9, 4],
            "names phandle 0x7777, which no node has",
        ),
        (
            vec![0x8002, 1, 9, 4],
            "names private interrupt 9; only shared ones can be assigned",
        ),
    ] {
        let rig = with(&|host| host.at(GPIO).put("interrupts-extended", &be(&cells)));
        refused(&rig, &format!("{GPIO}: `interrupts-extended` {words}"));
    }
}

/// The limit of the domain is exact.
#[test]
fn nr_spis_is_a_limit() {
    for (limit, refused) in [(7, true), (8, false), (0, true)] {
        let mut rig = Rig::default();
        rig.with("one", &[gpio(HOLE)]);
        rig.host.at(NODE).set("nr_spis", &be(&[limit]));
        assert_eq!(rig.refusal().is_some(), refused, "nr_spis {limit}");
    }
    let rig = plain(|node| node.put("nr_spis", &be(&[0])));
    assert_eq!(
        rig.prove().domains()[0].nr_spis,
        1,
        "the emulated UART needs a line"
    );
}

/// Interrupts of another controller are not routed, and a line says so.
#[test]
fn other_controllers_are_told() {
    let mut rig = Rig::default();
    rig.with("one", &[rtc(HOLE)]);
    let gpio = rig.host.at(GPIO);
    gpio.set("interrupt-controller", &[])
        .set("#interrupt-cells", &be(&[2]));
    rig.host
        .at(RTC)
        .set("interrupts-extended", &be(&[0x8005, 3, 4]));
    let proven = rig.prove();
    assert_eq!(proven.refusals(), []);
    assert_eq!(proven.domains()[0].irqs, []);
    assert_eq!(proven.domains()[0].mmio.len(), 1);
    let notices: Vec<_> = proven.notices().iter().map(ToString::to_string).collect();
    assert_eq!(
        notices,
        [format!(
            "{RTC}: `interrupts-extended` goes to {GPIO}; not routed to d1"
        )]
    );
}

/// A chain of interrupt parents that bites its tail ends the domain, not the hypervisor.
#[test]
fn interrupt_parents_may_not_run_in_a_circle() {
    for controllers in [false, true] {
        for length in [1_u32, 2, 3] {
            let mut rig = Rig::default();
            rig.with("one", &[gpio(HOLE)]);
            for number in 0..length {
                let next = 0x9000 + (number + 1) % length;
                let mut node = Tree::new(&format!("ring{number}"))
                    .cells("phandle", &[0x9000 + number])
                    .cells("interrupt-parent", &[next]);
                if controllers {
                    node = node
                        .flag("interrupt-controller")
                        .cells("#interrupt-cells", &[3]);
                }
                rig.host.children.push(node);
            }
            rig.host.at(GPIO).set("interrupt-parent", &be(&[0x9000]));
            if controllers && length == 1 {
                // A controller that is its own parent is a root of its own.
                assert_eq!(rig.refusal(), None);
                continue;
            }
            refused(
                &rig,
                &format!("{GPIO}: `interrupt-parent` leads through a circle of nodes to no end"),
            );
        }
    }
    // The named node itself in the ring, as a pair of devices.
    let mut rig = Rig::default();
    rig.with("one", &[gpio(HOLE)]);
    rig.host
        .at(RTC)
        .set("phandle", &be(&[0x9001]))
        .set("interrupt-parent", &be(&[0x8005]));
    rig.host.at(GPIO).set("interrupt-parent", &be(&[0x9001]));
    refused(
        &rig,
        &format!("{GPIO}: `interrupt-parent` leads through a circle of nodes to no end"),
    );
}

/// A partial tree has one `passthrough`, a bus, and nothing elsewhere that would be lost.
#[test]
fn partial_trees_are_whole() {
    let base = || partial(&[gpio(HOLE)]);
    let mut tree = base();
    tree.at("/passthrough").remove("compatible");
    refused(
        &with_tree(&tree),
        "/passthrough: `compatible` does not name simple-bus",
    );
    let mut tree = base();
    tree.at("/passthrough").remove("ranges");
    refused(&with_tree(&tree), "/passthrough: `ranges` is missing");
    for name in ["passthrough", "Passthrough"] {
        let tree = base().child(Tree::new(name));
        refused(
            &with_tree(&tree),
            &format!("/{name}: `{name}` is a node that is there twice"),
        );
    }
    for lost in ["passthrough@0", "soc"] {
        let mut tree = base();
        tree.at("/passthrough").name = lost.to_owned();
        refused(
            &with_tree(&tree),
            &format!("/{lost}/gpio: `xen,reg` stands outside /passthrough"),
        );
    }
    let tree = base().flag("xen,force-assign-without-iommu");
    refused(
        &with_tree(&tree),
        "/: `xen,force-assign-without-iommu` stands outside /passthrough",
    );
    let tree = base().child(Tree::new("aliases").child(Tree::new("x")));
    refused(&with_tree(&tree), "/aliases/x: `x` is a node among aliases");
    let tree = base().child(Tree::new("memory@0"));
    let notices: Vec<_> = with_tree(&tree)
        .prove()
        .notices()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(notices, ["/memory@0: node has no effect"]);
    for (name, value) in [
        ("compatible", &b"arm,smmu-v3\0"[..]),
        ("#iommu-cells", &[0, 0, 0, 1]),
    ] {
        let mut tree = base();
        let bus = tree.at("/passthrough");
        bus.children.push(Tree::new("smmu").bytes(name, value));
        refused(
            &with_tree(&tree),
            "/passthrough/smmu: `compatible` describes an IOMMU, which no domain may see",
        );
    }
    // The bus itself may ask for something, by the cells of the root.
    let mut tree = partial(&[]);
    let request = gpio(HOLE);
    tree.at("/passthrough").props.extend(
        request
            .props
            .into_iter()
            .filter(|(name, _)| name != "compatible"),
    );
    assert_eq!(with_tree(&tree).refusal(), None);
    // Devices may sit at any depth.
    let inner = Tree::new("inner")
        .cells("#address-cells", &[2])
        .cells("#size-cells", &[2]);
    assert_eq!(
        with_tree(&partial(&[inner.child(gpio(HOLE))])).refusal(),
        None
    );
}

/// A phandle names one node.
#[test]
fn phandles_are_unique() {
    let node = |name: &str, phandle| Tree::new(name).cells("phandle", &[phandle]);
    refused(
        &with_tree(&partial(&[node("a", 5), node("b", 5)])),
        "/passthrough: `phandle` 0x5 is that of two nodes",
    );
    refused(
        &with_tree(&partial(&[node("a", 0xfde8)])),
        "/gic: `phandle` is 0xfde8, that of another node as well",
    );
    for bad in [0, u32::MAX] {
        refused(
            &with_tree(&partial(&[node("a", bad)])),
            &format!("/passthrough/a: `phandle` is {bad:#x}, which names no node"),
        );
    }
    refused(
        &with_tree(&partial(&[node("a", 5).cells("linux,phandle", &[6])])),
        "/passthrough/a: `linux,phandle` is 0x6, not 0x5",
    );
    assert_eq!(
        with_tree(&partial(&[node("a", 5).cells("linux,phandle", &[5])])).refusal(),
        None
    );
}

/// A partial tree that is no tree ends its domain, with the reader's own words.
#[test]
fn broken_partial_trees_end_their_domain_only() {
    let whole = partial(&[gpio(HOLE)]).blob();
    for (bytes, words) in [
        (
            whole[..8].to_vec(),
            "is 8 bytes long, shorter than a header",
        ),
        (whole[..40].to_vec(), "says it is "),
        (whole[..whole.len() / 2].to_vec(), "says it is "),
        (
            [&[0; 4], &whole[4..]].concat(),
            "begins with 0x00000000, not 0xd00dfeed",
        ),
    ] {
        let mut rig = Rig::default();
        rig.domain("one", Some(bytes)).with("two", &[gpio(HOLE)]);
        let proven = rig.prove();
        let lines: Vec<_> = proven.refusals().iter().map(ToString::to_string).collect();
        assert_eq!(lines.len(), 1);
        assert!(
            lines[0].contains(&format!("names a device tree that {words}")),
            "{lines:?}"
        );
        assert_eq!(proven.domains()[0].name, "two");
    }
}

/// However many odd nodes a tree has, the notices stay few; however many devices it asks for,
/// there is a bound, and it is not reached by what anybody needs.
#[test]
fn numbers_are_bounded() {
    let many = (0..100).fold(partial(&[]), |tree, n| {
        tree.child(Tree::new(&format!("n{n}")))
    });
    assert_eq!(with_tree(&many).prove().notices().len(), 17);
    let unit = |n: u64| {
        device(
            &format!("d{n}"),
            "",
            &[(0x0b00_0000 + n * 0x1000, 0x1000, HOLE + n * 0x1000)],
        )
    };
    let devices: Vec<Tree> = (0..1025).map(unit).collect();
    assert_eq!(with_tree(&partial(&devices[..1024])).refusal(), None);
    refused(
        &with_tree(&partial(&devices)),
        "/passthrough/d1024: `d1024` is one more than the 1024 devices a domain can have",
    );
    let mut rig = Rig::default();
    for n in 0..256 {
        rig.domain(&format!("d{n}"), None);
        rig.host.at(&format!("/chosen/d{n}")).remove("memory");
    }
    let last = rig.prove().refusals().last().map(ToString::to_string);
    assert_eq!(
        last.as_deref(),
        Some(
            "refuse domain d255: /chosen/d255: `compatible` is the node of one more domain than the 255 there can be"
        )
    );
}
