//! Planned trees follow the device-tree contract, and errors name the place and the problem.

use dtb_gen::{
    Cells, Device, Domain, Hardware, Module, Node, Partial, PlanError, Platform, Range, Tree,
    Value, host, partial,
};

use crate::machine::machine;
use crate::source::printed;

#[path = "support/machine.rs"]
mod machine;
#[path = "support/source.rs"]
mod source;

const GPIO: Range = Range {
    host: 0x0903_0000,
    size: 0x1000,
    guest: 0x3a00_0000,
};

fn kernel() -> Module {
    Module {
        address: 0x4800_0000,
        size: 0x1_0000,
        args: Some("n=1".to_owned()),
    }
}

fn platform(domains: Vec<Domain>) -> Platform {
    Platform {
        base: machine(),
        hypervisor_args: "console=on".to_owned(),
        hardware: None,
        domains,
        edits: vec![],
    }
}

#[test]
fn domains_stand_under_chosen() {
    let domain = Domain {
        guest_lines: Some(64),
        ramdisk: Some(Module {
            address: 0x4900_0000,
            size: 0x100,
            args: None,
        }),
        tree: Some(Module {
            address: 0x1_4a00_0000,
            size: 0x200,
            args: None,
        }),
        extra: vec![
            ("passthrough".to_owned(), "enabled".into()),
            ("cpus".to_owned(), Value::from(2_u32)),
        ],
        ..Domain::new("dA", 0x2000, kernel())
    };
    let tree = host(&platform(vec![domain])).expect("it can be planned");
    assert_eq!(
        (tree.reserved.as_slice(), tree.boot_cpu),
        (&[(0x4000_0000, 0x1000)][..], 1)
    );
    printed(
        &tree,
        "/chosen",
        r#"/ {
    stdout-path = "/pl011@9000000";
    #address-cells = <0x2>;
    #size-cells = <0x2>;
    xen,xen-bootargs = "console=on";

    dA {
        compatible = "xen,domain";
        #address-cells = <0x2>;
        #size-cells = <0x2>;
        memory = <0x0 0x2000>;
        cpus = <0x2>;
        vpl011;
        nr_spis = <0x40>;
        passthrough = "enabled";

        module@48000000 {
            compatible = "multiboot,kernel", "multiboot,module";
            reg = <0x0 0x48000000 0x0 0x10000>;
            bootargs = "n=1";
        };

        module@49000000 {
            compatible = "multiboot,ramdisk", "multiboot,module";
            reg = <0x0 0x49000000 0x0 0x100>;
        };

        module@14a000000 {
            compatible = "multiboot,device-tree", "multiboot,module";
            reg = <0x1 0x4a000000 0x0 0x200>;
        };
    };
};
"#,
    );
}

/// Widths follow the declaration, the default without a declaration, or the separate encoding.
#[test]
fn tuples_are_as_wide_as_said() {
    let cells = |address, size| Some(Cells { address, size });
    for (declared, encoding, wanted) in [
        (
            cells(2, 2),
            None,
            vec![0, 0x0903_0000, 0, 0x1000, 0, 0x3a00_0000],
        ),
        (cells(1, 2), None, vec![0x0903_0000, 0, 0x1000, 0x3a00_0000]),
        (cells(1, 1), None, vec![0x0903_0000, 0x1000, 0x3a00_0000]),
        (None, None, vec![0, 0x0903_0000, 0x1000, 0, 0x3a00_0000]),
        (
            cells(3, 1),
            None,
            vec![0, 0, 0x0903_0000, 0x1000, 0, 0, 0x3a00_0000],
        ),
        (cells(0, 0), None, vec![]),
        (
            cells(u32::MAX, 2),
            cells(2, 2),
            vec![0, 0x0903_0000, 0, 0x1000, 0, 0x3a00_0000],
        ),
    ] {
        let device = Device {
            ranges: vec![GPIO],
            ..Device::new("gpio")
        };
        let plan = Partial {
            passthrough: declared,
            encoding,
            devices: vec![device],
            ..Partial::default()
        };
        let tree = partial(&plan).expect("it can be planned");
        let node = tree.find("/passthrough/gpio").expect("the device is there");
        assert_eq!(
            node.get("xen,reg").and_then(|prop| prop.cells()),
            Some(wanted),
            "{declared:?} {encoding:?}"
        );
        let said = tree
            .find("/passthrough")
            .and_then(|node| node.get("#address-cells"))
            .and_then(|prop| prop.u32());
        assert_eq!(said, declared.map(|cells| cells.address));
    }
}

