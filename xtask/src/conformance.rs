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
        provision::ensure(workspace, Part::RUN, install)?;
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

    /// Only a question that stands before `--` spares the images.
    #[test]
    fn questions_need_no_images() {
        let table: &[(&[&str], bool)] = &[
            (&[], false),
            (&["--help"], true),
            (&["--arch", "aarch64", "-h"], true),
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
