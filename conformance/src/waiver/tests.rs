use super::*;
use crate::sample::{self, loaded, profile};
use crate::scenario::generate;

const CASES: &str = "  - id: XenValTestCase~demo.one~1
    title: One
    class: positive
    parameters: [{name: a}, {name: b}]
    domains: [{name: dA}]
  - id: XenValTestCase~demo.two~1
    title: Two
    class: positive
    domains: [{name: dA}]
";

const FILE: &str = "[[waiver]]
TARGET
reason = 'known'
reference = 'docs/x.md'
expires = '2027-01-31'
";

fn scenarios() -> Vec<Scenario> {
    generate::scenarios(&loaded(CASES), &profile()).unwrap()
}

fn waivers(target: &str) -> Vec<Waiver> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.toml");
    std::fs::write(&path, FILE.replace("TARGET", target)).unwrap();
    read(&path).unwrap()
}

/// Returns rows of all scenarios but those left out; those in `failed` failed.
fn rows(failed: &[&str], left_out: &[&str]) -> Vec<(Row, Duration)> {
    let ran = scenarios().into_iter();
    ran.filter(|scenario| !left_out.contains(&scenario.id.as_str()))
        .map(|scenario| {
            let verdict = match failed.contains(&scenario.id.as_str()) {
                true => Verdict::Fail,
                false => Verdict::Pass,
            };
            let row = Row {
                case: scenario.case.to_string(),
                class: scenario.class,
                level: scenario.level,
                reason: "saw it".to_owned(),
                ..sample::row(&scenario.id, &[], verdict)
            };
            (row, Duration::ZERO)
        })
        .collect()
}

#[track_caller]
fn check(
    target: &str,
    day: &str,
    failed: &[&str],
    left_out: &[&str],
    waived: &[&str],
    problem: &str,
) {
    let waivers = waivers(target);
    let mut rows = rows(failed, left_out);
    let problems = apply(&waivers, &scenarios(), &mut rows, day.parse().unwrap());
    let found: Vec<&str> = rows
        .iter()
        .filter(|(row, _)| row.verdict == Verdict::Waived)
        .map(|(row, _)| row.scenario.as_str())
        .collect();
    assert_eq!(found, waived);
    let told = problems.join("\n");
    assert!(
        told.contains(problem) && told.is_empty() == problem.is_empty(),
        "{told}"
    );
}

const REQUIREMENT: &str = "requirement = 'XenSSR~demo~2'";
const CASE: &str = "case = 'XenValTestCase~demo.one~1'";
const SCENARIO: &str = "case = 'demo.one/b'";

/// A waiver excuses the failures that it names, up to and including its last day, and nothing else.
#[test]
fn failures_are_excused_until_the_last_day() {
    let failed = ["demo.one/a", "demo.one/b", "demo.two"];
    check(REQUIREMENT, "2027-01-31", &failed, &[], &failed, "");
    check(CASE, "2026-01-01", &failed, &[], &failed[..2], "");
    check(SCENARIO, "2026-01-01", &failed, &[], &failed[1..2], "");
    check(
        CASE,
        "2027-02-01",
        &failed,
        &[],
        &[],
        "expired on 2027-01-31",
    );
}

/// A waiver that excuses nothing is needless, but only if all scenarios that it names ran.
#[test]
fn needless_waivers_are_told() {
    check(CASE, "2026-01-01", &["demo.two"], &[], &[], "needless");
    check(CASE, "2026-01-01", &[], &["demo.one/a"], &[], "");
    check(
        CASE,
        "2026-01-01",
        &["demo.one/a"],
        &["demo.one/b"],
        &["demo.one/a"],
        "",
    );
    check(
        SCENARIO,
        "2026-01-01",
        &[],
        &["demo.one/a"],
        &[],
        "needless",
    );
}

/// The row of an excused failure has the waiver's reason.
#[test]
fn the_row_says_why() {
    let mut rows = rows(&["demo.two"], &[]);
    let day = "2026-01-01".parse().unwrap();
    apply(&waivers("case = 'demo.two'"), &scenarios(), &mut rows, day);
    let (row, _) = rows.last().unwrap();
    assert_eq!(
        row.reason,
        "waived until 2027-01-31 (docs/x.md): known; saw it"
    );
}

/// A waiver of something that does not exist, or one without its reason, is refused.
#[test]
fn wrong_waivers_are_refused() {
    let told = |waivers: &[Waiver]| format!("{:#}", check_all(waivers).unwrap_err());
    let text = told(&waivers("case = 'demo.tow'"));
    assert!(
        text.contains("no scenario is about that; did you mean `demo.two`"),
        "{text}"
    );
    let mut silent = waivers(CASE);
    silent[0].reason = " ".to_owned();
    assert!(told(&silent).contains("`reason` is empty"));
    assert!(check_all(&waivers(REQUIREMENT)).is_ok());
}

fn check_all(waivers: &[Waiver]) -> Result<()> {
    super::check(waivers, &scenarios())
}
