//! What the SMMU did: it explains what memory decides, and decides where a case says so.

use runners::{Access, Fate, Queue, Reason, Smmus};

use super::*;

const TRANSLATION: Fate = Fate::Recorded(Reason(0x10));

fn access(fate: Fate, address: u64, write: Option<bool>) -> Access {
    Access {
        stream: Some(0x18),
        fate,
        address: Some(address),
        write,
    }
}

/// A run of a domain that reads 0x61, and what the SMMU did meanwhile.
fn ran(value: u64, smmus: Option<Smmus>) -> Seen {
    let play = Play::new()
        .hello(1)
        .op(1, 0, Answer::Value(value))
        .end(1, 1)
        .sentinel(2);
    Seen {
        smmus,
        ..seen(&play.lines, End::Complete)
    }
}

fn smmus(traced: &[Access], queued: &[Access]) -> Smmus {
    let mut smmus = Smmus::default();
    smmus.trace.accesses.extend(traced.iter().copied());
    let mut queue = Queue::default();
    queue.accesses.extend(queued.iter().copied());
    smmus.queues.push(queue);
    smmus
}

fn case(events: &str) -> Scenario {
    scenario(&format!(
        "    machine: {{iommu: smmuv3}}
    domains:
      - {{name: dA, script: [r32 0x1000 => 0x61]}}
    events: [{events}]
"
    ))
}

#[track_caller]
fn check(events: &str, smmus: &Smmus, verdict: Verdict, reason: &str) {
    let seen = ran(0x61, Some(smmus.clone()));
    let judgement = judge(&case(events), &seen, &[], QUIET);
    assert_eq!(judgement.verdict, verdict, "{events}: {judgement:#?}");
    assert!(
        judgement.reason.contains(reason),
        "{events}: {}",
        judgement.reason
    );
}

/// An event that is wanted may be told by either source, and fails the case where neither tells it.
#[test]
fn wanted_events_are_in_one_source() {
    let rule = "0x18 F_TRANSLATION write 0x50000000";
    let traced = access(TRANSLATION, 0x5000_0000, None);
    let written = access(TRANSLATION, 0x5000_0000, Some(true));
    let read = access(TRANSLATION, 0x5000_0000, Some(false));
    check(rule, &smmus(&[traced], &[]), Verdict::Pass, "");
    check(rule, &smmus(&[], &[written]), Verdict::Pass, "");
    check(rule, &smmus(&[traced], &[written, read]), Verdict::Pass, "");
    let missing = "SMMU: 0x18 F_TRANSLATION write 0x50000000: wanted at least 1, saw none";
    check(rule, &smmus(&[], &[]), Verdict::Fail, missing);
    // What the trace leaves open the queue settles.
    check(rule, &smmus(&[traced], &[read]), Verdict::Fail, missing);
    let elsewhere = access(TRANSLATION, 0x5000_0004, Some(true));
    check(
        rule,
        &smmus(&[elsewhere], &[elsewhere]),
        Verdict::Fail,
        missing,
    );
    let silent = access(Fate::Aborted, 0x5000_0000, None);
    let told = "saw none; the SMMU tells of 0x18 0x50000000: aborted";
    check(rule, &smmus(&[silent], &[]), Verdict::Fail, told);
}

/// Counts are those of one source: the two tell of the same events.
#[test]
fn counts_are_not_added_up() {
    let event = access(TRANSLATION, 0x5000_0000, Some(true));
    let rule = "0x18 event => at least 2";
    check(
        rule,
        &smmus(&[event], &[event]),
        Verdict::Fail,
        "wanted at least 2, saw fewer",
    );
    check(rule, &smmus(&[event, event], &[event]), Verdict::Pass, "");
    check(rule, &smmus(&[], &[event, event]), Verdict::Pass, "");
}

