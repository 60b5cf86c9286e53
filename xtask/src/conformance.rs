//! Calls the `conformance` program, and the suite as a test run.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use anyhow::Context as _;

use crate::artifacts::{self, Images};
use crate::check;
use crate::cli::Passed;
use crate::provision::{self, Install, Part};
use crate::workspace::Workspace;

/// Becomes `conformance <subcommand> <arguments>`, after everything it boots has been built. Only
/// returns when that could not be done.
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
    // What may not be installed may not be fetched either.
    let withheld = images != Images::None && install == Install::Never;
    // Taking the place of this process hands on signals, terminal and exit status as they are.
    let error = Command::new(&program)
        .arg("--images")
        .arg(workspace.images())
        .arg(subcommand)
        .args(withheld.then_some("--no-fetch"))
        .args(&arguments)
        .exec();
    Err(error).with_context(|| format!("cannot start {}", program.display()))
}

/// What a run with these arguments takes. An adapter of the user's own is the user's to provide for.
fn parts(arguments: &[OsString]) -> &'static [Part] {
    let ours = |one: &OsString| one.to_string_lossy().contains("reference-by-adapter");
    if arguments.iter().any(ours) {
        Part::RUN_BY_ADAPTER
    } else {
        Part::RUN
    }
}

/// Says whether the arguments ask for words only, so that nothing needs to be booted. The seeded
/// faults are an exception: the image itself lists them.
fn only_tells(images: Images, arguments: &[OsString]) -> bool {
    let listed = images != Images::WithFaults;
    arguments
        .iter()
        .take_while(|one| *one != "--")
        .any(|one| one == "--help" || one == "-h" || listed && one == "--list")
}

/// Runs every check and then each scenario as a test of its own; `arguments` go to the test runner.
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

    /// Python is asked for where our adapter is, and nowhere else.
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

    /// Only a question that stands before `--` spares the images.
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
