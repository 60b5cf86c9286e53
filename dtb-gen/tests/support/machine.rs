//! A small machine.

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