#[test]
fn numbers_too_wide_for_their_cells_are_errors() {
    let device = Device {
        ranges: vec![Range {
            host: 1 << 40,
            ..GPIO
        }],
        ..Device::new("gpio")
    };
    let narrow = Partial {
        passthrough: Some(Cells {
            address: 1,
            size: 1,
        }),
        devices: vec![device.clone()],
        ..Partial::default()
    };
    let error = partial(&narrow).expect_err("2^40 does not fit one cell");
    assert_eq!(
        error.to_string(),
        "/passthrough/gpio: `xen,reg`: 0x10000000000 does not fit 1 cell(s)"
    );
    let huge = Partial {
        passthrough: Some(Cells {
            address: u32::MAX,
            size: 1,
        }),
        ..narrow
    };
    let error = partial(&huge).expect_err("nobody writes so many cells");
    assert_eq!(
        error.to_string(),
        "/passthrough/gpio: `reg`: 0xffffffff cells a number are more than 8; set `encoding` apart from what is declared"
    );
}

/// Many tuples and large trees are written completely, to the byte.
#[test]
fn sizes_are_exact() {
    let page = |index: u64| Range {
        host: 0x1000_0000 + index * 0x1000,
        size: 0x1000,
        guest: 0x5000_0000 + index * 0x1000,
    };
    let device = Device {
        ranges: (0..512).map(page).collect(),
        ..Device::new("many")
    };
    let mut tree = partial(&Partial {
        devices: vec![device],
        ..Partial::default()
    })
    .expect("it can be planned");
    let cells = tree
        .find("/passthrough/many")
        .and_then(|node| node.get("xen,reg"))
        .and_then(|prop| prop.cells());
    assert_eq!(cells.map(|cells| cells.len()), Some(512 * 6));
    let least = tree.emit().expect("it can be written").len();
    for wanted in [
        0x8000, 0x8001, 0x8002, 0x8003, 0x1_0000, 0x1f_ffff, 0x20_0000, 0x20_0001,
    ] {
        let mut padded = tree.clone();
        padded
            .pad("/passthrough", wanted)
            .expect("it can be padded");
        let blob = padded.emit().expect("it can be written");
        assert_eq!(blob.len(), wanted);
        assert_eq!(Tree::read(&blob), Ok(padded));
    }
    let error = tree
        .pad("/passthrough", least)
        .expect_err("there is no room");
    assert!(
        matches!(error, PlanError::Pad { wanted, .. } if wanted == least),
        "{error}"
    );
    assert_eq!(
        tree.pad("/passtrough", 0x8000)
            .expect_err("it is misspelt")
            .to_string(),
        "/passtrough: no such node, nearest is `/passthrough`"
    );
}

#[test]
fn plans_that_clash_are_errors() {
    let twice = vec![
        Domain::new("dA", 1, kernel()),
        Domain::new("dA", 1, kernel()),
    ];
    let error = host(&platform(twice)).expect_err("the name is taken");
    assert_eq!(error.to_string(), "/chosen: has a node `dA` already");
    let same = Domain {
        ramdisk: Some(kernel()),
        ..Domain::new("dA", 1, kernel())
    };
    let error = host(&platform(vec![same])).expect_err("two modules at one address");
    assert_eq!(
        error.to_string(),
        "/chosen/dA: has a node `module@48000000` already"
    );
    let narrow = Domain {
        cells: Cells {
            address: 1,
            size: 1,
        },
        ..Domain::new(
            "dA",
            1,
            Module {
                address: 1 << 32,
                ..kernel()
            },
        )
    };
    let error = host(&platform(vec![narrow])).expect_err("the address is too wide");
    assert_eq!(
        error.to_string(),
        "/chosen/dA/module@100000000: `reg`: 0x100000000 does not fit 1 cell(s)"
    );
}

#[test]
fn a_hardware_domain_stands_directly_under_chosen() {
    let ramdisk = Module {
        address: 0x4900_0000,
        size: 0x100,
        args: None,
    };
    let plan = Platform {
        hardware: Some(Hardware {
            kernel: kernel(),
            ramdisk: Some(ramdisk),
        }),
        ..platform(vec![])
    };
    let tree = host(&plan).expect("it can be planned");
    let node = |path: &str| tree.find(path).expect("a module").clone();
    let (image, disk) = (
        node("/chosen/module@48000000"),
        node("/chosen/module@49000000"),
    );
    let kind = |node: &Node| {
        node.get("compatible")
            .and_then(|prop| prop.texts().map(|texts| texts.join(" ")))
    };
    assert_eq!(
        kind(&image).as_deref(),
        Some("multiboot,kernel multiboot,module")
    );
    assert_eq!(
        kind(&disk).as_deref(),
        Some("multiboot,ramdisk multiboot,module")
    );
    assert_eq!(
        image.get("bootargs").and_then(|prop| prop.text()),
        Some("n=1")
    );
}
