//! Provisions the machine, builds, and calls the `conformance` program.
//!
//! The `conformance` program makes all decisions about requirements, scenarios and verdicts. This program only prepares
//! its run, and contains the checks that a change must pass.
//!
//! Exit status: that of the called program; 1 from `check` and `test` for a finding; 2 if nothing could be judged
//! (wrong use, or something is missing on this machine).

mod arch;
mod artifacts;
mod check;
mod cli;
mod conformance;
mod image;
mod progress;
mod provision;
mod tidy;
mod traces;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

use crate::artifacts::Images;
use crate::cli::{Cli, Task};
use crate::provision::Part;
use crate::workspace::Workspace;

fn main() -> ExitCode {
    run(Cli::parse()).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(2)
    })
}

/// Executes one command line.
fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::locate()?;
    let install = cli.install();
    let call = |subcommand, passed, images| {
        conformance::call(&workspace, subcommand, passed, images, install)
    };
    match cli.task {
        Task::Conformance(passed) => call("conformance", passed, Images::Plain),
        Task::Selfcheck(passed) => call("selfcheck", passed, Images::WithFaults),
        Task::Bench(passed) => call("bench", passed, Images::Plain),
        Task::Reproduce(passed) => call("reproduce", passed, Images::Plain),
        Task::Report(passed) => call("report", passed, Images::None),
        Task::Compare(passed) => call("compare", passed, Images::None),
        Task::Cases(passed) => call("cases", passed, Images::None),
        Task::Requirements(passed) => call("requirements", passed, Images::None),
        Task::Test(passed) => {
            let (arguments, install) = passed.split(install);
            provision::ensure(&workspace, Part::ALL, install)?;
            conformance::test(&workspace, &arguments)
        }
        Task::Check => {
            provision::ensure(&workspace, Part::ALL, install)?;
            check::run(&workspace)
        }
        Task::Image => {
            provision::ensure(&workspace, Part::BUILD, install)?;
            for image in artifacts::images(&workspace, Images::WithFaults)? {
                println!("{}", image.display());
            }
            Ok(ExitCode::SUCCESS)
        }
        Task::Provision => {
            provision::ensure(&workspace, Part::ALL, install)?;
            eprintln!("xtask: nothing is missing");
            Ok(ExitCode::SUCCESS)
        }
    }
}
