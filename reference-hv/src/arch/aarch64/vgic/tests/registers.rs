//! The register pages.

use super::gic as made;
use super::rig::{EDGE, FAR, LEVEL, NOTHING, Rig};
use crate::access::Width;
use crate::arch::aarch64::gic;
use crate::arch::aarch64::vgic::Frame;
use crate::vdev::Rejected;

/// What a driver looks at first says: GICv3, two banks of shared interrupts, one security state.
#[test]
fn identity_is_that_of_a_small_gicv3() {
    let mut rig = Rig::new(2, 4);
    assert_eq!(rig.read(gic::PIDR2) >> 4 & 0xf, 3);
    assert_eq!(rig.read(gic::GICD_TYPER) & 0x1f, 2, "ITLinesNumber");
    assert_eq!(rig.read(gic::GICD_TYPER) >> 19 & 0x1f, 9, "IDbits");
    assert_eq!(
        rig.read(gic::GICD_TYPER) & (1 << 17 | 1 << 16 | 1 << 10 | 1 << 8),
        0,
        "LPIS MBIS SecurityExtn ESPI"
    );
    assert_eq!(rig.read(gic::GICD_CTLR), 0x52, "DS, ARE, group 1");
}

/// Affinity routing and the one security state are facts; only the groups can be switched.
#[test]
fn control_keeps_its_fixed_bits() {
    let mut rig = Rig::new(1, 4);
    for (written, read) in [(0, 0x50), (u32::MAX, 0x53), (1, 0x51), (0x40, 0x50)] {
        rig.write(gic::GICD_CTLR, written);
        assert_eq!(rig.read(gic::GICD_CTLR), read, "{written:#x}");
    }
}

/// Each redistributor tells whose it is, and the last one that it is the last.
#[test]
fn redistributors_know_their_cpu() {
    let rig = Rig::new(3, 4);
    let mut chip = crate::hal::fake::lines::Lines::default();
    for (vcpu, typer) in [
        (0_u64, 0),
        (1, 1 << 32 | 1 << 8),
        (2, 2 << 32 | 2 << 8 | 1 << 4),
    ] {
        let offset = vcpu * 0x2_0000 + 8;
        let read = |offset, width| {
            rig.vgic
                .read(&mut chip, Frame::Redistributor, offset, width)
        };
        let mut read = read;
        assert_eq!(read(offset, Width::Double), Ok(typer));
        assert_eq!(read(offset, Width::Word), Ok(typer & 0xffff_ffff));
        assert_eq!(read(offset + 4, Width::Word), Ok(typer >> 32));
        assert_eq!(read(vcpu * 0x2_0000 + 0xffe8, Width::Word), Ok(0x3b));
    }
    let read = rig
        .vgic
        .read(&mut chip, Frame::Redistributor, 3 * 0x2_0000, Width::Word);
    assert_eq!(read, Err(Rejected), "there is no fourth");
}

