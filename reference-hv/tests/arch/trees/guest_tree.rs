//! The tree that a guest gets: what is made for it, what is copied, and what it must not see.

use refhv::addr::{Pa, Span};
use refhv::arch::aarch64::guest_tree::{GIC_PHANDLE, TreeError};
use refhv::assign::{Assignment, DomainPlan};

use crate::rig::*;
use crate::tree::{Tree, be};

const HOLE: u64 = 0x3a00_0000;

/// Proves a machine and makes the tree of its first domain.
fn guest(rig: &Rig) -> (Tree, DomainPlan) {
    let proven: Assignment = rig.prove();
    assert_eq!(proven.refusals(), []);
    let plan = proven.domains()[0].clone();
    let bytes = rig.tree(&plan).expect("a tree");
    assert!(bytes.len() as u64 <= plan.load.tree.size());
    (Tree::read(&bytes), plan)
}

fn text<'t>(tree: &'t Tree, path: &str, name: &str) -> &'t str {
    let value = tree
        .find(path)
        .and_then(|node| node.get(name))
        .unwrap_or_default();
    std::str::from_utf8(value).expect("text")
}

fn cells(tree: &Tree, path: &str, name: &str) -> Vec<u32> {
    let value = tree
        .find(path)
        .and_then(|node| node.get(name))
        .unwrap_or_default();
    value
        .chunks(4)
        .map(|cell| u32::from_be_bytes(cell.try_into().expect("cells")))
        .collect()
}

/// A kernel finds everything that it needs to start.
#[test]
fn the_machine_is_described() {
    let mut rig = Rig::default();
    rig.domain("one", None);
    let ramdisk = rig.load(vec![7; 0x1234]);
    let node = rig.host.at("/chosen/one");
    node.set("cpus", &be(&[2]))
        .children
        .push(module(ramdisk, "multiboot,ramdisk"));
    let (tree, plan) = guest(&rig);
    assert_eq!(cells(&tree, "/", "#address-cells"), [2]);
    assert_eq!(cells(&tree, "/", "#size-cells"), [2]);
    assert_eq!(cells(&tree, "/", "interrupt-parent"), [GIC_PHANDLE]);
    assert_eq!(text(&tree, "/chosen", "bootargs"), "say hello\0");
    assert_eq!(text(&tree, "/chosen", "stdout-path"), "/pl011@22000000\0");
    let start = plan.load.ramdisk.expect("a ramdisk").to.raw();
    assert_eq!(
        cells(&tree, "/chosen", "linux,initrd-start"),
        [0, low(start)]
    );
    assert_eq!(
        cells(&tree, "/chosen", "linux,initrd-end"),
        [0, low(start + 0x1234)]
    );
    assert_eq!(text(&tree, "/psci", "method"), "hvc\0");
    for cpu in ["cpu@0", "cpu@1"] {
        assert_eq!(
            text(&tree, &format!("/cpus/{cpu}"), "enable-method"),
            "psci\0"
        );
        assert_eq!(text(&tree, &format!("/cpus/{cpu}"), "device_type"), "cpu\0");
    }
    assert_eq!(cells(&tree, "/cpus/cpu@1", "reg"), [1]);
    assert!(tree.find("/cpus/cpu@2").is_none());
    assert_eq!(
        cells(&tree, "/memory@40000000", "reg"),
        [0, 0x4000_0000, 0, 0x100_0000]
    );
    let gic = "/interrupt-controller@3001000";
    assert_eq!(
        cells(&tree, gic, "reg"),
        [0, 0x300_1000, 0, 0x1_0000, 0, 0x302_0000, 0, 0x100_0000]
    );
    assert_eq!(cells(&tree, gic, "phandle"), [GIC_PHANDLE]);
    assert_eq!(
        cells(&tree, "/timer", "interrupts"),
        [1, 13, 4, 1, 14, 4, 1, 11, 4]
    );
    let uart = "/pl011@22000000";
    assert_eq!(
        text(&tree, uart, "compatible"),
        "arm,pl011\0arm,primecell\0"
    );
    assert_eq!(cells(&tree, uart, "interrupts"), [0, 0, 4]);
    let clock = cells(&tree, "/apb-pclk", "phandle");
    assert_eq!(cells(&tree, uart, "clocks"), [clock[0], clock[0]]);
    assert_ne!(clock, [GIC_PHANDLE]);

    rig.host.at("/chosen/one").cut("vpl011");
    let (tree, _) = guest(&rig);
    assert!(tree.find(uart).is_none() && tree.find("/apb-pclk").is_none());
    assert_eq!(text(&tree, "/chosen", "stdout-path"), "");
}

