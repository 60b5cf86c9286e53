//! Calls the `conformance` program, and runs the suite as tests.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use anyhow::Context as _;

use crate::artifacts::{self, Images};
use crate::check;
use crate::cli::Passed;
use crate::provision::{self, Install, Part};
use crate::workspace::Workspace;

/// Replaces this process by `conformance <subcommand> <arguments>`, after building everything that it boots. Returns
/// only on failure.
pub fn call(
    workspace: &Workspace,
    subcommand: &str,
    passed: Passed,
    images: Images,
    install: Install,
) -> anyhow::Result<ExitCode> {
    let (arguments, install) = passed.split(install);
    if images != Images::None && !only_tells(images, &arguments) {
        provision::ensure(workspace, parts(&arguments), install)?;
        artifacts::images(workspace, images)?;
    }
    let program = artifacts::conformance(workspace)?;
    // A user who forbids installing forbids fetching as well.
    let withheld = images != Images::None && install == Install::Never;
    // Replacing this process passes on signals, terminal and exit status unchanged.
    let error = Command::new(&program)
        .arg("--images")
        .arg(workspace.images())
        .arg(subcommand)
        .args(withheld.then_some("--no-fetch"))
        .args(&arguments)
        .exec();
    Err(error).with_context(|| format!("cannot start {}", program.display()))
}

/// Returns what a run with these arguments needs. The user provides what an adapter of the user's own needs.
fn parts(arguments: &[OsString]) -> &'static [Part] {
    let ours = |one: &OsString| one.to_string_lossy().contains("reference-by-adapter");
    if arguments.iter().any(ours) {
        Part::RUN_BY_ADAPTER
    } else {
        Part::RUN
    }
}

/// Tells whether the arguments only ask for information, so that no image is needed. Listing seeded faults is an
/// exception: the image itself lists them.
fn only_tells(images: Images, arguments: &[OsString]) -> bool {
    let listed = images != Images::WithFaults;
    arguments
        .iter()
        .take_while(|one| *one != "--")
        .any(|one| one == "--help" || one == "-h" || listed && one == "--list")
}

/// Runs every check and then each scenario as a test; `arguments` go to the test runner.
pub fn test(workspace: &Workspace, arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    if check::run(workspace)? != ExitCode::SUCCESS {
        return Ok(ExitCode::FAILURE);
    }
    artifacts::images(workspace, Images::WithFaults)?;
    let status = workspace
        .cargo("test")
        .args([
            "--quiet",
            "--package",
            "conformance",
            "--test",
            check::HARNESS,
            "--",
        ])
        .args(arguments)
        .env("CONFORMANCE_IMAGES", workspace.images())
        .status()
        .context("cannot start cargo")?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only the repository's own adapter needs Python.
    #[test]
    fn adapters_take_python() {
        let table: &[(&[&str], bool)] = &[
            (&[], false),
            (&["--subject", "reference"], false),
            (&["--subject", "reference-by-adapter", "--jobs", "1"], true),
            (&["--subject=reference-by-adapter"], true),
        ];
        for (line, python) in table {
            let line: Vec<_> = line.iter().map(OsString::from).collect();
            assert_eq!(parts(&line).contains(&Part::Python), *python, "{line:?}");
        }
    }

    /// Only an option before `--` makes the images unnecessary.
    #[test]
    fn questions_need_no_images() {
        let table: &[(&[&str], bool)] = &[
            (&[], false),
            (&["--help"], true),
            (&["--arch", "any", "-h"], true),
            (&["--list"], true),
            (&["--listen"], false),
            (&["--", "--list"], false),
        ];
        for (line, tells) in table {
            let line: Vec<_> = line.iter().map(OsString::from).collect();
            assert_eq!(only_tells(Images::Plain, &line), *tells, "{line:?}");
        }
        assert!(!only_tells(Images::WithFaults, &["--list".into()]));
        assert!(only_tells(Images::WithFaults, &["--help".into()]));
    }
}