/// A size or an alignment that no register has is rejected; reserved words are quiet.
#[test]
fn sizes_are_those_of_the_registers() {
    use Frame::{Distributor, Redistributor};
    use Width::{Byte, Double, Half, Word};
    let table = [
        (Distributor, 0x0000, Byte, false),
        (Distributor, 0x0000, Half, false),
        (Distributor, 0x0000, Word, true),
        (Distributor, 0x0000, Double, false),
        (Distributor, 0x0002, Word, false),
        (Distributor, 0x0040, Half, false),
        (Distributor, 0x0100, Byte, false),
        (Distributor, 0x0100, Double, false),
        (Distributor, 0x0400, Byte, true),
        (Distributor, 0x07ff, Byte, true),
        (Distributor, 0x0422, Half, false),
        (Distributor, 0x0800, Byte, true),
        (Distributor, 0x0c00, Byte, false),
        (Distributor, 0x0f10, Byte, true),
        (Distributor, 0x6100, Double, true),
        (Distributor, 0x6104, Double, false),
        (Distributor, 0x6104, Word, true),
        (Distributor, 0x7fd8, Double, true),
        (Distributor, 0x7fe0, Double, false),
        (Distributor, 0x60f8, Double, false),
        (Distributor, 0xfffc, Word, true),
        (Distributor, 0x1_0000, Word, false),
        (Distributor, u64::MAX, Byte, false),
        (Redistributor, 0x0008, Double, true),
        (Redistributor, 0x000c, Word, true),
        (Redistributor, 0x0000, Double, false),
        (Redistributor, 0x0070, Double, true),
        (Redistributor, 0x0014, Word, true),
        (Redistributor, 0x0014, Byte, false),
        (Redistributor, 0x1_0400, Byte, true),
        (Redistributor, 0x1_041f, Byte, true),
        (Redistributor, 0x1_0420, Byte, false),
        (Redistributor, 0x1_0100, Word, true),
        (Redistributor, 0x1_0100, Double, false),
        (Redistributor, 0x2_0000, Word, false),
        (Redistributor, 0x1_0000_0000_0000, Word, false),
    ];
    let mut rig = Rig::new(1, 4);
    for (frame, offset, width, good) in table {
        let read = rig.vgic.read(&mut rig.chip, frame, offset, width);
        assert_eq!(read.is_ok(), good, "{frame:?} {offset:#x} {width:?}");
        let write = rig.vgic.write(&mut rig.chip, frame, offset, width, 0);
        assert_eq!(write.is_ok(), good, "{frame:?} {offset:#x} {width:?}");
    }
}

/// Registers of what this GIC lacks read as zero whatever was written.
#[test]
fn reserved_registers_stay_zero() {
    let mut rig = Rig::new(1, 4);
    let legacy = [
        0x000c, 0x0010, 0x0040, 0x0048, 0x0800, 0x0820, 0x0d00, 0x0e00, 0x0f00, 0x0f10, 0x8000,
        0xc000,
    ];
    // Bank 0 of the distributor is private, hence in the redistributors.
    let private = [
        0x0080, 0x0100, 0x0180, 0x0200, 0x0280, 0x0300, 0x0380, 0x0400, 0x0c00, 0x0c04, 0x6000,
    ];
    // Bank 3 and on do not exist.
    let absent = [
        0x008c, 0x010c, 0x020c, 0x030c, 0x0460, 0x0c18, 0x6300, 0x017c, 0x07fc, 0x7fd8,
    ];
    for offset in legacy.into_iter().chain(private).chain(absent) {
        rig.write(offset, u32::MAX);
        assert_eq!(rig.read(offset), 0, "{offset:#x}");
    }
    rig.check();
}

/// The set and clear registers of a state show the same bits, and only ones change anything.
#[test]
fn set_and_clear_registers_mirror_each_other() {
    let pairs = [
        (gic::GICD_ISENABLER, gic::GICD_ICENABLER),
        (gic::GICD_ISPENDR, gic::GICD_ICPENDR),
        (gic::GICD_ISACTIVER, gic::GICD_ICACTIVER),
    ];
    for (set, clear) in pairs {
        let mut rig = Rig::new(1, 4);
        rig.write(set + 4, 0x0000_0370);
        rig.write(set + 4, 0);
        assert_eq!((rig.read(set + 4), rig.read(clear + 4)), (0x370, 0x370));
        rig.write(clear + 4, 0x0000_0110);
        rig.write(clear + 4, 0);
        assert_eq!((rig.read(set + 4), rig.read(clear + 4)), (0x260, 0x260));
        assert_eq!(rig.read(set + 8), 0, "the next bank is another");
    }
}

/// An interrupt beyond the last one of the domain is not there, also in the last bank.
#[test]
fn interrupts_beyond_the_last_do_not_exist() {
    let mut vgic = made(1, 5, &[], (4, 5)).unwrap();
    let mut chip = crate::hal::fake::lines::Lines::default();
    for register in [0x0084, 0x0104, 0x0204, 0x0304] {
        vgic.write(
            &mut chip,
            Frame::Distributor,
            register,
            Width::Word,
            0xffff_ffff,
        )
        .unwrap();
        let read = vgic.read(&mut chip, Frame::Distributor, register, Width::Word);
        assert_eq!(read, Ok(0x1f), "{register:#x}");
    }
    vgic.write(&mut chip, Frame::Distributor, 0x425, Width::Byte, 0xa0)
        .unwrap();
    assert_eq!(
        vgic.read(&mut chip, Frame::Distributor, 0x425, Width::Byte),
        Ok(0)
    );
}

