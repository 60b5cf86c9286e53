//! Base address registers.

use super::*;
use crate::vdev::vpci::window::Wanted;

/// Where firmware would have put the memory of the function with everything.
const FIRST: [(u64, u64, u64); 3] = [
    (LOW.0, 0x1010_0000, 0x1_0000),
    (LOW.0 + 0x1_0000, 0x1020_0000, 0x1000),
    (HIGH.0, 0x80_0010_0000, 0x10_0000),
];

/// What each register says when it is asked for its size: I/O and what is not passed on are not there, and
/// less than a page is a page.
#[test]
fn sizes_are_found_by_writing_ones() {
    let mut rig = Rig::new();
    let table = [
        (0x10, 0xffff_0000),
        (0x14, 0),
        (0x18, 0xfff0_000c),
        (0x1c, 0xffff_ffff),
        (0x20, 0xffff_f000),
        (0x24, 0),
        (0x30, 0),
    ];
    for (register, sized) in table {
        let before = rig.word(register);
        rig.set(register, u32::MAX);
        assert_eq!(rig.word(register), sized, "{register:#x}");
        rig.set(register, before);
        assert_eq!(rig.word(register), before, "{register:#x}");
    }
}

/// Memory has a place before the guest looks, and is shown there when decoding is switched on.
#[test]
fn decoding_shows_memory() {
    let mut rig = Rig::new();
    for (register, value) in [
        (0x10, 0x2300_0000),
        (0x18, 0x0000_000c),
        (0x1c, 1),
        (0x20, 0x2301_0000),
    ] {
        assert_eq!(rig.word(register), value, "{register:#x}");
    }
    rig.command(6);
    assert_eq!(rig.machine.stage.shown(), FIRST);
    rig.command(6);
    assert_eq!(rig.machine.stage.shown(), FIRST);
    rig.command(4);
    assert_eq!(rig.machine.stage.shown(), []);
}

/// A guest moves what it sees, in halves and in bytes, and the hardware's registers stay where they are.
#[test]
fn memory_moves_and_hardware_does_not() {
    let mut rig = Rig::new();
    let hardware = rig.machine.space(DISK).bytes()[0x10..0x28].to_vec();
    rig.set(0x10, 0x2ab4_5678);
    rig.write(0x18, Width::Double, 0x0000_0001_4567_8fff);
    rig.write(0x22, Width::Half, 0x2fff);
    assert_eq!(rig.word(0x10), 0x2ab4_0000);
    assert_eq!(rig.word(0x18), 0x4560_000c);
    assert_eq!(rig.word(0x20), 0x2fff_0000);
    rig.command(2);
    let moved = [
        (0x2ab4_0000, 0x1010_0000, 0x1_0000),
        (0x2fff_0000, 0x1020_0000, 0x1000),
        (0x1_4560_0000, 0x80_0010_0000, 0x10_0000),
    ];
    assert_eq!(rig.machine.stage.shown(), moved);
    assert_eq!(rig.machine.space(DISK).bytes()[0x10..0x28], hardware);
}

/// Nothing moves while it is decoded.
#[test]
fn memory_stays_while_it_is_decoded() {
    let mut rig = Rig::new();
    rig.command(2);
    for (register, value) in [(0x10, 0x2ab4_0000), (0x18, 0), (0x1c, 2), (0x20, 0)] {
        let before = rig.word(register);
        rig.set(register, value);
        assert_eq!(rig.word(register), before);
    }
    assert_eq!(rig.machine.stage.shown(), FIRST);
    rig.command(0);
    rig.set(0x10, 0x2ab4_0000);
    assert_eq!(rig.word(0x10), 0x2ab4_0000);
}

