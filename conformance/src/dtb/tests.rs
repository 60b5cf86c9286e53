use dtb_gen::{Node, Prop};
use wire::Script;

use super::*;
use crate::sample::{NONCE, scenario};

fn base() -> Tree {
    let soc = |name: &str, at: u32| Node::new(name).with("reg", [0, at, 0, 0x1000]);
    let root = Node::new("")
        .with("#address-cells", 2_u32)
        .with("#size-cells", 2_u32)
        .child(
            Node::new("memory@40000000")
                .with("device_type", "memory")
                .with("reg", [0_u32, 0x4000_0000, 0, 0x1000_0000]),
        )
        .child(
            soc("pl061@9030000", 0x903_0000)
                .with("compatible", "arm,pl061")
                .with("interrupts", [0_u32, 7, 4]),
        )
        .child(soc("pl031@9010000", 0x901_0000));
    Tree {
        root,
        ..Tree::default()
    }
}

fn built_in(rest: &str, modules: runners::Modules) -> Result<Blobs, String> {
    let probe: Arc<[u8]> = vec![0xaa_u8; 0x1800].into();
    let base = base();
    let context = BuildContext {
        base: &base,
        probe: &probe,
        hypervisor_args: "fault=x",
        nonce: NONCE,
        modules,
        guest: &crate::sample::profile().guest,
        host: None,
    };
    blobs(&scenario(rest), &context)
}

fn built(rest: &str) -> Result<(Blobs, Tree), String> {
    let made = built_in(rest, crate::sample::profile().modules)?;
    let host = Tree::read(&made.host).map_err(|error| error.to_string())?;
    Ok((made, host))
}

fn names(blobs: &Blobs) -> Vec<&str> {
    blobs
        .modules
        .iter()
        .map(|(name, ..)| name.as_str())
        .collect()
}

fn kernel(host: &Tree, domain: &str) -> Node {
    let node = host.find(&format!("/chosen/{domain}")).unwrap();
    let is_kernel = |child: &&Node| {
        child
            .get("compatible")
            .is_some_and(|prop| prop.texts().unwrap().contains(&"multiboot,kernel"))
    };
    node.children.iter().find(is_kernel).unwrap().clone()
}

/// The probe's image is loaded once, and it is the kernel of every domain.
#[test]
fn one_probe_for_all() {
    let (made, host) = built("    domains: [{name: dA}, {name: dB, refused: []}]\n").unwrap();
    assert_eq!(names(&made), ["probe"]);
    let regs: Vec<Prop> = ["dA", "dB", "sentinel"]
        .map(|name| kernel(&host, name).get("reg").unwrap().clone())
        .into();
    assert!(regs.iter().all(|reg| *reg == regs[0]), "{regs:?}");
    let (_, at, bytes) = &made.modules[0];
    assert_eq!(
        regs[0].cells().unwrap(),
        [0, u32::try_from(*at).unwrap(), 0, 0x1800]
    );
    assert_eq!(bytes.len(), 0x1800);
    let arguments = host
        .find("/chosen")
        .unwrap()
        .get("xen,xen-bootargs")
        .unwrap();
    assert_eq!(arguments.text(), Some("fault=x"));
}

/// Each domain's boot arguments are its own script, with the nonce of the run and its own number.
#[test]
fn scripts_go_by_the_arguments() {
    let (_, host) = built("    domains: [{name: dA, script: [read32 0x10]}]\n").unwrap();
    let args = |name| {
        kernel(&host, name)
            .get("bootargs")
            .unwrap()
            .text()
            .unwrap()
            .to_owned()
    };
    let script: Script = Script::parse(&args("dA")).unwrap();
    assert_eq!((script.nonce, script.dom, script.ops.len()), (NONCE, 1, 1));
    assert_eq!(Script::parse(&args("sentinel")).unwrap().dom, 2);
}

/// A script too long for the arguments becomes a ramdisk after the probe, on a page of its own.
#[test]
fn long_scripts_go_by_a_ramdisk() {
    let lines: Vec<String> = (0..60)
        .map(|place| format!("read32 {:#x}", 0x1000_0000 + 4 * place))
        .collect();
    let (made, host) = built(&format!(
        "    domains: [{{name: dA, script: [{}]}}]\n",
        lines.join(", ")
    ))
    .unwrap();
    assert_eq!(names(&made), ["probe", "dA-script"]);
    let (_, at, bytes) = &made.modules[1];
    assert_eq!(*at, made.modules[0].1 + 0x2000);
    let script = Script::parse(std::str::from_utf8(bytes).unwrap()).unwrap();
    assert_eq!((script.ops.len(), script.dom), (60, 1));
    let args = kernel(&host, "dA")
        .get("bootargs")
        .unwrap()
        .text()
        .unwrap()
        .to_owned();
    assert!(args.len() < 100, "{args}");
    assert!(host.find("/chosen/dA").unwrap().children.len() == 2);
}

