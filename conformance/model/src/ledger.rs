//! The ledger: the record of a run. Every report is made from it.
//!
//! Two runs with the same inputs have the same ledger, byte for byte, except for `times`, which comes last. A field
//! that an older suite did not write is read as empty.

use std::collections::BTreeMap;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{AggregateVerdict, Arch, Check, Class, Level, Verdict};

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
    /// The parents that the requirements cover, with their aggregate verdicts.
    pub parents: Vec<Parent>,
    /// One row for each scenario.
    pub rows: Vec<Row>,
    /// Problems around the run itself, such as a waiver that excuses nothing. With any of them the run is not
    /// conformant.
    #[serde(default)]
    pub problems: Vec<String>,
    /// Remarks for the reader, such as a capability that the subject has and its profile does not claim.
    #[serde(default)]
    pub notices: Vec<String>,
    /// Wall time in milliseconds of each scenario; under the empty name, of the whole run.
    pub times: BTreeMap<String, u64>,
}

/// The hypervisor under test.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct Subject {
    /// Name of its profile.
    pub name: String,
    /// The version that it reports.
    pub version: String,
    /// SHA-256 of its image.
    pub digest: String,
    /// Architecture.
    pub arch: Arch,
    /// The level that it claims.
    #[serde(default)]
    pub level: Level,
}

/// A requirement as it was when the run was made.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct Requirement {
    /// Id with its revision.
    pub id: String,
    /// Title.
    pub title: String,
    /// The heading above it.
    pub group: String,
    /// Its text in parts.
    pub texts: Vec<Text>,
    /// Ids that it covers.
    pub parents: Vec<String>,
    /// Kinds of items that must cover it.
    #[serde(default)]
    pub needs: Vec<String>,
    /// `approved`, `proposed`, `draft` or `rejected`.
    #[serde(default)]
    pub status: String,
    /// Where it is defined.
    #[serde(default)]
    pub place: Place,
    /// Whether it was in the scope of the run.
    pub in_scope: bool,
    /// Whether the subject does not claim it. An optional requirement that is skipped or not verified does not count
    /// against the subject.
    #[serde(default)]
    pub optional: bool,
    /// Aggregate verdict of its scenarios.
    pub verdict: AggregateVerdict,
}

/// A part of a requirement's text: the heading (`Description`, `Rationale` or `Comments`) and the text below it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct Text(pub String, pub String);

/// A place in an input file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct Place {
    /// The file, relative to the folder of requirements.
    pub file: String,
    /// The line, counted from 1; 0 if it is unknown.
    pub line: u32,
}

/// An item that requirements cover.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct Parent {
    /// Id with its revision.
    pub id: String,
    /// Title.
    pub title: String,
    /// Aggregate verdict of the cases that cover it directly.
    pub direct: AggregateVerdict,
    /// Aggregate verdict of the requirements that cover it.
    pub inherited: AggregateVerdict,
}

/// One scenario.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct Row {
    /// Unique name: the case and its row of parameters.
    pub scenario: String,
    /// Id of its case, with its revision.
    pub case: String,
    /// What the case shows.
    pub title: String,
    /// Ids of the requirements that it covers.
    pub covers: Vec<String>,
    /// The clause of the requirement that it shows, if the case names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clause: Option<String>,
    /// Where the case is defined.
    #[serde(default)]
    pub place: Place,
    /// Architecture.
    pub arch: Arch,
    /// Kind of evidence.
    pub class: Class,
    /// The level that it asks for.
    #[serde(default)]
    pub level: Level,
    /// What it does, without the steps that every scenario has.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// Verdict.
    pub verdict: Verdict,
    /// The reason in one line; empty for a pass.
    pub reason: String,
    /// What was compared: wanted and seen.
    pub checks: Vec<Check>,
    /// The nonce of the run's frames, derived from the seed of the run.
    pub seed: String,
    /// SHA-256 of each input of the run.
    pub digests: BTreeMap<String, String>,
    /// What executed the guests' instructions.
    pub accelerator: String,
    /// Folder of the evidence, relative to the ledger.
    pub evidence: Option<String>,
}

/// One step of a scenario.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct Step {
    /// Who takes it: the name of a domain, or `outside`.
    pub by: String,
    /// What is done.
    pub action: String,
    /// The expected result.
    pub wanted: String,
}

/// Why a file is no ledger that this suite can read. Each message begins with the file.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// The file does not exist or cannot be read.
    #[error("{0}: cannot be read")]
    Unreadable(String, #[source] std::io::Error),
    /// It is not JSON.
    #[error("{0}: not JSON")]
    NotJson(String, #[source] serde_json::Error),
    /// It has no `schema`.
    #[error("{0}: no `schema`: not a ledger")]
    NoSchema(String),
    /// It has another `schema`.
    #[error("{0}: schema `{1}`, this suite reads `{SCHEMA}`")]
    OtherSchema(String, String),
    /// Its `schema` is that of a ledger, but its content is not.
    #[error("{0}: not a ledger of this form")]
    Malformed(String, #[source] serde_json::Error),
}

impl Ledger {
    /// Renders the ledger.
    pub fn to_json(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// Reads a ledger; refuses any other schema.
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
