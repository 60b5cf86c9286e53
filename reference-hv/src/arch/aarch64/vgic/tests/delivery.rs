//! Interrupts on their way from a line to a guest and back.

use super::rig::{EDGE, FAR, LEVEL, NOTHING, Rig, UART};
use crate::arch::aarch64::gic::{self, ListRegister};
use crate::arch::aarch64::vgic::NotOwned;
use crate::hal::VirtualInterrupts;
use crate::ids::IrqLine;

/// An edge comes once, however often the guest looks, and each edge comes.
#[test]
fn an_edge_comes_once() {
    let mut rig = Rig::new(1, 4);
    rig.set(gic::GICD_ISENABLER, EDGE);
    for _ in 0..3 {
        rig.drive(EDGE, true);
        assert_eq!(rig.drain(), [EDGE]);
        rig.drive(EDGE, false);
        assert_eq!(rig.drain(), []);
        rig.check();
    }
}

/// An edge that comes while its predecessor is handled comes after it.
#[test]
fn an_edge_during_handling_is_kept() {
    let mut rig = Rig::new(1, 4);
    rig.set(gic::GICD_ISENABLER, EDGE);
    rig.pulse(EDGE);
    rig.enter(0);
    assert_eq!(rig.acknowledge(), Some(EDGE));
    rig.pulse(EDGE);
    rig.pulse(EDGE);
    assert_eq!(rig.acknowledge(), None);
    rig.end(EDGE);
    rig.exit();
    assert_eq!(rig.drain(), [EDGE], "two edges while one is active are one");
}

/// A level comes again after each end while it is high, and not while it is handled.
#[test]
fn a_level_comes_again_while_high() {
    let mut rig = Rig::new(1, 4);
    rig.set(gic::GICD_ISENABLER, LEVEL);
    rig.drive(LEVEL, true);
    for _ in 0..3 {
        rig.enter(0);
        assert_eq!(rig.acknowledge(), Some(LEVEL));
        rig.exit();
        // The hypervisor may come and go meanwhile: the line is active and signals nothing.
        rig.enter(0);
        assert_eq!(rig.acknowledge(), None);
        rig.end(LEVEL);
        rig.exit();
        rig.check();
    }
    rig.drive(LEVEL, false);
    assert_eq!(rig.drain(), []);
}

/// A level that the device takes back before the guest looks does not come.
#[test]
fn a_level_taken_back_does_not_come() {
    let mut rig = Rig::new(1, 4);
    rig.set(gic::GICD_ISENABLER, LEVEL);
    rig.drive(LEVEL, true);
    rig.enter(0);
    rig.exit();
    rig.drive(LEVEL, false);
    assert_eq!(rig.drain(), []);
    rig.check();
    rig.drive(LEVEL, true);
    assert_eq!(rig.handle(0), Some(LEVEL), "and the line still works");
}

/// What a line wants before the guest enables it is seen as pending, and comes once it is enabled.
#[test]
fn what_comes_early_comes_after_enable() {
    for intid in [EDGE, LEVEL, FAR] {
        let mut rig = Rig::new(1, 4);
        rig.drive(intid, true);
        assert_eq!(rig.drain(), [], "nothing comes while disabled");
        assert!(rig.get(gic::GICD_ISPENDR, intid) && rig.get(gic::GICD_ICPENDR, intid));
        rig.set(gic::GICD_ISENABLER, intid);
        assert_eq!(rig.handle(0), Some(intid));
        rig.check();
    }
}

/// A line that the guest disables while its interrupt waits stays quiet and comes when enabled again.
#[test]
fn disabling_holds_what_waits() {
    for intid in [EDGE, LEVEL] {
        let mut rig = Rig::new(1, 4);
        rig.set(gic::GICD_ISENABLER, intid);
        rig.drive(intid, true);
        rig.enter(0);
        rig.exit();
        rig.set(gic::GICD_ICENABLER, intid);
        assert_eq!(rig.drain(), []);
        assert!(rig.get(gic::GICD_ISPENDR, intid));
        rig.check();
        rig.set(gic::GICD_ISENABLER, intid);
        assert_eq!(rig.handle(0), Some(intid));
    }
}

