//! What the IOMMU did: it explains what memory decides, and it decides if a case asks for an event.

use runners::{Access, AccessFate, Iommus, Queue, Reason};

use super::*;

const TRANSLATION: AccessFate = AccessFate::Recorded(Reason::new(0x10, Some("F_TRANSLATION")));

fn access(fate: AccessFate, address: u64, write: Option<bool>) -> Access {
    Access {
        stream: Some(0x18),
        fate,
        address: Some(address),
        write,
    }
}

/// A run of a domain that reads 0x61, and the IOMMU's activity in it.
fn ran(value: u64, iommus: Option<Iommus>) -> Observation {
    let play = Play::new()
        .hello(1)
        .op(1, 0, Answer::Value(value))
        .end(1, 1)
        .sentinel(2);
    Observation {
        iommus,
        ..seen(&play.lines, End::Complete)
    }
}

fn iommus(traced: &[Access], queued: &[Access]) -> Iommus {
    let mut iommus = Iommus::default();
    iommus.trace.accesses.extend(traced.iter().copied());
    let mut queue = Queue::default();
    queue.accesses.extend(queued.iter().copied());
    iommus.queues.push(queue);
    iommus
}

fn case(events: &str) -> Scenario {
    scenario(&format!(
        "    machine: {{iommu: true}}
    domains:
      - {{name: dA, script: [read32 0x1000 => 0x61]}}
    iommu_events: [{events}]
"
    ))
}

#[track_caller]
fn check(events: &str, iommus: &Iommus, verdict: Verdict, reason: &str) {
    let seen = ran(0x61, Some(iommus.clone()));
    let outcome = judge(&case(events), &seen, &[], QUIET);
    assert_eq!(outcome.verdict, verdict, "{events}: {outcome:#?}");
    assert!(
        outcome.reason.contains(reason),
        "{events}: {}",
        outcome.reason
    );
}

/// A wanted event may be in either source; the case fails if it is in neither.
#[test]
fn wanted_events_are_in_one_source() {
    let rule = "0x18 F_TRANSLATION write 0x50000000";
    let traced = access(TRANSLATION, 0x5000_0000, None);
    let written = access(TRANSLATION, 0x5000_0000, Some(true));
    let read = access(TRANSLATION, 0x5000_0000, Some(false));
    check(rule, &iommus(&[traced], &[]), Verdict::Pass, "");
    check(rule, &iommus(&[], &[written]), Verdict::Pass, "");
    check(
        rule,
        &iommus(&[traced], &[written, read]),
        Verdict::Pass,
        "",
    );
    let missing = "IOMMU: 0x18 F_TRANSLATION write 0x50000000: wanted at least 1, saw none";
    check(rule, &iommus(&[], &[]), Verdict::Fail, missing);
    // The queue settles what the trace leaves open.
    check(rule, &iommus(&[traced], &[read]), Verdict::Fail, missing);
    let elsewhere = access(TRANSLATION, 0x5000_0004, Some(true));
    check(
        rule,
        &iommus(&[elsewhere], &[elsewhere]),
        Verdict::Fail,
        missing,
    );
    let silent = access(AccessFate::Aborted, 0x5000_0000, None);
    let told = "saw none; the IOMMU reports 0x18 0x50000000: aborted";
    check(rule, &iommus(&[silent], &[]), Verdict::Fail, told);
}

/// Counts come from one source, since both contain the same events.
#[test]
fn counts_are_not_added_up() {
    let event = access(TRANSLATION, 0x5000_0000, Some(true));
    let rule = "0x18 event => at least 2";
    check(
        rule,
        &iommus(&[event], &[event]),
        Verdict::Fail,
        "wanted at least 2, saw fewer",
    );
    check(rule, &iommus(&[event, event], &[event]), Verdict::Pass, "");
    check(rule, &iommus(&[], &[event, event]), Verdict::Pass, "");
}

/// An event that must not occur fails the case if either source has it; an event that may occur changes nothing.
#[test]
fn absent_events_are_in_no_source() {
    let event = access(TRANSLATION, 0x5000_0000, Some(true));
    let passed = access(AccessFate::Bypassed, 0x5000_0000, None);
    for iommus in [iommus(&[event], &[]), iommus(&[], &[event])] {
        check(
            "0x18 event => none",
            &iommus,
            Verdict::Fail,
            "wanted none, saw device 0x18 F_TRANSLATION",
        );
        check(
            "others => none",
            &iommus,
            Verdict::Fail,
            "IOMMU: others: wanted none",
        );
        check(
            "0x18 F_TRANSLATION => any, others => none",
            &iommus,
            Verdict::Pass,
            "",
        );
        check(
            "0x19 event => none, any bypassed => none",
            &iommus,
            Verdict::Pass,
            "",
        );
    }
    check(
        "any bypassed => none",
        &iommus(&[passed], &[]),
        Verdict::Fail,
        "bypassed",
    );
    check("others => none", &iommus(&[passed], &[]), Verdict::Pass, "");
}

/// An incomplete trace makes the run broken, unless what it contains is enough.
#[test]
fn half_a_trace_breaks() {
    let event = access(TRANSLATION, 0x5000_0000, None);
    let half = |traced: &[Access]| {
        let mut iommus = iommus(traced, &[]);
        iommus.trace.lost = Some("it breaks off".to_owned());
        iommus
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
    let outcome = judge(&case("0x18 event"), &ran(0x61, None), &[], QUIET);
    assert_eq!(outcome.verdict, Verdict::Broken, "{}", outcome.reason);
}

/// Memory decides, whatever the IOMMU did. The reason quotes what the IOMMU did, and without a line about it no case
/// depends on it.
#[test]
fn memory_decides_and_events_explain() {
    let event = access(TRANSLATION, 0x5000_0000, Some(true));
    let iommus = iommus(&[event], &[event]);
    let wrong = judge(&case(""), &ran(0x62, Some(iommus.clone())), &[], QUIET);
    assert_eq!(wrong.verdict, Verdict::Fail);
    assert_eq!(
        wrong.reason,
        "dA [0] r32 0x1000: wanted 0x61, saw val 0x62; the IOMMU reports 0x18 write 0x50000000: F_TRANSLATION"
    );
    let both = judge(
        &case("0x18 event => none"),
        &ran(0x62, Some(iommus.clone())),
        &[],
        QUIET,
    );
    assert!(both.reason.starts_with("dA [0] r32"), "{}", both.reason);
    check("", &iommus, Verdict::Pass, "");
}

/// Two runs that differ only in counts or in the order of events are judged in the same words.
#[test]
fn equal_runs_are_told_alike() {
    let first = access(TRANSLATION, 0x5000_0000, Some(true));
    let second = access(TRANSLATION, 0x5000_0004, Some(true));
    let told = |traced: &[Access]| {
        let rules = "0x18 event, 0x18 F_PERMISSION => none, 0x19 event => none";
        let right = judge(
            &case(rules),
            &ran(0x61, Some(iommus(traced, &[]))),
            &[],
            QUIET,
        );
        let wrong = judge(
            &case("others => none"),
            &ran(0x61, Some(iommus(traced, &[]))),
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
