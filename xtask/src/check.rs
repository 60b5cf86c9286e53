//! What a change must pass.

use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::Context as _;

use crate::artifacts::TARGET;
use crate::tidy;
use crate::workspace::Workspace;

/// The test target that runs the suite itself: `cargo xtask test` calls it last.
pub const HARNESS: &str = "harness";

/// Runs every check, also after one has failed, and says at the end which did.
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

/// Runs one check and notes its failure.
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

/// The checks that are cargo's.
fn commands(workspace: &Workspace) -> anyhow::Result<Vec<(&'static str, Command)>> {
    let cargo = |words: &[&str]| {
        let mut command = workspace.cargo(words.first().copied().unwrap_or_default());
        command.args(words.iter().skip(1));
        command
    };
    let images = [
        "clippy",
        "--quiet",
        "--package",
        "refhv",
        "--package",
        "probe",
        "--lib",
        "--bins",
        "--target",
        TARGET,
    ];
    let deny = ["--", "--deny", "warnings"];
    let with_faults = ["--features", "refhv/seeded-faults"];
    let mut docs = cargo(&[
        "doc",
        "--quiet",
        "--workspace",
        "--no-deps",
        "--document-private-items",
    ]);
    docs.env("RUSTDOCFLAGS", "--deny warnings");
    let mut tests = cargo(&["test", "--quiet", "--workspace", "--lib", "--bins"]);
    for name in host_tests(workspace)? {
        tests.args(["--test", &name]);
    }
    Ok(vec![
        (
            "format",
            cargo(&["fmt", "--all", "--check", "--", "--files-with-diff"]),
        ),
        (
            "clippy (host)",
            cargo(&[
                "clippy",
                "--quiet",
                "--workspace",
                "--all-targets",
                "--",
                "--deny",
                "warnings",
            ]),
        ),
        (
            "clippy (aarch64 images)",
            cargo(&[&images[..], &deny].concat()),
        ),
        (
            "clippy (aarch64 images, seeded faults)",
            cargo(&[&images[..], &with_faults, &deny].concat()),
        ),
        ("host tests", tests),
        (
            "documentation tests",
            cargo(&["test", "--quiet", "--workspace", "--doc"]),
        ),
        ("documentation", docs),
    ])
}

/// The integration tests of every package but the suite itself, by name.
fn host_tests(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    let metadata = workspace.metadata(&["--no-deps"])?;
    let targets = metadata
        .workspace_packages()
        .into_iter()
        .flat_map(|package| &package.targets);
    let mut names: Vec<_> = targets
        .filter(|target| target.is_test() && target.name != HARNESS)
        .map(|target| target.name.clone())
        .collect();
    names.sort();
    names.dedup();
    Ok(names)
}