/// What is not in a window as a whole is not shown, and what else there is, is.
#[test]
fn memory_outside_the_windows_is_not_shown() {
    let end = LOW.0 + LOW.1;
    let table = [
        (0, false),
        (0x1_0000, false),
        (LOW.0 - 0x1_0000, false),
        (LOW.0, true),
        (end - 0x1_0000, true),
        (end, false),
        (0xffff_0000, false),
    ];
    for (address, shown) in table {
        let mut rig = Rig::new();
        rig.write(0x10, Width::Word, address);
        rig.set(0x20, 0x2400_0000);
        rig.command(2);
        let first = rig
            .machine
            .stage
            .shown()
            .contains(&(address, 0x1010_0000, 0x1_0000));
        assert_eq!(first, shown, "{address:#x}");
        assert_eq!(rig.machine.stage.mapped.len(), 2 + usize::from(shown));
        rig.command(0);
        assert_eq!(rig.machine.stage.shown(), []);
    }
}

/// The halves of an address of 64 bits count together, up to the last address there is.
#[test]
fn wide_memory_is_placed_by_both_halves() {
    let table = [
        (0, LOW.0, true),
        (1, 0, true),
        (1, 0xfff0_0000, true),
        (2, 0, false),
        (0, 0, false),
        (u32::MAX, 0xfff0_0000, false),
    ];
    for (high, low, shown) in table {
        let mut rig = Rig::new();
        rig.set(0x10, 0);
        rig.set(0x20, 0);
        rig.set(0x1c, high);
        rig.write(0x18, Width::Word, low);
        rig.command(2);
        let place = u64::from(high) << 32 | low;
        let wanted = [(place, 0x80_0010_0000, 0x10_0000)];
        let none: &[_] = &[];
        let wanted: &[_] = if shown { &wanted } else { none };
        assert_eq!(rig.machine.stage.shown(), wanted, "{place:#x}");
    }
}

/// A place that stage 2 refuses stays empty, and nothing is taken away there afterwards.
#[test]
fn refused_memory_is_not_shown() {
    let mut rig = Rig::new();
    rig.machine.stage.refused.push(ipa(LOW.0 + 0xf000, 0x1000));
    rig.command(2);
    assert_eq!(rig.machine.stage.shown(), FIRST[1..]);
    rig.command(0);
    rig.machine.stage.refused.clear();
    rig.command(2);
    assert_eq!(rig.machine.stage.shown(), FIRST);
    // Over its neighbour: one of them is there.
    rig.command(0);
    rig.write(0x20, Width::Word, LOW.0);
    rig.command(2);
    assert_eq!(rig.machine.stage.shown(), [FIRST[0], FIRST[2]]);
    assert!(rig.vpci.remove(&mut rig.machine, DISK));
    assert_eq!(rig.machine.stage.shown(), []);
}

/// Whose addresses are the host's has device memory where the host has it, as far as its bridge does.
#[test]
fn direct_memory_is_where_the_host_has_it() {
    let direct = |list: &[(u64, u64)]| Windows {
        list: list
            .iter()
            .map(|(base, size)| Window {
                span: ipa(*base, *size),
                prefetchable: false,
            })
            .collect(),
        direct: true,
    };
    let low = (0x1000_0000, 0x2eff_0000);
    let mut rig = Rig::with(direct(&[low, (0x80_0000_0000, 1 << 39)]), true);
    rig.command(2);
    let own = [
        (0x1010_0000, 0x1010_0000, 0x1_0000),
        (0x1020_0000, 0x1020_0000, 0x1000),
        (0x80_0010_0000, 0x80_0010_0000, 0x10_0000),
    ];
    assert_eq!(rig.machine.stage.shown(), own);
    let mut rig = Rig::with(direct(&[low]), true);
    assert_eq!(rig.read(0x18, Width::Double), 0xc);
    rig.command(2);
    assert_eq!(rig.machine.stage.shown(), own[..2]);
}

