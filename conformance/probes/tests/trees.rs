//! The tree's reader finds what others wrote, and survives what nobody should write.

use probe::board::{Board, CpuSide, Gic, Uart, free_space};
use probe::tree::{Tree, total_size};
use proptest::collection::vec;
use proptest::prelude::*;
use vm_fdt::FdtWriter;

/// A guest's tree as Xen makes it, with an assigned device in it.
fn guest() -> Vec<u8> {
    let mut fdt = FdtWriter::new().unwrap();
    let root = fdt.begin_node("").unwrap();
    fdt.property_u32("#address-cells", 2).unwrap();
    fdt.property_u32("#size-cells", 2).unwrap();
    let node = fdt.begin_node("chosen").unwrap();
    fdt.property_string("bootargs", "n=1 d=2;idle").unwrap();
    fdt.property_u64("linux,initrd-start", 0x4300_0000).unwrap();
    fdt.property_u32("linux,initrd-end", 0x4300_0123).unwrap();
    fdt.end_node(node).unwrap();
    let node = fdt.begin_node("psci").unwrap();
    fdt.property_string("method", "smc").unwrap();
    fdt.end_node(node).unwrap();
    for (name, reg) in [
        ("memory@40000000", [0x4000_0000u64, 0x400_0000]),
        ("memory@200000000", [0x2_0000_0000, 0x1000]),
    ] {
        let node = fdt.begin_node(name).unwrap();
        fdt.property_string("device_type", "memory").unwrap();
        fdt.property_array_u64("reg", &reg).unwrap();
        fdt.end_node(node).unwrap();
    }
    let node = fdt.begin_node("interrupt-controller@3001000").unwrap();
    fdt.property_string_list("compatible", vec!["vendor,gic".into(), "arm,gic-v3".into()])
        .unwrap();
    fdt.property_u32("#redistributor-regions", 2).unwrap();
    fdt.property_array_u64(
        "reg",
        &[
            0x300_1000,
            0x1_0000,
            0x302_0000,
            0x100_0000,
            0x402_0000,
            0x2_0000,
            0x9999_0000,
            0x1000,
        ],
    )
    .unwrap();
    fdt.end_node(node).unwrap();
    let bus = fdt.begin_node("passthrough").unwrap();
    let node = fdt.begin_node("pl011@9040000").unwrap();
    fdt.property_string("compatible", "arm,pl011").unwrap();
    fdt.property_array_u64("reg", &[0x904_0000, 0x1000])
        .unwrap();
    fdt.end_node(node).unwrap();
    fdt.end_node(bus).unwrap();
    let node = fdt.begin_node("pl011@9000000").unwrap();
    fdt.property_string("compatible", "arm,pl011").unwrap();
    fdt.property_array_u64("reg", &[0x900_0000, 0x1000])
        .unwrap();
    fdt.end_node(node).unwrap();
    let node = fdt.begin_node("sbsa-uart@22000000").unwrap();
    fdt.property_string("compatible", "arm,sbsa-uart").unwrap();
    fdt.property_array_u64("reg", &[0x2200_0000, 0x1000])
        .unwrap();
    fdt.end_node(node).unwrap();
    fdt.end_node(root).unwrap();
    fdt.finish().unwrap()
}

/// A tree whose `stdout-path` is `path`, with two UARTs and an alias.
fn with_stdout(path: &str) -> Vec<u8> {
    let mut fdt = FdtWriter::new().unwrap();
    let root = fdt.begin_node("").unwrap();
    fdt.property_u32("#address-cells", 1).unwrap();
    fdt.property_u32("#size-cells", 1).unwrap();
    let node = fdt.begin_node("chosen").unwrap();
    fdt.property_string("stdout-path", path).unwrap();
    fdt.end_node(node).unwrap();
    let node = fdt.begin_node("aliases").unwrap();
    fdt.property_string("serial0", "/serial@2000").unwrap();
    fdt.end_node(node).unwrap();
    for (name, base) in [("serial@1000", 0x1000u32), ("serial@2000", 0x2000)] {
        let node = fdt.begin_node(name).unwrap();
        fdt.property_string("compatible", "arm,pl011").unwrap();
        fdt.property_array_u32("reg", &[base, 0x1000]).unwrap();
        fdt.end_node(node).unwrap();
    }
    fdt.end_node(root).unwrap();
    fdt.finish().unwrap()
}

#[track_caller]
fn board(blob: &[u8]) -> Board<'_> {
    assert_eq!(
        total_size(blob[..8].try_into().unwrap()).map(|size| size as usize),
        Some(blob.len())
    );
    Board::read(&Tree::new(blob).unwrap())
}

