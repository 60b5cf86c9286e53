//! AArch64: the board that a tree describes.

use probe::arch::aarch64::board::{Board, CpuSide, Gic, Uart};
use probe::tree::{Tree, total_size};
use vm_fdt::FdtWriter;

/// Returns a guest's tree as Xen makes it, with an assigned device.
pub fn guest() -> Vec<u8> {
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

/// Returns a tree whose `stdout-path` is `path`, with two UARTs and an alias.
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

/// The board matches the tree; an assigned UART below a bus does not become the console.
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

/// A GICv2 is distinguished from a GICv3.
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

/// The console is the UART that `stdout-path` names, by path or alias, with or without settings.
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

/// With the hypervisor's node, the hypervisor prints unless the domain has a console; a PL011 that
/// `stdout-path` does not name is a device. The node also has the free space.
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
            Tree::new(&blob).unwrap().free_space(),
            Some((0x3800_0000, 0x100_0000))
        );
    }
}

/// An empty tree leaves the defaults: Xen's UART, HVC, no script.
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

/// Reads everything that the probe reads from a tree.
pub fn visit(tree: &Tree<'_>) {
    let _board = Board::read(tree);
    let _space = tree.free_space();
}
