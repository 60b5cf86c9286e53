//! More interrupts than list registers.

use super::rig::{EDGE, FAR, LEVEL, NOTHING, Rig, UART};
use crate::arch::aarch64::gic;

/// The more urgent interrupt comes first and interrupts the less urgent one.
#[test]
fn priorities_order_and_preempt() {
    let mut rig = Rig::new(1, 4);
    for (intid, priority) in [(EDGE, 0xa0), (LEVEL, 0x40), (NOTHING, 0x80)] {
        rig.priority(intid, priority);
        rig.set(gic::GICD_ISENABLER, intid);
    }
    rig.set(gic::GICD_ISPENDR, NOTHING);
    rig.pulse(EDGE);
    rig.enter(0);
    assert_eq!(rig.acknowledge(), Some(NOTHING));
    rig.exit();
    rig.drive(LEVEL, true);
    rig.enter(0);
    assert_eq!(rig.acknowledge(), Some(LEVEL), "preempts");
    assert_eq!(rig.acknowledge(), None, "does not");
    rig.exit();
    rig.drive(LEVEL, false);
    rig.enter(0);
    rig.end(LEVEL);
    rig.end(NOTHING);
    assert_eq!(rig.acknowledge(), Some(EDGE));
}

/// More interrupts than list registers all come, the most urgent first, and the processor tells when
/// there is room.
#[test]
fn many_pending_interrupts_all_come() {
    for list_registers in [1, 2, 4, 16] {
        let mut rig = Rig::new(1, list_registers);
        rig.write(gic::GICD_ISENABLER + 4, u32::MAX);
        rig.write(gic::GICD_ISPENDR + 4, u32::MAX);
        for intid in 32..64_u8 {
            rig.priority(u32::from(intid), (63 - intid) << 3);
        }
        rig.enter(0);
        let (_, lists) = rig.running.as_ref().unwrap();
        assert_eq!(lists.used, usize::from(list_registers));
        assert_eq!(lists.hcr & gic::ICH_HCR_NPIE, gic::ICH_HCR_NPIE);
        rig.exit();
        let order: Vec<u32> = (32..64).rev().collect();
        assert_eq!(rig.drain(), order);
        rig.enter(0);
        assert_eq!(rig.running.as_ref().unwrap().1.hcr, gic::ICH_HCR_EN);
    }
}

/// More nested interrupts than list registers still end in order, the physical lines with them.
#[test]
fn deep_nesting_outgrows_the_list_registers() {
    for list_registers in [1, 2, 3] {
        let mut rig = Rig::new(1, list_registers);
        let nested = [
            (LEVEL, 0xf0),
            (FAR, 0xc0),
            (NOTHING, 0x90),
            (EDGE, 0x60),
            (UART, 0x30),
        ];
        for (intid, priority) in nested {
            rig.priority(intid, priority);
            rig.set(gic::GICD_ISENABLER, intid);
        }
        for (intid, _) in nested {
            match intid {
                LEVEL | FAR | EDGE => rig.drive(intid, true),
                _ => rig.set(gic::GICD_ISPENDR, intid),
            }
            rig.enter(0);
            assert_eq!(
                rig.acknowledge(),
                Some(intid),
                "{list_registers} list registers"
            );
            rig.exit();
            rig.check();
        }
        for (intid, _) in nested {
            if intid == LEVEL || intid == FAR {
                rig.drive(intid, false);
            }
        }
        rig.enter(0);
        let hcr = rig.running.as_ref().unwrap().1.hcr;
        assert_ne!(
            hcr & gic::ICH_HCR_LRENPIE,
            0,
            "an EOI without list register is told"
        );
        assert_ne!(hcr & gic::ICH_HCR_TDIR, 0, "so is a deactivation");
        for (intid, _) in nested.iter().rev() {
            rig.end(*intid);
        }
        rig.exit();
        rig.check();
        assert!(rig.chip.lines.values().all(|line| !line.active));
        assert_eq!(rig.drain(), []);
    }
}

/// A guest that leaves interrupts active still gets the next one (EOImode 1), and its trapped
/// deactivations end them in any order.
#[test]
fn active_interrupts_leave_room_for_a_waiting_one() {
    let mut rig = Rig::new(1, 2);
    for intid in [LEVEL, FAR, EDGE, NOTHING] {
        rig.set(gic::GICD_ISENABLER, intid);
    }
    for intid in [LEVEL, FAR, EDGE] {
        rig.drive(intid, true);
        rig.enter(0);
        assert_eq!(rig.acknowledge(), Some(intid));
        // Priority dropped, still active.
        rig.stack.clear();
        rig.exit();
    }
    rig.set(gic::GICD_ISPENDR, NOTHING);
    rig.enter(0);
    assert_eq!(rig.acknowledge(), Some(NOTHING));
    rig.exit();
    for intid in [FAR, NOTHING, LEVEL, EDGE] {
        rig.lower(intid);
        rig.vgic.deactivate(&mut rig.chip, 0, intid);
        rig.check();
    }
    rig.stack.clear();
    assert_eq!(rig.drain(), []);
    assert!(rig.chip.lines.values().all(|line| !line.active));
}
