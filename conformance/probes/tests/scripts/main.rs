//! The answers of ops on a fake machine.

mod arch;
mod control;
mod fake;
mod pci;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU16, Ordering};

use probe::machine::{Machine, Stop};
use probe::run::{Control, Runner};
use wire::pack::Pack;
use wire::{Answer, Irq, Note, Reason, Same, Sweep, Width, parse_script};

use arch::{InterruptsAt, RAISE_3, asynchronous, external, without_address};
use fake::{Fake, HIGH, RAM};

const TIMER: Irq = Fake::TIMER;

/// Runs a script and returns its answers; checks that each op has one, in order, and that the end is reported.
#[track_caller]
fn run(fake: &Fake, script: &str) -> Vec<Answer> {
    run_with(fake, arch::controller(), script)
}

/// Does the same with the given interrupt controller.
#[track_caller]
fn run_with(fake: &Fake, controller: InterruptsAt, script: &str) -> Vec<Answer> {
    let ramdisk = wire::pack::append(&format!("n=1 d=1;{script}"), &[&[0xa5; 0x1_0801]]);
    let ops = parse_script(&ramdisk).unwrap().1;
    let count = ops.clone().map(Result::unwrap).count();
    let done = AtomicU16::new(0);
    let mut runner = Runner {
        machine: fake,
        irqs: &fake.irqs,
        done: &done,
        interrupts_at: Some(controller),
        interrupts: None,
        tree: &[7; 100],
        banks: &[(RAM, 0x1000), HIGH, (0, 0)],
        pack: Pack::behind(&ramdisk),
        control: Control::default(),
    };
    runner.run(ops);
    assert_eq!(usize::from(done.load(Ordering::Relaxed)), count);
    let notes = fake.notes.take();
    assert_eq!(
        notes.last(),
        Some(&Note::End {
            ops: u16::try_from(count).unwrap()
        })
    );
    let answers = notes.iter().filter_map(|note| match note {
        Note::Op { index, answer } => Some((usize::from(*index), *answer)),
        _ => None,
    });
    answers
        .enumerate()
        .map(|(wanted, (index, answer))| {
            assert_eq!(index, wanted);
            answer
        })
        .collect()
}

#[track_caller]
fn answer(script: &str) -> Answer {
    *run(&Fake::new(), script).last().unwrap()
}

/// A single access answers with a value, a fault, or that it was not tried.
#[test]
fn accesses() {
    for (script, wanted) in [
        (
            "w32 0x40000000 0x12345678;r16 0x40000002",
            Answer::Value(0x1234),
        ),
        ("w32 0x40000000 1", Answer::Ok),
        ("r32 0x1000", Answer::Fault(external(0x1000))),
        ("w8 0x60000000 1", Answer::Fault(asynchronous())),
        ("r32 0x7000_0000", Answer::Cannot(Reason::Map)),
        ("w32 0x400000fe 1", Answer::Cannot(Reason::Own)),
        ("exec 0x1000", Answer::Fault(external(0x1000))),
        ("exec 0x40000000", Answer::Ok),
        ("storm 0x1000 7", Answer::Value(7)),
        ("storm 0x40000000 7", Answer::Value(0)),
        ("tree", Answer::Tree(100)),
    ] {
        assert_eq!(answer(script), wanted, "{script}");
    }
}

/// A sweep counts both outcomes and reports the first of each; an exception without an address counts as elsewhere.
#[test]
fn sweeps() {
    assert_eq!(
        answer("sweep r32 0x3fffe000 4 0x1000"),
        Answer::Sweep(Sweep {
            ok: 1,
            faults: 3,
            first_ok: Some(RAM),
            first_fault: Some(0x3fff_e000),
            elsewhere: 0,
            first_raw: Some(external(0).raw()),
        })
    );
    assert_eq!(
        answer("sweep w8 0x50000000 2 1 9"),
        Answer::Sweep(Sweep {
            faults: 2,
            first_fault: Some(0x5000_0000),
            elsewhere: 2,
            first_raw: Some(without_address().raw()),
            ..Sweep::default()
        })
    );
    let fake = Fake::new();
    run(&fake, "sweep w32 0x40000000 4 8 0xffffffff");
    assert_eq!(fake.peek(Width::W64, RAM + 24), 0xffff_ffff);
    assert_eq!(fake.peek(Width::W64, RAM + 32), 0);
    assert_eq!(
        answer("sweep r32 0x6fffffff 2 1"),
        Answer::Cannot(Reason::Map)
    );
}

