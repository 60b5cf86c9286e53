use std::collections::BTreeMap;

use model::AggregateVerdict::{Broken, Fail, NotVerified, Pass, Skip};
use model::{Arch, Verdict};

use super::*;
use crate::sample::{self, loaded, profile};

const CASES: &str = "  - id: XenValTestCase~demo.one~1
    title: One
    class: positive
    domains: [{name: dA}]
";

fn row(scenario: &str, covers: &[&str], verdict: Verdict) -> Row {
    Row {
        digests: BTreeMap::from([("image".to_owned(), "00".to_owned())]),
        ..sample::row(scenario, covers, verdict)
    }
}

fn made(rows: &[(&str, &[&str], Verdict)], scope: &[&str], took: u64) -> Ledger {
    let mut ledger = made_of(rows, scope, profile(), &[], Vec::new(), |_| {});
    ledger.times.values_mut().for_each(|time| *time = took);
    ledger
}

fn made_of(
    rows: &[(&str, &[&str], Verdict)],
    scope: &[&str],
    profile: runners::Profile,
    optional: &[&str],
    problems: Vec<String>,
    change: impl Fn(&mut Row),
) -> Ledger {
    let folder = tempfile::TempDir::new().unwrap();
    let image = folder.path().join("image");
    std::fs::write(&image, b"image").unwrap();
    let loaded = loaded(CASES);
    let harness = Harness::new(profile, loaded.library.clone(), &image, &image, 7).unwrap();
    let ids = |texts: &[&str]| -> Vec<Id> { texts.iter().map(|id| id.parse().unwrap()).collect() };
    let run = Run {
        loaded: &loaded,
        harness: &harness,
        scope: &ids(scope),
        optional: &ids(optional),
        problems,
        notices: Vec::new(),
        selection: Vec::new(),
        took: Duration::ZERO,
    };
    let rows = rows.iter().map(|(id, covers, verdict)| {
        let mut row = row(id, covers, *verdict);
        change(&mut row);
        (row, Duration::ZERO)
    });
    ledger(&run, rows.collect())
}

const DEMO: &str = "XenSSR~demo~2";
const OTHER: &str = "XenSSR~other~1";
const THIRD: &str = "XenSSR~third~1";
const TOP: &str = "XenPRQ~top~1";

