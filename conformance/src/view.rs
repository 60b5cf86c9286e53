//! Ledger to the view that all reports render. Verdicts are copied, never made here.

use std::path::Path;

use reports::view;

use crate::case::Class;
use crate::evidence;
use crate::iommu;
use crate::ledger::{Ledger, Rollup, Row, Subject};
use crate::verdict::Verdict;

/// Builds the view of a ledger whose evidence lies in `folder`; without one, trees and consoles stay out.
pub fn of(ledger: &Ledger, folder: Option<&Path>) -> view::Run {
    let requirements = ledger
        .requirements
        .iter()
        .map(|requirement| view::Requirement {
            id: requirement.id.clone(),
            title: requirement.title.clone(),
            group: requirement.group.clone(),
            sections: requirement
                .texts
                .iter()
                .map(|(title, text)| view::Section {
                    title: title.clone(),
                    text: text.clone(),
                })
                .collect(),
            parents: requirement.parents.clone(),
            mandatory: requirement.in_scope && !requirement.optional,
            verdict: rollup(requirement.verdict),
            cases: cases(ledger, &requirement.id, folder),
        })
        .collect();
    let parents = ledger.parents.iter().map(|parent| view::Parent {
        id: parent.id.clone(),
        title: parent.title.clone(),
        direct: rollup(parent.direct),
        inherited: rollup(parent.inherited),
    });
    view::Run {
        suite_version: ledger.suite.clone(),
        subject: subject(&ledger.subject),
        command: format!("cargo xtask conformance {}", ledger.selection.join(" "))
            .trim_end()
            .to_owned(),
        seed: ledger.seed.to_string(),
        accelerator: ledger.accelerator.clone(),
        conformant: ledger.conformant,
        requirements,
        parents: parents.collect(),
        problems: ledger.problems.clone(),
        notices: ledger.notices.clone(),
        millis: ledger.times.get("").copied(),
    }
}

fn cases(ledger: &Ledger, requirement: &str, folder: Option<&Path>) -> Vec<view::Case> {
    let mut cases: Vec<view::Case> = Vec::new();
    for row in ledger
        .rows
        .iter()
        .filter(|row| row.covers.iter().any(|id| id == requirement))
    {
        let scenario = scenario(ledger, row, folder);
        match cases.iter_mut().find(|case| case.id == row.case) {
            Some(case) => case.scenarios.push(scenario),
            None => cases.push(view::Case {
                id: row.case.clone(),
                title: row.title.clone(),
                class: class(row.class),
                covers: row.covers.clone(),
                verdict: view::Verdict::NotVerified,
                scenarios: vec![scenario],
            }),
        }
    }
    for case in &mut cases {
        let of_case = ledger
            .rows
            .iter()
            .filter(|row| row.case == case.id)
            .map(|row| row.verdict);
        case.verdict = rollup(Rollup::of(of_case));
    }
    cases
}

fn scenario(ledger: &Ledger, row: &Row, folder: Option<&Path>) -> view::Scenario {
    let evidence = folder
        .zip(row.evidence.as_ref())
        .map(|(folder, name)| folder.join(name));
    let read = |name| {
        evidence
            .as_ref()
            .and_then(|folder| std::fs::read(folder.join(name)).ok())
    };
    let console = read(evidence::CONSOLE).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let smmu = evidence.as_deref().and_then(evidence::events);
    let trees = evidence.as_deref().map(evidence::trees).unwrap_or_default();
    view::Scenario {
        id: row.scenario.clone(),
        verdict: verdict(row.verdict),
        reason: row.reason.clone(),
        checks: row
            .checks
            .iter()
            .map(|check| view::Check {
                what: check.what.clone(),
                wanted: check.wanted.clone(),
                seen: check.seen.clone(),
                ok: check.ok,
            })
            .collect(),
        evidence: row.evidence.clone(),
        reproduce: reproduce(ledger, row),
        trees: trees
            .into_iter()
            .map(|(name, dts)| view::Tree { name, dts })
            .collect(),
        console: console.unwrap_or_default(),
        smmu: smmu.map(|told| view::Smmu {
            accesses: told.rows.into_iter().map(access).collect(),
            notes: told.notes,
        }),
        seed: row.seed.clone(),
        digests: row.digests.clone().into_iter().collect(),
        millis: ledger.times.get(&row.scenario).copied(),
    }
}

fn access(row: iommu::Row) -> view::Access {
    view::Access {
        stream: row.stream,
        fate: row.fate,
        access: row.access,
        traced: row.traced,
        queued: row.queued,
    }
}

/// The command that runs the scenario of this row again, on the same subject and with the same seed.
fn reproduce(ledger: &Ledger, row: &Row) -> String {
    let mut words = vec!["cargo xtask reproduce".to_owned(), row.scenario.clone()];
    let mut pairs = ledger.selection.chunks_exact(2);
    while let Some([flag, value]) = pairs.next() {
        let usual = [("--subject", "reference"), ("--arch", "aarch64")];
        let matters = matches!(flag.as_str(), "--subject" | "--arch" | "--level" | "--seed");
        if matters && !usual.contains(&(flag, value)) {
            words.extend([flag.clone(), value.clone()]);
        }
    }
    words.join(" ")
}

/// Shows what was judged.
pub fn subject(subject: &Subject) -> view::Subject {
    view::Subject {
        name: subject.name.clone(),
        version: subject.version.clone(),
        arch: subject.arch.clone(),
        digest: subject.digest.clone(),
    }
}

const fn class(class: Class) -> view::Class {
    match class {
        Class::Positive => view::Class::Positive,
        Class::Negative => view::Class::Negative,
        Class::Boundary => view::Class::Boundary,
        Class::Fault => view::Class::Fault,
    }
}

/// Shows the verdict on a scenario.
pub const fn verdict(verdict: Verdict) -> view::Verdict {
    match verdict {
        Verdict::Pass => view::Verdict::Pass,
        Verdict::Fail => view::Verdict::Fail,
        Verdict::Skip => view::Verdict::Skip,
        Verdict::Broken => view::Verdict::Broken,
        Verdict::Waived => view::Verdict::Waived,
    }
}

/// Shows the verdict over several.
pub const fn rollup(rollup: Rollup) -> view::Verdict {
    match rollup {
        Rollup::Pass => view::Verdict::Pass,
        Rollup::Fail => view::Verdict::Fail,
        Rollup::Skip => view::Verdict::Skip,
        Rollup::Broken => view::Verdict::Broken,
        Rollup::Waived => view::Verdict::Waived,
        Rollup::NotVerified => view::Verdict::NotVerified,
    }
}
