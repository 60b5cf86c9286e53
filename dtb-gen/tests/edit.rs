//! Edits do what they say or report the offending item, and trees that cannot be written report the place.

use dtb_gen::{Edit, Node, Platform, Tree, Value, apply_all, host};

use crate::machine::machine;
use crate::source::printed;

#[path = "support/machine.rs"]
mod machine;
#[path = "support/source.rs"]
mod source;

fn set(path: &str, prop: &str, value: impl Into<Value>) -> Edit {
    Edit::Set {
        path: path.to_owned(),
        prop: prop.to_owned(),
        value: value.into(),
    }
}

/// The unusual trees of the test catalogue, each made by edits alone.
#[test]
fn edits_make_odd_machines() {
    let point = |path: &str, prop: &str, target: &str, after: &[u32]| Edit::Point {
        path: path.to_owned(),
        prop: prop.to_owned(),
        target: target.to_owned(),
        before: vec![],
        after: after.to_vec(),
    };
    let rtc = "/pl031@9010000".to_owned();
    let edits = [
        set(&rtc, "xen,passthrough", ()),
        Edit::Delete {
            path: rtc.clone(),
            prop: "interrupts".to_owned(),
        },
        point(&rtc, "interrupts-extended", "/pl011@9000000", &[3, 0]),
        // A loop of interrupt parents; the RTC had no phandle.
        point(&rtc, "interrupt-parent", "/pl011@9000000", &[]),
        point("/pl011@9000000", "interrupt-parent", &rtc, &[]),
        Edit::CopyNode {
            path: "/pl011@9000000".to_owned(),
            name: "alias@9000000".to_owned(),
        },
        Edit::RenameNode {
            path: "/pl011@9000000".to_owned(),
            name: "UART@9000000".to_owned(),
        },
        Edit::Resize {
            path: rtc.clone(),
            prop: "reg".to_owned(),
            by: -4,
        },
        Edit::AddNode {
            parent: "/chosen".to_owned(),
            node: Node::new("module@1"),
        },
        Edit::RemoveNode {
            path: "/chosen/module@1".to_owned(),
        },
    ];
    let hypervisor_args = "console=on".to_owned();
    let platform = Platform {
        base: machine(),
        hypervisor_args,
        hardware: None,
        domains: vec![],
        edits: edits.to_vec(),
    };
    let tree = host(&platform).expect("the edits apply");
    printed(
        &tree,
        "/",
        r#"/ {
    #address-cells = <0x2>;

    UART@9000000 {
        reg = <0x0 0x9000000 0x0 0x1000>;
        phandle = <0x7>;
        interrupt-parent = <0x8>;
    };

    alias@9000000 {
        reg = <0x0 0x9000000 0x0 0x1000>;
        interrupt-parent = <0x8>;
    };

    pl031@9010000 {
        reg = <0x0 0x9010000 0x0>;
        xen,passthrough;
        interrupts-extended = <0x7 0x3 0x0>;
        interrupt-parent = <0x7>;
        phandle = <0x8>;
    };

    chosen {
        stdout-path = "/pl011@9000000";
        #address-cells = <0x2>;
        #size-cells = <0x2>;
        xen,xen-bootargs = "console=on";
    };
};
"#,
    );
    assert_eq!(tree.by_phandle(8).as_deref(), Some("/pl031@9010000"));
    assert_eq!(
        (tree.phandle_of("/UART@9000000"), tree.next_free_phandle()),
        (Some(7), 9)
    );
}

