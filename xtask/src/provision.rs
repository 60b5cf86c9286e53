//! Finds what the machine lacks and installs it with the system's own tools.
//!
//! Three separate steps: [`facts`] looks at the machine, [`plan`] decides (pure, from facts alone), and [`carry_out`]
//! acts. Afterwards the machine is looked at again, because an installer's exit status does not prove that the right
//! thing is installed.

mod apt;
mod carry_out;
mod facts;
mod plan;

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use anyhow::{Context as _, bail};

use crate::provision::facts::Missing;
use crate::provision::plan::Consent;
use crate::workspace::Workspace;

/// Whether missing things may be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Install {
    /// After asking, or without asking as root and if CI is set.
    Allowed,
    /// Never: only report what is missing.
    Never,
}

/// Something that the machine must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The compilation targets that `rust-toolchain.toml` names.
    Targets,
    /// The toolchain components that `rust-toolchain.toml` names.
    Components,
    /// QEMU for the architecture of the images, in a sufficient version.
    Qemu,
    /// The device-tree compiler, which prints trees and reads the suite's trees as a second opinion.
    Dtc,
    /// U-Boot for QEMU's board: real firmware, which one scenario starts with.
    UBoot,
    /// Python 3, the language of the reference hypervisor's adapter.
    Python,
}

impl Part {
    /// What a build of the images needs.
    pub const BUILD: &[Self] = &[Self::Targets];
    /// What a run of the suite needs.
    pub const RUN: &[Self] = &[Self::Targets, Self::Qemu, Self::Dtc, Self::UBoot];
    /// What a run of the suite needs if this repository's adapter starts the subject.
    pub const RUN_BY_ADAPTER: &[Self] = &[
        Self::Targets,
        Self::Qemu,
        Self::Dtc,
        Self::UBoot,
        Self::Python,
    ];
    /// What checks and tests need.
    pub const ALL: &[Self] = &[
        Self::Targets,
        Self::Components,
        Self::Qemu,
        Self::Dtc,
        Self::UBoot,
        Self::Python,
    ];
}

/// Makes sure that all `parts` are present. Otherwise fails with the missing parts and the commands that would install
/// them.
pub fn ensure(workspace: &Workspace, parts: &[Part], install: Install) -> anyhow::Result<()> {
    let toolchain = facts::pinned(&workspace.root)?;
    let missing = facts::missing(&toolchain, parts);
    if missing.is_empty() {
        return Ok(());
    }
    let facts = facts::look(&toolchain);
    let list = listed(&missing);
    let steps = plan::steps(&facts, &missing).with_context(|| format!("missing: {list}"))?;
    let commands = steps
        .iter()
        .map(|step| format!("    {step}"))
        .collect::<Vec<_>>()
        .join("\n");

    match plan::consent(&facts, install, &steps) {
        Consent::Given => eprintln!("xtask: installing what is missing: {list}"),
        Consent::Ask => {
            eprintln!("xtask: missing: {list}\nThis would install it:\n{commands}");
            if !asked("Run these commands now? [Y/n] ")? {
                bail!("missing: {list}");
            }
        }
        Consent::Withheld(why) => {
            bail!("missing: {list}\n{why}; run these commands, then try again:\n{commands}")
        }
    }

    let outcome = carry_out::all(&steps);
    let left = facts::missing(&toolchain, parts);
    match outcome {
        // What is installed now decides, not what the installers report.
        _ if left.is_empty() => Ok(()),
        Err(error) => Err(error).with_context(|| format!("still missing: {}", listed(&left))),
        Ok(()) => bail!(
            "still missing, although every command succeeded: {}\n{commands}",
            listed(&left)
        ),
    }
}

fn listed(missing: &[Missing]) -> String {
    let names: Vec<_> = missing.iter().map(Missing::to_string).collect();
    names.join(", ")
}

/// Asks on the terminal; an empty answer means yes.
fn asked(question: &str) -> anyhow::Result<bool> {
    eprint!("{question}");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    let read = std::io::stdin()
        .lock()
        .read_line(&mut answer)
        .context("no answer")?;
    // The end of input is not a yes.
    Ok(read > 0
        && matches!(
            answer.trim().to_ascii_lowercase().as_str(),
            "" | "y" | "yes"
        ))
}

/// Tells whether a person can be asked.
fn somebody_there() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}
