use model::Verdict::{self, Broken, Fail, Pass, Skip};
use model::{AggregateVerdict as Shown, AggregateVerdict, Row};

use super::*;
use crate::sample;

const DEMO: &str = "XenSSR~demo~1";
const OTHER: &str = "XenSSR~other~1";

/// Returns a run of these scenarios that was to judge `scope`; all belong to `demo` unless their name begins with
/// `other`.
fn run(rows: &[(&str, Verdict)], scope: &[&str], selection: &[&str]) -> Ledger {
    let rows: Vec<Row> = rows.iter().map(|(id, verdict)| row(id, *verdict)).collect();
    let requirements = [DEMO, OTHER].map(|id| {
        let own = rows.iter().filter(|row| row.covers == [id]);
        let verdict = AggregateVerdict::of(own.map(|row| row.verdict));
        sample::requirement(id, scope.contains(&id), verdict)
    });
    Ledger {
        selection: selection.iter().map(|word| (*word).to_owned()).collect(),
        ..sample::ledger(requirements.into(), rows)
    }
}

fn row(id: &str, verdict: Verdict) -> Row {
    let requirement = if id.starts_with("other") { OTHER } else { DEMO };
    Row {
        reason: if verdict == Pass { "" } else { "because" }.to_owned(),
        ..sample::row(id, &[requirement], verdict)
    }
}

const ALL: [&str; 2] = [DEMO, OTHER];

/// The kind of change and the overall verdict follow from the old and the new verdict of a scenario.
#[test]
fn every_change_has_its_kind() {
    for (was, is, kind, regression) in [
        (Some(Pass), Some(Fail), Kind::Regressed, true),
        (Some(Pass), Some(Broken), Kind::Regressed, true),
        (Some(Pass), Some(Skip), Kind::Regressed, true),
        (Some(Skip), Some(Fail), Kind::Regressed, true),
        (Some(Fail), Some(Pass), Kind::Fixed, false),
        (Some(Broken), Some(Pass), Kind::Fixed, false),
        (Some(Fail), Some(Skip), Kind::Fixed, false),
        (Some(Fail), Some(Broken), Kind::Changed, false),
        (Some(Broken), Some(Fail), Kind::Changed, false),
        (None, Some(Pass), Kind::New, false),
        (None, Some(Skip), Kind::New, false),
        (None, Some(Fail), Kind::New, true),
        (None, Some(Broken), Kind::New, true),
        (Some(Pass), None, Kind::Gone, true),
        (Some(Fail), None, Kind::Gone, true),
    ] {
        let with = |verdict: Option<Verdict>| {
            let rows: Vec<_> = verdict
                .map(|verdict| ("demo.it", verdict))
                .into_iter()
                .collect();
            run(
                &[rows.as_slice(), &[("demo.same", Pass)]].concat(),
                &ALL,
                &[],
            )
        };
        let found = compare(&with(was), &with(is));
        let [change] = found.scenarios.as_slice() else {
            panic!("{was:?} {is:?}: {found:?}")
        };
        assert_eq!(
            (change.id.as_str(), change.kind),
            ("demo.it", kind),
            "{was:?} {is:?}"
        );
        assert_eq!(found.regression, regression, "{was:?} {is:?}");
        assert_eq!((found.same, found.left_out), (1, 0), "{was:?} {is:?}");
        let told = is.is_some_and(|is| is != Pass);
        assert_eq!(change.reason == "because", told, "{was:?} {is:?}");
    }
}

/// Equal runs have no changes, whatever their verdicts.
#[test]
fn equal_runs_are_equal() {
    let ledger = run(&[("demo.a", Fail), ("other.b", Pass)], &ALL, &[]);
    let found = compare(&ledger, &ledger);
    assert_eq!((found.scenarios.len(), found.requirements.len()), (0, 0));
    assert_eq!((found.same, found.regression), (2, false));
}

/// What the new run was not asked to run is not missing: another requirement, or anything else if scenarios were
/// selected by name. What it should have run is missing.
#[test]
fn what_was_not_asked_for_is_not_gone() {
    let old = run(
        &[("demo.a", Pass), ("demo.b", Pass), ("other.c", Pass)],
        &ALL,
        &[],
    );
    let demo = run(
        &[("demo.a", Pass), ("demo.b", Pass)],
        &[DEMO],
        &["--requirement", "demo"],
    );
    let found = compare(&old, &demo);
    assert_eq!(
        (found.scenarios.len(), found.left_out, found.regression),
        (0, 1, false)
    );
    assert_eq!(found.requirements, []);

    let lost = run(&[("demo.a", Pass)], &[DEMO], &["--requirement", "demo"]);
    let found = compare(&old, &lost);
    assert_eq!(
        (found.scenarios.len(), found.left_out, found.regression),
        (1, 1, true)
    );

    let named = run(&[("demo.a", Pass)], &ALL, &["--case", "demo.a"]);
    let found = compare(&old, &named);
    assert_eq!(
        (found.scenarios.len(), found.left_out, found.regression),
        (0, 2, false)
    );
}

/// A requirement's change is reported in addition to those of its scenarios.
#[test]
fn requirements_change_too() {
    let old = run(&[("demo.a", Pass), ("other.b", Pass)], &ALL, &[]);
    let new = run(&[("demo.a", Fail), ("other.b", Pass)], &ALL, &[]);
    let found = compare(&old, &new);
    let [change] = found.requirements.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!(
        (change.id.as_str(), change.old, change.new),
        (DEMO, Some(Shown::Pass), Some(Shown::Fail))
    );
    assert!(found.old.conformant && !found.new.conformant);
}
