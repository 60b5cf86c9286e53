mod destroyed;
mod iommu_events;
mod noisy_console;
mod parts;

use wire::{Answer, Irq, Note, Reason, Same, ScriptError, Sweep};

use super::*;
use crate::arch::sample::{asynchronous, external, misaligned, permission, unmapped};
use crate::observe::Recorder;
use crate::sample::{NONCE, Play, scenario};

/// Subjects that refuse all that they should, without and with diagnostics.
pub const QUIET: Claims = Claims {
    diagnostics: false,
    strict: true,
};
pub const STRICT: Claims = Claims {
    diagnostics: true,
    ..QUIET
};

/// A domain that reads once and a later one that must not run, before the sentinel.
const TWO: &str = "    domains:
      - {name: dA, script: [read32 0x1000 => 0x61]}
      - {name: dB, refused: [gpio, '0x9030000']}
";

fn seen(lines: &[String], end: End) -> Observation {
    let mut recorder = Recorder::new(NONCE);
    for line in lines {
        recorder.line(line);
    }
    let console = lines.join("\n").into_bytes();
    Observation {
        end,
        console,
        ..recorder.seen
    }
}

fn judged(rest: &str, play: Play) -> Outcome {
    judge(
        &scenario(rest),
        &seen(&play.lines, End::Complete),
        &[],
        QUIET,
    )
}

#[track_caller]
fn check(rest: &str, play: Play, verdict: Verdict, reason: &str) {
    let outcome = judged(rest, play);
    assert_eq!(outcome.verdict, verdict, "{outcome:#?}");
    assert!(outcome.reason.contains(reason), "{}", outcome.reason);
}

/// The frames of `dA` and the sentinel in a good run, in which the refused `dB` never runs.
fn well() -> Play {
    Play::new()
        .hello(1)
        .op(1, 0, Answer::Value(0x61))
        .end(1, 1)
        .sentinel(3)
}

/// A run in which everything wanted was seen passes, without a reason.
#[test]
fn all_that_was_wanted_passes() {
    check(TWO, well(), Verdict::Pass, "");
    assert_eq!(judged(TWO, well()).reason, "");
    assert!(judged(TWO, well()).checks.iter().all(|check| check.ok));
}

/// Each expectation, met and not met by an answer: the verdict follows, and the reason shows both.
#[test]
fn each_expectation_decides() {
    let sweep = |ok, faults, elsewhere| {
        Answer::Sweep(Sweep {
            ok,
            faults,
            elsewhere,
            ..Sweep::default()
        })
    };
    let same = |mismatches| {
        Answer::Same(Same {
            matches: 1,
            mismatches,
            faults: 0,
            first: None,
        })
    };
    let irqs = |count| Answer::Irqs {
        irq: Irq(34),
        count,
    };
    let rows = [
        (
            "read32 0x1000 => 0x61",
            Answer::Value(0x61),
            Answer::Value(0x62),
        ),
        (
            "read32 0x1000 => 0x61 & 0xff",
            Answer::Value(0x161),
            Answer::Value(0x160),
        ),
        (
            "read32 0x1000 => not 0x61",
            Answer::Value(0),
            Answer::Value(0x61),
        ),
        (
            "read32 0x1000",
            Answer::Value(7),
            Answer::Fault(external(0x1000)),
        ),
        (
            "read32 0x1000 => ok",
            Answer::Value(7),
            Answer::Fault(asynchronous()),
        ),
        (
            "read32 0x1000 => nothing",
            Answer::Fault(external(0x1000)),
            Answer::Value(0),
        ),
        (
            "read32 0x1000 => nothing",
            Answer::Fault(unmapped(0x1000)),
            Answer::Fault(external(0x2000)),
        ),
        (
            "read32 0x1000 => nothing",
            Answer::Fault(external(0x1000)),
            Answer::Cannot(Reason::Map),
        ),
        (
            "read32 0x1001 => alignment-fault",
            Answer::Fault(misaligned(0x1001)),
            Answer::Fault(external(0x1001)),
        ),
        (
            "exec 0x1000 => any-fault",
            Answer::Fault(permission(0x1000)),
            Answer::Ok,
        ),
        (
            "wait32 0x1000 1 1 5 => timeout",
            Answer::Timeout(0),
            Answer::Value(1),
        ),
        ("wait32 0x1000 1 1 5", Answer::Value(1), Answer::Timeout(0)),
        ("count 34 twice", irqs(2), irqs(3)),
        (
            "sweep read32 0x1000 2 4 => reached 1 of 2",
            sweep(1, 1, 0),
            sweep(0, 2, 0),
        ),
        (
            "sweep read32 0x1000 2 4 => reached 1 of 2",
            sweep(1, 1, 0),
            sweep(1, 1, 1),
        ),
        ("sweep read32 0x1000 2 4", sweep(2, 0, 0), sweep(1, 1, 0)),
        ("same read32 0x1000 2 4 0 4", same(0), same(1)),
        (
            "ram 0x40000000 0x1000",
            Answer::Ok,
            Answer::BadRam(0x4000_0008),
        ),
    ];
    for (line, good, bad) in rows {
        let rest = format!("    domains: [{{name: dA, script: ['{line}']}}]\n");
        let play = |answer| Play::new().hello(1).op(1, 0, answer).end(1, 1).sentinel(2);
        check(&rest, play(good), Verdict::Pass, "");
        check(&rest, play(bad), Verdict::Fail, &format!("saw {bad}"));
    }
}

