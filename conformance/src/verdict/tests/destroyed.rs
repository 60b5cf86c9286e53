//! Domains that run and are destroyed: both must be observed.

use super::*;

/// A control domain that destroys `dA` (2) and creates `dB` (4) after the sentinel (3).
const LIFE: &str = "    domains:
      - name: ctl
        role: control
        children: [{name: dB, script: [read32 0x1000 => 0x61]}]
        script: [destroy dA, mark gone, destroy dB => EBUSY]
      - name: dA
        script: [read32 0x1000 => 0x61, mark up, timer 1]
        destroyed: ctl
";

fn mark(name: &str) -> Answer {
    Answer::Mark(wire::Name::new(name).unwrap())
}

fn begun() -> Play {
    Play::new()
        .hello(1)
        .hello(2)
        .op(2, 0, Answer::Value(0x61))
        .op(2, 1, mark("up"))
        .op(1, 0, Answer::Value(0))
}

fn ended(play: Play) -> Play {
    play.op(1, 1, mark("gone"))
        .op(1, 2, Answer::Value(16_u64.wrapping_neg()))
        .end(1, 3)
        .sentinel(3)
}

fn child(play: Play) -> Play {
    play.hello(4).op(4, 0, Answer::Value(0x61)).end(4, 1)
}

/// A domain that ran, was destroyed and sent nothing more passes, however far its script came.
#[test]
fn what_ran_and_fell_silent_passes() {
    check(LIFE, child(ended(begun())), Verdict::Pass, "");
    let further = begun().op(2, 2, Answer::Timeout(0));
    check(LIFE, child(ended(further)), Verdict::Pass, "");
}

/// A frame after the announced end, a domain that never ran, a missing announcement: each fails for its reason.
#[test]
fn what_was_not_seen_to_end_fails() {
    let late = ended(begun()).end(2, 3);
    check(
        LIFE,
        child(late),
        Verdict::Fail,
        "wanted silence after mark `gone` of ctl, saw its probe spoke",
    );
    let never = Play::new().hello(1).op(1, 0, Answer::Value(0));
    check(
        LIFE,
        child(ended(never)),
        Verdict::Fail,
        "dA: wanted runs, saw nothing",
    );
    let short = Play::new()
        .hello(1)
        .hello(2)
        .op(2, 0, Answer::Value(0x61))
        .op(1, 0, Answer::Value(0));
    check(LIFE, child(ended(short)), Verdict::Fail, "mark up");
    let unsaid = begun().end(1, 3).sentinel(3);
    check(LIFE, child(unsaid), Verdict::Fail, "mark gone");
}

/// A child is judged like any domain, and a hypercall's result is shown by its name.
#[test]
fn children_and_results_are_judged() {
    check(
        LIFE,
        ended(begun()),
        Verdict::Fail,
        "dB: wanted runs, saw nothing",
    );
    let other = begun()
        .op(1, 1, mark("gone"))
        .op(1, 2, Answer::Value(1_u64.wrapping_neg()))
        .end(1, 3)
        .sentinel(3);
    check(LIFE, child(other), Verdict::Fail, "wanted EBUSY, saw EPERM");
}

/// The last frame of a destroyed domain may be truncated, once; another domain's may not.
#[test]
fn a_last_word_may_break_off() {
    let frame = |dom: u8| format!("(HV) d{dom}: @pt2 {NONCE:08x} {dom:02x} 00");
    check(
        LIFE,
        child(ended(begun())).says(&frame(2)),
        Verdict::Pass,
        "",
    );
    check(
        LIFE,
        child(ended(begun())).says("(HV) d2: @pt2 0000"),
        Verdict::Pass,
        "",
    );
    let twice = child(ended(begun())).says(&frame(2)).says(&frame(2));
    check(LIFE, twice, Verdict::Broken, "damaged line");
    let other = child(ended(begun())).says(&frame(4));
    check(LIFE, other, Verdict::Broken, "damaged line");
}
