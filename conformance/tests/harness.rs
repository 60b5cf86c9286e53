//! Runs every scenario of the reference hypervisor as a trial, so that `cargo test` and `cargo nextest` drive the
//! suite. One scenario of each requirement runs once more through the adapter protocol, as `by-adapter::...`. The
//! adapter printed in `docs/bring-your-own-hypervisor.md` runs as it is printed. One scenario of each case with a
//! device of its own runs once more on another board, as `virt-lowmem::...`.
//!
//! `cargo test -p conformance --test harness -- --list`, a name or `--exact NAME` select trials as usual. The images
//! are those of `cargo xtask image`; `CONFORMANCE_IMAGES` names another folder.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use conformance::case::load::{Loaded, load};
use conformance::library::Library;
use conformance::pipeline::Harness;
use conformance::scenario::{Scenario, generate};
use libtest_mimic::{Arguments, Failed, Trial};
use model::{Arch, Capability, Verdict};
use runners::Profile;
use runners::adapter::Adapter;

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

/// A harness that is loaded when the first of its trials runs.
type Lazy = Arc<OnceLock<Result<Harness, String>>>;

/// Makes a trial of each scenario. Listing needs no image; a missing image is reported once, not once for each trial.
fn trials(list: bool) -> Result<Vec<Trial>, String> {
    let all = |problems: Vec<_>| {
        problems
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    };
    let loaded = load(&root().join("requirements")).map_err(all)?;
    let profile = shipped("reference")?;
    let scenarios = generate::scenarios(&loaded, &profile).map_err(all)?;
    let reference = Lazy::default();
    if !list {
        let _ = reference.set(Ok(harness(profile.clone())?));
    }
    let adapted = shipped("reference-by-adapter")?;
    let chosen = one_each(
        generate::scenarios(&loaded, &adapted).map_err(all)?,
        &adapted,
    );
    let mut trials: Vec<Trial> = scenarios
        .into_iter()
        .map(|scenario| trial(scenario.id.clone(), &profile, &reference, scenario))
        .collect();
    // The adapter is a process, so it is started only when it is needed.
    let behind = Lazy::default();
    for scenario in chosen {
        let name = format!("by-adapter::{}", scenario.id);
        trials.push(trial(name, &adapted, &behind, scenario));
    }
    let moved = Profile {
        board: Some(OTHER_BOARD.to_owned()),
        ..profile
    };
    let elsewhere = Lazy::default();
    for scenario in on_the_other_board(generate::scenarios(&loaded, &moved).map_err(all)?) {
        let name = format!("{OTHER_BOARD}::{}", scenario.id);
        trials.push(trial(name, &moved, &elsewhere, scenario));
    }
    trials.push(Trial::test("by-adapter::as_printed", move || {
        as_printed(&loaded)
    }));
    Ok(trials)
}

/// Runs the shortest adapter of the page on one scenario that only Xen's trees can express and on one that any
/// hypervisor can run.
fn as_printed(loaded: &Loaded) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let page = std::fs::read_to_string(root().join("docs/bring-your-own-hypervisor.md"))?;
    let (_, after) = page
        .split_once("`my/hv.py`:\n\n")
        .ok_or("no program in the page")?;
    let code = after
        .lines()
        .take_while(|line| line.is_empty() || line.starts_with("    "));
    let code: Vec<&str> = code.map(|line| line.get(4..).unwrap_or_default()).collect();
    std::fs::write(folder.path().join("hv.py"), code.join("\n"))?;
    let mut profile = shipped("reference")?;
    profile.adapter = Some(Adapter {
        command: ["python3", "hv.py"].map(str::to_owned).to_vec(),
        deadline_ms: 10_000,
        image: None,
        folder: folder.path().to_owned(),
    });
    // The claims of the printed adapter.
    profile.capabilities = [
        Capability::BootDomains,
        Capability::SeveralDomains,
        Capability::PlatformDevices,
        Capability::ForcedAssignment,
        Capability::Dom0lessTrees,
    ]
    .into_iter()
    .collect();
    let scenarios =
        generate::scenarios(loaded, &profile).map_err(|_| "cases that cannot be read")?;
    let able = |scenario: &&Scenario| profile.capabilities.missing(&scenario.needs).is_empty();
    let by_trees = |scenario: &&Scenario| scenario.needs.contains(&Capability::Dom0lessTrees);
    let mut able = scenarios.iter().filter(able);
    let chosen = [
        able.clone().find(by_trees),
        able.find(|scenario| !by_trees(scenario)),
    ];
    let harness = harness(profile.clone())?;
    for scenario in chosen {
        let scenario = scenario.ok_or("no such scenario")?;
        let outcome = harness
            .run(scenario, None)
            .map_err(|error| format!("{error:#}"))?
            .outcome;
        if outcome.verdict != Verdict::Pass {
            let verdict = outcome.verdict.name();
            return Err(format!("{}: {verdict}: {}", scenario.id, outcome.reason).into());
        }
    }
    Ok(())
}

fn shipped(name: &str) -> Result<Profile, String> {
    Profile::shipped(name, Arch::default()).map_err(|error| error.to_string())
}

/// Selects for each requirement the first scenario that the subject can run.
fn one_each(scenarios: Vec<Scenario>, profile: &Profile) -> Vec<Scenario> {
    let mut known = BTreeSet::new();
    scenarios
        .into_iter()
        .filter(|scenario| profile.capabilities.missing(&scenario.needs).is_empty())
        .filter(|scenario| known.insert(scenario.covers.first().map(ToString::to_string)))
        .collect()
}

/// A board on which PCI, and the devices that stand for PCI functions, are at other places.
const OTHER_BOARD: &str = "virt-lowmem";

/// Selects for each case with such a device the first scenario that the board can run.
fn on_the_other_board(scenarios: Vec<Scenario>) -> Vec<Scenario> {
    let mut known = BTreeSet::new();
    let moved = |scenario: &Scenario| scenario.pci.is_some() || !scenario.added.is_empty();
    scenarios
        .into_iter()
        .filter(|scenario| scenario.lacking.is_empty() && moved(scenario))
        .filter(|scenario| known.insert(scenario.case.to_string()))
        .collect()
}

fn trial(name: String, profile: &Profile, harness: &Lazy, scenario: Scenario) -> Trial {
    let skipped = !profile.capabilities.missing(&scenario.needs).is_empty();
    let (profile, harness) = (profile.clone(), harness.clone());
    Trial::test(name, move || {
        let harness = harness.get_or_init(|| self::harness(profile)).as_ref()?;
        let outcome = harness
            .run(&scenario, None)
            .map_err(|error| format!("{error:#}"))?
            .outcome;
        match outcome.verdict {
            Verdict::Pass => Ok(()),
            verdict => Err(Failed::from(format!(
                "{}: {}",
                verdict.name(),
                outcome.reason
            ))),
        }
    })
    .with_ignored_flag(skipped)
}

fn harness(profile: Profile) -> Result<Harness, String> {
    let folder = images().join(profile.arch.name());
    let library = Library::shipped().map_err(|_| "the suite's library cannot be read")?;
    Harness::new(
        profile,
        library.clone(),
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