/// `unchanged` compares with the first answer to the same operation, never with itself.
#[test]
fn unchanged_needs_an_earlier_answer() {
    let rest = "    domains: [{name: dA, script: [read32 0x1000 => any, read32 0x1004, read32 0x1000 => unchanged]}]\n";
    let play = |first, last| {
        let play = Play::new()
            .hello(1)
            .op(1, 0, first)
            .op(1, 1, Answer::Value(9));
        play.op(1, 2, last).end(1, 3).sentinel(2)
    };
    check(
        rest,
        play(Answer::Value(5), Answer::Value(5)),
        Verdict::Pass,
        "",
    );
    check(
        rest,
        play(Answer::Value(5), Answer::Value(6)),
        Verdict::Fail,
        "wanted the same value",
    );
    let fault = Answer::Fault(external(0x1000));
    check(
        rest,
        play(fault, fault),
        Verdict::Fail,
        "wanted the same value",
    );
    // The first answer was lost, so the later one has nothing to be compared with.
    let lost = Play::new()
        .hello(1)
        .lose(1)
        .op(1, 1, Answer::Value(9))
        .op(1, 2, Answer::Value(5));
    check(
        rest,
        lost.end(1, 3).sentinel(2),
        Verdict::Broken,
        "the record has gaps",
    );
}

/// Any frame of a refused domain fails the case, whichever it is.
#[test]
fn a_refused_domain_that_speaks_fails() {
    let fault = Note::Fault {
        fault: external(0x1000),
        pc: 0x4000_0000,
    };
    let bad = Note::Bad {
        at: 0,
        why: ScriptError::Script,
    };
    for sign in [
        fault,
        bad,
        Note::End { ops: 0 },
        Note::Op {
            index: 0,
            answer: Answer::Ok,
        },
    ] {
        check(
            TWO,
            well().note(2, sign),
            Verdict::Fail,
            "dB: wanted never runs, saw its probe spoke",
        );
    }
    check(TWO, well().hello(2), Verdict::Fail, "its probe spoke");
    // It also fails if lines were lost: a wrong observation is wrong whatever the lost lines were.
    check(
        TWO,
        well().lose(2).end(2, 0),
        Verdict::Fail,
        "its probe spoke",
    );
}

/// Lost, damaged, repeated and foreign lines make the run broken, unless something wrong was seen.
#[test]
fn a_record_with_gaps_is_broken_unless_something_was_wrong() {
    let lost = |value| {
        Play::new()
            .hello(1)
            .lose(1)
            .op(1, 0, Answer::Value(value))
            .end(1, 1)
            .sentinel(3)
    };
    check(TWO, lost(0x61), Verdict::Broken, "the record has gaps");
    check(TWO, lost(0x62), Verdict::Fail, "saw val 0x62");
    // The lost line is the answer itself: nothing wrong was seen.
    let missing = Play::new().hello(1).lose(1).end(1, 1).sentinel(3);
    check(TWO, missing, Verdict::Broken, "the record has gaps");
    check(
        TWO,
        well().says("@pt2 00005eed 01 zz"),
        Verdict::Broken,
        "damaged line",
    );
    let repeated = well();
    for (line, told) in [(0, "started again"), (1, "came again")] {
        let again = repeated.lines[line].clone();
        check(TWO, well().says(&again), Verdict::Broken, told);
    }
    let foreign = wire::Frame {
        nonce: 1,
        dom: 1,
        seq: 0,
        note: Note::End { ops: 0 },
    }
    .encode();
    check(
        TWO,
        well().says(foreign.as_str()),
        Verdict::Broken,
        "another run",
    );
}

/// Control characters of a damaged line do not appear in the reason.
#[test]
fn reasons_are_printable() {
    let outcome = judged(TWO, well().says("\x1b[2J@pt2 00005eed"));
    assert_eq!(outcome.verdict, Verdict::Broken);
    assert!(outcome.reason.contains("\\x1b[2J"), "{}", outcome.reason);
}