/// The board is what the tree says; an assigned UART below a bus is not taken for the console.
#[test]
fn boards_are_read() {
    let blob = guest();
    let board = board(&blob);
    let mut banks = [(0, 0); 8];
    banks[..2].copy_from_slice(&[(0x4000_0000, 0x400_0000), (0x2_0000_0000, 0x1000)]);
    let mut redistributors = [(0, 0); 8];
    redistributors[..2].copy_from_slice(&[(0x302_0000, 0x100_0000), (0x402_0000, 0x2_0000)]);
    let wanted = Board {
        arguments: b"n=1 d=2;idle",
        ramdisk: Some((0x4300_0000, 0x4300_0123)),
        uart: Some(Uart {
            base: 0x2200_0000,
            whole: false,
        }),
        gic: Some(Gic {
            distributor: 0x300_1000,
            cpu: CpuSide::Redistributors(redistributors),
        }),
        smc: true,
        banks,
    };
    assert_eq!(board, wanted);
}

/// A GICv2 is told from a GICv3.
#[test]
fn a_gicv2_is_read() {
    let mut fdt = FdtWriter::new().unwrap();
    let root = fdt.begin_node("").unwrap();
    fdt.property_u32("#address-cells", 2).unwrap();
    fdt.property_u32("#size-cells", 2).unwrap();
    let node = fdt.begin_node("interrupt-controller@3001000").unwrap();
    fdt.property_string("compatible", "arm,cortex-a15-gic")
        .unwrap();
    fdt.property_array_u64("reg", &[0x300_1000, 0x1000, 0x300_2000, 0x2000])
        .unwrap();
    fdt.end_node(node).unwrap();
    fdt.end_node(root).unwrap();
    let blob = fdt.finish().unwrap();
    let wanted = Gic {
        distributor: 0x300_1000,
        cpu: CpuSide::Interface(0x300_2000),
    };
    assert_eq!(board(&blob).gic, Some(wanted));
}

/// The console is the one that `stdout-path` names, by path or alias, with or without settings.
#[test]
fn stdout_path_is_followed() {
    for (path, base) in [
        ("/serial@2000", 0x2000),
        ("/serial@2000:115200n8", 0x2000),
        ("serial0", 0x2000),
        ("serial0:115200", 0x2000),
        ("/serial@1000", 0x1000),
        ("/nowhere", 0x1000),
        ("serial9", 0x1000),
        ("", 0x1000),
    ] {
        assert_eq!(
            board(&with_stdout(path)).uart,
            Some(Uart { base, whole: true }),
            "{path}"
        );
    }
}

/// Where the hypervisor has a node it prints, unless a console of the domain's own is there; a PL011
/// that nothing names is a device. The node says where there is space.
#[test]
fn a_hypervisor_prints_for_a_domain_without_console() {
    for (uart, named, wanted) in [
        (None, false, None),
        (Some("arm,pl011"), false, None),
        (
            Some("arm,pl011"),
            true,
            Some(Uart {
                base: 0x1000,
                whole: true,
            }),
        ),
        (
            Some("arm,sbsa-uart"),
            false,
            Some(Uart {
                base: 0x1000,
                whole: false,
            }),
        ),
    ] {
        let mut fdt = FdtWriter::new().unwrap();
        let root = fdt.begin_node("").unwrap();
        fdt.property_u32("#address-cells", 1).unwrap();
        fdt.property_u32("#size-cells", 1).unwrap();
        if named {
            let node = fdt.begin_node("chosen").unwrap();
            fdt.property_string("stdout-path", "/serial@1000").unwrap();
            fdt.end_node(node).unwrap();
        }
        if let Some(compatible) = uart {
            let node = fdt.begin_node("serial@1000").unwrap();
            fdt.property_string("compatible", compatible).unwrap();
            fdt.property_array_u32("reg", &[0x1000, 0x1000]).unwrap();
            fdt.end_node(node).unwrap();
        }
        let node = fdt.begin_node("hypervisor").unwrap();
        fdt.property_array_u32("reg", &[0x3800_0000, 0x100_0000, 0x5000_0000, 0x1000])
            .unwrap();
        fdt.end_node(node).unwrap();
        fdt.end_node(root).unwrap();
        let blob = fdt.finish().unwrap();
        assert_eq!(board(&blob).uart, wanted, "{uart:?} {named}");
        assert_eq!(
            free_space(&Tree::new(&blob).unwrap()),
            Some((0x3800_0000, 0x100_0000))
        );
    }
}

