//! A small machine, and how a tree is compared with its printed form.

use dtb_gen::{Node, Tree};

/// Makes the machine's tree.
pub fn machine() -> Tree {
    let uart = Node::new("pl011@9000000")
        .with("reg", [0_u32, 0x0900_0000, 0, 0x1000])
        .with("phandle", 7_u32);
    let rtc = Node::new("pl031@9010000")
        .with("reg", [0_u32, 0x0901_0000, 0, 0x1000])
        .with("interrupts", [0_u32, 2, 4]);
    let chosen = Node::new("chosen")
        .with("bootargs", "for Linux")
        .with("stdout-path", "/pl011@9000000");
    let root = Node::new("")
        .with("#address-cells", 2_u32)
        .child(uart)
        .child(rtc)
        .child(chosen);
    Tree {
        reserved: vec![(0x4000_0000, 0x1000)],
        boot_cpu: 1,
        root,
    }
}

/// Compares what stands at a path, as the root of a tree of its own, with its source.
#[track_caller]
pub fn printed(tree: &Tree, path: &str, wanted: &str) {
    let root = Node {
        name: String::new(),
        ..tree.find(path).expect("the node is there").clone()
    };
    let text = Tree {
        root,
        ..Tree::default()
    }
    .to_string();
    assert_eq!(text.trim_start_matches("/dts-v1/;\n\n"), wanted);
}
