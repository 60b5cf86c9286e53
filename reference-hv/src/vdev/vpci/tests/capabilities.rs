//! The list of capabilities.

use super::*;

/// Walks the list as a driver does: what each is, and where.
fn walk(rig: &mut Rig) -> Vec<(u64, u64)> {
    let mut found = Vec::new();
    let mut at = rig.read(0x34, Width::Byte);
    while at != 0 {
        assert!(found.len() < 48, "the list has no end");
        found.push((rig.read(at, Width::Byte), at));
        at = rig.read(at + 1, Width::Byte);
    }
    found
}

/// PCI Express and what is vendor specific is in the list, in the order of the hardware's, and nothing else.
#[test]
fn list_is_filtered() {
    let mut rig = Rig::new();
    assert_eq!(walk(&mut rig), [(0x09, 0x60), (0x10, 0x70)]);
}

/// What a capability that is shown holds, and what lies between.
#[test]
fn capabilities_hold_what_the_hardware_says() {
    let mut rig = Rig::new();
    let table = [
        // MSI and power management are not there.
        (0x40, u32::MAX),
        (0x44, u32::MAX),
        (0x4c, u32::MAX),
        (0x58, u32::MAX),
        (0x5c, u32::MAX),
        (0x60, 0x0510_7009),
        (0x64, VENDOR_DATA),
        (0x68, 0x1000),
        (0x6c, 0x4),
        (0x70, 0x0002_0010),
        // It cannot reset itself.
        (0x74, DEVICE_CAPABILITIES & !(1 << 28)),
        (0x78, 0x000f_2810),
        (0xa8, 0x5555_aaaa),
        // Behind its last register, and MSI-X.
        (0xac, u32::MAX),
        (0xb0, u32::MAX),
        (0xfc, u32::MAX),
        (0x100, 0),
        (0x104, u32::MAX),
        (0xffc, u32::MAX),
    ];
    for (register, word) in table {
        assert_eq!(rig.word(register), word, "{register:#x}");
    }
}

/// The device's status is that of the moment; what is vendor specific is read once.
#[test]
fn express_lives_and_vendor_specific_does_not() {
    let mut rig = Rig::new();
    let space = rig.machine.functions.device(DISK);
    space.set(0x78, 4, 0x0020_2810);
    space.set(0x64, 4, 1);
    assert_eq!(rig.word(0x78), 0x0020_2810);
    assert_eq!(rig.word(0x64), VENDOR_DATA);
}

fn only(capabilities: &[(u8, u8)], words: &[(u16, u32)]) -> Rig {
    let function = endpoint(DISK, &[], capabilities);
    let mut machine = Machine::default();
    install(&mut machine, &function, words);
    let mut vpci = Vpci::new(windows());
    let given = Given {
        function: &function,
        host: [None; 6],
        interrupts: true,
    };
    vpci.add(&mut machine, &given).unwrap();
    Rig { machine, vpci }
}

/// How long a capability is, from the first byte that is not shown on.
#[test]
fn capabilities_end() {
    let vendor = |length: u32| length << 16 | 0x09;
    type Listed<'a> = &'a [(u8, u8)];
    let table: [(Listed<'_>, u32, u64); 9] = [
        (&[(0x09, 0x40)], vendor(0x10), 0x50),
        (&[(0x09, 0x40)], vendor(0x11), 0x54),
        // Shorter than its own head.
        (&[(0x09, 0x40)], vendor(0), 0x44),
        // Longer than the space, and over another one, which lies behind it in the list or in front.
        (&[(0x09, 0x40)], vendor(0xff), 0x100),
        (&[(0x09, 0x40), (0x05, 0x48)], vendor(0xff), 0x48),
        (&[(0x05, 0x48), (0x09, 0x40)], vendor(0x0c), 0x48),
        // PCI Express of version 1 and 2, and at the end of the space.
        (&[(0x10, 0x40)], 0x0001_0010, 0x54),
        (&[(0x10, 0x40)], 0x0002_0010, 0x7c),
        (&[(0x10, 0x40), (0x01, 0x60)], 0x0012_0010, 0x60),
    ];
    for (listed, head, end) in table {
        let words: Vec<_> = (0x44..0x1000)
            .step_by(4)
            .map(|register| (register, 0x600d_600d))
            .collect();
        let mut rig = only(listed, &[&[(0x40, head)], &words[..]].concat());
        let shown = (0x44..0x100)
            .step_by(4)
            .take_while(|register| rig.word(*register) != u32::MAX)
            .last();
        assert_eq!(shown.unwrap_or(0x40) + 4, end, "{listed:x?} {head:#x}");
        let rest = (end..0x100).step_by(4);
        for register in rest {
            assert_eq!(rig.word(register), u32::MAX, "{register:#x}");
        }
    }
}

/// An offset that no capability can have is not in the list.
#[test]
fn impossible_capabilities_are_not_shown() {
    let mut rig = only(
        &[(0x09, 0x3c), (0x09, 0x42), (0x09, 0x44), (0x09, 0)],
        &[(0x44, 0x0008_0009)],
    );
    assert_eq!(walk(&mut rig), [(0x09, 0x44)]);
}
