use std::fs;
use std::time::Instant;

use model::{Arch, Capability, Verdict};
use runners::Profile;
use runners::adapter::Adapter;
use tempfile::TempDir;

use super::*;
use crate::library::Library;
use crate::pipeline::{Harness, run_all};
use crate::sample::scenario;

const DESCRIBED: &str = r#"read -r _; echo '{"version":2,"id":1,"response":{"description":{"name":"x","version":"9.9","capabilities":["CLAIMS"]}}}';"#;

/// Returns a harness whose adapter is this shell script.
fn harness(script: &str, folder: &TempDir) -> Harness {
    let mut profile = Profile::shipped("reference-by-adapter", Arch::default()).unwrap();
    profile.adapter = Some(Adapter {
        command: ["sh", "-c", script].map(str::to_owned).to_vec(),
        deadline_ms: 20_000,
        image: None,
        folder: folder.path().to_owned(),
    });
    let probe = folder.path().join("probe.img");
    fs::write(&probe, b"probe").unwrap();
    let library = Library::shipped().unwrap().clone();
    let image = folder.path().join("none");
    Harness::new(profile, library, &image, &probe, 0).unwrap()
}

const PLAIN: &str = "    domains: [{name: dA, script: [timer 1]}]\n";

/// If the adapter fails at its start, each scenario is broken with that reason, and no machine is started.
#[test]
fn a_dead_adapter_breaks_every_scenario() {
    let folder = TempDir::new().unwrap();
    let harness = harness("echo 'no licence' >&2; exit 3", &folder);
    let out = folder.path().join("out");
    let rows = run_all(&harness, &[scenario(PLAIN)], 2, Some(&out), &|_, _| {}).unwrap();
    let (row, _) = &rows[0];
    assert_eq!(row.verdict, Verdict::Broken);
    assert!(
        row.reason.contains("(exit code 3); it said: no licence"),
        "{}",
        row.reason
    );
    assert_eq!(row.evidence, None);
    assert!(!row.digests.contains_key("image"));
    assert_eq!(harness.digest(), "");
}

/// A capability that the profile claims and the adapter does not breaks the scenarios that need it; one that only the
/// adapter claims is reported; the version is the adapter's.
#[test]
fn claims_have_to_agree() {
    let folder = TempDir::new().unwrap();
    let script = DESCRIBED.replace("\"CLAIMS\"", "\"iommu\",\"dom0less-trees\"");
    let harness = harness(&format!("{script} read -r _"), &folder);
    assert_eq!(harness.profile().version, "9.9");
    assert_eq!(harness.beyond_profile(), [Capability::Dom0lessTrees]);
    let needy =
        scenario("    domains: [{name: dA, role: control, script: [destroy self => refused]}]\n");
    let ran = harness.run(&needy, None).unwrap();
    assert_eq!(ran.outcome.verdict, Verdict::Broken);
    let wanted = "the profile claims control-domain, destroy, but its adapter does not";
    assert_eq!(ran.outcome.reason, wanted);
}

/// A run counts for nothing if the adapter fails before its clean-up, whatever was observed.
#[test]
fn what_was_seen_before_a_breakdown_does_not_count() {
    let folder = TempDir::new().unwrap();
    let script = DESCRIBED.replace("\"CLAIMS\"", "");
    let prepared = r#"read -r _; echo '{"version":2,"id":2,"response":{"prepared":{}}}';"#;
    let mut profile = Profile::shipped("reference-by-adapter", Arch::default()).unwrap();
    let text = format!("{script} {prepared} read -r _; echo 'lost the board' >&2; exit 1");
    profile.adapter = Some(Adapter {
        command: ["sh", "-c", &text].map(str::to_owned).to_vec(),
        deadline_ms: 20_000,
        image: None,
        folder: folder.path().to_owned(),
    });
    let adapted = AdapterRun::start(&mut profile, None).unwrap();
    let scenario = scenario(PLAIN);
    let told = crate::dtb::neutral::sample(&scenario, &profile);
    let request = Request::new(
        profile.arch,
        profile.machine.clone(),
        "x",
        profile.deadline(),
    );
    let seen = |_: &Request| Observation {
        end: End::Complete,
        console: b"all is well".to_vec(),
        ..Observation::default()
    };
    let began = Instant::now();
    let ran = adapted.run(told, request, seen).unwrap();
    assert!(matches!(&ran.seen.end, End::Failed(why) if why.contains("it said: lost the board")));
    assert!(ran.seen.domains.is_empty());
    assert_eq!(ran.seen.console, b"all is well");
    assert!(began.elapsed() < profile.deadline() * 2);
}
