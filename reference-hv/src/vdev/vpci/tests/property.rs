//! Whatever a guest does: nothing of the hardware changes that is not its own, and stage 2 shows what the registers say.

use proptest::prelude::*;

use super::*;

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    Read(u64, Width),
    Write(u64, Width, u64),
    Command(u64),
    Remove,
    Add,
}

/// Offsets: anywhere, and more often where something is.
fn offsets() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => (0..2_u64, 0..0x40_u64).prop_map(|(slot, at)| slot << 15 | at),
        2 => (0x10..0x28_u64).prop_map(|at| at & !3),
        1 => 0..0x1000_u64,
        1 => 0..ECAM_SIZE,
        1 => any::<u64>(),
    ]
}

fn values() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(u64::MAX),
        Just(0),
        (0..LOW.1).prop_map(|at| LOW.0 + at),
        (0..HIGH.1).prop_map(|at| HIGH.0 + at),
        0..0x1_0000_u64,
        any::<u64>(),
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    let widths = || prop::sample::select(&Width::ALL[..]);
    prop_oneof![
        2 => (offsets(), widths()).prop_map(|(o, w)| Step::Read(o, w)),
        8 => (offsets(), widths(), values()).prop_map(|(o, w, v)| Step::Write(o, w, v)),
        4 => (0..8_u64).prop_map(Step::Command),
        1 => Just(Step::Remove),
        1 => Just(Step::Add),
    ]
}

/// What the registers of the function say is to be seen, each with what it would be mapped to.
fn said(rig: &mut Rig) -> Vec<(u64, u64, u64)> {
    if rig.word(0) == u32::MAX || rig.read(4, Width::Half) & 2 == 0 {
        return Vec::new();
    }
    let wide = rig.read(0x18, Width::Double) & !0xf;
    let all = [
        (u64::from(rig.word(0x10)), 0x1010_0000, 0x1_0000),
        (wide, 0x80_0010_0000, 0x10_0000),
        (u64::from(rig.word(0x20)), 0x1020_0000, 0x1000),
    ];
    let inside =
        |at: u64, size: u64, window: (u64, u64)| at >= window.0 && at - window.0 <= window.1 - size;
    let mut said = Vec::<(u64, u64, u64)>::new();
    for (at, host, size) in all {
        let shown = inside(at, size, LOW) || inside(at, size, HIGH);
        let free = || {
            said.iter()
                .all(|(other, _, long)| at + size <= *other || other + long <= at)
        };
        if shown && free() {
            said.push((at, host, size));
        }
    }
    said.sort_unstable();
    said
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn guests_change_nothing_but_their_own(traffic in prop::collection::vec(steps(), 0..120)) {
        let mut rig = Rig::new();
        let before = rig.machine.space(DISK).clone();
        for step in traffic {
            match step {
                Step::Read(offset, width) => {
                    let fits = offset < ECAM_SIZE && offset % width.bytes() == 0;
                    let value = rig.vpci.read(&mut rig.machine, offset, width);
                    prop_assert_eq!(value.is_ok(), fits);
                    prop_assert_eq!(value.unwrap_or_default() & !width.mask(), 0);
                }
                Step::Write(offset, width, value) => {
                    let fits = offset < ECAM_SIZE && offset % width.bytes() == 0;
                    let done = rig.vpci.write(&mut rig.machine, offset, width, value);
                    prop_assert_eq!(done.is_ok(), fits);
                }
                Step::Command(value) => rig.command(value),
                Step::Remove => {
                    rig.vpci.remove(&mut rig.machine, DISK);
                    prop_assert_eq!(rig.machine.stage.shown(), []);
                }
                Step::Add if rig.word(0) == u32::MAX => {
                    let given = Given { function: &disk(), host: disk_host(), interrupts: true };
                    prop_assert_eq!(rig.vpci.add(&mut rig.machine, &given), Ok(0));
                }
                Step::Add => {}
            }
            prop_assert_eq!(rig.machine.command(DISK) & !0x0406, 0);
            prop_assert_eq!(rig.machine.stage.shown(), said(&mut rig));
        }
        let mut after = rig.machine.space(DISK).clone();
        after.set(4, 4, before.get(4, 4));
        prop_assert_eq!(after.bytes(), before.bytes());
    }
}