/// Priorities are bytes, keep the bits that are implemented, and can be reached by word.
#[test]
fn priorities_are_bytes() {
    let mut rig = Rig::new(1, 4);
    rig.write(gic::GICD_IPRIORITYR + 40, 0xff80_a7a0);
    assert_eq!(rig.read(gic::GICD_IPRIORITYR + 40), 0xf880_a0a0);
    rig.priority(41, 0x13);
    assert_eq!(rig.read(gic::GICD_IPRIORITYR + 40), 0xf880_10a0);
    rig.write_private(0, gic::GICD_IPRIORITYR + 24, 0x1020_3040);
    let offset = gic::FRAME_SIZE + gic::GICD_IPRIORITYR + 27;
    assert_eq!(
        rig.vgic
            .read(&mut rig.chip, Frame::Redistributor, offset, Width::Byte),
        Ok(0x10)
    );
}

/// A guest may say how its virtual lines trigger, but not how a physical one does.
#[test]
fn physical_triggers_are_facts() {
    let mut rig = Rig::new(1, 4);
    let bit = |intid: u32| 2_u32 << (intid % 16 * 2);
    let register = gic::GICD_ICFGR + 8;
    assert_eq!(rig.read(register), bit(EDGE), "INTIDs 32 to 47");
    rig.write(register, u32::MAX);
    assert_eq!(rig.read(register), 0xaaaa_aaaa & !bit(LEVEL));
    rig.write(register, 0);
    assert_eq!(rig.read(register), bit(EDGE));
    rig.write(gic::GICD_ICFGR + 12, bit(NOTHING));
    assert_eq!(
        rig.read(gic::GICD_ICFGR + 12),
        bit(NOTHING),
        "the upper half of the bank"
    );
}

/// Software generated interrupts are edges, the others of a CPU levels, whatever is written.
#[test]
fn private_triggers_are_fixed() {
    let mut rig = Rig::new(1, 4);
    for (offset, value) in [(0x0c00, 0xaaaa_aaaa), (0x0c04, 0)] {
        rig.write_private(0, offset, !value);
        let offset = gic::FRAME_SIZE + offset;
        let read = rig
            .vgic
            .read(&mut rig.chip, Frame::Redistributor, offset, Width::Word);
        assert_eq!(read, Ok(u64::from(value)));
    }
}

/// A route keeps its affinity and nothing else, written whole or by halves.
#[test]
fn routes_hold_an_affinity() {
    let mut rig = Rig::new(2, 4);
    let at = gic::GICD_IROUTER + 8 * u64::from(FAR);
    let write = |rig: &mut Rig, offset, width, value| {
        rig.vgic
            .write(&mut rig.chip, Frame::Distributor, offset, width, value)
            .unwrap();
    };
    write(&mut rig, at, Width::Double, u64::MAX);
    assert_eq!(
        rig.vgic
            .read(&mut rig.chip, Frame::Distributor, at, Width::Double),
        Ok(gic::AFFINITY)
    );
    write(&mut rig, at, Width::Word, 1);
    write(&mut rig, at + 4, Width::Word, 0);
    assert_eq!(
        rig.vgic
            .read(&mut rig.chip, Frame::Distributor, at, Width::Double),
        Ok(1)
    );
}

/// Enabling goes to the physical line where the domain owns it, and nowhere else.
#[test]
fn only_own_lines_are_switched() {
    let mut rig = Rig::new(1, 4);
    rig.write(gic::GICD_ISENABLER + 4, u32::MAX);
    rig.write(gic::GICD_ISENABLER + 8, u32::MAX);
    assert!(rig.chip.lines.values().all(|line| line.enabled));
    rig.check();
    rig.set(gic::GICD_ICENABLER, LEVEL);
    assert!(!rig.chip.lines[&LEVEL].enabled && rig.chip.lines[&EDGE].enabled);
    rig.check();
}