#[test]
fn edits_that_do_not_apply_name_the_culprit() {
    let rtc = || "/pl031@9010000".to_owned();
    let text = |text: &str| text.to_owned();
    for (edit, wanted) in [
        (
            set("/pl031@901000", "status", "okay"),
            "/pl031@901000: no such node, nearest is `/pl031@9010000`",
        ),
        (
            Edit::Delete {
                path: rtc(),
                prop: text("interrupt"),
            },
            "/pl031@9010000: no property `interrupt`, nearest is `interrupts`",
        ),
        (
            Edit::Resize {
                path: rtc(),
                prop: text("reg"),
                by: -17,
            },
            "/pl031@9010000: `reg`: 16 bytes cannot change by -17",
        ),
        (
            Edit::Resize {
                path: rtc(),
                prop: text("reg"),
                by: i64::MAX,
            },
            "/pl031@9010000: `reg`: 16 bytes cannot change by 9223372036854775807",
        ),
        (
            Edit::RemoveNode { path: text("/") },
            "/: the root cannot be removed",
        ),
        (
            Edit::RemoveNode {
                path: text("relative"),
            },
            "relative: no such node",
        ),
        (
            Edit::CopyNode {
                path: rtc(),
                name: text("chosen"),
            },
            "/: has a node `chosen` already",
        ),
        (
            Edit::CopyNode {
                path: text("/qqqq"),
                name: text("a"),
            },
            "/qqqq: no such node",
        ),
        (
            Edit::RenameNode {
                path: text("/"),
                name: text("a"),
            },
            "/: the root cannot be renamed",
        ),
    ] {
        let mut tree = machine();
        let error = apply_all(&[edit], &mut tree).expect_err("it does not apply");
        assert_eq!(error.to_string(), wanted);
        assert_eq!(tree, machine(), "a failed edit changes nothing");
    }
}

/// Everything that vm-fdt rejects is reported by path.
#[test]
fn trees_that_cannot_be_written_say_where() {
    let under = |node: Node| Tree {
        root: Node::new("").child(Node::new("soc").child(node)),
        ..Tree::default()
    };
    let deep = (0..70).fold(Node::new("leaf"), |node, _| Node::new("d").child(node));
    for (tree, wanted) in [
        (
            under(Node::new("9lives")),
            "/soc/9lives: node name `9lives`: Invalid node name",
        ),
        (
            under(Node::new("")),
            "/soc/: node name ``: Invalid node name",
        ),
        (
            under(Node::new("a").with("no spaces", ())),
            "/soc/a: `no spaces` of 0 bytes: Invalid property name",
        ),
        (
            Tree {
                reserved: vec![(u64::MAX, 2)],
                ..Tree::default()
            },
            "device tree: memory reservation 0xffffffffffffffff+0x2: Memory reservation is invalid",
        ),
        (
            Tree {
                reserved: vec![(0, 2), (1, 1)],
                ..Tree::default()
            },
            "device tree: Memory reservations are overlapping",
        ),
    ] {
        assert_eq!(
            tree.emit().expect_err("it cannot be written").to_string(),
            wanted
        );
    }
    let error = under(deep).emit().expect_err("it is too deep").to_string();
    assert!(
        error.ends_with("/d: node name `d`: Node depth exceeds FDT_MAX_NODE_DEPTH"),
        "{error}"
    );
}

#[test]
fn paths_are_exact() {
    let mut tree = machine();
    assert_eq!(
        tree.paths(),
        ["/", "/pl011@9000000", "/pl031@9010000", "/chosen"]
    );
    for (path, there) in [
        ("/", true),
        ("/chosen", true),
        ("/Chosen", false),
        ("/chosen/", false),
        ("//chosen", false),
        ("chosen", false),
        ("", false),
        ("/pl011", false),
    ] {
        assert_eq!(tree.find(path).is_some(), there, "{path}");
        assert_eq!(tree.find_mut(path).is_some(), there, "{path}");
    }
    assert_eq!(
        tree.remove("/chosen").map(|node| node.name).as_deref(),
        Some("chosen")
    );
    assert_eq!(tree.remove("/"), None);
    tree.ensure("/a/b/c").set("x", 1_u32);
    assert!(tree.find("/a/b/c").is_some_and(|node| node.has("x")));
}
