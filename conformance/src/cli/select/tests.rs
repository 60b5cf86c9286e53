use clap::Parser;
use model::Arch;

use super::*;
use crate::cli::{Cli, Task};
use crate::sample::{loaded, profile};

const CASES: &str = "  - id: XenValTestCase~demo.one~1
    title: One
    class: positive
    parameters: [{name: a}, {name: b}]
    domains: [{name: dA}]
  - id: XenValTestCase~demo.two~1
    title: Two
    class: fault
    covers: [XenSSR~demo~2, XenSSR~other~1]
    domains: [{name: dA}]
";

fn chosen(words: &[&str]) -> Result<Chosen> {
    let words = ["xtask", "conformance"].iter().chain(words);
    let Task::Conformance(args) = Cli::try_parse_from(words)?.command else {
        unreachable!("the words name that task")
    };
    choose(&args.choice, args.shard, &loaded(CASES), &profile())
}

#[track_caller]
fn check(words: &[&str], scenarios: &[&str], scope: &[&str]) {
    let chosen = chosen(words).unwrap();
    let found: Vec<&str> = chosen
        .scenarios
        .iter()
        .map(|scenario| scenario.id.as_str())
        .collect();
    assert_eq!(found, scenarios, "{words:?}");
    let found: Vec<&str> = chosen.scope.iter().map(Id::name).collect();
    assert_eq!(found, scope, "{words:?}");
}

#[track_caller]
fn refused(words: &[&str], part: &str) {
    let error = chosen(words).err().expect("refused");
    let error = format!("{error:#}");
    assert!(error.contains(part), "{words:?}: {error}");
}

/// A shard is one part of N, counted from one.
#[test]
fn shards_are_read() {
    assert_eq!(shard("2/3").unwrap(), Shard { index: 2, count: 3 });
    for wrong in ["0/3", "4/3", "1", "a/b", "1/0", "1/2/3", "-1/2"] {
        assert!(shard(wrong).is_err(), "{wrong}");
    }
}

/// A user's own profile is judged for its own architecture, or not at all.
#[test]
fn a_profile_has_one_architecture() {
    let [usual, other] = Arch::ALL.map(Arch::name);
    let own = format!(
        "{}/../runners/profiles/reference-{usual}.toml",
        env!("CARGO_MANIFEST_DIR")
    );
    let own = own.as_str();
    let load = |words: &[&str]| {
        let words = ["xtask", "conformance", "--subject"].iter().chain(words);
        let Task::Conformance(args) = Cli::try_parse_from(words)?.command else {
            unreachable!("the words name that task")
        };
        super::profile(&args.choice)
    };
    assert_eq!(load(&["reference"]).unwrap().arch, Arch::default());
    assert_eq!(load(&[own]).unwrap().arch, Arch::default());
    assert_eq!(load(&[own, "--arch", usual]).unwrap().arch, Arch::default());
    let error = load(&[own, "--arch", other]).unwrap_err().to_string();
    let wanted = format!("is for {usual}, not for {other}, which `--arch` asks for");
    assert!(error.ends_with(&wanted), "{error}");
    assert!(load(&["reference", "--arch", "arm"]).is_err());
}

/// The selection decides what the overall verdict is about; a requirement without a scenario stays in it.
#[test]
fn choices_decide_on_scenarios_and_scope() {
    let all = ["demo.one/a", "demo.one/b", "demo.two"];
    check(&[], &all, &["demo", "other", "third"]);
    check(&["--requirement", "demo"], &all, &["demo"]);
    check(
        &["--requirement", "XenSSR~other~1"],
        &["demo.two"],
        &["other"],
    );
    check(&["--requirement", "third"], &[], &["third"]);
    check(
        &["--requirement", "other", "--requirement", "demo"],
        &all,
        &["other", "demo"],
    );
    check(
        &["--case", "demo.one"],
        &["demo.one/a", "demo.one/b"],
        &["demo"],
    );
    check(&["--case", "demo.one/b"], &["demo.one/b"], &["demo"]);
    check(
        &["--case", "XenValTestCase~demo.two~1"],
        &["demo.two"],
        &["demo", "other"],
    );
    check(&["--class", "fault"], &["demo.two"], &["demo", "other"]);
    check(&["--class", "negative"], &[], &[]);
    check(&["--class", "fault", "--requirement", "third"], &[], &[]);
}

/// The parts of a run contain every scenario once, and every part has the requirements that nothing verifies.
#[test]
fn shards_are_the_whole() {
    check(
        &["--shard", "1/2"],
        &["demo.one/a", "demo.two"],
        &["demo", "other", "third"],
    );
    check(&["--shard", "2/2"], &["demo.one/b"], &["demo", "third"]);
    check(&["--shard", "5/5", "--requirement", "demo"], &[], &[]);
}

/// A name that matches nothing is an error that suggests the nearest one, not an empty run.
#[test]
fn unknown_names_are_refused() {
    refused(
        &["--requirement", "dmo"],
        "no requirement is `dmo`; did you mean `demo`?",
    );
    refused(
        &["--case", "demo.tow"],
        "no scenario is `demo.tow`; did you mean `demo.two`?",
    );
    refused(&["--class", "positiv"], "positive");
    refused(&["--shard", "0/2"], "I from 1 to N");
    refused(&["--jobs", "0"], "0");
    refused(&["--seed", "x"], "invalid");
}

/// A plain name selects a shipped subject, and an unknown one is reported.
#[test]
fn subjects_are_found() {
    let of = |words: &[&str]| {
        let words = ["xtask", "conformance"].iter().chain(words);
        match Cli::try_parse_from(words).unwrap().command {
            Task::Conformance(args) => super::profile(&args.choice),
            _ => unreachable!("the words name that task"),
        }
    };
    assert_eq!(of(&[]).unwrap().name, "reference");
    assert!(format!("{:#}", of(&["--subject", "refrence"]).unwrap_err()).contains("reference"));
    assert!(
        format!("{:#}", of(&["--subject", "/nowhere/x.toml"]).unwrap_err())
            .contains("/nowhere/x.toml")
    );
}
