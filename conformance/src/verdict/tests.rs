use dtb_gen::{Node, Tree};
use proptest::prelude::*;
use wire::{Answer, Data, Note, Reason, Same, Sweep, Vector, Why};

use super::*;
use crate::observe::Recorder;
use crate::sample::{NONCE, Play, scenario};

/// A domain that reads once and a later one that must not run, in front of the sentinel.
const TWO: &str = "    domains:
      - {name: dA, script: [r32 0x1000 => 0x61]}
      - {name: dB, refused: [gpio, '0x9030000']}
";

fn seen(lines: &[String], end: End) -> Seen {
    let mut recorder = Recorder::new(NONCE);
    for line in lines {
        recorder.line(line);
    }
    let console = lines.join("\n").into_bytes();
    Seen {
        end,
        console,
        ..recorder.seen
    }
}

fn judged(rest: &str, play: Play) -> Judgement {
    judge(
        &scenario(rest),
        &seen(&play.lines, End::Complete),
        &[],
        false,
    )
}

#[track_caller]
fn check(rest: &str, play: Play, verdict: Verdict, reason: &str) {
    let judgement = judged(rest, play);
    assert_eq!(judgement.verdict, verdict, "{judgement:#?}");
    assert!(judgement.reason.contains(reason), "{}", judgement.reason);
}

/// What `dA` and the sentinel say when all is well and the refused `dB` never runs.
fn well() -> Play {
    Play::new()
        .hello(1)
        .op(1, 0, Answer::Value(0x61))
        .end(1, 1)
        .sentinel(3)
}

/// A run in which everything wanted was seen passes without a reason.
#[test]
fn all_that_was_wanted_passes() {
    check(TWO, well(), Verdict::Pass, "");
    assert_eq!(judged(TWO, well()).reason, "");
    assert!(judged(TWO, well()).checks.iter().all(|check| check.ok));
}

