//! Trees of AArch64 guests.

use dtb_gen::arch::aarch64;
use dtb_gen::{Device, Guest, GuestArch, Node, Partial, Range, guest, partial};

use crate::source::printed;

#[path = "support/source.rs"]
mod source;

const GPIO: Range = Range {
    host: 0x0903_0000,
    size: 0x1000,
    guest: 0x3a00_0000,
};

/// Makes a guest's architecture part, with redistributors of so many bytes.
fn processors(redistributors: u64) -> GuestArch {
    GuestArch::Aarch64(aarch64::Guest {
        distributor: (0x300_1000, 0x1_0000),
        redistributors: (0x302_0000, redistributors),
        timer: 11,
    })
}

#[test]
fn devices_stand_under_passthrough() {
    let device = Device {
        ranges: vec![GPIO],
        path: Some("/pl061@9030000".to_owned()),
        force: true,
        props: vec![("compatible".to_owned(), "arm,pl061".into())],
        ..Device::new("gpio@3a000000")
    };
    let plan = Partial {
        devices: vec![device],
        aliases: vec![("gpio0".to_owned(), "/passthrough/gpio@3a000000".to_owned())],
        extra: vec![Node::new("clock").with("phandle", 9_u32)],
        ..Partial::default()
    };
    printed(
        &partial(&plan).expect("it can be planned"),
        "/",
        r#"/ {
    #address-cells = <0x2>;
    #size-cells = <0x2>;

    gic {
        phandle = <0xfde8>;
    };

    aliases {
        gpio0 = "/passthrough/gpio@3a000000";
    };

    passthrough {
        compatible = "simple-bus";
        ranges;
        #address-cells = <0x2>;
        #size-cells = <0x2>;

        gpio@3a000000 {
            reg = <0x0 0x3a000000 0x0 0x1000>;
            xen,reg = <0x0 0x9030000 0x0 0x1000 0x0 0x3a000000>;
            xen,path = "/pl061@9030000";
            xen,force-assign-without-iommu;
            compatible = "arm,pl061";
        };
    };

    clock {
        phandle = <0x9>;
    };
};
"#,
    );
}

#[test]
fn a_guest_finds_its_devices_and_nothing_meant_for_a_hypervisor() {
    let device = Device {
        ranges: vec![GPIO],
        path: Some("/pl061@9030000".to_owned()),
        force: true,
        ..Device::new("gpio@3a000000")
    };
    let plan = Guest {
        memory: vec![(0x4000_0000, 0x20_0000)],
        cpus: 2,
        arch: processors(0x4_0000),
        args: "n=1".to_owned(),
        ramdisk: Some((0x4019_0000, 0x10)),
        uart: None,
        callable: true,
        devices: Some(Partial {
            devices: vec![device],
            ..Partial::default()
        }),
    };
    let tree = guest(&plan).expect("it can be planned");
    printed(
        &tree,
        "/passthrough",
        r#"/ {
    compatible = "simple-bus";
    ranges;
    #address-cells = <0x2>;
    #size-cells = <0x2>;

    gpio@3a000000 {
        reg = <0x0 0x3a000000 0x0 0x1000>;
    };
};
"#,
    );
    let chosen = tree.find("/chosen").expect("it is there");
    let number = |name| chosen.get(name).and_then(|prop| prop.u64());
    assert_eq!(number("linux,initrd-start"), Some(0x4019_0000));
    assert_eq!(number("linux,initrd-end"), Some(0x4019_0010));
    assert!(tree.find("/cpus/cpu@1").is_some() && tree.find("/hypervisor").is_some());
    let parent = tree
        .root
        .get("interrupt-parent")
        .and_then(|prop| prop.u32());
    assert_eq!(tree.phandle_of("/interrupt-controller@3001000"), parent);
    assert!(chosen.get("stdout-path").is_none());
}

/// A guest with an emulated UART finds it as its console, and a guest that cannot make hypercalls finds no hypervisor
/// node.
#[test]
fn a_guest_finds_its_console() {
    let plan = Guest {
        memory: vec![(0x4000_0000, 0x20_0000)],
        cpus: 1,
        arch: processors(0x2_0000),
        args: String::new(),
        ramdisk: None,
        uart: Some((0x2200_0000, 0x1000, 5)),
        callable: false,
        devices: None,
    };
    let tree = guest(&plan).expect("it can be planned");
    let path = tree
        .find("/chosen")
        .and_then(|node| node.get("stdout-path"));
    assert_eq!(path.and_then(|prop| prop.text()), Some("/pl011@22000000"));
    let uart = tree.find("/pl011@22000000").expect("it is there");
    let cells = |name| uart.get(name).and_then(|prop| prop.cells());
    assert_eq!(cells("reg"), Some(vec![0, 0x2200_0000, 0, 0x1000]));
    assert_eq!(cells("interrupts"), Some(vec![0, 5, 4]));
    let clock = tree.phandle_of("/apb-pclk").expect("a clock");
    assert_eq!(cells("clocks"), Some(vec![clock, clock]));
    assert!(tree.find("/hypervisor").is_none());
}
