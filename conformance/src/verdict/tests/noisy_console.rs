//! Consoles with extra lines, or the same lines in another order.

use proptest::prelude::*;
use wire::{Answer, Note};

use super::*;

/// Runs that must not pass: no addition to their console may turn the verdict into a pass.
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

/// Generates what a guest without the nonce, a driver or a broken UART may put on a console.
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
        format!("@pt2 {NONCE:08x} {dom:02x} {seq:04x} {crc:08x} end 1.")
    });
    prop_oneof![
        "[ -~]{0,40}",
        prop::collection::vec(any::<u8>(), 0..60)
            .prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        forged,
        wrong_sum,
        Just("(HV) refuse domain dB: gpio 0x9030000".to_owned()),
        Just("@pt2 ".to_owned()),
    ]
}

fn verdict_of(scenario: &Scenario, lines: &[String]) -> Verdict {
    judge(scenario, &seen(lines, End::Complete), &[], QUIET).verdict
}

proptest! {
    /// No line added anywhere, and no garbage before or after a frame, turns a failure into a pass.
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

    /// However the lines of domains are interleaved, verdict and reasons are the same.
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
        let judge = |lines: &[String]| judge(&scenario, &seen(lines, End::Complete), &[], QUIET);
        prop_assert_eq!(judge(&mixed), judge(&lines));
    }
}
