//! Tests the parts of a run other than answers: diagnostics of refusals, observations from outside, trees.

use dtb_gen::{Node, Tree};
use wire::{Answer, Data, Note};

use super::*;

/// A subject that promises diagnostics names the domain and each cause in one line; otherwise no line is asked for.
#[test]
fn refusals_are_explained_in_one_line() {
    let scenario = scenario(TWO);
    let verdict = |text: &str, diagnostics| {
        let play = text.lines().fold(well(), |play, line| play.says(line));
        judge(
            &scenario,
            &seen(&play.lines, End::Complete),
            &[],
            Claims {
                diagnostics,
                ..QUIET
            },
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
    // A line that claims a refusal does not prove one.
    let spoke = well()
        .hello(2)
        .says("(HV) refuse domain dB: gpio 0x9030000");
    let outcome = judge(&scenario, &seen(&spoke.lines, End::Complete), &[], STRICT);
    assert_eq!(outcome.verdict, Verdict::Fail);
}

/// Answers from outside are compared like those of probes; a missing answer counts as missing.
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
        let seen = Observation {
            outside,
            ..seen(&play.lines, End::Complete)
        };
        judge(&scenario, &seen, &[], QUIET)
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
        let outcome = with(place, answer.clone());
        assert_eq!(outcome.verdict, Verdict::Fail, "{place} {answer:?}");
        assert!(
            outcome.reason.contains(reason),
            "{place} {answer:?}: {}",
            outcome.reason
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

/// A guest's tree is judged as a whole or not at all: a lost piece is a gap, an unreadable tree is a failure.
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
    // The rules for every domain's tree apply here, though the case does not state them.
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

/// The checks of a pass do not contain what may differ between equal runs, but contain what decided.
#[test]
fn checks_of_a_pass_hold_no_clocks() {
    let rest = "    domains: [{name: dA, script: [read32 0x1000, read32 0x1000 => 0x61 & 0xff, count 34 => any]}]\n";
    let at = |time, count| {
        let play = Play::new().hello(1).op(1, 0, Answer::Value(time));
        let play = play.op(1, 1, Answer::Value(time << 8 | 0x61));
        let play = play.op(
            1,
            2,
            Answer::Irqs {
                irq: wire::Irq(34),
                count,
            },
        );
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