/// Verdicts of scenarios decide those of requirements, and these decide those of parents; direct and inherited verdicts
/// stay separate, and the scope decides the overall verdict.
#[test]
fn verdicts_roll_up() {
    type Rows<'a> = &'a [(&'a str, &'a [&'a str], Verdict)];
    /// Rows and scope; verdicts of the requirements, the parent's inherited verdict, the overall verdict.
    type Line<'a> = (
        Rows<'a>,
        &'a [&'a str],
        [AggregateVerdict; 3],
        AggregateVerdict,
        bool,
    );
    let table: &[Line<'_>] = &[
        (
            &[
                ("a", &[DEMO], Verdict::Pass),
                ("b", &[OTHER], Verdict::Pass),
            ],
            &[DEMO, OTHER],
            [Pass, Pass, NotVerified],
            Pass,
            true,
        ),
        (
            &[("a", &[DEMO, OTHER], Verdict::Pass)],
            &[DEMO, OTHER],
            [Pass, Pass, NotVerified],
            Pass,
            true,
        ),
        (
            &[("a", &[DEMO], Verdict::Pass), ("b", &[DEMO], Verdict::Fail)],
            &[DEMO],
            [Fail, NotVerified, NotVerified],
            Fail,
            false,
        ),
        (
            &[
                ("a", &[DEMO], Verdict::Broken),
                ("b", &[OTHER], Verdict::Pass),
            ],
            &[DEMO, OTHER],
            [Broken, Pass, NotVerified],
            Broken,
            false,
        ),
        (
            &[("a", &[DEMO], Verdict::Skip)],
            &[DEMO],
            [Skip, NotVerified, NotVerified],
            Skip,
            false,
        ),
        // Nothing ran for a requirement in scope: not conformant.
        (
            &[("a", &[DEMO], Verdict::Pass)],
            &[DEMO, OTHER],
            [Pass, NotVerified, NotVerified],
            NotVerified,
            false,
        ),
        // A requirement out of scope does not count.
        (
            &[("a", &[DEMO], Verdict::Pass)],
            &[DEMO],
            [Pass, NotVerified, NotVerified],
            NotVerified,
            true,
        ),
        // A failure counts even if the scenario also covers something out of scope.
        (
            &[
                ("a", &[DEMO], Verdict::Pass),
                ("b", &[OTHER], Verdict::Fail),
            ],
            &[DEMO],
            [Pass, Fail, NotVerified],
            Fail,
            false,
        ),
        (
            &[],
            &[],
            [NotVerified, NotVerified, NotVerified],
            NotVerified,
            false,
        ),
        (
            &[],
            &[THIRD],
            [NotVerified, NotVerified, NotVerified],
            NotVerified,
            false,
        ),
    ];
    for (rows, scope, wanted, inherited, conformant) in table {
        let ledger = made(rows, scope, 1);
        let found: Vec<AggregateVerdict> = ledger
            .requirements
            .iter()
            .map(|requirement| requirement.verdict)
            .collect();
        assert_eq!(found, wanted, "{rows:?}");
        let [parent] = ledger.parents.as_slice() else {
            panic!("{:?}", ledger.parents)
        };
        assert_eq!(
            (parent.id.as_str(), parent.direct, parent.inherited),
            (TOP, NotVerified, *inherited),
            "{rows:?}"
        );
        assert_eq!(ledger.conformant, *conformant, "{rows:?} in {scope:?}");
        let in_scope = ledger
            .requirements
            .iter()
            .filter(|requirement| requirement.in_scope)
            .count();
        assert_eq!(in_scope, scope.len());
    }
}

/// A case that covers the parent itself counts as direct.
#[test]
fn direct_verdicts_are_kept_apart() {
    let ledger = made(
        &[("a", &[DEMO], Verdict::Pass), ("b", &[TOP], Verdict::Fail)],
        &[DEMO, OTHER],
        1,
    );
    assert_eq!(
        (ledger.parents[0].direct, ledger.parents[0].inherited),
        (Fail, NotVerified)
    );
    assert!(
        !ledger.conformant,
        "a failure is a failure wherever it stands"
    );
}

/// Two equal runs have the same ledger, byte for byte, up to the times, which come last.
#[test]
fn equal_runs_have_equal_ledgers_but_for_times() {
    let rows: &[(&str, &[&str], Verdict)] = &[
        ("a", &[DEMO], Verdict::Pass),
        ("b", &[OTHER], Verdict::Fail),
    ];
    let text = |took| made(rows, &[DEMO, OTHER], took).to_json().unwrap();
    let split = |text: String| {
        let (rest, times) = text.split_once("\n  \"times\": ").unwrap();
        (rest.to_owned(), times.to_owned())
    };
    let ((first, early), (second, late)) = (split(text(5)), split(text(70)));
    assert_eq!(first, second);
    assert_ne!(early, late);
    assert!(
        late.contains("\"\": 70") && late.contains("\"a\": 70"),
        "{late}"
    );
    assert!(late.trim_end().ends_with('}'));
}

/// A ledger is read back as it was written; one of another form is refused, with the name of the form.
#[test]
fn ledgers_are_read_back() {
    let ledger = made(&[("a", &[DEMO], Verdict::Pass)], &[DEMO], 3);
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("ledger.json");
    std::fs::write(&path, ledger.to_json().unwrap()).unwrap();
    assert_eq!(
        Ledger::load(&path).unwrap().to_json().unwrap(),
        ledger.to_json().unwrap()
    );
    let rows = [
        (
            ledger.to_json().unwrap().replace(SCHEMA, "other/1"),
            "schema `other/1`",
        ),
        ("{}".to_owned(), "no `schema`"),
        ("[".to_owned(), "not JSON"),
        (
            format!("{{\"schema\": \"{SCHEMA}\"}}"),
            "not a ledger of this form",
        ),
    ];
    for (text, wanted) in rows {
        std::fs::write(&path, text).unwrap();
        let error = format!("{:#}", Ledger::load(&path).unwrap_err());
        assert!(
            error.contains(wanted) && error.contains("ledger.json"),
            "{error}"
        );
    }
    std::fs::remove_file(&path).unwrap();
    assert!(format!("{:#}", Ledger::load(&path).unwrap_err()).contains("cannot be read"));
}

/// The view repeats the verdicts of the ledger, and its command runs on the same subject.
#[test]
fn the_view_repeats_the_ledger() {
    let mut ledger = made(&[("a/x", &[DEMO, OTHER], Verdict::Fail)], &[DEMO], 3);
    let words = [
        "--subject",
        "xen",
        "--arch",
        Arch::default().name(),
        "--case",
        "a",
        "--seed",
        "9",
    ];
    ledger.selection = words.map(str::to_owned).into();
    let view = reports::view::Run::new(ledger, |_| Default::default());
    let verdicts: Vec<String> = view
        .requirements
        .iter()
        .map(|requirement| requirement.item.verdict.to_string())
        .collect();
    assert_eq!(verdicts, ["fail", "fail", "not-verified"]);
    assert!(!view.ledger.conformant);
    let scenario = &view.requirements[0].cases[0].scenarios[0];
    assert_eq!(
        scenario.reproduce,
        "cargo xtask reproduce a/x --subject xen --seed 9"
    );
    assert_eq!(view.requirements[0].cases[0], view.requirements[1].cases[0]);
}

/// A scenario that was skipped because the requirement does not ask for it does not count against the requirement; one
/// that was skipped although the subject claims it does.
#[test]
fn what_nobody_asks_for_may_be_left_out() {
    let rows = [
        ("demo.a", &[DEMO][..], Verdict::Pass),
        ("demo.b", &[DEMO], Verdict::Skip),
    ];
    let verdict = |claimed, level| {
        let profile = runners::Profile {
            level: claimed,
            ..profile()
        };
        let ledger = made_of(&rows, &[DEMO], profile, &[], Vec::new(), |row| {
            if row.verdict == Verdict::Skip {
                row.level = level;
            }
        });
        (ledger.requirements[0].verdict, ledger.conformant)
    };
    use model::Level::{Required, Strict};
    assert_eq!(verdict(Required, Strict), (Pass, true));
    assert_eq!(verdict(Required, Required), (Skip, false));
    assert_eq!(verdict(Strict, Strict), (Skip, false));
}

/// An optional requirement may be skipped or not verified, but must not fail; a problem around the run makes the run
/// not conformant.
#[test]
fn optional_requirements_and_problems_count() {
    let conformant = |verdict, optional: &[&str], problems: &[&str]| {
        let rows = [
            ("demo.a", &[DEMO][..], Verdict::Pass),
            ("other.a", &[OTHER], verdict),
        ];
        let problems = problems.iter().map(|text| (*text).to_owned()).collect();
        let ledger = made_of(&rows, &[DEMO, OTHER], profile(), optional, problems, |_| {});
        ledger.conformant
    };
    assert!(!conformant(Verdict::Skip, &[], &[]));
    assert!(conformant(Verdict::Skip, &[OTHER], &[]));
    assert!(!conformant(Verdict::Fail, &[OTHER], &[]));
    assert!(conformant(Verdict::Waived, &[], &[]));
    assert!(!conformant(Verdict::Waived, &[], &["the waiver is over"]));
}
