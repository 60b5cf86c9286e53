use model::Arch;
use std::path::PathBuf;

use model::Level;

use super::*;
use crate::compare::compare;

fn row(scenario: &str, covers: &[&str], verdict: Verdict) -> Row {
    Row {
        scenario: scenario.to_owned(),
        case: "XenValTestCase~demo.one~1".to_owned(),
        title: "One".to_owned(),
        covers: covers.iter().map(|id| (*id).to_owned()).collect(),
        clause: None,
        place: Place::default(),
        arch: Arch::default().name().to_owned(),
        class: Class::Fault,
        level: Level::Strict,
        steps: Vec::new(),
        verdict,
        reason: "because".to_owned(),
        checks: Vec::new(),
        seed: "00005eed".to_owned(),
        digests: BTreeMap::new(),
        accelerator: "tcg".to_owned(),
        evidence: Some("demo".to_owned()),
    }
}

fn run(verdict: Verdict) -> Ledger {
    let requirement = |id: &str, in_scope| Requirement {
        id: id.to_owned(),
        title: "Demo".to_owned(),
        group: String::new(),
        texts: Vec::new(),
        parents: Vec::new(),
        needs: Vec::new(),
        status: String::new(),
        place: Place::default(),
        in_scope,
        optional: false,
        verdict: AggregateVerdict::of([verdict]),
    };
    Ledger {
        schema: model::SCHEMA.to_owned(),
        suite: "0.1.0".to_owned(),
        subject: Subject {
            name: "demo".to_owned(),
            version: "1".to_owned(),
            digest: "00".to_owned(),
            arch: Arch::default().name().to_owned(),
            level: Level::Strict,
        },
        selection: vec!["--subject".to_owned(), "demo".to_owned()],
        seed: 0,
        accelerator: "tcg".to_owned(),
        conformant: verdict == Verdict::Pass,
        requirements: vec![
            requirement("XenSSR~demo~1", true),
            requirement("XenSSR~other~1", false),
        ],
        parents: Vec::new(),
        rows: vec![
            row("demo.one/a", &["XenSSR~demo~1"], Verdict::Pass),
            row("demo.two", &["XenSSR~demo~1", "XenSSR~more~1"], verdict),
        ],
        problems: Vec::new(),
        notices: Vec::new(),
        times: BTreeMap::from([(String::new(), 5)]),
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
