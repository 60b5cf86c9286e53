use std::path::PathBuf;

use model::Level;

use super::*;
use crate::compare::compare;
use crate::sample;

fn run(verdict: Verdict) -> Ledger {
    let asked = AggregateVerdict::of([verdict]);
    let rows = [
        ("demo.one/a", &["XenSSR~demo~1"][..], Verdict::Pass),
        ("demo.two", &["XenSSR~demo~1", "XenSSR~more~1"], verdict),
    ];
    let rows = rows.map(|(scenario, covers, verdict)| Row {
        class: Class::Fault,
        level: Level::Strict,
        reason: "because".to_owned(),
        evidence: Some("demo".to_owned()),
        ..sample::row(scenario, covers, verdict)
    });
    let requirements = vec![
        sample::requirement("XenSSR~demo~1", true, asked),
        sample::requirement("XenSSR~more~1", false, asked),
    ];
    Ledger {
        selection: vec!["--subject".to_owned(), "demo".to_owned()],
        times: BTreeMap::from([(String::new(), 5)]),
        ..sample::ledger(requirements, rows.into())
    }
}

/// Writes the baseline of a run and reads it back.
fn kept(run: &Ledger) -> Ledger {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("demo.json");
    std::fs::write(&path, render(run).unwrap()).unwrap();
    load(&path).unwrap()
}

/// A baseline replaces the ledger that it was made from: the same run has no regression, a worse one has.
#[test]
fn a_baseline_stands_for_its_run() {
    let good = run(Verdict::Pass);
    let baseline = kept(&good);
    let same = compare(&baseline, &good);
    assert_eq!((same.regression, same.same), (false, 2));
    assert!(same.scenarios.is_empty() && same.requirements.is_empty());
    let worse = compare(&baseline, &run(Verdict::Fail));
    assert!(worse.regression);
    assert_eq!(worse.scenarios[0].id, "demo.two");
    assert_eq!(baseline.rows[1].covers, ["XenSSR~demo~1", "XenSSR~more~1"]);
    assert_eq!(baseline.requirements.len(), 1, "what was asked for");
}

/// A file that is neither a ledger nor a baseline is refused, with its form.
#[test]
fn other_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.json");
    let told = |text: &str| {
        std::fs::write(&path, text).unwrap();
        format!("{:#}", load(&path).unwrap_err())
    };
    assert!(told("{").contains("not JSON"));
    assert!(told("{}").contains("no `schema`"));
    assert!(told("{\"schema\": \"x/1\"}").contains(SCHEMA));
    let half = format!("{{\"schema\": \"{SCHEMA}\"}}");
    assert!(told(&half).contains("not a baseline of this form"));
}

/// Each shipped profile has a baseline of its own subject, at the level that the profile claims. The profile with an
/// adapter shares its subject with another one, and is compared with the baseline of that one.
#[test]
fn shipped_profiles_have_baselines() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("baselines");
    let shipped = runners::Profile::all_shipped().unwrap().into_iter();
    for profile in shipped.filter(|profile| profile.adapter.is_none()) {
        let name = format!("{}-{}.json", profile.name, profile.arch.name());
        let baseline = load(&folder.join(name)).unwrap();
        let subject = &baseline.subject;
        assert_eq!(
            (&subject.name, &subject.version),
            (&profile.name, &profile.version)
        );
        assert_eq!(subject.level, profile.level);
        assert!(!baseline.rows.is_empty());
        let broken = baseline
            .rows
            .iter()
            .find(|row| row.verdict == Verdict::Broken);
        assert!(broken.is_none(), "{broken:?}");
    }
}