/// `{kernel}`, `{ramdisk}` and `{tree}` in edits of the host tree refer to the nodes of that domain's modules.
#[test]
fn edits_reach_module_nodes() {
    let rest = |part: &str| {
        format!(
            "    host: ['set /chosen/dA/{{{part}}} label hit']\n    domains: [{{name: dA, devices: [{{node: x}}]}}]\n"
        )
    };
    for (part, kind) in [
        ("kernel", "multiboot,kernel"),
        ("tree", "multiboot,device-tree"),
    ] {
        let (_, host) = built(&rest(part)).unwrap();
        let domain = host.find("/chosen/dA").unwrap();
        let hit = domain
            .children
            .iter()
            .find(|child| child.has("label"))
            .unwrap();
        assert!(
            hit.get("compatible")
                .unwrap()
                .texts()
                .unwrap()
                .contains(&kind),
            "{part}"
        );
    }
    // If the domain does not have the module, the error quotes the name as written.
    let why = built(&rest("ramdisk")).unwrap_err();
    assert!(why.contains("/chosen/dA/{ramdisk}"), "{why}");
}

/// The host nodes of the devices are marked, by path or by address; a list in the case replaces the marks.
#[test]
fn devices_are_marked_for_passthrough() {
    let marked = |rest: &str| -> Vec<String> {
        let (_, host) = built(rest).unwrap();
        host.paths()
            .into_iter()
            .filter(|path| host.find(path).unwrap().has("xen,passthrough"))
            .collect()
    };
    let by_path = "    domains: [{name: dA, devices: [{node: x, path: /pl031@9010000}]}]\n";
    assert_eq!(marked(by_path), ["/pl031@9010000"]);
    let by_address =
        "    domains: [{name: dA, devices: [{node: x, reg: [0x9030800 0x100 0x9030000]}]}]\n";
    assert_eq!(marked(by_address), ["/pl061@9030000"]);
    let memory =
        "    domains: [{name: dA, devices: [{node: x, reg: [0x40000000 0x1000 0x9030000]}]}]\n";
    assert_eq!(marked(memory), [""; 0]);
    let nothing = "    domains: [{name: dA, devices: [{node: x, path: /nowhere}]}]\n";
    assert_eq!(marked(nothing), [""; 0]);
    let listed = "    passthrough: [/pl061@9030000]\n    domains: [{name: dA, devices: [{node: x, path: /pl031@9010000}]}]\n";
    assert_eq!(marked(listed), ["/pl061@9030000"]);
    let none = "    passthrough: []\n    domains: [{name: dA, devices: [{node: x, path: /pl031@9010000}]}]\n";
    assert_eq!(marked(none), [""; 0]);
}

/// Modules that do not fit into their area are reported by name, size and place; no address wraps.
#[test]
fn modules_stay_in_their_area() {
    let rest = "    domains: [{name: dA, devices: [{node: x}]}]\n";
    let area = |base, size| runners::Modules {
        base,
        size,
        align: 0x1000,
    };
    let room = built_in(rest, area(0x4a00_0000, 0x3000)).unwrap();
    assert_eq!(names(&room), ["probe", "dA-tree"]);
    let why = built_in(rest, area(0x4a00_0000, 0x2000)).unwrap_err();
    assert!(
        why.contains("module `dA-tree` of") && why.contains("0x4a002000"),
        "{why}"
    );
    let why = built_in(rest, area(0x4a00_0000, 0x1000)).unwrap_err();
    assert!(why.contains("module `probe` of 6144 bytes"), "{why}");
    assert!(built_in(rest, area(u64::MAX - 0xfff, u64::MAX)).is_err());
}

/// The tree kept for judging is the one before the defect; the blob in memory has the defect.
#[test]
fn defects_are_in_the_blob_only() {
    let rest = "    domains: [{name: dA, devices: [{node: x}], partial: {corrupt: magic}}]\n";
    let (made, _) = built(rest).unwrap();
    let (_, _, blob) = &made.modules[1];
    assert!(Tree::read(blob).is_err());
    assert!(made.partials[0].1.find("/passthrough/x").is_some());
}

/// The guest's description is that of the host node unless the case says otherwise, and its interrupts belong to the
/// interrupt controller.
#[test]
fn devices_are_described_like_their_host_nodes() {
    let rest = "    domains: [{name: dA, devices: [{node: x, path: /pl061@9030000, props: {interrupts: <0 9 1>, label: 'y'}}]}]\n";
    let (made, _) = built(rest).unwrap();
    let node = made.partials[0].1.find("/passthrough/x").unwrap();
    assert_eq!(node.get("compatible").unwrap().text(), Some("arm,pl061"));
    assert_eq!(node.get("interrupts").unwrap().cells().unwrap(), [0, 9, 1]);
    assert_eq!(
        node.get("interrupt-parent").unwrap().u32(),
        Some(CONTROLLER_PHANDLE)
    );
    assert_eq!(node.get("label").unwrap().text(), Some("y"));
    // If the controller has another phandle, the interrupts refer to that one.
    let rest = rest.replace("devices:", "partial: {controller: 0x1234}, devices:");
    let (made, _) = built(&rest).unwrap();
    let node = made.partials[0].1.find("/passthrough/x").unwrap();
    assert_eq!(node.get("interrupt-parent").unwrap().u32(), Some(0x1234));
}