/// A missing answer fails a domain on a machine that runs, and only the first answer counts.
#[test]
fn silence_is_a_failure_where_the_machine_runs() {
    check(
        TWO,
        Play::new().sentinel(3),
        Verdict::Fail,
        "dA: wanted runs, saw nothing",
    );
    check(
        TWO,
        Play::new().hello(1).sentinel(3),
        Verdict::Fail,
        "wanted 0x61, saw nothing",
    );
    let no_end = Play::new()
        .hello(1)
        .op(1, 0, Answer::Value(0x61))
        .sentinel(3);
    check(
        TWO,
        no_end,
        Verdict::Fail,
        "runs its script to the end, saw nothing",
    );
    let again = Play::new()
        .hello(1)
        .op(1, 0, Answer::Value(0x62))
        .op(1, 0, Answer::Value(0x61));
    check(
        TWO,
        again.end(1, 1).sentinel(3),
        Verdict::Fail,
        "saw val 0x62",
    );
    let fault = Note::Fault {
        fault: external(0x1000),
        pc: 0x4000_0000,
    };
    let disturbed = Play::new()
        .hello(1)
        .op(1, 0, Answer::Value(0x61))
        .note(1, fault)
        .end(1, 1);
    check(TWO, disturbed.sentinel(3), Verdict::Fail, "undisturbed");
}

/// A domain that sleeps or powers off on purpose need not end its script.
#[test]
fn silence_on_purpose_is_fine() {
    let rest = "    domains: [{name: dA, script: [read32 0x1000, 'off']}]\n";
    let off = Play::new().hello(1).op(1, 0, Answer::Value(1));
    check(
        rest,
        off.op(1, 1, Answer::Ok).sentinel(2),
        Verdict::Pass,
        "",
    );
    let rest = "    domains: [{name: dA, script: [read32 0x1000, 'off']}]\n";
    check(
        rest,
        Play::new().hello(1).op(1, 0, Answer::Value(1)).sentinel(2),
        Verdict::Fail,
        "off",
    );
}

/// Without a sentinel that ran to its end there is no verdict on the hypervisor, however good or bad the rest looks.
#[test]
fn no_sentinel_no_verdict() {
    let silent = Play::new().hello(1).op(1, 0, Answer::Value(0x61)).end(1, 1);
    check(TWO, silent, Verdict::Broken, "the sentinel did not end");
    let halfway = Play::new()
        .hello(1)
        .op(1, 0, Answer::Value(0x62))
        .end(1, 1)
        .hello(3);
    check(TWO, halfway, Verdict::Broken, "the sentinel did not end");
    check(
        TWO,
        Play::new(),
        Verdict::Broken,
        "the sentinel did not end",
    );
    let alone = "    sentinel: false\n    domains: [{name: dA, script: [read32 0x1000]}]\n";
    check(alone, Play::new(), Verdict::Broken, "no domain spoke");
    check(alone, Play::new().hello(1), Verdict::Fail, "saw nothing");
}

/// How the run ended matters: a failed harness gives no evidence, a deadline is no pass, a flood may hide answers.
#[test]
fn the_end_of_the_run_counts() {
    let scenario = scenario(TWO);
    let at = |play: Play, end| judge(&scenario, &seen(&play.lines, end), &[], QUIET);
    let wrong = || {
        Play::new()
            .hello(1)
            .op(1, 0, Answer::Value(0))
            .end(1, 1)
            .sentinel(3)
    };
    let missing = || Play::new().hello(1).sentinel(3);
    let rows = [
        (well(), End::Failed("QEMU died".into()), Verdict::Broken),
        (wrong(), End::Failed("QEMU died".into()), Verdict::Broken),
        (well(), End::Deadline, Verdict::Broken),
        (missing(), End::Deadline, Verdict::Fail),
        (wrong(), End::Deadline, Verdict::Fail),
        (well(), End::Flooded(9), Verdict::Broken),
        (missing(), End::Flooded(9), Verdict::Broken),
        (wrong(), End::Flooded(9), Verdict::Fail),
        (
            well(),
            End::PoweredOff("guest-shutdown".into()),
            Verdict::Pass,
        ),
        (
            missing(),
            End::PoweredOff("guest-shutdown".into()),
            Verdict::Fail,
        ),
    ];
    for (play, end, verdict) in rows {
        let outcome = at(play, end.clone());
        assert_eq!(outcome.verdict, verdict, "{end:?}: {}", outcome.reason);
    }
    assert_eq!(
        at(well(), End::Failed("QEMU died".into())).reason,
        "QEMU died"
    );
}

/// A refused domain that runs is judged by its observations if the case leaves that open, unless the subject claims to
/// refuse it.
#[test]
fn what_a_domain_finds_may_decide() {
    let scenario = scenario(
        "    domains:
      - {name: dB, refused: [], if_permitted: [read32 0x1000 => nothing]}
",
    );
    let fault = Answer::Fault(external(0x1000));
    let lenient = Claims {
        strict: false,
        ..QUIET
    };
    let verdict = |answer: Option<Answer>, claims| {
        let mut play = Play::new().sentinel(2);
        if let Some(answer) = answer {
            play = play.hello(1).op(1, 0, answer).end(1, 1);
        }
        judge(&scenario, &seen(&play.lines, End::Complete), &[], claims).verdict
    };
    assert_eq!(verdict(Some(fault), lenient), Verdict::Pass);
    assert_eq!(verdict(Some(Answer::Value(0x61)), lenient), Verdict::Fail);
    assert_eq!(verdict(None, lenient), Verdict::Pass);
    assert_eq!(verdict(Some(fault), QUIET), Verdict::Fail);
}
