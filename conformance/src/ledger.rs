//! The ledger: the one record of a run from which every report is made.
//!
//! Two runs with the same inputs have the same ledger, byte for byte, except for `times`, which stands last.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use runners::Level;
use serde::{Deserialize, Serialize};

use crate::case::Class;
use crate::verdict::{Check, Verdict};

/// Name and version of the form.
pub const SCHEMA: &str = "passthrough-conformance-ledger/1";

/// A whole run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Ledger {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of the suite.
    pub suite: String,
    /// What was judged.
    pub subject: Subject,
    /// Arguments that chose the scenarios, in the order of the command line.
    pub selection: Vec<String>,
    /// Seed of the run.
    pub seed: u64,
    /// What executed the guests' instructions.
    pub accelerator: String,
    /// Whether everything in scope passed.
    pub conformant: bool,
    /// The requirements, in the order of their files.
    pub requirements: Vec<Requirement>,
    /// What they roll up to.
    pub parents: Vec<Parent>,
    /// One row a scenario.
    pub rows: Vec<Row>,
    /// What is wrong with what stands around the run, such as a waiver that excuses nothing: the run is not conformant.
    #[serde(default)]
    pub problems: Vec<String>,
    /// What somebody should know, such as a subject that can do more than its profile says.
    #[serde(default)]
    pub notices: Vec<String>,
    /// Wall time in milliseconds: of each scenario, and of the run under an empty name.
    pub times: BTreeMap<String, u64>,
}

/// What was judged.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Subject {
    /// Name of its profile.
    pub name: String,
    /// Version.
    pub version: String,
    /// SHA-256 of its image.
    pub digest: String,
    /// Architecture.
    pub arch: String,
    /// How much it claims to meet.
    #[serde(default)]
    pub level: Level,
}

/// A requirement as it stood when the run was made.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Requirement {
    /// Full id.
    pub id: String,
    /// Title.
    pub title: String,
    /// Heading that it stands under.
    pub group: String,
    /// Headed texts: description, rationale, comment.
    pub texts: Vec<(String, String)>,
    /// What it covers.
    pub parents: Vec<String>,
    /// Whether the run was to judge it.
    pub in_scope: bool,
    /// Whether the subject does not claim it: skipped or not verified, it does not stand against the subject.
    #[serde(default)]
    pub optional: bool,
    /// Verdict over its scenarios.
    pub verdict: Rollup,
}

/// An item that requirements cover.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Parent {
    /// Full id.
    pub id: String,
    /// Title.
    pub title: String,
    /// From cases of its own.
    pub direct: Rollup,
    /// From the requirements that cover it.
    pub inherited: Rollup,
}

/// One scenario.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Row {
    /// The scenario.
    pub scenario: String,
    /// Its case.
    pub case: String,
    /// What the case shows.
    pub title: String,
    /// Requirements that it covers.
    pub covers: Vec<String>,
    /// Architecture.
    pub arch: String,
    /// Kind of evidence.
    pub class: Class,
    /// How much it asks of a subject.
    #[serde(default)]
    pub level: Level,
    /// Verdict.
    pub verdict: Verdict,
    /// Why, in a line; empty for a pass.
    pub reason: String,
    /// Everything that was compared.
    pub checks: Vec<Check>,
    /// Number that the frames of the run carried, derived from the seed.
    pub seed: String,
    /// SHA-256 of what went into the run.
    pub digests: BTreeMap<String, String>,
    /// What executed the guests' instructions.
    pub accelerator: String,
    /// Folder of the evidence, relative to the ledger.
    pub evidence: Option<String>,
}

/// Verdict over several scenarios.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rollup {
    /// All passed.
    Pass,
    /// One failed.
    Fail,
    /// One was not judged.
    Skip,
    /// One failed, and a waiver excuses it.
    Waived,
    /// One could not be judged.
    Broken,
    /// There was none.
    NotVerified,
}

impl Rollup {
    /// Rolls up scenarios: a failure outweighs a broken rig, that outweighs what was left out.
    pub fn of(verdicts: impl IntoIterator<Item = Verdict>) -> Self {
        let all: Vec<Verdict> = verdicts.into_iter().collect();
        let any = |verdict| all.contains(&verdict);
        match () {
            () if all.is_empty() => Self::NotVerified,
            () if any(Verdict::Fail) => Self::Fail,
            () if any(Verdict::Broken) => Self::Broken,
            () if any(Verdict::Skip) => Self::Skip,
            () if any(Verdict::Waived) => Self::Waived,
            () => Self::Pass,
        }
    }

    /// Rolls up roll-ups, by the same weights; what was not verified outweighs a pass.
    pub fn over(rollups: impl IntoIterator<Item = Self>) -> Self {
        let all: Vec<Self> = rollups.into_iter().collect();
        let order = [
            Self::Fail,
            Self::Broken,
            Self::Skip,
            Self::NotVerified,
            Self::Waived,
        ];
        let worst = order.into_iter().find(|rollup| all.contains(rollup));
        worst.unwrap_or(if all.is_empty() {
            Self::NotVerified
        } else {
            Self::Pass
        })
    }
}

impl Ledger {
    /// Renders the ledger.
    pub fn to_json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// Reads a ledger, refusing one of another form.
    pub fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("{}: cannot be read", path.display()))?;
        let value: serde_json::Value =
            serde_json::from_str(&text).with_context(|| format!("{}: not JSON", path.display()))?;
        match value.get("schema").and_then(|schema| schema.as_str()) {
            Some(SCHEMA) => {}
            Some(other) => bail!(
                "{}: schema `{other}`, this suite reads `{SCHEMA}`",
                path.display()
            ),
            None => bail!("{}: no `schema`: not a ledger", path.display()),
        }
        serde_json::from_value(value)
            .with_context(|| format!("{}: not a ledger of this form", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One failure is a failure, however much passed; nothing run is not a pass.
    #[test]
    fn the_worst_verdict_wins() {
        use Verdict::{Broken, Fail, Pass, Skip};
        assert_eq!(Rollup::of([Pass, Skip, Broken, Fail]), Rollup::Fail);
        assert_eq!(Rollup::of([Pass, Skip, Broken]), Rollup::Broken);
        assert_eq!(Rollup::of([Pass, Skip]), Rollup::Skip);
        assert_eq!(Rollup::of([Pass]), Rollup::Pass);
        assert_eq!(Rollup::of([]), Rollup::NotVerified);
        assert_eq!(
            Rollup::over([Rollup::Pass, Rollup::NotVerified]),
            Rollup::NotVerified
        );
        assert_eq!(Rollup::over([Rollup::Pass, Rollup::Pass]), Rollup::Pass);
        assert_eq!(Rollup::over([]), Rollup::NotVerified);
    }
}