/// First fit, naturally aligned, in the right window, or else in any.
#[test]
fn places_are_the_first_that_fit() {
    let windows = Windows {
        list: vec![
            Window {
                span: ipa(0, 0x4000),
                prefetchable: false,
            },
            Window {
                span: ipa(0xffff_e000, 0x1_0000),
                prefetchable: true,
            },
        ],
        direct: false,
    };
    let full = [(0, 0x4000)];
    let page = (0x1000, 0x1000);
    type Ranges<'a> = &'a [(u64, u64)];
    let table: [(Ranges<'_>, u64, bool, bool, u64); 9] = [
        // Zero is no place.
        (&[], 0x1000, false, false, 0x1000),
        (&[], 0x2000, false, false, 0x2000),
        (&[page], 0x1000, false, false, 0x2000),
        (&[page, (0x2000, 0x1000)], 0x2000, false, false, 0xffff_e000),
        (&[], 0x1000, true, true, 0xffff_e000),
        (&[], 0x8000, true, true, 0x1_0000_0000),
        // The kind does not fit, the room does.
        (&full, 0x1000, false, true, 0xffff_e000),
        (&full, 0x2000, false, false, 0xffff_e000),
        // 32 bits cannot say the rest of the window.
        (&[full[0], (0xffff_e000, 0x2000)], 0x1000, false, false, 0),
    ];
    for (taken, size, prefetchable, wide, place) in table {
        let taken: Vec<_> = taken.iter().map(|(at, size)| ipa(*at, *size)).collect();
        let wanted = Wanted {
            size,
            prefetchable,
            wide,
            host: Pa::new(0),
        };
        let found = windows.place(&taken, &wanted);
        assert_eq!(found, place, "{taken:?} {wanted:?}");
    }
}

/// What is said of a register has to fit together, or it is not shown.
#[test]
fn unsound_registers_are_not_shown() {
    let memory = |index, kind, size| bar(index, kind, false, 0x1100_0000, size);
    let sound = memory(0, BarKind::Memory32, 0x2000);
    let table = [
        (sound, 0x1100_0000, 0x2000, true),
        (sound, 0x1100_0000, 0x1000, false),
        (sound, 0x1100_0000, 0x3000, false),
        (sound, 0x1100_0800, 0x2000, false),
        (
            memory(0, BarKind::Memory32, 0x3000),
            0x1100_0000,
            0x3000,
            false,
        ),
        (
            memory(0, BarKind::Memory32, 1 << 32),
            0x1100_0000,
            1 << 32,
            false,
        ),
        (
            memory(0, BarKind::Memory64, 1 << 33),
            0x1100_0000,
            1 << 33,
            true,
        ),
        (memory(0, BarKind::Io, 0x1000), 0x1100_0000, 0x1000, false),
        (
            memory(5, BarKind::Memory64, 0x1000),
            0x1100_0000,
            0x1000,
            false,
        ),
        (
            memory(4, BarKind::Memory64, 0x1000),
            0x1100_0000,
            0x1000,
            true,
        ),
        (
            memory(6, BarKind::Memory32, 0x1000),
            0x1100_0000,
            0x1000,
            false,
        ),
        (
            memory(255, BarKind::Memory32, 0x1000),
            0x1100_0000,
            0x1000,
            false,
        ),
    ];
    for (bar, base, size, shown) in table {
        let mut machine = Machine::default();
        let function = endpoint(at(0, 1, 0), &[bar], &[]);
        let mut vpci = Vpci::new(windows());
        let given = Given {
            function: &function,
            host: [Some(pa(base, size)); 6],
            interrupts: true,
        };
        vpci.add(&mut machine, &given).unwrap();
        let mut any = 0;
        for register in (0x10..0x28).step_by(4) {
            vpci.write(&mut machine, register, Width::Word, u64::MAX)
                .unwrap();
            any |= vpci.read(&mut machine, register, Width::Word).unwrap();
        }
        assert_eq!(any != 0, shown, "{bar:?} {base:#x} {size:#x}");
    }
}

/// Memory of more than 4 GiB is sized by its upper half.
#[test]
fn large_memory_is_sized_by_both_halves() {
    let mut machine = Machine::default();
    let size = 1 << 33;
    let function = endpoint(
        at(0, 1, 0),
        &[bar(0, BarKind::Memory64, true, 0, size)],
        &[],
    );
    let given = Given {
        function: &function,
        host: [Some(pa(0, size)), None, None, None, None, None],
        interrupts: true,
    };
    let mut vpci = Vpci::new(windows());
    vpci.add(&mut machine, &given).unwrap();
    vpci.write(&mut machine, 0x10, Width::Double, u64::MAX)
        .unwrap();
    let sized = vpci.read(&mut machine, 0x10, Width::Double);
    assert_eq!(sized, Ok(0xffff_fffe_0000_000c));
}
