//! The ledger: the one record of a run from which every report is made.
//!
//! Two runs with the same inputs have the same ledger, byte for byte, except for `times`, which stands last. A field that an
//! older suite did not write is read as empty.

use std::collections::BTreeMap;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{AggregateVerdict, Check, Class, Level, Verdict};

/// Name and version of the form.
pub const SCHEMA: &str = "passthrough-conformance-ledger/1";

/// A whole run against one subject.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct Ledger {
    /// `passthrough-conformance-ledger/1`.
    pub schema: String,
    /// Version of the suite.
    pub suite: String,
    /// What was judged.
    pub subject: Subject,
    /// Arguments that chose the scenarios, in the order of the command line.
    pub selection: Vec<String>,
    /// Seed of the run.
    pub seed: u64,
    /// What executed the guests' instructions, `tcg` for example.
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

/// The hypervisor that was judged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct Subject {
    /// Name of its profile.
    pub name: String,
    /// The version it states.
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
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct Requirement {
    /// Id with its revision.
    pub id: String,
    /// Title.
    pub title: String,
    /// Heading that it stands under.
    pub group: String,
    /// Its text, part by part.
    pub texts: Vec<Text>,
    /// Ids that it covers.
    pub parents: Vec<String>,
    /// Kinds of items that must cover it.
    #[serde(default)]
    pub needs: Vec<String>,
    /// `approved`, `proposed`, `draft` or `rejected`.
    #[serde(default)]
    pub status: String,
    /// Where it is stated.
    #[serde(default)]
    pub place: Place,
    /// Whether the run was to judge it.
    pub in_scope: bool,
    /// Whether the subject does not claim it: skipped or not verified, it does not stand against the subject.
    #[serde(default)]
    pub optional: bool,
    /// Verdict over its scenarios.
    pub verdict: AggregateVerdict,
}

/// A headed part of a requirement's text: the heading (`Description`, `Rationale` or `Comments`) and what stands below it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct Text(pub String, pub String);

/// A place in an input file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct Place {
    /// The file, from the folder of requirements.
    pub file: String,
    /// The line, counted from 1; 0 where it is not known.
    pub line: u32,
}

/// An item that requirements cover.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct Parent {
    /// Id with its revision.
    pub id: String,
    /// Title.
    pub title: String,
    /// Verdict from cases of its own.
    pub direct: AggregateVerdict,
    /// Verdict from the requirements that cover it.
    pub inherited: AggregateVerdict,
}

/// One scenario.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct Row {
    /// Unique name: the case, and the row of its parameters.
    pub scenario: String,
    /// Id of its case, with its revision.
    pub case: String,
    /// What the case shows.
    pub title: String,
    /// Ids of the requirements that it covers.
    pub covers: Vec<String>,
    /// The clause of the requirement that it shows, where the case names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clause: Option<String>,
    /// Where the case stands.
    #[serde(default)]
    pub place: Place,
    /// Architecture.
    pub arch: String,
    /// Kind of evidence.
    pub class: Class,
    /// How much it asks of a subject.
    #[serde(default)]
    pub level: Level,
    /// What is done in it, apart from what every scenario does.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// Verdict.
    pub verdict: Verdict,
    /// Why, in a line; empty for a pass.
    pub reason: String,
    /// What was wanted and what was seen.
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

/// One step of a scenario.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct Step {
    /// Who takes it: a domain by its name, or `outside`.
    pub by: String,
    /// What is done.
    pub action: String,
    /// What must come of it.
    pub wanted: String,
}

/// Why a file is no ledger that this suite reads; each names the file first.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// There is no such file, or nobody may read it.
    #[error("{0}: cannot be read")]
    Unreadable(String, #[source] std::io::Error),
    /// It is not JSON.
    #[error("{0}: not JSON")]
    NotJson(String, #[source] serde_json::Error),
    /// It does not say which form it has.
    #[error("{0}: no `schema`: not a ledger")]
    NoSchema(String),
    /// It has another form.
    #[error("{0}: schema `{1}`, this suite reads `{SCHEMA}`")]
    OtherSchema(String, String),
    /// It says that it is a ledger and is none.
    #[error("{0}: not a ledger of this form")]
    Malformed(String, #[source] serde_json::Error),
}

impl Ledger {
    /// Renders the ledger.
    pub fn to_json(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// Reads a ledger, refusing one of another form.
    pub fn load(path: &Path) -> Result<Self, LedgerError> {
        let shown = || path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| LedgerError::Unreadable(shown(), error))?;
        let value: serde_json::Value =
            serde_json::from_str(&text).map_err(|error| LedgerError::NotJson(shown(), error))?;
        match value.get("schema").and_then(|schema| schema.as_str()) {
            Some(SCHEMA) => serde_json::from_value(value)
                .map_err(|error| LedgerError::Malformed(shown(), error)),
            Some(other) => Err(LedgerError::OtherSchema(shown(), other.to_owned())),
            None => Err(LedgerError::NoSchema(shown())),
        }
    }
}