/// What is loaded lies in RAM, apart, where the tree says it does.
#[test]
fn loads_are_apart() {
    let mut rig = Rig::default();
    rig.with("one", &[gpio(HOLE)]);
    let ramdisk = rig.load(vec![7; 0x12_3456]);
    rig.host
        .at("/chosen/one")
        .children
        .push(module(ramdisk, "multiboot,ramdisk"));
    let (_, plan) = guest(&rig);
    let ramdisk = plan.load.ramdisk.expect("a ramdisk");
    let kernel = Span::new(plan.load.kernel.to, 0x10_0000).expect("a range");
    let disk = Span::new(ramdisk.to, ramdisk.from.size()).expect("a range");
    for (one, other) in [
        (kernel, disk),
        (kernel, plan.load.tree),
        (disk, plan.load.tree),
    ] {
        assert!(!one.overlaps(other) && plan.banks[0].covers(one) && plan.banks[0].covers(other));
    }
    assert_eq!(
        (
            ramdisk.to.raw() % 0x1000,
            plan.load.tree.first().raw() % 0x1000
        ),
        (0, 0)
    );
}

/// The guest gets its partial tree as it is, but for what was said to the hypervisor and what
/// leads to an IOMMU.
#[test]
fn partial_trees_are_copied_but_for_what_is_stripped() {
    let kept = gpio(HOLE)
        .cells("reg", &[0, low(HOLE), 0, 0x1000])
        .cells("interrupts", &[0, 7, 4])
        .cells("phandle", &[0x42])
        .bytes("odd", &[1, 2, 3])
        .bytes("xen,reg-not", &[9])
        .flag("empty");
    let stripped = [
        "xen,reg",
        "xen,path",
        "xen,force-assign-without-iommu",
        "xen,passthrough",
        "xen,pci-assigned",
        "iommus",
        "iommu-map",
        "iommu-map-mask",
        "msi-map",
    ];
    // Functions are asked for in one place alone.
    let others = stripped
        .into_iter()
        .skip(3)
        .filter(|name| *name != "xen,pci-assigned");
    let mut device = others.fold(kept.clone(), |node, name| node.cells(name, &[1]));
    device.children.push(
        Tree::new("child")
            .cells("iommus", &[1, 2])
            .text("label", "kept"),
    );
    let mut given =
        partial(&[device]).child(Tree::new("aliases").text("gpio0", "/passthrough/gpio"));
    given
        .at("/passthrough")
        .put("xen,pci-assigned", &be(&[0, 0, 0x18]));
    let mut rig = Rig::default();
    rig.machine.functions = crate::pci_claims::two();
    rig.domain("one", Some(given.blob()));
    let (tree, _) = guest(&rig);

    let mut wanted = given.at("/passthrough").clone();
    fn strip(node: &mut Tree, names: &[&str]) {
        node.props
            .retain(|(name, _)| !names.contains(&name.as_str()));
        node.children
            .iter_mut()
            .for_each(|child| strip(child, names));
    }
    strip(&mut wanted, &stripped);
    assert_eq!(tree.find("/passthrough"), Some(&wanted));
    assert_eq!(tree.find("/aliases"), given.find("/aliases"));
    assert!(tree.find("/gic").is_none());
    // Not even the names are left behind in the strings block.
    let proven = rig.prove();
    let bytes = rig.tree(&proven.domains()[0]).expect("a tree");
    for name in stripped {
        let name = [name.as_bytes(), &[0]].concat();
        assert!(!bytes.windows(name.len()).any(|window| window == name));
    }
}

