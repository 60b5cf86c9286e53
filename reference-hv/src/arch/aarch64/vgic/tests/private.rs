//! Software generated interrupts and the timer.

use super::rig::Rig;
use crate::arch::aarch64::gic;
use crate::arch::aarch64::vgic::SgiKind;
use crate::hal::VirtualInterrupts;

/// Software generated interrupts reach whom they name, in the groups that they may.
#[test]
fn software_interrupts_reach_their_targets() {
    let group1 = SgiKind::Group1;
    let table = [
        // (sender, kind, value, group 1 of the targets, who gets it)
        (0, group1, 0x0500_0002, true, [false, true, false]),
        (0, group1, 0x0500_0007, true, [true, true, true]),
        (1, group1, 0x0100_0500_0000, true, [true, false, true]),
        (0, group1, 0x0500_0000, true, [false, false, false]),
        (0, group1, 0x0501_0001, true, [false, false, false]),
        (0, group1, 0x1000_0500_0001, true, [false, false, false]),
        (0, SgiKind::Group0, 0x0500_0007, true, [false, false, false]),
        (0, SgiKind::Group0, 0x0500_0007, false, [true, true, true]),
        (0, group1, 0x0500_0007, false, [true, true, true]),
    ];
    for (from, kind, value, in_group1, reached) in table {
        let mut rig = Rig::new(3, 4);
        rig.write(gic::GICD_CTLR, 3);
        for vcpu in 0..3 {
            rig.write_private(vcpu, gic::GICD_ISENABLER, 1 << 5);
            rig.write_private(
                vcpu,
                gic::GICD_IGROUPR,
                if in_group1 { u32::MAX } else { 0 },
            );
        }
        rig.vgic.sgi(from, kind, value);
        for (vcpu, reached) in (0..).zip(reached) {
            assert_eq!(rig.vgic.pending(vcpu), reached, "{value:#x} at vCPU {vcpu}");
            assert_eq!(rig.handle(vcpu), reached.then_some(5));
        }
    }
}

/// The timer's line is tied to the private physical line while its vCPU runs, and to that only.
#[test]
fn the_timer_is_tied_while_it_runs() {
    let mut rig = Rig::new(2, 4);
    rig.write_private(0, gic::GICD_ISENABLER, 1 << 27);
    rig.vgic.set_timer(0, true);
    assert!(rig.vgic.pending(0) && !rig.vgic.pending(1));
    rig.enter(0);
    assert!(rig.running.as_ref().unwrap().1.timer_active);
    assert_eq!(rig.acknowledge(), Some(27));
    rig.exit();
    // Another vCPU in between has its own timer.
    rig.enter(1);
    assert!(!rig.running.as_ref().unwrap().1.timer_active);
    rig.exit();
    rig.vgic.set_timer(0, false);
    rig.enter(0);
    assert!(
        rig.running.as_ref().unwrap().1.timer_active,
        "still being handled"
    );
    rig.end(27);
    rig.exit();
    rig.vgic.set_timer(0, false);
    rig.enter(0);
    let (_, lists) = rig.running.as_ref().unwrap();
    assert_eq!((lists.timer_active, lists.used), (false, 0));
}

/// A timer that goes off again before its handler ends comes again.
#[test]
fn the_timer_comes_again() {
    let mut rig = Rig::new(1, 4);
    rig.write_private(0, gic::GICD_ISENABLER, 1 << 27);
    for _ in 0..3 {
        rig.vgic.set_timer(0, true);
        assert_eq!(rig.handle(0), Some(27));
    }
    rig.vgic.set_timer(0, false);
    assert_eq!(rig.handle(0), None);
}

/// A timer that the guest stops in time does not come.
#[test]
fn a_timer_taken_back_does_not_come() {
    let mut rig = Rig::new(1, 4);
    rig.write_private(0, gic::GICD_ISENABLER, 1 << 27);
    rig.vgic.set_timer(0, true);
    rig.enter(0);
    rig.exit();
    rig.vgic.set_timer(0, false);
    rig.enter(0);
    assert_eq!(rig.acknowledge(), None);
    assert!(!rig.running.as_ref().unwrap().1.timer_active);
}

/// A vCPU that is switched on finds its private interrupts as after reset.
#[test]
fn a_fresh_vcpu_has_fresh_private_interrupts() {
    let mut rig = Rig::new(2, 4);
    rig.write_private(1, gic::GICD_ISENABLER, u32::MAX);
    rig.vgic.sgi(0, SgiKind::Group1, 0x0500_0002);
    rig.vgic.set_timer(1, true);
    assert!(rig.vgic.pending(1));
    rig.vgic.reset_vcpu(1);
    assert!(!rig.vgic.pending(1));
    rig.write_private(1, gic::GICD_ISENABLER, 1 << 27);
    rig.vgic.set_timer(1, true);
    rig.enter(1);
    assert!(
        rig.running.as_ref().unwrap().1.timer_active,
        "the timer is still the timer"
    );
}
