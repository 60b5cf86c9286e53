//! The command line.

use std::ffi::OsString;

use clap::{Args, Parser, Subcommand};

use crate::provision::Install;

const EXAMPLES: &str = "\
Examples:
  cargo xtask conformance                        the whole suite on the reference hypervisor
  cargo xtask conformance --help                 its options: subject, selection, jobs, output
  cargo xtask conformance --requirement assign_interrupt_less_platform_device
  cargo xtask test                               every test: checks, then the suite as a test run
  cargo xtask test -- --list                     the scenarios by name
  cargo xtask selfcheck                          does the suite notice each seeded fault?
  cargo xtask --no-provision conformance         install nothing, say what is missing

Exit status: 0 conformant (or nothing found), 1 not, 2 wrong use, bad input, or nothing could be judged.";

/// Builds and runs the device-passthrough conformance suite.
///
/// First installs what the machine lacks (Rust targets, QEMU, dtc): without asking as root or if CI is set, otherwise
/// after asking on a terminal.
#[derive(Debug, Parser)]
#[command(name = "xtask", bin_name = "cargo xtask", after_help = EXAMPLES, max_term_width = 100)]
pub struct Cli {
    /// Install nothing: if something is missing, print the exact commands and fail
    #[arg(long, global = true)]
    no_provision: bool,
    #[command(subcommand)]
    pub task: Task,
}

impl Cli {
    /// Returns whether missing things may be installed.
    pub fn install(&self) -> Install {
        if self.no_provision {
            Install::Never
        } else {
            Install::Allowed
        }
    }
}

/// The task. The first group passes its arguments to the `conformance` program unchanged.
#[derive(Debug, Subcommand)]
pub enum Task {
    /// Run the suite against a hypervisor and judge it by requirement
    #[command(disable_help_flag = true)]
    Conformance(Passed),
    /// Prove that the suite can fail: a case of the right requirement must catch each seeded fault
    #[command(disable_help_flag = true)]
    Selfcheck(Passed),
    /// Measure the cost of a case, compared with an empty QEMU start
    #[command(disable_help_flag = true)]
    Bench(Passed),
    /// Run one scenario again and keep all its evidence
    #[command(disable_help_flag = true)]
    Reproduce(Passed),
    /// Render the reports of an earlier run again
    #[command(disable_help_flag = true)]
    Report(Passed),
    /// Compare two runs, and exit with 1 on a regression
    #[command(disable_help_flag = true)]
    Compare(Passed),
    /// Write a page for each scenario: its steps in words
    #[command(disable_help_flag = true)]
    Cases(Passed),
    /// List or trace the requirements and their cases
    #[command(disable_help_flag = true)]
    Requirements(Passed),
    /// Run every test: `check`, then each scenario as a test; the test runner's summary comes last
    Test(Passed),
    /// Run the checks that a change must pass: fmt, clippy, host tests, docs, licences, house rules
    Check,
    /// Build the bare-metal images and print their paths
    Image,
    /// Install what this machine lacks, and do nothing else
    Provision,
}

/// Arguments for another program.
#[derive(Debug, Args)]
pub struct Passed {
    /// Passed on unchanged
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARGUMENTS"
    )]
    args: Vec<OsString>,
}

impl Passed {
    /// Removes our only option, `--no-provision`, if it comes before a `--`. The rest belongs to the other program.
    pub fn split(self, install: Install) -> (Vec<OsString>, Install) {
        let ours = self
            .args
            .iter()
            .take_while(|one| *one != "--")
            .position(|one| one == "--no-provision");
        let mut rest = self.args;
        match ours {
            Some(place) => {
                rest.remove(place);
                (rest, Install::Never)
            }
            None => (rest, install),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(line: &[&str]) -> (Vec<OsString>, Install) {
        let cli = Cli::try_parse_from(line).unwrap();
        let install = cli.install();
        match cli.task {
            Task::Conformance(passed) | Task::Test(passed) => passed.split(install),
            other => panic!("{other:?}"),
        }
    }

    /// clap's own consistency check.
    #[test]
    fn definition_is_sound() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    /// Arguments reach the other program unchanged and in order, including `--help`. Only `--no-provision` is ours, and
    /// not after a `--`.
    #[test]
    fn arguments_pass_through() {
        let table: &[(&[&str], &[&str], Install)] = &[
            (&["xtask", "conformance"], &[], Install::Allowed),
            (
                &["xtask", "conformance", "--help"],
                &["--help"],
                Install::Allowed,
            ),
            (
                &["xtask", "conformance", "--arch", "any", "-x"],
                &["--arch", "any", "-x"],
                Install::Allowed,
            ),
            (
                &["xtask", "--no-provision", "conformance", "--list"],
                &["--list"],
                Install::Never,
            ),
            (
                &["xtask", "conformance", "--no-provision", "--list"],
                &["--list"],
                Install::Never,
            ),
            (
                &["xtask", "conformance", "--list", "--no-provision"],
                &["--list"],
                Install::Never,
            ),
            (
                &["xtask", "conformance", "a", "--", "--no-provision"],
                &["a", "--", "--no-provision"],
                Install::Allowed,
            ),
            (
                &["xtask", "test", "hide_iommu", "--exact"],
                &["hide_iommu", "--exact"],
                Install::Allowed,
            ),
        ];
        for (line, rest, install) in table {
            let (args, got) = passed(line);
            assert_eq!(
                (args, got),
                (rest.iter().map(OsString::from).collect(), *install),
                "{line:?}"
            );
        }
    }
}
