//! Domains that control others, and the one that has the hardware.

use refhv::assign::{Assignment, DomainPlan};

use crate::domains::{NODE, plain, refused};
use crate::rig::*;
use crate::static_memory::direct;
use crate::tree::{Tree, be};

const HOLE: u64 = 0x3a00_0000;
const BANK: (u64, u64) = (0x4c00_0000, 0x100_0000);

/// A machine with a kernel, and whatever else, directly under /chosen.
pub fn with_zero(change: impl FnOnce(&mut Tree)) -> Rig {
    let mut rig = Rig::default();
    let kernel = rig.load(kernel());
    let chosen = rig.host.at("/chosen");
    chosen.children.push(module(kernel, "multiboot,kernel"));
    change(chosen);
    rig
}

pub fn first(rig: &Rig) -> DomainPlan {
    let proven = rig.prove();
    assert_eq!(proven.refusals(), []);
    proven.domains()[0].clone()
}

fn tree(rig: &Rig) -> Tree {
    Tree::read(&rig.tree(&first(rig)).expect("a tree"))
}

fn lines(proven: &Assignment) -> Vec<String> {
    proven.refusals().iter().map(ToString::to_string).collect()
}

fn covers(plan: &DomainPlan, page: u64) -> bool {
    let mut spans = plan.mmio.iter().map(|map| map.host().expect("a range"));
    spans.any(|span| span.contains(refhv::addr::Pa::new(page)))
}

/// The kernel under /chosen makes domain 0, which controls and has the hardware, with RAM at its
/// host address.
#[test]
fn modules_under_chosen_make_domain_zero() {
    let mut rig = with_zero(|_| ());
    rig.domain("one", None);
    let proven = rig.prove();
    assert_eq!(proven.refusals(), []);
    let [zero, one] = proven.domains() else {
        panic!("two domains, not {:?}", proven.domains())
    };
    assert_eq!((zero.id.number(), zero.name.as_str()), (0, "dom0"));
    assert_eq!((one.id.number(), one.name.as_str()), (1, "one"));
    assert!(zero.privilege.control && zero.privilege.hardware);
    assert!(!one.privilege.control && !one.privilege.hardware);
    assert_eq!(
        (zero.memory, zero.cpus, zero.static_memory),
        (32 << 20, 1, false)
    );
    for map in &zero.ram {
        assert_eq!(map.ipa.raw(), map.pa.raw());
    }
    assert_eq!(zero.load.kernel.to.raw() % 0x20_0000, 0);
    assert_eq!(zero.kernel_args, None);
}

/// Its size, its CPUs and its command line stand where Xen has them.
#[test]
fn arguments_of_domain_zero_are_the_hypervisors() {
    let with = |arguments: &str, change: &dyn Fn(&mut Tree)| {
        with_zero(|chosen| {
            chosen.put("xen,xen-bootargs", format!("{arguments}\0").as_bytes());
            change(chosen);
        })
    };
    let plan = first(&with("dom0_mem=64M dom0_max_vcpus=3", &|_| ()));
    assert_eq!((plan.memory, plan.cpus), (64 << 20, 3));
    for (arguments, words) in [
        ("dom0_mem=lots", "`dom0_mem` is lots, no size"),
        (
            "dom0_mem=0",
            "`dom0_mem` is 0 KiB, for which no RAM in one piece is free",
        ),
        (
            "dom0_mem=4097",
            "`dom0_mem` is 4097 KiB, for which no RAM in one piece is free",
        ),
        (
            "dom0_mem=4G",
            "`dom0_mem` is 4194304 KiB, for which no RAM in one piece is free",
        ),
        (
            "dom0_mem=1M",
            "`dom0_mem` is 1024 KiB, too little for kernel and device tree",
        ),
        ("dom0_max_vcpus=two", "`dom0_max_vcpus` is two, no number"),
        ("dom0_max_vcpus=9", "`dom0_max_vcpus` is 9, not 1 to 8"),
    ] {
        let proven = with(arguments, &|_| ()).prove();
        assert_eq!(
            lines(&proven),
            [format!("refuse domain dom0: /chosen: {words}")]
        );
        assert_eq!(proven.refusals()[0].number, 0);
    }
    let said = |change: &dyn Fn(&mut Tree)| first(&with("", change)).kernel_args;
    let plain = |chosen: &mut Tree| chosen.put("bootargs", b"plain\0");
    let own = |chosen: &mut Tree| chosen.put("xen,dom0-bootargs", b"own\0");
    let modules = |chosen: &mut Tree| chosen.children[0].put("bootargs", b"module\0");
    assert_eq!(said(&plain).as_deref(), Some("plain"));
    assert_eq!(
        said(&|chosen| (plain(chosen), own(chosen)).1).as_deref(),
        Some("own")
    );
    assert_eq!(
        said(&|chosen| (own(chosen), modules(chosen)).1).as_deref(),
        Some("module")
    );
    // Without arguments of the hypervisor's own these are its, not the kernel's.
    assert_eq!(first(&with_zero(plain)).kernel_args, None);
}

