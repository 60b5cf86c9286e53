//! Finds what the machine lacks and installs it with the machine's own means.
//!
//! Three steps that do not mix: [`facts`] looks, [`plan`] decides (pure, from facts alone), and
//! [`carry_out`] acts. After acting the machine is looked at again: an installer's exit status is
//! no proof that the right thing is there now.

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
    /// After asking, or at once as root and where CI is set.
    Allowed,
    /// Never: say what is missing.
    Never,
}

/// One thing that the machine must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The compilation targets that `rust-toolchain.toml` names.
    Targets,
    /// The toolchain components it names.
    Components,
    /// QEMU for the architecture of the images, new enough.
    Qemu,
    /// The device-tree compiler, which shows trees and reads ours as a second opinion.
    Dtc,
    /// U-Boot for QEMU's board: real firmware, which one scenario begins with.
    UBoot,
    /// Python 3, in which the adapter of the reference hypervisor is written.
    Python,
}

impl Part {
    /// What a build of the images takes.
    pub const BUILD: &[Self] = &[Self::Targets];
    /// What a run of the suite takes.
    pub const RUN: &[Self] = &[Self::Targets, Self::Qemu, Self::Dtc, Self::UBoot];
    /// What a run of the suite takes whose subject is started by the adapter in this repository.
    pub const RUN_BY_ADAPTER: &[Self] = &[
        Self::Targets,
        Self::Qemu,
        Self::Dtc,
        Self::UBoot,
        Self::Python,
    ];
    /// What checks and tests take.
    pub const ALL: &[Self] = &[
        Self::Targets,
        Self::Components,
        Self::Qemu,
        Self::Dtc,
        Self::UBoot,
        Self::Python,
    ];
}

/// Makes sure that every part in `parts` is there, or fails saying what is missing and which
/// commands would install it.
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
        // Not what the installers say counts, but what is there now.
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
    // The end of input is no consent.
    Ok(read > 0
        && matches!(
            answer.trim().to_ascii_lowercase().as_str(),
            "" | "y" | "yes"
        ))
}

/// Says whether somebody can be asked.
fn somebody_there() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}
