use std::fs;
use std::time::Instant;

use model::{Arch, Capability};
use runners::Profile;
use runners::adapter::Adapter;
use tempfile::TempDir;

use super::*;
use crate::pipeline::{Rig, run_all};
use crate::sample::scenario;
use model::Verdict;

const DESCRIBED: &str = r#"read -r _; echo '{"version":2,"id":1,"response":{"description":{"name":"x","version":"9.9","capabilities":["CLAIMS"]}}}';"#;

/// A rig whose adapter is this shell script.
fn rig(script: &str, folder: &TempDir) -> Rig {
    let mut profile = Profile::shipped("reference-by-adapter", Arch::default()).unwrap();
    profile.adapter = Some(Adapter {
        command: ["sh", "-c", script].map(str::to_owned).to_vec(),
        deadline_ms: 20_000,
        image: None,
        folder: folder.path().to_owned(),
    });
    let probe = folder.path().join("probe.img");
    fs::write(&probe, b"probe").unwrap();
    Rig::new(profile, &folder.path().join("none"), &probe, 0).unwrap()
}

const PLAIN: &str = "    domains: [{name: dA, script: [timer 1]}]\n";

/// Where the adapter is dead from the start, each scenario is broken and says why, and no machine is started for it.
#[test]
fn a_dead_adapter_breaks_every_scenario() {
    let folder = TempDir::new().unwrap();
    let rig = rig("echo 'no licence' >&2; exit 3", &folder);
    let out = folder.path().join("out");
    let rows = run_all(&rig, &[scenario(PLAIN)], 2, Some(&out), &|_, _| {}).unwrap();
    let (row, _) = &rows[0];
    assert_eq!(row.verdict, Verdict::Broken);
    assert!(
        row.reason.contains("(exit code 3); it said: no licence"),
        "{}",
        row.reason
    );
    assert_eq!(row.evidence, None);
    assert!(!row.digests.contains_key("image"));
    assert_eq!(rig.digest(), "");
}

/// What the profile claims and the adapter does not is broken where it is needed; what only the adapter claims is told;
/// the version is the adapter's.
#[test]
fn claims_have_to_agree() {
    let folder = TempDir::new().unwrap();
    let script = DESCRIBED.replace("\"CLAIMS\"", "\"iommu\",\"dom0less-trees\"");
    let rig = rig(&format!("{script} read -r _"), &folder);
    assert_eq!(rig.profile().version, "9.9");
    assert_eq!(rig.beyond_profile(), [Capability::Dom0lessTrees]);
    let needy =
        scenario("    domains: [{name: dA, role: control, script: [hv destroy self => EPERM]}]\n");
    let ran = rig.run(&needy, None).unwrap();
    assert_eq!(ran.judgement.verdict, Verdict::Broken);
    let wanted = "the profile claims control-domain, destroy, but its adapter does not";
    assert_eq!(ran.judgement.reason, wanted);
}

/// A run counts for nothing if the adapter breaks down before it is tidied up, however much was seen.
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
    let adapted = Adapted::start(&mut profile, None).unwrap();
    let scenario = scenario(PLAIN);
    let told = crate::dtb::neutral::sample(&scenario, &profile);
    let request = Request::new(
        profile.arch,
        profile.machine.clone(),
        "x",
        profile.deadline(),
    );
    let seen = |_: &Request| Seen {
        end: End::Complete,
        console: b"all is well".to_vec(),
        ..Seen::default()
    };
    let began = Instant::now();
    let ran = adapted.run(told, request, seen).unwrap();
    assert!(matches!(&ran.seen.end, End::Failed(why) if why.contains("it said: lost the board")));
    assert!(ran.seen.domains.is_empty());
    assert_eq!(ran.seen.console, b"all is well");
    assert!(began.elapsed() < profile.deadline() * 2);
}