/// The names of before Xen 4.4 are understood here, and only here.
#[test]
fn old_names_of_modules_are_understood() {
    let old = |chosen: &mut Tree| {
        chosen.children[0].put("compatible", b"xen,linux-zimage\0xen,multiboot-module\0");
    };
    let mut rig = with_zero(old);
    let disk = rig.load(vec![1; 0x2000]);
    let node = module(disk, "x").text("compatible", "xen,linux-initrd\0xen,multiboot-module");
    rig.host.at("/chosen").children.push(node);
    let plan = first(&rig);
    assert!(plan.load.ramdisk.is_some());
    let tree = tree(&rig);
    assert!(
        tree.find("/chosen")
            .expect("chosen")
            .get("linux,initrd-start")
            .is_some()
    );
    let rig = plain(|node| {
        let module = &mut node.children[0];
        module.put("compatible", b"xen,linux-zimage\0xen,multiboot-module\0");
        module.name = "kernel".to_owned();
    });
    refused(
        &rig,
        "/chosen/one/kernel: `compatible` names xen,linux-zimage, which is not implemented",
    );
}

/// Modules under /chosen that make no domain are refused, and other nodes there are nobody's.
#[test]
fn modules_under_chosen_are_judged() {
    for (compatible, words) in [
        (
            "multiboot,kernel",
            "names multiboot,kernel without multiboot,module",
        ),
        ("multiboot,module", "names no known kind of module"),
        (
            "xen,xsm-policy\0multiboot,module",
            "names no known kind of module",
        ),
        (
            "multiboot,module\0multiboot,device-tree",
            "names multiboot,device-tree for dom0, the hardware domain, which gets the host's own",
        ),
    ] {
        let rig = with_zero(|chosen| {
            let odd = Tree::new("odd").text("compatible", compatible);
            chosen
                .children
                .push(odd.cells("reg", &[0, 0x4b00_0000, 0, 0x1000]));
        });
        assert_eq!(
            lines(&rig.prove()),
            [format!(
                "refuse domain dom0: /chosen/odd: `compatible` {words}"
            )]
        );
    }
    let rig = with_zero(|chosen| {
        chosen
            .children
            .push(Tree::new("framebuffer").text("compatible", "simple-framebuffer"));
    });
    assert_eq!(rig.refusal(), None);
    let rig = with_zero(|chosen| {
        chosen.children[0].put("compatible", b"multiboot,ramdisk\0multiboot,module\0");
    });
    assert_eq!(
        rig.refusal().as_deref(),
        Some("refuse domain dom0: /chosen: `compatible` is that of a domain without a kernel")
    );
}

/// The hardware domain has every device that is neither reserved nor the hypervisor's.
#[test]
fn the_hardware_domain_has_what_is_left() {
    let rig = with_zero(|_| ());
    let plan = first(&rig);
    for page in [
        0x0000_0000,
        0x03ff_f000,
        0x0902_0000,
        0x0a00_0000,
        0x0a00_3000,
    ] {
        assert!(covers(&plan, page), "{page:#x} is missing");
    }
    // What is behind a PCI host bridge it finds by way of the configuration, and not before.
    assert_eq!(plan.view.as_ref().expect("a view").bridges, [0]);
    for page in [0x40_1000_0000, 0x1000_0000, 0x80_0000_0000] {
        assert!(!covers(&plan, page), "{page:#x} is mapped");
    }
    for page in [
        GPIO_AT,
        RTC_AT,
        0x0800_0000,
        0x0808_0000,
        0x080a_0000,
        0x0900_0000,
        0x0905_0000,
        0x0906_f000,
        0x4000_0000,
        0x0c00_0000,
    ] {
        assert!(!covers(&plan, page), "{page:#x} is given");
    }
    for map in &plan.mmio {
        assert_eq!(map.ipa.raw(), map.pa.raw());
    }
    let has = |intid: u32| plan.irqs.iter().any(|irq| irq.line.number() == intid);
    assert!((48..80).all(has), "virtio's lines");
    assert!((35..39).all(has), "those of PCI's pins");
    assert!(!has(33) && !has(34) && !has(39) && !(106..110).any(has));
}

