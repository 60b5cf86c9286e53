//! Runs the checks that a change must pass.

use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::Context as _;

use crate::arch::TARGET;
use crate::tidy;
use crate::workspace::Workspace;

/// The test target that runs the suite itself: `cargo xtask test` runs it last.
pub const HARNESS: &str = "harness";

/// Runs every check, even after a failure, and lists the failed ones at the end.
pub fn run(workspace: &Workspace) -> anyhow::Result<ExitCode> {
    let mut failed = Vec::new();
    step(&mut failed, "house rules", || {
        let findings = tidy::run(workspace)?;
        for finding in &findings {
            eprintln!("{finding}");
        }
        Ok(findings.is_empty())
    })?;
    for (name, command) in commands(workspace)? {
        step(&mut failed, name, || succeeds(command))?;
    }
    if failed.is_empty() {
        eprintln!("xtask: check: nothing found");
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("xtask: check: failed: {}", failed.join(", "));
    Ok(ExitCode::FAILURE)
}

/// Runs one check and records its failure.
fn step(
    failed: &mut Vec<&'static str>,
    name: &'static str,
    check: impl FnOnce() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    eprintln!("xtask: check: {name} ...");
    let started = Instant::now();
    let fine = check()?;
    let verdict = if fine { "ok" } else { "FAILED" };
    eprintln!(
        "xtask: check: {name}: {verdict} in {:.1} s",
        started.elapsed().as_secs_f32()
    );
    if !fine {
        failed.push(name);
    }
    Ok(())
}

fn succeeds(mut command: Command) -> anyhow::Result<bool> {
    let status = command
        .status()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    Ok(status.success())
}

/// Returns the checks that cargo runs.
fn commands(workspace: &Workspace) -> anyhow::Result<Vec<(&'static str, Command)>> {
    let cargo = |line: &str| {
        let mut words = line.split_whitespace();
        let mut command = workspace.cargo(words.next().unwrap_or_default());
        command.arg("--quiet").args(words);
        command
    };
    let target = TARGET.target;
    let images = format!("clippy --package refhv --package probe --lib --bins --target {target}");
    let deny = "-- --deny warnings";
    let faults = "--features refhv/seeded-faults";
    let mut docs = cargo("doc --workspace --no-deps --document-private-items");
    docs.env("RUSTDOCFLAGS", "--deny warnings");
    let mut tests = cargo("test --workspace --lib --bins");
    for name in host_tests(workspace)? {
        tests.args(["--test", &name]);
    }
    Ok(vec![
        ("format", cargo("fmt --all --check -- --files-with-diff")),
        (
            "clippy (host)",
            cargo(&format!("clippy --workspace --all-targets {deny}")),
        ),
        ("clippy (images)", cargo(&format!("{images} {deny}"))),
        (
            "clippy (images, seeded faults)",
            cargo(&format!("{images} {faults} {deny}")),
        ),
        ("host tests", tests),
        (
            "host tests (seeded faults)",
            cargo(&format!("test --package refhv --lib --tests {faults}")),
        ),
        ("documentation tests", cargo("test --workspace --doc")),
        ("documentation", docs),
    ])
}

/// Returns the integration tests of every package by name, except the suite itself and those that need a feature (only
/// seeded faults, which have a check of their own).
fn host_tests(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    let metadata = workspace.metadata(&["--no-deps"])?;
    let mut names: Vec<_> = metadata
        .workspace_packages()
        .into_iter()
        .flat_map(|package| &package.targets)
        .filter(|target| target.is_test() && target.name != HARNESS)
        .filter(|target| target.required_features.is_empty())
        .map(|target| target.name.clone())
        .collect();
    names.sort();
    names.dedup();
    Ok(names)
}
