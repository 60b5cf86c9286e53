//! Builds the ledger from the rows of a run: the verdicts of each requirement and of the whole.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{AggregateVerdict, Ledger, Parent, Requirement, Row, SCHEMA, Subject, Text, Verdict};
use oft::{Id, Item};

use crate::case::load::Loaded;
use crate::kinds::REQUIREMENT_KIND;
use crate::pipeline::{ACCELERATOR, Harness};

#[cfg(test)]
mod tests;

/// Inputs of a ledger, apart from the rows.
pub struct Run<'a> {
    /// The suite's requirements and cases.
    pub loaded: &'a Loaded,
    /// The subject.
    pub harness: &'a Harness,
    /// Requirements that the run was to judge.
    pub scope: &'a [Id],
    /// Requirements that the subject does not claim.
    pub optional: &'a [Id],
    /// Problems around the run itself.
    pub problems: Vec<String>,
    /// Remarks for the reader.
    pub notices: Vec<String>,
    /// Arguments that chose the scenarios.
    pub selection: Vec<String>,
    /// Wall time of the whole run.
    pub took: Duration,
}

/// Builds the ledger of a run.
pub fn ledger(run: &Run<'_>, rows: Vec<(Row, Duration)>) -> Ledger {
    let mut times: BTreeMap<String, u64> = rows
        .iter()
        .map(|(row, took)| (row.scenario.clone(), millis(*took)))
        .collect();
    times.insert(String::new(), millis(run.took));
    let rows: Vec<Row> = rows.into_iter().map(|(row, _)| row).collect();
    let level = run.harness.profile().level;
    let over = |id: &Id| {
        let id = id.to_string();
        AggregateVerdict::of(
            rows.iter()
                .filter(|row| row.covers.contains(&id))
                // A scenario that was skipped because its level is not asked for says nothing about the requirement.
                .filter(|row| row.level <= level || row.verdict != Verdict::Skip)
                .map(|row| row.verdict),
        )
    };
    let requirements: Vec<Requirement> = run
        .loaded
        .catalog
        .of_kind(REQUIREMENT_KIND)
        .map(|item| requirement(item, run, over(&item.id)))
        .collect();
    let parents = run
        .loaded
        .catalog
        .items()
        .iter()
        .filter(|item| item.needs.iter().any(|kind| kind == REQUIREMENT_KIND))
        .map(|item| {
            let id = item.id.to_string();
            let below = requirements
                .iter()
                .filter(|requirement| requirement.parents.contains(&id));
            Parent {
                title: title(item),
                direct: over(&item.id),
                inherited: AggregateVerdict::over(below.map(|requirement| requirement.verdict)),
                id,
            }
        })
        .collect();
    let conformant = requirements.iter().any(|requirement| requirement.in_scope)
        && requirements
            .iter()
            .filter(|requirement| requirement.in_scope)
            .all(stands)
        && !rows
            .iter()
            .any(|row| matches!(row.verdict, Verdict::Fail | Verdict::Broken))
        && run.problems.is_empty();
    let profile = run.harness.profile();
    Ledger {
        schema: SCHEMA.to_owned(),
        suite: env!("CARGO_PKG_VERSION").to_owned(),
        subject: Subject {
            name: profile.name.clone(),
            version: profile.version.clone(),
            digest: run.harness.digest().to_owned(),
            arch: profile.arch,
            level,
        },
        selection: run.selection.clone(),
        seed: run.harness.seed(),
        accelerator: ACCELERATOR.to_owned(),
        conformant,
        requirements,
        parents,
        rows,
        problems: run.problems.clone(),
        notices: run.notices.clone(),
        times,
    }
}

/// Tells whether a requirement does not count against the subject.
fn stands(requirement: &Requirement) -> bool {
    match requirement.verdict {
        AggregateVerdict::Pass | AggregateVerdict::Waived => true,
        AggregateVerdict::Skip | AggregateVerdict::NotVerified => requirement.optional,
        AggregateVerdict::Fail | AggregateVerdict::Broken => false,
    }
}

fn requirement(item: &Item, run: &Run<'_>, verdict: AggregateVerdict) -> Requirement {
    let texts = [
        ("Description", &item.description),
        ("Rationale", &item.rationale),
        ("Comments", &item.comment),
    ];
    let kept = texts
        .into_iter()
        .filter(|(_, text)| !text.trim().is_empty());
    Requirement {
        id: item.id.to_string(),
        title: title(item),
        group: item.group.clone().unwrap_or_default(),
        texts: kept
            .map(|(title, text)| Text(title.to_owned(), text.trim().to_owned()))
            .collect(),
        parents: item
            .covers
            .iter()
            .map(|cover| cover.id.to_string())
            .collect(),
        needs: item.needs.clone(),
        status: item.status.to_string(),
        place: run.loaded.place(&item.at.file, item.at.line),
        in_scope: run.scope.contains(&item.id),
        optional: run.optional.contains(&item.id),
        verdict,
    }
}

fn title(item: &Item) -> String {
    item.title
        .clone()
        .unwrap_or_else(|| item.id.name().to_owned())
}

fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}