/// Its memory, which its devices reach past any translation, is nobody else's when it gives it up.
#[test]
fn memory_of_the_hardware_domain_is_nobodys_after_it() {
    let rig = with_zero(|_| ());
    let ram = first(&rig).ram;
    assert!(!ram.is_empty());
    rig.resources(|resources| {
        let free = resources.free();
        for span in ram.iter().filter_map(|ram| ram.host()) {
            resources.give_back(span, true);
        }
        assert_eq!(resources.free(), free);
    });
}

/// Its tree is the host's, without IOMMUs and what leads to them, without what the hypervisor keeps,
/// and with reserved devices switched off.
#[test]
fn the_hardware_domain_sees_the_hosts_tree_filtered() {
    let mut rig = with_zero(|_| ());
    rig.host
        .at("/virtio_mmio@a000000")
        .put("iommus", &be(&[0x8004, 5]));
    rig.host.at(RTC).put("status", b"okay\0");
    let below = Tree::new("below")
        .flag("xen,passthrough")
        .text("status", "okay");
    rig.host.at(GPIO).children.push(below);
    let tree = tree(&rig);
    for path in [
        "/smmuv3@9050000",
        "/intc@8000000",
        "/pl011@9000000",
        "/chosen/module@4a000000",
    ] {
        assert_eq!(tree.find(path), None, "{path}");
    }
    for path in [GPIO, RTC, "/pl061@9030000/below"] {
        let node = tree
            .find(path)
            .unwrap_or_else(|| panic!("{path} is missing"));
        assert_eq!(node.get("status"), Some(&b"disabled\0"[..]), "{path}");
        assert_eq!(
            node.props
                .iter()
                .filter(|(name, _)| name == "status")
                .count(),
            1
        );
        assert_eq!(node.get("xen,passthrough"), None);
    }
    let pci = tree.find("/pcie@10000000").expect("the bridge");
    assert_eq!((pci.get("iommu-map"), pci.get("msi-map")), (None, None));
    assert!(pci.get("ranges").is_some());
    let virtio = tree.find("/virtio_mmio@a000000").expect("virtio");
    let mut wanted = rig
        .host
        .find("/virtio_mmio@a000000")
        .expect("virtio")
        .clone();
    wanted.cut("iommus");
    assert_eq!(*virtio, wanted);
    assert_eq!(tree.find("/aliases").expect("aliases").props, []);
    assert_eq!(tree.get("interrupt-parent"), Some(be(&[0x8002]).as_slice()));
    let gic = tree.find("/interrupt-controller@8000000").expect("a GIC");
    assert_eq!(gic.get("phandle"), Some(be(&[0x8002]).as_slice()));
    assert_eq!(gic.get("#address-cells"), Some(be(&[2]).as_slice()));
    let reg = be(&[0, 0x800_0000, 0, 0x1_0000, 0, 0x80a_0000, 0, 0xf6_0000]);
    assert_eq!(gic.get("reg"), Some(reg.as_slice()));
    assert_eq!(
        tree.find("/psci").expect("psci").get("method"),
        Some(&b"hvc\0"[..])
    );
    assert_eq!(
        tree.find("/pmu").expect("pmu").get("status"),
        Some(&b"disabled\0"[..])
    );
    let base = first(&rig).banks[0].first().raw();
    assert!(tree.find(&format!("/memory@{base:x}")).is_some());
    assert_eq!(tree.find("/memory@40000000"), None);
    for name in ["timer", "cpus", "psci", "chosen", "hypervisor"] {
        let count = tree
            .children
            .iter()
            .filter(|node| node.name == name)
            .count();
        assert_eq!(count, 1, "{name}");
    }
}

/// A device that shares a page, a line or a bridge with one that is reserved is withheld whole.
#[test]
fn what_is_shared_with_a_reserved_device_is_withheld() {
    let mut rig = with_zero(|_| ());
    rig.host
        .at("/virtio_mmio@a000200")
        .put("xen,passthrough", &[]);
    rig.host
        .at("/virtio_mmio@a001000")
        .put("interrupts", &be(&[0, 7, 4]));
    let bar = Tree::new("edu@10000000")
        .text("compatible", "qemu,edu")
        .cells("reg", &[0, 0x1000_0000, 0, 0x10_0000])
        .flag("xen,passthrough");
    rig.host.children.push(bar);
    let plan = first(&rig);
    let seen = tree(&rig);
    for (path, page) in [
        ("/virtio_mmio@a000000", 0x0a00_0000),
        ("/virtio_mmio@a001000", u64::MAX),
        ("/pcie@10000000", 0x40_1000_0000),
        ("/edu@10000000", 0x1000_0000),
    ] {
        assert!(!covers(&plan, page), "{path}");
        let node = seen.find(path).expect("the node");
        assert_eq!(node.get("status"), Some(&b"disabled\0"[..]), "{path}");
    }
    assert!(
        covers(&plan, 0x0a00_1000),
        "its page is its neighbours' as well"
    );
    assert!(
        !plan
            .irqs
            .iter()
            .any(|irq| [39, 48, 56].contains(&irq.line.number()))
    );
}

