//! Whatever a guest does: no panic, no foreign line (the chip of the rig fails on one), and its own
//! interrupts still come afterwards.

use crate::hal::VirtualInterrupts;
use proptest::prelude::*;

use super::rig::{EDGE, FAR, LEVEL, Rig};
use crate::access::Width;
use crate::arch::aarch64::gic;
use crate::arch::aarch64::vgic::{Frame, SgiKind};
use crate::ids::IrqLine;

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    Read(bool, u64, Width),
    Write(bool, u64, Width, u64),
    Drive(u32, bool),
    Line(u32, bool),
    Timer(u32, bool),
    Sgi(u32, bool, u64),
    Deactivate(u32, u32),
    Enter(u32),
    Acknowledge,
    End,
    Exit,
    ResetVcpu(u32),
}

fn widths() -> impl Strategy<Value = Width> {
    prop::sample::select(&Width::ALL[..])
}

/// Offsets: anywhere, and more often where something is.
fn offsets() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..0x1000_u64,
        (0..0x1000_u64).prop_map(|offset| offset & !3),
        0x6100..0x6300_u64,
        (0..4_u64, 0..0x1000_u64).prop_map(|(vcpu, at)| vcpu * 0x2_0000 + 0x1_0000 + (at & !3)),
        any::<u64>(),
    ]
}

fn values() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(u64::MAX),
        Just(0),
        (0..32_u32).prop_map(|place| 1 << place),
        any::<u64>(),
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    let physical = prop::sample::select(&[EDGE, LEVEL, FAR][..]);
    prop_oneof![
        2 => (any::<bool>(), offsets(), widths()).prop_map(|(d, o, w)| Step::Read(d, o, w)),
        4 => (any::<bool>(), offsets(), widths(), values())
            .prop_map(|(d, o, w, v)| Step::Write(d, o, w, v)),
        4 => (physical, any::<bool>()).prop_map(|(line, high)| Step::Drive(line, high)),
        1 => (0..100_u32, any::<bool>()).prop_map(|(line, high)| Step::Line(line, high)),
        1 => (0..3_u32, any::<bool>()).prop_map(|(vcpu, high)| Step::Timer(vcpu, high)),
        1 => (0..3_u32, any::<bool>(), values()).prop_map(|(f, g, v)| Step::Sgi(f, g, v)),
        1 => (0..3_u32, 0..100_u32).prop_map(|(vcpu, intid)| Step::Deactivate(vcpu, intid)),
        6 => (0..2_u32).prop_map(Step::Enter),
        6 => Just(Step::Acknowledge),
        5 => Just(Step::End),
        6 => Just(Step::Exit),
        1 => (0..3_u32).prop_map(Step::ResetVcpu),
    ]
}

fn frame(distributor: bool) -> Frame {
    if distributor {
        Frame::Distributor
    } else {
        Frame::Redistributor
    }
}

/// Lets one thing happen, where it can: a guest that runs has to come back before its registers are
/// emulated.
fn play(rig: &mut Rig, step: &Step) {
    if rig.running.is_some() && !matches!(step, Step::Acknowledge | Step::End | Step::Drive(..)) {
        rig.exit();
        rig.check();
    }
    match *step {
        Step::Read(distributor, offset, width) => {
            let _ = rig
                .vgic
                .read(&mut rig.chip, frame(distributor), offset, width);
        }
        Step::Write(distributor, offset, width, value) => {
            let _ = rig
                .vgic
                .write(&mut rig.chip, frame(distributor), offset, width, value);
        }
        Step::Drive(line, high) => rig.drive(line, high),
        Step::Line(line, high) => rig.vgic.set_line(IrqLine::new(line), high),
        Step::Timer(vcpu, high) => rig.vgic.set_timer(vcpu, high),
        Step::Sgi(from, group1, value) => {
            let kind = if group1 {
                SgiKind::Group1
            } else {
                SgiKind::Group0
            };
            rig.vgic.sgi(from, kind, value);
        }
        Step::Deactivate(vcpu, intid) => rig.vgic.deactivate(&mut rig.chip, vcpu, intid),
        Step::Enter(vcpu) => rig.enter(vcpu),
        Step::Acknowledge => {
            if rig.running.is_some() {
                rig.acknowledge();
            }
        }
        Step::End => {
            let Some((vcpu, _)) = rig.running else { return };
            let last = rig.stack.get(&vcpu).and_then(|stack| stack.last().copied());
            if let Some((_, intid)) = last {
                rig.end(intid);
            }
        }
        Step::Exit => {}
        Step::ResetVcpu(vcpu) => {
            rig.vgic.reset_vcpu(vcpu);
            rig.stack.remove(&vcpu);
        }
    }
    rig.check();
}

/// Does what a driver does when it starts: everything off and inactive, then its own lines on.
fn settle(rig: &mut Rig) {
    if rig.running.is_some() {
        rig.exit();
    }
    rig.stack.clear();
    for intid in [EDGE, LEVEL, FAR] {
        rig.drive(intid, false);
    }
    for bank in [4, 8] {
        rig.write(gic::GICD_ICENABLER + bank, u32::MAX);
        rig.write(gic::GICD_ICPENDR + bank, u32::MAX);
        rig.write(gic::GICD_ICACTIVER + bank, u32::MAX);
        rig.write(gic::GICD_IGROUPR + bank, u32::MAX);
    }
    rig.write_private(0, gic::GICD_ICENABLER, u32::MAX);
    rig.write_private(0, gic::GICD_ICACTIVER, u32::MAX);
    rig.write(gic::GICD_CTLR, 2);
    for intid in [EDGE, LEVEL, FAR] {
        rig.priority(intid, 0x80);
        let route = gic::GICD_IROUTER + 8 * u64::from(intid);
        rig.write(route, 0);
        rig.write(route + 4, 0);
        rig.set(gic::GICD_ISENABLER, intid);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// Random traffic neither panics nor leaves the domain's lines, and the lines work afterwards:
    /// each physical interrupt comes exactly as often as it should.
    #[test]
    fn lines_survive_any_traffic(
        list_registers in 1..5_u8,
        traffic in prop::collection::vec(steps(), 0..200),
    ) {
        let mut rig = Rig::new(2, list_registers);
        for step in &traffic {
            play(&mut rig, step);
        }
        settle(&mut rig);
        rig.check();
        prop_assert_eq!(rig.drain(), []);
        rig.pulse(EDGE);
        prop_assert_eq!(rig.drain(), [EDGE]);
        for level in [LEVEL, FAR] {
            rig.drive(level, true);
            prop_assert_eq!(rig.handle(0), Some(level));
            prop_assert_eq!(rig.handle(0), Some(level));
            rig.drive(level, false);
            prop_assert_eq!(rig.drain(), []);
        }
    }
}