/// A level that goes away while the line is disabled is gone; an edge is not.
#[test]
fn a_disabled_level_is_not_remembered() {
    for (intid, comes) in [(EDGE, Some(EDGE)), (LEVEL, None)] {
        let mut rig = Rig::new(1, 4);
        rig.set(gic::GICD_ISENABLER, intid);
        rig.drive(intid, true);
        rig.enter(0);
        rig.exit();
        rig.set(gic::GICD_ICENABLER, intid);
        rig.drive(intid, false);
        rig.set(gic::GICD_ISENABLER, intid);
        assert_eq!(rig.handle(0), comes);
        rig.check();
    }
}

/// The guest can take back what waits, physically too; a level that is high stays.
#[test]
fn clearing_pending_forgets_an_edge_only() {
    for (intid, enabled, comes) in [
        (EDGE, true, None),
        (EDGE, false, None),
        (LEVEL, true, Some(LEVEL)),
    ] {
        let mut rig = Rig::new(1, 4);
        if enabled {
            rig.set(gic::GICD_ISENABLER, intid);
        }
        rig.drive(intid, true);
        rig.enter(0);
        rig.exit();
        rig.set(gic::GICD_ICPENDR, intid);
        rig.set(gic::GICD_ISENABLER, intid);
        assert_eq!(rig.handle(0), comes, "{intid} {enabled}");
        rig.check();
    }
}

/// Deactivating by register is as good as an EOI.
#[test]
fn deactivating_by_register_rearms_the_line() {
    let mut rig = Rig::new(1, 4);
    rig.set(gic::GICD_ISENABLER, LEVEL);
    rig.drive(LEVEL, true);
    rig.enter(0);
    assert_eq!(rig.acknowledge(), Some(LEVEL));
    rig.exit();
    assert!(rig.get(gic::GICD_ISACTIVER, LEVEL));
    rig.set(gic::GICD_ICACTIVER, LEVEL);
    rig.check();
    rig.stack.clear();
    assert_eq!(rig.handle(0), Some(LEVEL));
}

/// Making an interrupt pending by register delivers it, and touches no physical line.
#[test]
fn pending_by_register_is_delivered() {
    for intid in [EDGE, LEVEL, UART, NOTHING] {
        let mut rig = Rig::new(1, 4);
        rig.set(gic::GICD_ISENABLER, intid);
        rig.set(gic::GICD_ISPENDR, intid);
        assert_eq!(rig.drain(), [intid]);
        rig.check();
    }
}

/// A request by register during handling comes afterwards, and the physical line is freed between.
#[test]
fn pending_by_register_during_handling_comes_after() {
    let mut rig = Rig::new(1, 4);
    rig.set(gic::GICD_ISENABLER, LEVEL);
    rig.drive(LEVEL, true);
    rig.enter(0);
    assert_eq!(rig.acknowledge(), Some(LEVEL));
    rig.drive(LEVEL, false);
    rig.exit();
    rig.set(gic::GICD_ISPENDR, LEVEL);
    rig.enter(0);
    rig.check();
    rig.end(LEVEL);
    rig.exit();
    rig.check();
    assert!(!rig.chip.lines[&LEVEL].active);
    assert_eq!(rig.drain(), [LEVEL]);
}

/// Nothing comes while the group is off, and what came meanwhile comes when it is on.
#[test]
fn groups_gate_delivery() {
    let mut rig = Rig::new(1, 4);
    rig.write(gic::GICD_CTLR, 0);
    rig.set(gic::GICD_ISENABLER, LEVEL);
    rig.drive(LEVEL, true);
    assert_eq!(rig.drain(), []);
    assert!(!rig.vgic.pending(0));
    rig.write(gic::GICD_CTLR, 2);
    assert!(rig.vgic.pending(0));
    assert_eq!(rig.handle(0), Some(LEVEL));
}

/// An interrupt of group 0 is shown as such, and obeys the other switch.
#[test]
fn group_zero_is_told_apart() {
    let mut rig = Rig::new(1, 4);
    rig.set(gic::GICD_ISENABLER, NOTHING);
    rig.set(gic::GICD_ISPENDR, NOTHING);
    rig.write(gic::GICD_IGROUPR + 4, 0);
    assert!(!rig.vgic.pending(0), "group 1 is on, group 0 off");
    rig.write(gic::GICD_CTLR, 3);
    rig.enter(0);
    let (_, lists) = rig.running.as_ref().unwrap();
    assert!(!ListRegister::decode(lists.lr[0]).group1);
}