/// Reserved devices are the others' to have, and what the hardware domain has is not.
#[test]
fn others_get_what_is_reserved() {
    let mut rig = with_zero(|_| ());
    rig.with("one", &[gpio(HOLE)]);
    assert_eq!(rig.refusal(), None);
    rig.host
        .at("/virtio_mmio@a000000")
        .put("interrupts", &be(&[0, 7, 4]));
    assert_eq!(rig.refusal(), None);
    let mut rig = with_zero(|_| ());
    rig.with("one", &[gpio(HOLE)]);
    rig.host.at(GPIO).cut("xen,passthrough");
    assert_eq!(
        rig.refusal(),
        Some(format!(
            "refuse domain one: /passthrough/gpio: `xen,path` names {GPIO}, which is not marked `xen,passthrough`"
        ))
    );
}

/// A domain's node can ask for either role; there is one hardware domain, the first.
#[test]
fn capabilities_are_roles() {
    for (bits, control) in [(0, false), (1, true), (4, false), (5, true)] {
        let rig = plain(|node| node.put("capabilities", &be(&[bits])));
        let plan = first(&rig);
        assert_eq!(
            (plan.privilege.control, plan.privilege.hardware),
            (control, false)
        );
        assert!(plan.view.is_none());
        let seen = tree(&rig);
        assert_eq!(seen.find("/hypervisor").is_some(), control, "{bits}");
    }
    let seen = tree(&plain(|node| node.put("capabilities", &be(&[1]))));
    let node = seen.find("/hypervisor").expect("the node");
    assert_eq!(
        node.get("compatible"),
        Some(&b"xen,xen-4.20\0xen,xen\0"[..])
    );
    assert_eq!(
        node.get("reg"),
        Some(be(&[0, 0x3800_0000, 0, 0x100_0000]).as_slice())
    );
    assert_eq!(node.get("interrupts"), Some(be(&[1, 15, 0xf08]).as_slice()));

    let hardware = |node: &mut Tree| {
        direct(node, &[BANK]);
        node.put("capabilities", &be(&[3]));
    };
    let mut rig = plain(hardware);
    let plan = first(&rig);
    assert!(plan.privilege.control && plan.privilege.hardware && plan.static_memory);
    assert!(covers(&plan, 0x0a00_0000) && !covers(&plan, GPIO_AT));
    // Its console is emulated where the host has it.
    let seen = tree(&rig);
    assert!(seen.find("/pl011@9000000").is_some() && seen.find("/hypervisor").is_some());

    let kernel = rig.load(kernel());
    let zero = module(kernel, "multiboot,kernel");
    rig.host.at("/chosen").children.push(zero);
    refused(
        &rig,
        &format!("{NODE}: `capabilities` asks for the hardware, which d0 has already"),
    );
}

/// What the hardware domain has by being it cannot be asked for besides.
#[test]
fn the_hardware_domain_asks_for_nothing_more() {
    let with = |change: &dyn Fn(&mut Tree)| {
        plain(|node| {
            direct(node, &[BANK]);
            node.put("capabilities", &be(&[2]));
            change(node);
        })
    };
    assert_eq!(with(&|_| ()).refusal(), None);
    for (name, value) in [
        ("nr_spis", be(&[64])),
        ("passthrough", b"enabled\0".to_vec()),
    ] {
        let words = "stands in the node of the hardware domain, which has what the host has";
        refused(
            &with(&|node| node.put(name, &value)),
            &format!("{NODE}: `{name}` {words}"),
        );
    }
    let mut rig = Rig::default();
    rig.with("one", &[gpio(HOLE)]);
    let node = rig.host.at(NODE);
    direct(node, &[BANK]);
    node.put("capabilities", &be(&[2]));
    let tree = node.children.last_mut().expect("the partial tree");
    tree.name = "tree".to_owned();
    refused(
        &rig,
        "/chosen/one/tree: `compatible` names multiboot,device-tree for one, the hardware domain, which gets the host's own",
    );
}