/// A tree that says nothing leaves the defaults: Xen's UART, HVC, no script.
#[test]
fn defaults_hold() {
    let mut fdt = FdtWriter::new().unwrap();
    let root = fdt.begin_node("").unwrap();
    fdt.end_node(root).unwrap();
    let blob = fdt.finish().unwrap();
    let board = board(&blob);
    assert_eq!(board, Board::default());
    assert_eq!(
        board.uart,
        Some(Uart {
            base: 0x2200_0000,
            whole: false
        })
    );
}

/// What is no tree is refused, with the place of the field that says so.
#[test]
fn headers_are_checked() {
    let good = guest();
    let spoiled = |at: usize, value: u32| {
        let mut blob = good.clone();
        blob[at..at + 4].copy_from_slice(&value.to_be_bytes());
        Tree::new(&blob).err()
    };
    assert_eq!(Tree::new(&[]).err(), Some(0));
    assert_eq!(spoiled(0, 0xd00d_feee), Some(0));
    assert_eq!(spoiled(8, u32::MAX), Some(8), "structure's offset");
    assert_eq!(spoiled(36, u32::MAX), Some(8), "structure's size");
    assert_eq!(spoiled(12, u32::MAX), Some(12), "strings' offset");
    assert_eq!(spoiled(8, 16), Some(8), "no root there");
    assert_eq!(total_size(*b"\xd0\x0d\xfe\xed\0\0\x10\0"), Some(0x1000));
    assert_eq!(total_size([0; 8]), None);
}

/// Ten thousand levels are read without a stack of that depth.
#[test]
fn depth_is_no_matter() {
    let token = |value: u32| value.to_be_bytes();
    let mut structure: Vec<u8> = [token(1), token(0)].concat();
    for _ in 0..10_000 {
        structure.extend([token(1), *b"a\0\0\0"].concat());
    }
    structure.extend(token(2).repeat(10_000));
    structure.extend([token(1), *b"z\0\0\0", token(2), token(2), token(9)].concat());
    let sizes = [40u32, u32::try_from(structure.len()).unwrap()];
    let total = sizes[0] + sizes[1];
    let header = [
        0xd00d_feed,
        total,
        sizes[0],
        total,
        40,
        17,
        16,
        0,
        0,
        sizes[1],
    ];
    let blob = [header.map(u32::to_be_bytes).concat(), structure].concat();
    let tree = Tree::new(&blob).unwrap();
    let names: Vec<&[u8]> = tree
        .root()
        .unwrap()
        .children()
        .map(|node| node.name())
        .collect();
    assert_eq!(names, [b"a", b"z"]);
    assert!(tree.find(&b"/a".repeat(100)).is_some());
}

/// Visits everything that can be asked of a tree.
fn visit(blob: &[u8]) {
    let Ok(tree) = Tree::new(blob) else { return };
    let _board = Board::read(&tree);
    let root = tree.root().unwrap();
    for node in root.children() {
        let _ = (
            node.reg(root).count(),
            node.is_compatible(b"arm,gic-v3"),
            node.text(b"compatible"),
        );
        for child in node.children() {
            let _ = (child.reg(node).count(), child.name(), child.cell(b"reg"));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// No tree makes the reader panic or run away, however it is spoiled.
    #[test]
    fn spoiled_trees_are_survived(
        writes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cells in vec((any::<prop::sample::Index>(), prop_oneof![Just(0u32), Just(u32::MAX), 0..12u32, any::<u32>()]), 0..6),
        keep in any::<prop::sample::Index>(),
        cut: bool,
    ) {
        let mut blob = guest();
        for (at, byte) in writes {
            let at = at.index(blob.len());
            blob[at] = byte;
        }
        for (at, cell) in cells {
            let at = at.index(blob.len() / 4) * 4;
            blob[at..at + 4].copy_from_slice(&cell.to_be_bytes());
        }
        blob[..4].copy_from_slice(&0xd00d_feed_u32.to_be_bytes());
        if cut {
            blob.truncate(keep.index(blob.len()));
        }
        visit(&blob);
    }

    /// Nor does anything else.
    #[test]
    fn soup_is_survived(mut blob in vec(any::<u8>(), 40..400)) {
        blob[..4].copy_from_slice(&0xd00d_feed_u32.to_be_bytes());
        blob[8..12].copy_from_slice(&40u32.to_be_bytes());
        blob[12..16].copy_from_slice(&0u32.to_be_bytes());
        let len = u32::try_from(blob.len()).unwrap();
        blob[32..36].copy_from_slice(&len.to_be_bytes());
        blob[36..40].copy_from_slice(&(len - 40).to_be_bytes());
        visit(&blob);
    }
}
