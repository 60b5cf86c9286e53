//! What a guest sees of its functions, and what the machine sees of the guest.

mod bars;
mod capabilities;
mod hardware;
mod header;
mod property;
mod rig;

use rig::*;

use super::*;
use crate::hal::fake::functions as fake;
use crate::pci::BarKind;

fn small(bus: u8) -> pci::Function {
    endpoint(
        at(bus, 0, 0),
        &[bar(0, BarKind::Memory32, false, 0x1100_0000, 0x1000)],
        &[],
    )
}

fn give(vpci: &mut Vpci, machine: &mut Machine, function: &pci::Function) -> Result<u8, Full> {
    install(machine, function, &[]);
    let mut host = [None; 6];
    host[0] = Some(pa(0x1100_0000, 0x1000));
    let given = Given {
        function,
        host,
        interrupts: true,
    };
    vpci.add(machine, &given)
}

/// Each function gets the first free slot, as function 0; the bus has 32.
#[test]
fn functions_fill_the_bus() {
    let mut machine = Machine::default();
    let mut vpci = Vpci::new(windows());
    for bus in 0..32 {
        assert_eq!(give(&mut vpci, &mut machine, &small(bus)), Ok(bus << 3));
    }
    assert_eq!(give(&mut vpci, &mut machine, &small(32)), Err(Full));
    assert!(vpci.remove(&mut machine, at(5, 0, 0)));
    assert!(!vpci.remove(&mut machine, at(5, 0, 0)));
    assert_eq!(give(&mut vpci, &mut machine, &small(40)), Ok(5 << 3));
    // All have a page of their own.
    for slot in 0..32 {
        let bar0 = vpci.read(&mut machine, slot << 15 | 0x10, Width::Word);
        assert_eq!(bar0, Ok(LOW.0 + slot * 0x1000));
        vpci.write(&mut machine, slot << 15 | 4, Width::Half, 2)
            .unwrap();
    }
    assert_eq!(machine.stage.mapped.len(), 32);
}

/// A function that is given has been switched off, whatever the firmware left.
#[test]
fn functions_begin_switched_off() {
    let mut rig = Rig::new();
    assert_eq!(rig.machine.command(DISK), 0);
    assert_eq!(rig.read(4, Width::Half), 0);
    assert_eq!(rig.machine.stage.shown(), []);
}

/// Where no function is, everything reads as ones, and nothing can be written.
#[test]
fn absent_functions_read_as_ones() {
    let mut rig = Rig::new();
    install(&mut rig.machine, &small(0), &[]);
    let before = rig.machine.functions.devices().clone();
    let absent = [
        // Slot 1, functions 1 and 7 of slot 0, the hardware's own bus 1, the last function there is.
        1 << 15,
        1 << 12,
        7 << 12,
        1 << 20,
        ECAM_SIZE - 0x1000,
    ];
    for base in absent {
        for register in [0, 8, 0x10, 0x40, 0x100, 0xff8] {
            for width in Width::ALL {
                let offset = base + register;
                assert_eq!(rig.read(offset, width), width.mask(), "{offset:#x}");
                rig.write(offset, width, 0);
            }
        }
    }
    for (at, space) in before {
        assert_eq!(rig.machine.space(at).bytes(), space.bytes(), "{at}");
    }
}

/// Accesses work where they are naturally aligned and inside of the region, and nowhere else.
#[test]
fn accesses_are_aligned_or_rejected() {
    let mut rig = Rig::new();
    for width in Width::ALL {
        for offset in [
            0, 1, 2, 3, 4, 6, 8, 0x3c, 0x40, 0xff8, 0xffc, 0xffd, 0xffe, 0xfff,
        ] {
            let fits = offset % width.bytes() == 0;
            let read = rig.vpci.read(&mut rig.machine, offset, width);
            let write = rig.vpci.write(&mut rig.machine, offset, width, 0);
            assert_eq!(read.is_ok(), fits, "{offset:#x} {width:?}");
            assert_eq!(write.is_ok(), fits, "{offset:#x} {width:?}");
        }
        for offset in [ECAM_SIZE, ECAM_SIZE + 8, u64::MAX, u64::MAX - 7] {
            let read = rig.vpci.read(&mut rig.machine, offset, width);
            assert_eq!(read, Err(Rejected));
            let write = rig.vpci.write(&mut rig.machine, offset, width, 0);
            assert_eq!(write, Err(Rejected));
        }
    }
}

/// Every width finds its part of the same register, and eight bytes are two double words.
#[test]
fn widths_agree() {
    let mut rig = Rig::new();
    for base in (0..0x1000).step_by(8) {
        let whole = rig.read(base, Width::Double);
        for width in Width::ALL {
            for offset in (0..8).step_by(usize::try_from(width.bytes()).unwrap()) {
                let part = whole >> (8 * offset) & width.mask();
                assert_eq!(rig.read(base + offset, width), part, "{base:#x} {offset}");
            }
        }
    }
}

/// What is removed is no longer mapped, and no longer there.
#[test]
fn removed_functions_are_gone() {
    let mut rig = Rig::new();
    rig.command(2);
    assert_eq!(rig.machine.stage.mapped.len(), 3);
    assert!(rig.vpci.remove(&mut rig.machine, DISK));
    assert_eq!(rig.machine.stage.shown(), []);
    assert_eq!(rig.word(0), u32::MAX);
}
