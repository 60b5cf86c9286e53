//! Foreign parsers, the `fdt` crate and dtc, read what was written.

use std::collections::BTreeSet;
use std::process::Command;

use dtb_gen::{Node, Prop, Tree, Value, dts};
use proptest::collection::vec;
use proptest::prelude::*;

#[path = "support/arch.rs"]
mod arch;
#[path = "support/tools.rs"]
mod tools;

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        vec(any::<u8>(), 0..40),
        vec(any::<u32>(), 1..9).prop_map(|cells| Value::Cells(cells).bytes()),
        vec("[ -~]{0,12}", 1..4).prop_map(|texts| Value::Texts(texts).bytes()),
        "\\PC{0,8}".prop_map(|text| Value::Text(text).bytes()),
    ]
}

fn props() -> impl Strategy<Value = Vec<Prop>> {
    let prop = ("[a-zA-Z0-9,._+?#-]{1,31}", value()).prop_map(|(name, value)| Prop { name, value });
    vec(prop, 0..5).prop_map(|props| distinct(props, |prop| prop.name.clone()))
}

fn node() -> impl Strategy<Value = Node> {
    let name = "[a-zA-Z][a-zA-Z0-9,._+-]{0,30}(@[0-9a-f,]{1,9})?";
    let make = |(name, props, children)| Node {
        name,
        props,
        children,
    };
    let leaf = (name, props(), Just(Vec::new())).prop_map(make);
    leaf.prop_recursive(6, 30, 4, move |inner| {
        let children =
            vec(inner, 0..4).prop_map(|nodes| distinct(nodes, |node: &Node| node.name.clone()));
        (name, props(), children).prop_map(make)
    })
}

fn tree() -> impl Strategy<Value = Tree> {
    let reserved = vec((1_u64..1 << 60, 1_u64..1 << 20), 0..4).prop_map(|gaps| {
        let mut end = 0;
        let entry = |(gap, size)| {
            let start = end + gap;
            end = start + size;
            (start, size)
        };
        gaps.into_iter().map(entry).collect()
    });
    (reserved, any::<u32>(), node()).prop_map(|(reserved, boot_cpu, node)| Tree {
        reserved,
        boot_cpu,
        root: Node {
            name: String::new(),
            ..node
        },
    })
}

/// Drops siblings of equal name, which dtc rejects.
fn distinct<T>(all: Vec<T>, name: impl Fn(&T) -> String) -> Vec<T> {
    let mut known = BTreeSet::new();
    all.into_iter()
        .filter(|one| known.insert(name(one)))
        .collect()
}

/// Rebuilds a tree from what the `fdt` crate reads in a blob.
fn as_fdt_sees(blob: &[u8]) -> Tree {
    let fdt = fdt::Fdt::new(blob).expect("the fdt crate takes the blob");
    let root = fdt.find_node("/").expect("there is a root");
    // The crate gives reservations only as pointers, and no boot CPU.
    let reserved = fdt
        .memory_reservations()
        .map(|entry| (entry.address() as u64, entry.size() as u64));
    Tree {
        reserved: reserved.collect(),
        boot_cpu: boot_cpu(blob),
        root: as_fdt_sees_node(root, ""),
    }
}

fn as_fdt_sees_node(node: fdt::node::FdtNode<'_, '_>, name: &str) -> Node {
    Node {
        name: name.to_owned(),
        props: node
            .properties()
            .map(|prop| Prop {
                name: prop.name.to_owned(),
                value: prop.value.to_vec(),
            })
            .collect(),
        children: node
            .children()
            .map(|child| as_fdt_sees_node(child, child.name))
            .collect(),
    }
}

fn boot_cpu(blob: &[u8]) -> u32 {
    u32::from_be_bytes(blob[28..32].try_into().expect("four bytes"))
}

/// Runs dtc over an input that it must accept.
fn dtc(args: &[&str], input: &[u8]) -> Vec<u8> {
    let (content, output) = tools::try_dtc(args, input);
    assert!(
        content,
        "dtc {args:?} failed on {}",
        String::from_utf8_lossy(input)
    );
    output
}

/// Returns the tree that QEMU makes for a machine.
fn dump(machine: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("machine.dtb");
    let output = Command::new(arch::QEMU)
        .args([
            "-display",
            "none",
            "-net",
            "none",
            "-cpu",
            arch::CPU,
            "-m",
            "256",
            "-M",
        ])
        .arg(format!("{machine},dumpdtb={}", file.display()))
        .output()
        .unwrap_or_else(|error| {
            panic!("QEMU cannot be started ({error}): `cargo xtask test` installs it")
        });
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "QEMU did not make {machine}: {said}"
    );
    std::fs::read(&file).expect("QEMU wrote its tree")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn own_reader_gives_the_tree_back(tree in tree()) {
        let blob = tree.emit().expect("it can be written");
        prop_assert_eq!(Tree::read(&blob).expect("it can be read"), tree);
    }

    #[test]
    fn fdt_crate_sees_the_tree(tree in tree()) {
        let blob = tree.emit().expect("it can be written");
        prop_assert_eq!(as_fdt_sees(&blob), tree);
    }
}

proptest! {
    // Each case starts a dtc process.
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn dtc_sees_the_tree(tree in tree()) {
        let blob = tree.emit().expect("it can be written");
        let back = dtc(&["-I", "dtb", "-O", "dtb", "-f", "-q", "-q"], &blob);
        prop_assert_eq!(Tree::read(&back).expect("dtc's blob can be read"), tree);
    }

    /// The printed source describes the same tree.
    #[test]
    fn dtc_compiles_the_printed_source(tree in tree()) {
        let source = dts(&tree.emit().expect("it can be written"));
        let cpu = tree.boot_cpu.to_string();
        let back = dtc(&["-I", "dts", "-O", "dtb", "-f", "-q", "-q", "-b", &cpu], source.as_bytes());
        let read = Tree::read(&back).expect("dtc's blob can be read");
        prop_assert_eq!(read, tree, "{}", source);
    }
}

/// Reading and writing a real machine's tree leaves it the same for dtc.
#[test]
fn qemu_tree_survives() {
    for machine in arch::MACHINES {
        let blob = dump(machine);
        let tree = Tree::read(&blob).expect("QEMU's tree can be read");
        let again = tree.emit().expect("it can be written");
        assert!(
            tree.paths().len() > 30,
            "QEMU's tree has {} nodes",
            tree.paths().len()
        );
        assert!(
            tree.find("/pl031@9010000")
                .is_some_and(|node| node.has("interrupts"))
        );
        assert_eq!(Tree::read(&again).as_ref(), Ok(&tree));
        assert_eq!(as_fdt_sees(&again), tree);
        let flags = ["-I", "dtb", "-O", "dts", "-q", "-q"];
        assert_eq!(dtc(&flags, &again), dtc(&flags, &blob));
    }
}