/// What must not be there fails the case by either source; what may be is neither good nor bad.
#[test]
fn absent_events_are_in_no_source() {
    let event = access(TRANSLATION, 0x5000_0000, Some(true));
    let passed = access(Fate::Bypassed, 0x5000_0000, None);
    for smmus in [smmus(&[event], &[]), smmus(&[], &[event])] {
        check(
            "0x18 event => none",
            &smmus,
            Verdict::Fail,
            "wanted none, saw StreamID 0x18 F_TRANSLATION",
        );
        check(
            "others => none",
            &smmus,
            Verdict::Fail,
            "SMMU: others: wanted none",
        );
        check(
            "0x18 F_TRANSLATION => any, others => none",
            &smmus,
            Verdict::Pass,
            "",
        );
        check(
            "0x19 event => none, any bypassed => none",
            &smmus,
            Verdict::Pass,
            "",
        );
    }
    check(
        "any bypassed => none",
        &smmus(&[passed], &[]),
        Verdict::Fail,
        "bypassed",
    );
    check("others => none", &smmus(&[passed], &[]), Verdict::Pass, "");
}

/// A trace that does not tell everything is the rig's fault, unless what it tells is enough.
#[test]
fn half_a_trace_breaks() {
    let event = access(TRANSLATION, 0x5000_0000, None);
    let half = |traced: &[Access]| {
        let mut smmus = smmus(traced, &[]);
        smmus.trace.lost = Some("it breaks off".to_owned());
        smmus
    };
    check("0x18 event", &half(&[]), Verdict::Broken, "it breaks off");
    check(
        "0x18 event => none",
        &half(&[]),
        Verdict::Broken,
        "it breaks off",
    );
    check("0x18 event", &half(&[event]), Verdict::Pass, "");
    check(
        "0x18 event => none",
        &half(&[event]),
        Verdict::Fail,
        "wanted none",
    );
    let judgement = judge(&case("0x18 event"), &ran(0x61, None), &[], QUIET);
    assert_eq!(judgement.verdict, Verdict::Broken, "{}", judgement.reason);
}

/// Memory decides, whatever the SMMU did; what it did is quoted, and without a line about it no case hangs on it.
#[test]
fn memory_decides_and_events_explain() {
    let event = access(TRANSLATION, 0x5000_0000, Some(true));
    let smmus = smmus(&[event], &[event]);
    let wrong = judge(&case(""), &ran(0x62, Some(smmus.clone())), &[], QUIET);
    assert_eq!(wrong.verdict, Verdict::Fail);
    assert_eq!(
        wrong.reason,
        "dA [0] r32 0x1000: wanted 0x61, saw val 0x62; the SMMU tells of 0x18 write 0x50000000: F_TRANSLATION"
    );
    let both = judge(
        &case("0x18 event => none"),
        &ran(0x62, Some(smmus.clone())),
        &[],
        QUIET,
    );
    assert!(both.reason.starts_with("dA [0] r32"), "{}", both.reason);
    check("", &smmus, Verdict::Pass, "");
}

/// Two runs that differ in how often something came, or in what came first, are judged in the same words.
#[test]
fn equal_runs_are_told_alike() {
    let first = access(TRANSLATION, 0x5000_0000, Some(true));
    let second = access(TRANSLATION, 0x5000_0004, Some(true));
    let told = |traced: &[Access]| {
        let rules = "0x18 event, 0x18 F_PERMISSION => none, 0x19 event => none";
        let right = judge(
            &case(rules),
            &ran(0x61, Some(smmus(traced, &[]))),
            &[],
            QUIET,
        );
        let wrong = judge(
            &case("others => none"),
            &ran(0x61, Some(smmus(traced, &[]))),
            &[],
            QUIET,
        );
        assert_eq!(
            (right.verdict, wrong.verdict),
            (Verdict::Pass, Verdict::Fail)
        );
        (right, wrong)
    };
    assert_eq!(told(&[first, second, second]), told(&[second, first]));
}