/// A comparison counts matches, others and faults, and its values wrap at the width.
#[test]
fn comparisons() {
    let script = "w8 0x40000000 255;w8 0x40000001 0;w8 0x40000002 7;same r8 0x40000000 3 1 255 1";
    let wanted = Same {
        matches: 2,
        mismatches: 1,
        faults: 0,
        first: Some((RAM + 2, 7)),
    };
    assert_eq!(answer(script), Answer::Same(wanted));
    let wanted = Same {
        matches: 1,
        mismatches: 0,
        faults: 1,
        first: None,
    };
    assert_eq!(answer("same r32 0x40000ffc 2 4 0 0"), Answer::Same(wanted));
}

/// A poll ends with the expected value, at its time limit, or with an abort of the access.
#[test]
fn polls() {
    assert_eq!(
        answer("w32 0x40000000 0x13;wait32 0x40000000 3 3 5"),
        Answer::Value(0x13)
    );
    assert_eq!(
        answer("wait32 0x1000 1 1 5"),
        Answer::Fault(external(0x1000))
    );
    let fake = Fake::new();
    assert_eq!(run(&fake, "wait32 0x40000000 1 1 5"), [Answer::Timeout(0)]);
    let looks = fake.irqs.count(TIMER);
    assert!(
        (40..=60).contains(&looks),
        "five milliseconds, ten looks each: {looks}"
    );
}

/// A RAM test finds a word that does not hold its value, restores the others, and skips the probe's own memory.
#[test]
fn ram() {
    let mut fake = Fake::new();
    fake.poke(Width::W64, RAM + 0x40, 0x1122_3344_5566_7788);
    fake.poke(Width::W64, RAM + 0x140, 0x99);
    assert_eq!(run(&fake, "ram 0x40000000 0x1000"), [Answer::Ok]);
    assert_eq!(fake.peek(Width::W64, RAM + 0x40), 0x1122_3344_5566_7788);
    assert_eq!(
        fake.peek(Width::W64, RAM + 0x140),
        0x99,
        "own memory is not touched"
    );
    assert_eq!(
        run(&fake, "ram 0x40000000 0x1008"),
        [Answer::Fault(external(RAM + 0x1000))]
    );
    for stuck in [RAM, RAM + 0xf8, RAM + 0x200, RAM + 0xff8] {
        fake.stuck = Some(stuck);
        assert_eq!(run(&fake, "ram 0x40000000 0x1000"), [Answer::BadRam(stuck)]);
    }
    fake.stuck = Some(RAM + 0x180);
    assert_eq!(
        run(&fake, "ram 0x40000100 0x100"),
        [Answer::Cannot(Reason::Own)]
    );
    assert_eq!(
        run(&fake, "ram 0xfffffffffffffff8 16"),
        [Answer::Cannot(Reason::Map)]
    );
}

/// Interrupts are counted from `irq on`, the handler carries out its actions, and a wait ends in either case.
#[test]
fn interrupts() {
    let fake = Fake::new();
    let taken = |irq, count| Answer::Irqs { irq, count };
    let answers = run(
        &fake,
        &format!(
            "irq act 3 w32 0x40000000 0x77;irq on 3 edge;{RAISE_3};irq count 3;irq wait 3 1 5;irq wait 3 2 5;irq on 3 edge;irq count 3"
        ),
    );
    assert_eq!(
        answers[3..],
        [
            taken(Irq(3), 1),
            taken(Irq(3), 1),
            Answer::Timeout(1),
            Answer::Ok,
            taken(Irq(3), 0)
        ]
    );
    assert_eq!(fake.peek(Width::W32, RAM), 0x77);
    assert_eq!(
        run(&Fake::new(), "timer 3;yield 4"),
        [taken(TIMER, 1), Answer::Ok]
    );
    assert_eq!(answer("irq on 96 level"), Answer::Cannot(Reason::NoIrq));
}

/// An op that never returns is answered first.
#[test]
fn endings_are_answered() {
    for (script, how) in [
        ("idle", Stop::Idle),
        ("off", Stop::Off),
        ("reset", Stop::Reset),
        ("crash", Stop::Crash),
        ("spin", Stop::Spin),
    ] {
        let fake = Fake::new();
        let ran = catch_unwind(AssertUnwindSafe(|| {
            run(&fake, &format!("mark x;{script};mark y"))
        }));
        assert!(ran.is_err());
        assert_eq!(fake.ended.get(), Some(how));
        let notes = fake.notes.take();
        assert!(
            matches!(
                notes.last(),
                Some(Note::Op {
                    index: 1,
                    answer: Answer::Ok
                })
            ),
            "{notes:?}"
        );
    }
}
