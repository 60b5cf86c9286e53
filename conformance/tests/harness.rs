//! Every scenario of the reference hypervisor as a trial, so that `cargo test` and `cargo nextest` drive the suite.
//!
//! `cargo test -p conformance --test harness -- --list`, a name or `--exact NAME` choose as usual. The images are those
//! of `cargo xtask image`; `CONFORMANCE_IMAGES` names another folder.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use conformance::case::load::load;
use conformance::pipeline::Rig;
use conformance::scenario::{Scenario, generate};
use conformance::verdict::Verdict;
use libtest_mimic::{Arguments, Failed, Trial};
use runners::{Arch, Profile};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    match trials(arguments.list) {
        Ok(trials) => libtest_mimic::run(&arguments, trials).exit_code(),
        Err(problems) => {
            eprintln!("{problems}");
            ExitCode::from(2)
        }
    }
}

/// Makes a trial of each scenario. Listing needs no image; running without one is told once, not once a trial.
fn trials(list: bool) -> Result<Vec<Trial>, String> {
    let profile =
        Profile::shipped("reference", Arch::Aarch64).map_err(|error| error.to_string())?;
    let all = |problems: Vec<_>| {
        problems
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    };
    let loaded = load(&root().join("requirements")).map_err(all)?;
    let scenarios = generate::scenarios(&loaded, &profile).map_err(all)?;
    let rig = if list {
        None
    } else {
        Some(Arc::new(rig(profile)?))
    };
    Ok(scenarios
        .into_iter()
        .map(|scenario| trial(rig.clone(), scenario))
        .collect())
}

fn trial(rig: Option<Arc<Rig>>, scenario: Scenario) -> Trial {
    let missing = |rig: &Arc<Rig>| {
        !rig.profile()
            .capabilities
            .missing(&scenario.needs)
            .is_empty()
    };
    let skipped = rig.as_ref().is_some_and(missing);
    Trial::test(scenario.id.clone(), move || {
        let rig = rig.ok_or("trials are only listed")?;
        let judgement = rig
            .run(&scenario, None)
            .map_err(|error| format!("{error:#}"))?
            .judgement;
        match judgement.verdict {
            Verdict::Pass => Ok(()),
            verdict => Err(Failed::from(format!(
                "{}: {}",
                verdict.name(),
                judgement.reason
            ))),
        }
    })
    .with_ignored_flag(skipped)
}

fn rig(profile: Profile) -> Result<Rig, String> {
    let folder = images().join("aarch64");
    Rig::new(
        profile,
        &folder.join("refhv.img"),
        &folder.join("probe.img"),
        0,
    )
    .map_err(|error| format!("{error:#}: run `cargo xtask image`"))
}

fn images() -> PathBuf {
    let target = || {
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
    };
    std::env::var_os("CONFORMANCE_IMAGES").map_or_else(|| target().join("images"), PathBuf::from)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