/// The interrupt controller has the phandle that the partial tree refers to, and no phandle is
/// there twice.
#[test]
fn phandles_do_not_clash() {
    let node = |name: &str, phandle: u32| Tree::new(name).cells("phandle", &[phandle]);
    let default = GIC_PHANDLE;
    for (placeholder, others, gic) in [
        (Some(default), vec![], default),
        (Some(7), vec![default], 7),
        (None, vec![], default),
        (None, vec![5], default),
        (None, vec![default], default + 1),
        (None, vec![default, default + 1], default + 2),
        (None, vec![default + 1], default),
        (None, vec![u32::MAX - 1], default),
        (Some(u32::MAX - 1), vec![1], u32::MAX - 1),
    ] {
        let names = ["a", "b"];
        let devices: Vec<Tree> = names
            .iter()
            .zip(&others)
            .map(|(name, phandle)| node(name, *phandle))
            .collect();
        let mut given = partial(&devices);
        match placeholder {
            Some(phandle) => given.at("/gic").put("phandle", &be(&[phandle])),
            None => given.at("/gic").cut("phandle"),
        }
        let mut rig = Rig::default();
        rig.domain("one", Some(given.blob()));
        let (tree, _) = guest(&rig);
        assert_eq!(
            cells(&tree, "/interrupt-controller@3001000", "phandle"),
            [gic],
            "{placeholder:?} {others:x?}"
        );
        assert_eq!(cells(&tree, "/", "interrupt-parent"), [gic]);
        let clock = cells(&tree, "/apb-pclk", "phandle")[0];
        let mut all = [others.as_slice(), &[gic, clock]].concat();
        all.sort_unstable();
        assert!(all.windows(2).all(|pair| pair[0] != pair[1]), "{all:x?}");
    }
}

/// Partial trees of all sizes up to 2 MiB reach the guest; one of a byte more does not.
#[test]
fn sizes_up_to_two_mebibytes() {
    let limit = 2 * 1024 * 1024;
    for size in [2048, 4096, 65_536, limit - 1, limit, limit + 1] {
        let mut tree = partial(&[gpio(HOLE)]);
        tree.at("/passthrough").put("filler", &[]);
        let rest = size - tree.blob().len();
        tree.at("/passthrough")
            .put("filler", &vec![0x5a; rest / 4 * 4]);
        // What is missing to a whole word goes behind the tree's own end.
        let mut bytes = tree.blob();
        bytes.resize(size, 0);
        bytes[4..8].copy_from_slice(&be(&[u32::try_from(size).expect("small")]));
        let mut rig = Rig::default();
        rig.domain("one", Some(bytes));
        if size > limit {
            let line = rig.refusal().expect("a refusal");
            assert!(
                line.ends_with(
                    "names a device tree that says it is 2097153 bytes long, more than 2097152"
                ),
                "{line}"
            );
            continue;
        }
        // What is added may make the whole longer than any tree that is read here.
        let bytes = rig.tree(&rig.prove().domains()[0]).expect("a tree");
        let value = vec![0x5a; rest / 4 * 4];
        let found = bytes
            .windows(4)
            .position(|window| window == [0x5a; 4])
            .expect("the filler");
        assert_eq!(
            bytes.get(found..found + value.len()),
            Some(value.as_slice())
        );
    }
}

/// A partial tree that changes between proof and use is noticed.
#[test]
fn a_changed_tree_is_noticed() {
    let mut rig = Rig::default();
    rig.with("one", &[gpio(HOLE)]);
    let plan = rig.prove().domains()[0].clone();
    let at = plan
        .partial
        .map(Span::first)
        .map(Pa::raw)
        .expect("a partial tree");
    let tree = rig
        .memory
        .iter_mut()
        .find(|(base, _)| *base == at)
        .expect("its bytes");
    tree.1[0] = 0;
    assert_eq!(rig.tree(&plan), Err(TreeError::Changed));
}
