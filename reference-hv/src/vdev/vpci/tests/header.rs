//! The registers that every function has.

use super::*;

/// The header says what the hardware says of itself, and hides the rest.
#[test]
fn header_shows_one_function() {
    let mut rig = Rig::new();
    let table = [
        (0x00, Width::Word, 0x11e8_1234),
        (0x00, Width::Half, 0x1234),
        (0x02, Width::Half, 0x11e8),
        (0x06, Width::Half, 0x0010),
        (0x08, Width::Word, 0xff00_0001),
        (0x0b, Width::Byte, 0xff),
        // Cache line, latency, header type, self test.
        (0x0c, Width::Word, 0),
        // CardBus, subsystem, ROM.
        (0x28, Width::Word, 0),
        (0x2c, Width::Word, 0x1100_1af4),
        (0x30, Width::Word, 0),
        (0x34, Width::Word, 0x60),
        (0x38, Width::Word, 0),
        // Line, pin; no grant and no latency.
        (0x3c, Width::Word, 0x0100),
        (0x00, Width::Double, 0x0010_0000_11e8_1234),
    ];
    for (offset, width, value) in table {
        assert_eq!(rig.read(offset, width), value, "{offset:#x} {width:?}");
    }
}

/// What a guest writes into its command register, what it then reads, and what the hardware has.
#[test]
fn command_is_filtered() {
    let mut rig = Rig::new();
    let table = [
        (0x0000, 0x0000, 0x0000),
        (0x0002, 0x0002, 0x0002),
        (0x0004, 0x0004, 0x0004),
        (0x0006, 0x0006, 0x0006),
        (0x0400, 0x0400, 0x0400),
        // Parity and system errors stay the guest's own business.
        (0x0040, 0x0040, 0x0000),
        (0x0100, 0x0100, 0x0000),
        // I/O, special cycles, write and invalidate, palette, stepping, back to back, reserved.
        (0x0001, 0, 0),
        (0x0008, 0, 0),
        (0x0010, 0, 0),
        (0x0020, 0, 0),
        (0x0080, 0, 0),
        (0x0200, 0, 0),
        (0xf800, 0, 0),
        (0xffff, 0x0546, 0x0406),
    ];
    for (written, seen, hardware) in table {
        rig.command(written);
        assert_eq!(rig.read(4, Width::Half), seen, "{written:#x}");
        assert_eq!(rig.machine.command(DISK), hardware, "{written:#x}");
    }
}

/// A byte of the command register is written without the other.
#[test]
fn command_takes_bytes() {
    let mut rig = Rig::new();
    rig.write(5, Width::Byte, 0x05);
    rig.write(4, Width::Byte, 0x06);
    assert_eq!(rig.read(4, Width::Half), 0x0506);
    rig.write(5, Width::Byte, 0);
    assert_eq!(rig.read(4, Width::Half), 0x0006);
    assert_eq!(rig.machine.command(DISK), 0x0006);
}

/// A function whose interrupts lead nowhere has no pin, and can never raise it.
#[test]
fn function_without_line_is_silent() {
    let mut rig = Rig::with(windows(), false);
    assert_eq!(rig.read(0x3d, Width::Byte), 0);
    assert_eq!(rig.machine.command(DISK), 0x0400);
    rig.command(0x0006);
    assert_eq!(rig.read(4, Width::Half), 0x0006);
    assert_eq!(rig.machine.command(DISK), 0x0406);
}

/// Status is the hardware's of the moment. Errors are cleared one by one, and nothing else with them.
#[test]
fn status_is_live() {
    let mut rig = Rig::new();
    let set = |rig: &mut Rig, status: u32| {
        let space = rig.machine.functions.device(DISK);
        space.set(4, 4, status << 16);
    };
    set(&mut rig, 0xf9b8);
    assert_eq!(rig.read(6, Width::Half), 0xf9b8);
    // The command register's half of a double word clears nothing, a set bit does.
    rig.command(0xffff);
    assert_eq!(rig.machine.status(DISK), 0xf9b8);
    rig.write(7, Width::Byte, 0x20);
    assert_eq!(rig.machine.status(DISK), 0xd9b8);
    rig.set(4, 0x4008_0000);
    assert_eq!(rig.machine.status(DISK), 0x99b8);
    assert_eq!(rig.machine.command(DISK), 0);
    rig.write(6, Width::Half, 0xffff);
    assert_eq!(rig.read(6, Width::Half), 0x00b8);
}

/// The list's bit says whether the guest sees a list, whatever the hardware has.
#[test]
fn status_tells_of_the_guests_list() {
    let mut machine = Machine::default();
    let plain = endpoint(at(2, 0, 0), &[], &[(0x05, 0x40)]);
    install(&mut machine, &plain, &[(4, 0x0010_0000), (0x34, 0x40)]);
    let mut vpci = Vpci::new(windows());
    let given = Given {
        function: &plain,
        host: [None; 6],
        interrupts: true,
    };
    vpci.add(&mut machine, &given).unwrap();
    assert_eq!(vpci.read(&mut machine, 6, Width::Half), Ok(0));
    assert_eq!(vpci.read(&mut machine, 0x34, Width::Byte), Ok(0));
}

/// Cache line size and interrupt line remember what is written; the bytes beside them do not.
#[test]
fn scratch_bytes_are_the_guests() {
    let mut rig = Rig::new();
    rig.set(0x0c, u32::MAX);
    rig.set(0x3c, u32::MAX);
    assert_eq!(rig.word(0x0c), 0xff);
    assert_eq!(rig.word(0x3c), 0x01ff);
    rig.write(0x3c, Width::Byte, 0x2a);
    rig.write(0x3d, Width::Byte, 0x04);
    assert_eq!(rig.word(0x3c), 0x012a);
    assert_eq!(rig.machine.space(DISK).get(0x3c, 4), 0x0807_0129);
    assert_eq!(rig.machine.space(DISK).get(0x0c, 4), 0x8f80_4020);
}

/// Whatever is written wherever: of the hardware's registers the command alone changes.
#[test]
fn writes_are_dropped() {
    for width in Width::ALL {
        for value in [0, u64::MAX, 0x5555_5555_aaaa_aaaa] {
            let mut rig = Rig::new();
            let before = rig.machine.space(DISK).clone();
            for offset in (0..0x1000).step_by(usize::try_from(width.bytes()).unwrap()) {
                rig.write(offset, width, value);
            }
            let mut after = rig.machine.space(DISK).clone();
            after.set(4, 4, before.get(4, 4));
            assert_eq!(after.bytes(), before.bytes(), "{width:?} {value:#x}");
        }
    }
}

/// Reads that the hardware is not needed for do not ask it.
#[test]
fn header_is_remembered() {
    let mut rig = Rig::new();
    let before = rig.machine.functions.accesses();
    for offset in [0, 8, 0x10, 0x14, 0x2c, 0x34, 0x3c, 0x60, 0x64, 0xb0, 0x100] {
        rig.word(offset);
    }
    rig.read(4, Width::Half);
    assert_eq!(rig.machine.functions.accesses(), before);
    rig.word(4);
    assert_eq!(rig.machine.functions.accesses(), before + 1);
}
