//! Baselines: the verdicts of a ledger, one on each line, which the repository keeps for comparison with later runs.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use model::{AggregateVerdict, Class, Ledger, Place, Requirement, Row, Subject, Verdict};
use serde::{Deserialize, Serialize};

/// Name and version of the file form.
pub const SCHEMA: &str = "passthrough-conformance-baseline/1";

/// The verdicts of a run.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Baseline {
    /// [`SCHEMA`].
    schema: String,
    /// Version of the suite.
    suite: String,
    /// The subject that was judged.
    subject: Subject,
    /// Arguments that chose the scenarios.
    selection: Vec<String>,
    /// Seed of the run.
    seed: u64,
    /// What executed the guests' instructions.
    accelerator: String,
    /// Whether everything in scope passed.
    conformant: bool,
    /// The requirements that the run was to judge.
    requirements: BTreeMap<String, AggregateVerdict>,
    /// The scenarios, below the requirements that they cover.
    scenarios: BTreeMap<String, BTreeMap<String, Verdict>>,
}

/// Renders the verdicts of a ledger.
pub fn render(ledger: &Ledger) -> Result<String> {
    let mut scenarios: BTreeMap<String, BTreeMap<String, Verdict>> = BTreeMap::new();
    for row in &ledger.rows {
        let below = scenarios.entry(row.covers.join(" ")).or_default();
        below.insert(row.scenario.clone(), row.verdict);
    }
    let in_scope = ledger.requirements.iter().filter(|one| one.in_scope);
    let baseline = Baseline {
        schema: SCHEMA.to_owned(),
        suite: ledger.suite.clone(),
        subject: ledger.subject.clone(),
        selection: ledger.selection.clone(),
        seed: ledger.seed,
        accelerator: ledger.accelerator.clone(),
        conformant: ledger.conformant,
        requirements: in_scope.map(|one| (one.id.clone(), one.verdict)).collect(),
        scenarios,
    };
    Ok(serde_json::to_string_pretty(&baseline)? + "\n")
}

/// Reads a ledger, or a baseline as a ledger with nothing but verdicts.
pub fn load(path: &Path) -> Result<Ledger> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("{shown}: cannot be read"))?;
    #[derive(Deserialize)]
    struct Form {
        schema: Option<String>,
    }
    let form: Form = serde_json::from_str(&text).with_context(|| format!("{shown}: not JSON"))?;
    match form.schema.as_deref() {
        Some(SCHEMA) => {}
        Some(model::SCHEMA) | None => {
            return Ok(Ledger::load(path)?);
        }
        Some(other) => bail!(
            "{shown}: schema `{other}`, this suite reads `{SCHEMA}` and `{}`",
            model::SCHEMA
        ),
    }
    let baseline: Baseline = serde_json::from_str(&text)
        .with_context(|| format!("{shown}: not a baseline of this form"))?;
    Ok(baseline.into())
}

impl From<Baseline> for Ledger {
    fn from(baseline: Baseline) -> Self {
        let requirements = baseline.requirements.into_iter();
        let rows = baseline.scenarios.into_iter().flat_map(|(covers, below)| {
            let covers: Vec<String> = covers.split(' ').map(str::to_owned).collect();
            let arch = baseline.subject.arch;
            let accelerator = baseline.accelerator.clone();
            below.into_iter().map(move |(scenario, verdict)| Row {
                scenario,
                case: String::new(),
                title: String::new(),
                covers: covers.clone(),
                clause: None,
                place: Place::default(),
                arch,
                class: Class::Positive,
                level: model::Level::default(),
                steps: Vec::new(),
                verdict,
                reason: String::new(),
                checks: Vec::new(),
                seed: String::new(),
                digests: BTreeMap::new(),
                accelerator: accelerator.clone(),
                evidence: None,
            })
        });
        let rows = rows.collect();
        Self {
            schema: model::SCHEMA.to_owned(),
            suite: baseline.suite,
            subject: baseline.subject,
            selection: baseline.selection,
            seed: baseline.seed,
            accelerator: baseline.accelerator,
            conformant: baseline.conformant,
            requirements: requirements
                .map(|(id, verdict)| Requirement {
                    id,
                    title: String::new(),
                    group: String::new(),
                    texts: Vec::new(),
                    parents: Vec::new(),
                    needs: Vec::new(),
                    status: String::new(),
                    place: Place::default(),
                    in_scope: true,
                    optional: false,
                    verdict,
                })
                .collect(),
            parents: Vec::new(),
            rows,
            problems: Vec::new(),
            notices: Vec::new(),
            times: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests;