/// Each expectation, met and not met by an answer: the verdict follows, and the reason shows both.
#[test]
fn each_expectation_decides() {
    let sweep = |ok, faults, bad_far| {
        Answer::Sweep(Sweep {
            ok,
            faults,
            bad_far,
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
    let fault = |esr, far| Answer::Fault { esr, far };
    let gic = |enabled, pending, active| Answer::Gic {
        enabled,
        pending,
        active,
    };
    let irqs = |count| Answer::Irqs { intid: 34, count };
    let rows = [
        (
            "r32 0x1000 => 0x61",
            Answer::Value(0x61),
            Answer::Value(0x62),
        ),
        (
            "r32 0x1000 => 0x61 & 0xff",
            Answer::Value(0x161),
            Answer::Value(0x160),
        ),
        (
            "r32 0x1000 => not 0x61",
            Answer::Value(0),
            Answer::Value(0x61),
        ),
        ("r32 0x1000", Answer::Value(7), fault(0x9600_0010, 0x1000)),
        (
            "r32 0x1000 => ok",
            Answer::Value(7),
            Answer::Serror { esr: 0 },
        ),
        (
            "r32 0x1000 => fault",
            fault(0x9600_0010, 0x1000),
            Answer::Value(0),
        ),
        (
            "r32 0x1000 => fault",
            fault(0x9600_0007, 0x1000),
            fault(0x9600_0010, 0x2000),
        ),
        (
            "r32 0x1000 => fault",
            fault(0x9600_0010, 0x1000),
            Answer::Cannot(Reason::Map),
        ),
        (
            "r32 0x1001 => alignment-fault",
            fault(0x9600_0021, 0x1001),
            fault(0x9600_0010, 0x1001),
        ),
        (
            "exec 0x1000 => any-fault",
            fault(0x8600_000f, 0x1000),
            Answer::Ok,
        ),
        (
            "wait32 0x1000 1 1 5 => timeout",
            Answer::Timeout(0),
            Answer::Value(1),
        ),
        ("wait32 0x1000 1 1 5", Answer::Value(1), Answer::Timeout(0)),
        ("irq count 34 => irqs 2", irqs(2), irqs(3)),
        (
            "irq state 34 => gic ea",
            gic(true, false, true),
            gic(true, true, true),
        ),
        (
            "irq state 34 => gic none",
            gic(false, false, false),
            gic(false, false, true),
        ),
        (
            "sweep r32 0x1000 2 4 => sweep ok=1 fault=1",
            sweep(1, 1, 0),
            sweep(0, 2, 0),
        ),
        (
            "sweep r32 0x1000 2 4 => sweep ok=1 fault=1",
            sweep(1, 1, 0),
            sweep(1, 1, 1),
        ),
        ("sweep r32 0x1000 2 4", sweep(2, 0, 0), sweep(1, 1, 0)),
        ("same r32 0x1000 2 4 0 4", same(0), same(1)),
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
    let rest = "    domains: [{name: dA, script: [r32 0x1000 => any, r32 0x1004, r32 0x1000 => unchanged]}]\n";
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
    let fault = Answer::Fault {
        esr: 0x9600_0010,
        far: 0x1000,
    };
    check(
        rest,
        play(fault, fault),
        Verdict::Fail,
        "wanted the same value",
    );
    // The first answer was lost: what came later is compared with nothing.
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

/// Any sign of life of a refused domain fails the case, whichever frame it is.
#[test]
fn a_refused_domain_that_speaks_fails() {
    let fault = Note::Fault {
        vector: Vector::Sync,
        esr: 0,
        elr: 0,
        far: 0,
    };
    let bad = Note::Bad {
        at: 0,
        why: Why::Script,
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
    // Also where lines were lost: what was seen is wrong whatever the others said.
    check(
        TWO,
        well().lose(2).end(2, 0),
        Verdict::Fail,
        "its probe spoke",
    );
}

/// Lost, damaged, repeated and foreign lines leave the rig unable to tell, unless something wrong was seen.
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
    // The answer itself is the line that was lost: nothing wrong was seen.
    let missing = Play::new().hello(1).lose(1).end(1, 1).sentinel(3);
    check(TWO, missing, Verdict::Broken, "the record has gaps");
    check(
        TWO,
        well().says("@pt1 00005eed 01 zz"),
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

/// Control characters of a damaged line do not reach the reason.
#[test]
fn reasons_are_printable() {
    let judgement = judged(TWO, well().says("\x1b[2J@pt1 00005eed"));
    assert_eq!(judgement.verdict, Verdict::Broken);
    assert!(
        judgement.reason.contains("\\u{1b}[2J"),
        "{}",
        judgement.reason
    );
}

/// What was never answered fails a domain on a machine that runs, and no answer but the first counts.
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
        vector: Vector::Sync,
        esr: 1,
        elr: 2,
        far: 3,
    };
    let disturbed = Play::new()
        .hello(1)
        .op(1, 0, Answer::Value(0x61))
        .note(1, fault)
        .end(1, 1);
    check(TWO, disturbed.sentinel(3), Verdict::Fail, "undisturbed");
}

/// A domain that goes to sleep or off on purpose need not end its script.
#[test]
fn silence_on_purpose_is_fine() {
    let rest = "    domains: [{name: dA, script: [r32 0x1000, 'off']}]\n";
    let off = Play::new().hello(1).op(1, 0, Answer::Value(1));
    check(
        rest,
        off.op(1, 1, Answer::Ok).sentinel(2),
        Verdict::Pass,
        "",
    );
    let rest = "    domains: [{name: dA, script: [r32 0x1000, 'off']}]\n";
    check(
        rest,
        Play::new().hello(1).op(1, 0, Answer::Value(1)).sentinel(2),
        Verdict::Fail,
        "off",
    );
}

/// Without a sentinel that ran to its end nothing is told about the hypervisor, however good or bad the rest looks.
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
    let alone = "    sentinel: false\n    domains: [{name: dA, script: [r32 0x1000]}]\n";
    check(alone, Play::new(), Verdict::Broken, "no domain spoke");
    check(alone, Play::new().hello(1), Verdict::Fail, "saw nothing");
}

/// How the run ended matters: a rig that failed is no evidence, a deadline is no pass, a flood hides.
#[test]
fn the_end_of_the_run_counts() {
    let scenario = scenario(TWO);
    let at = |play: Play, end| judge(&scenario, &seen(&play.lines, end), &[], false);
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
        let judgement = at(play, end.clone());
        assert_eq!(judgement.verdict, verdict, "{end:?}: {}", judgement.reason);
    }
    assert_eq!(
        at(well(), End::Failed("QEMU died".into())).reason,
        "QEMU died"
    );
}

/// Where diagnostics are promised, one line names the domain and every culprit; otherwise no line is asked for.
#[test]
fn refusals_are_explained_in_one_line() {
    let scenario = scenario(TWO);
    let verdict = |text: &str, diagnostics| {
        let play = text.lines().fold(well(), |play, line| play.says(line));
        judge(
            &scenario,
            &seen(&play.lines, End::Complete),
            &[],
            diagnostics,
        )
        .verdict
    };
    let rows = [
        (
            "(HV) refuse domain dB: /passthrough/gpio: `xen,reg` 0x9030000",
            Verdict::Pass,
        ),
        (
            "(HV) domain dB: /passthrough/gpio: `xen,reg` 0x9030000",
            Verdict::Fail,
        ),
        (
            "(HV) refuse domain dB2: /passthrough/gpio: `xen,reg` 0x9030000",
            Verdict::Fail,
        ),
        (
            "(HV) refuse domain dA: /passthrough/gpio: `xen,reg` 0x9030000",
            Verdict::Fail,
        ),
        (
            "(HV) refuse domain dB: /passthrough/gpio\n(HV) refuse domain dB: 0x9030000",
            Verdict::Fail,
        ),
        (
            "(HV) refuse domain dB: other\n(HV) refuse domain dB: gpio 0x9030000",
            Verdict::Pass,
        ),
        ("", Verdict::Fail),
    ];
    for (text, wanted) in rows {
        assert_eq!(verdict(text, true), wanted, "{text}");
        assert_eq!(verdict(text, false), Verdict::Pass, "{text}");
    }
    // A line that claims a refusal proves none.
    let spoke = well()
        .hello(2)
        .says("(HV) refuse domain dB: gpio 0x9030000");
    let judgement = judge(&scenario, &seen(&spoke.lines, End::Complete), &[], true);
    assert_eq!(judgement.verdict, Verdict::Fail);
}

/// Answers from outside are compared like those from inside; what nobody answered is missing.
#[test]
fn what_is_seen_from_outside_counts() {
    let rest = "    domains: [{name: dA, script: [mark here]}]
    outside:
      - {at: start, do: [read32 0x10 => any, write32 0x14 1]}
      - {at: dA here, do: [read32 0x10 => unchanged, read32 0x18 => 5 & 7, read32 0x1c => not 0]}
";
    let scenario = scenario(rest);
    let mark = Answer::Mark(wire::Name::new("here").unwrap());
    let play = Play::new().hello(1).op(1, 0, mark).end(1, 1).sentinel(2);
    let value = OutsideAnswer::Value;
    let good = || {
        [
            value(3),
            OutsideAnswer::Done,
            value(3),
            value(0x15),
            value(1),
        ]
        .to_vec()
    };
    let with = |place: usize, answer: Option<OutsideAnswer>| {
        let labels = ["0.0", "0.1", "1.0", "1.1", "1.2"];
        let mut answers = good();
        let mut labels = labels.to_vec();
        match answer {
            Some(answer) => answers[place] = answer,
            None => {
                answers.remove(place);
                labels.remove(place);
            }
        }
        let outside = labels.into_iter().map(str::to_owned).zip(answers).collect();
        let seen = Seen {
            outside,
            ..seen(&play.lines, End::Complete)
        };
        judge(&scenario, &seen, &[], false)
    };
    assert_eq!(with(0, Some(value(3))).verdict, Verdict::Pass);
    let refused = OutsideAnswer::Refused("no".into());
    let rows = [
        (1, Some(refused.clone()), "refused: no"),
        (
            2,
            Some(value(4)),
            "wanted the same value as before, saw 0x4",
        ),
        (2, Some(refused), "refused: no"),
        (3, Some(value(0x16)), "saw 0x16"),
        (4, Some(value(0)), "saw 0x0"),
        (4, Some(OutsideAnswer::Done), "saw done"),
        (0, None, "saw nothing"),
        (4, None, "saw nothing"),
    ];
    for (place, answer, reason) in rows {
        let judgement = with(place, answer.clone());
        assert_eq!(judgement.verdict, Verdict::Fail, "{place} {answer:?}");
        assert!(
            judgement.reason.contains(reason),
            "{place} {answer:?}: {}",
            judgement.reason
        );
    }
}

const TREE: &str = "    domains: [{name: dA, tree: [no-node /soc]}]\n";

fn guest_tree() -> Tree {
    Tree {
        root: Node::new("").with("compatible", "demo"),
        ..Tree::default()
    }
}

fn dumped(blob: &[u8], lose: Option<usize>, told: usize) -> Play {
    let play = blob
        .chunks(48)
        .enumerate()
        .fold(Play::new().hello(1), |play, (place, bytes)| {
            if lose == Some(place) {
                return play.lose(1);
            }
            let offset = u32::try_from(place * 48).unwrap();
            play.note(
                1,
                Note::Chunk {
                    offset,
                    data: Data::new(bytes).unwrap(),
                },
            )
        });
    play.op(1, 0, Answer::Tree(u32::try_from(told).unwrap()))
        .end(1, 1)
        .sentinel(2)
}

/// A guest's tree is judged as a whole or not at all: a lost piece is a gap, an unreadable whole is a failure.
#[test]
fn trees_are_judged_whole() {
    let blob = guest_tree().emit().unwrap();
    check(TREE, dumped(&blob, None, blob.len()), Verdict::Pass, "");
    check(
        TREE,
        dumped(&blob, Some(1), blob.len()),
        Verdict::Broken,
        "the record has gaps",
    );
    check(
        TREE,
        dumped(&blob, None, blob.len() + 4),
        Verdict::Fail,
        "is sent whole",
    );
    let mut spoilt = blob.clone();
    spoilt[0] = 0;
    check(
        TREE,
        dumped(&spoilt, None, blob.len()),
        Verdict::Fail,
        "is a device tree",
    );
    let mut shown = guest_tree();
    shown.root = shown.root.child(Node::new("soc"));
    let blob = shown.emit().unwrap();
    check(
        TREE,
        dumped(&blob, None, blob.len()),
        Verdict::Fail,
        "/soc is there",
    );
    // What holds for every domain's tree holds here, though the case does not say so.
    let mut shown = guest_tree();
    shown.root.set("xen,path", "/x");
    let blob = shown.emit().unwrap();
    check(
        TREE,
        dumped(&blob, None, blob.len()),
        Verdict::Fail,
        "xen,path",
    );
}

/// What may differ between equal runs is not in the checks of a pass; what decided is.
#[test]
fn checks_of_a_pass_hold_no_clocks() {
    let rest = "    domains: [{name: dA, script: [r32 0x1000, r32 0x1000 => 0x61 & 0xff, irq wait 34 1 9 => any]}]\n";
    let at = |time, count| {
        let play = Play::new().hello(1).op(1, 0, Answer::Value(time));
        let play = play.op(1, 1, Answer::Value(time << 8 | 0x61));
        let play = play.op(1, 2, Answer::Irqs { intid: 34, count });
        judged(rest, play.end(1, 3).sentinel(2))
    };
    assert_eq!(at(1, 1).verdict, Verdict::Pass);
    assert_eq!(at(1, 1), at(2, 5));
    assert!(
        at(1, 1)
            .checks
            .iter()
            .any(|check| check.seen == "0x61 under the mask")
    );
}

/// Runs that are not as they should be: the verdict must never become a pass by what is added to their console.
fn failing() -> Vec<Vec<String>> {
    vec![
        Play::new()
            .hello(1)
            .op(1, 0, Answer::Value(0x62))
            .end(1, 1)
            .sentinel(3)
            .lines,
        Play::new().hello(1).end(1, 1).sentinel(3).lines,
        Play::new().sentinel(3).lines,
        well().hello(2).lines,
        well()
            .says("x")
            .hello(2)
            .op(2, 0, Answer::Ok)
            .end(2, 1)
            .lines,
    ]
}

/// What a guest without the nonce, a driver or a broken UART may put on a console.
fn soup() -> impl Strategy<Value = String> {
    let forged = (any::<u32>(), 0_u8..5, 0_u16..6, 0_u16..3, any::<bool>()).prop_map(
        |(nonce, dom, seq, index, end)| {
            let nonce = if nonce == NONCE { nonce ^ 1 } else { nonce };
            let answer = Answer::Value(0x61);
            let note = if end {
                Note::End { ops: 1 }
            } else {
                Note::Op { index, answer }
            };
            wire::Frame {
                nonce,
                dom,
                seq,
                note,
            }
            .encode()
            .to_string()
        },
    );
    let wrong_sum = (0_u8..5, 0_u16..6, any::<u32>()).prop_map(|(dom, seq, crc)| {
        format!("@pt1 {NONCE:08x} {dom:02x} {seq:04x} {crc:08x} end 1.")
    });
    prop_oneof![
        "[ -~]{0,40}",
        prop::collection::vec(any::<u8>(), 0..60)
            .prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        forged,
        wrong_sum,
        Just("(HV) refuse domain dB: gpio 0x9030000".to_owned()),
        Just("@pt1 ".to_owned()),
    ]
}

fn verdict_of(scenario: &Scenario, lines: &[String]) -> Verdict {
    judge(scenario, &seen(lines, End::Complete), &[], false).verdict
}

proptest! {
    /// No line added anywhere, and no soup in front of a frame or behind it, turns a failure into a pass.
    #[test]
    fn soup_never_makes_a_pass(
        which in 0_usize..5,
        added in prop::collection::vec((any::<prop::sample::Index>(), soup(), 0_u8..3), 0..8),
    ) {
        let scenario = scenario(TWO);
        let mut lines = failing().swap_remove(which);
        prop_assert_eq!(verdict_of(&scenario, &lines), Verdict::Fail);
        for (at, text, how) in added {
            let at = at.index(lines.len());
            match how {
                0 => lines.insert(at, text),
                1 => lines[at].insert_str(0, &text),
                _ => lines[at].push_str(&text),
            }
        }
        prop_assert_ne!(verdict_of(&scenario, &lines), Verdict::Pass);
    }

    /// However the lines of domains are interleaved, the verdict and its grounds are the same.
    #[test]
    fn interleaving_changes_nothing(which in 0_usize..6, order in prop::collection::vec(0_usize..3, 40)) {
        let scenario = scenario(TWO);
        let mut plays = failing();
        plays.push(well().lines);
        let lines = plays.swap_remove(which);
        let of = |dom: &str| lines.iter().filter(|line| line.contains(dom)).cloned().collect::<Vec<_>>();
        let mut queues = [of("(HV) d1:"), of("(HV) d2:"), of("(HV) d3:")].map(Vec::into_iter);
        let mut mixed = Vec::new();
        for turn in order {
            mixed.extend(queues[turn].next());
        }
        mixed.extend(queues.into_iter().flatten());
        let judge = |lines: &[String]| judge(&scenario, &seen(lines, End::Complete), &[], false);
        prop_assert_eq!(judge(&mixed), judge(&lines));
    }
}