/// A line of an emulated device asks for as long as it is high.
#[test]
fn an_emulated_level_follows_its_device() {
    let mut rig = Rig::new(1, 4);
    rig.set(gic::GICD_ISENABLER, UART);
    rig.vgic.set_line(IrqLine::new(UART), true);
    for _ in 0..3 {
        assert_eq!(rig.handle(0), Some(UART));
    }
    rig.enter(0);
    assert_eq!(rig.acknowledge(), Some(UART));
    rig.exit();
    rig.vgic.set_line(IrqLine::new(UART), false);
    rig.enter(0);
    rig.end(UART);
    assert_eq!(rig.acknowledge(), None);
    rig.exit();
    assert_eq!(rig.drain(), []);
}

/// An emulated line that the guest calls an edge comes once for each rise.
#[test]
fn an_emulated_edge_comes_once() {
    let mut rig = Rig::new(1, 4);
    rig.write(gic::GICD_ICFGR + 8, 2);
    rig.set(gic::GICD_ISENABLER, UART);
    rig.vgic.set_line(IrqLine::new(UART), true);
    rig.vgic.set_line(IrqLine::new(UART), true);
    assert_eq!(rig.drain(), [UART]);
    rig.vgic.set_line(IrqLine::new(UART), false);
    rig.vgic.set_line(IrqLine::new(UART), true);
    assert_eq!(rig.drain(), [UART]);
}

/// The hypervisor's own inputs cannot move a physical line.
#[test]
fn an_emulated_device_cannot_use_a_physical_line() {
    let mut rig = Rig::new(1, 4);
    rig.set(gic::GICD_ISENABLER, LEVEL);
    rig.vgic.set_line(IrqLine::new(LEVEL), true);
    rig.vgic.set_line(IrqLine::new(5), true);
    rig.vgic.set_line(IrqLine::new(96), true);
    rig.vgic.set_line(IrqLine::new(u32::MAX), true);
    assert_eq!(rig.drain(), []);
}

/// A line of another domain is none of this one's business.
#[test]
fn foreign_lines_are_not_taken() {
    let mut rig = Rig::new(1, 4);
    for intid in [NOTHING, UART, 27, 3, 96, 1019] {
        let line = IrqLine::new(intid);
        assert_eq!(rig.vgic.raise(&mut rig.chip, line), Err(NotOwned(line)));
    }
}

/// Only the vCPU that took an interrupt can end it.
#[test]
fn a_stranger_cannot_deactivate() {
    let mut rig = Rig::new(2, 4);
    rig.set(gic::GICD_ISENABLER, LEVEL);
    rig.drive(LEVEL, true);
    rig.enter(0);
    rig.acknowledge();
    rig.exit();
    rig.vgic.deactivate(&mut rig.chip, 1, LEVEL);
    assert!(rig.chip.lines[&LEVEL].active);
    rig.vgic.deactivate(&mut rig.chip, 0, 1023);
    rig.vgic.deactivate(&mut rig.chip, 7, u32::MAX);
    rig.vgic.deactivate(&mut rig.chip, 0, LEVEL);
    rig.check();
    assert!(!rig.chip.lines[&LEVEL].active);
}

/// A shared interrupt goes where it is routed; one that is routed nowhere waits.
#[test]
fn routes_are_followed() {
    let mut rig = Rig::new(2, 4);
    rig.set(gic::GICD_ISENABLER, LEVEL);
    let route = gic::GICD_IROUTER + 8 * u64::from(LEVEL);
    rig.drive(LEVEL, true);
    rig.take_physical();
    for (to, pending) in [
        (0, [true, false]),
        (1, [false, true]),
        (2, [false, false]),
        (0x100, [false, false]),
    ] {
        rig.write(route, to);
        assert_eq!(
            [rig.vgic.pending(0), rig.vgic.pending(1)],
            pending,
            "to {to:#x}"
        );
    }
    rig.write(route, 1);
    assert_eq!(rig.handle(0), None);
    assert_eq!(rig.handle(1), Some(LEVEL));
}

/// A domain leaves its lines quiet: off, nothing latched, nothing active.
#[test]
fn release_leaves_the_lines_quiet() {
    let mut rig = Rig::new(1, 4);
    for intid in [EDGE, LEVEL, FAR] {
        rig.set(gic::GICD_ISENABLER, intid);
        rig.drive(intid, true);
    }
    rig.enter(0);
    rig.acknowledge();
    rig.exit();
    rig.pulse(EDGE);
    rig.vgic.release(&mut rig.chip);
    for line in rig.chip.lines.values() {
        assert!(!line.enabled && !line.active && !line.latched, "{line:?}");
    }
}
