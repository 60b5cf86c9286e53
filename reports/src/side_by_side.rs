//! Renders several subjects on one page: one row a requirement, with one row a scenario below it, and one column a
//! subject. It judges nothing: each cell is the verdict of that subject's own run.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use model::{AggregateVerdict, Counts};
use text::{one_line, visible};

use crate::RenderError;
use crate::html::count;
use crate::view::{Requirement, Run};

/// Digest of the page's only script, for its content security policy.
const SCRIPT_DIGEST: &str = "sha256-SUuE5cn1tDb6g/XVrk0XexkLuf4vyYV1ADGEkL5bkz8=";

/// Renders the page. The same runs in the same order always give the same text.
pub fn side_by_side(runs: &[Run]) -> Result<String, RenderError> {
    let page = Page::new(runs).render()?;
    // The template escapes HTML; this shows control characters, which no escaping makes harmless.
    Ok(visible(&page).into_owned())
}

#[derive(Template)]
#[template(path = "side_by_side.html")]
struct Page<'a> {
    style: &'static str,
    own_style: &'static str,
    script: &'static str,
    script_digest: &'static str,
    verdicts: [AggregateVerdict; 6],
    subjects: Vec<Subject<'a>>,
    blocks: Vec<Block<'a>>,
    scenarios: usize,
    differing: usize,
    caveat: Option<&'static str>,
}

/// A column.
struct Subject<'a> {
    run: &'a Run,
    /// How many requirements its verdict covers.
    asked: usize,
    counts: Counts,
    requirement_counts: Counts,
}

/// A requirement with the scenarios of it that any subject ran.
struct Block<'a> {
    id: &'a str,
    title: &'a str,
    group: &'a str,
    /// The verdict of each subject; none if its run does not contain the requirement.
    cells: Vec<Option<(AggregateVerdict, Counts)>>,
    cases: Vec<Case<'a>>,
    scenarios: usize,
    differing: usize,
}

struct Case<'a> {
    id: &'a str,
    title: &'a str,
    rows: Vec<Row<'a>>,
}

struct Row<'a> {
    id: &'a str,
    /// Verdict and reason of each subject; none if it did not run the scenario.
    cells: Vec<Option<(AggregateVerdict, String)>>,
    differs: bool,
}

impl<'a> Page<'a> {
    fn new(runs: &'a [Run]) -> Self {
        let blocks: Vec<Block<'a>> = requirements(runs)
            .into_iter()
            .map(|id| Block::new(id, runs))
            .collect();
        // Several requirements may list the same scenario.
        let rows = || {
            let cases = blocks.iter().flat_map(|block| &block.cases);
            cases.flat_map(|case| &case.rows)
        };
        let distinct = |rows: &mut dyn Iterator<Item = &Row<'a>>| {
            rows.map(|row| row.id).collect::<BTreeSet<_>>().len()
        };
        Self {
            style: include_str!("../templates/report.css"),
            own_style: include_str!("../templates/side_by_side.css"),
            script: include_str!("../templates/side_by_side.js"),
            script_digest: SCRIPT_DIGEST,
            verdicts: AggregateVerdict::ALL,
            subjects: runs
                .iter()
                .map(|run| Subject {
                    run,
                    asked: run
                        .requirements
                        .iter()
                        .filter(|one| one.is_mandatory())
                        .count(),
                    counts: run.counts(),
                    requirement_counts: run.requirement_counts(),
                })
                .collect(),
            scenarios: distinct(&mut rows()),
            differing: distinct(&mut rows().filter(|row| row.differs)),
            caveat: runs.iter().find_map(Run::caveat),
            blocks,
        }
    }
}

/// Returns the requirements of all runs: those of the first in order, then those that later runs add.
fn requirements(runs: &[Run]) -> Vec<&str> {
    let mut known = BTreeSet::new();
    let all = runs.iter().flat_map(|run| &run.requirements);
    all.map(|requirement| requirement.item.id.as_str())
        .filter(|id| known.insert(*id))
        .collect()
}

impl<'a> Block<'a> {
    fn new(id: &'a str, runs: &'a [Run]) -> Self {
        let of_run = |run: &'a Run| run.requirements.iter().find(|one| one.item.id == id);
        let columns: Vec<Option<&'a Requirement>> = runs.iter().map(of_run).collect();
        let first = columns.iter().flatten().next();
        let cases = cases(&columns);
        let rows = || cases.iter().flat_map(|case| &case.rows);
        Self {
            id,
            title: first.map_or("", |requirement| requirement.item.title.as_str()),
            group: first.map_or("", |requirement| requirement.item.group.as_str()),
            cells: columns
                .iter()
                .map(|column| column.map(|one| (one.item.verdict, one.counts())))
                .collect(),
            scenarios: rows().count(),
            differing: rows().filter(|row| row.differs).count(),
            cases,
        }
    }

    /// Tells whether a new group of requirements begins here.
    fn begins_group(&self, blocks: &[Self], index: &usize) -> bool {
        let before = index.checked_sub(1).and_then(|before| blocks.get(before));
        before.is_none_or(|before| before.group != self.group)
    }
}

/// Merges the subjects' cases of one requirement: those of the first in order, then those that later ones add.
fn cases<'a>(columns: &[Option<&'a Requirement>]) -> Vec<Case<'a>> {
    let mut cases: Vec<Case<'a>> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let mut rows: BTreeMap<(usize, &str), usize> = BTreeMap::new();
    for (column, requirement) in columns.iter().enumerate() {
        for case in requirement
            .iter()
            .flat_map(|requirement| &requirement.cases)
        {
            let place = *places.entry(&case.id).or_insert(cases.len());
            if place == cases.len() {
                cases.push(Case {
                    id: &case.id,
                    title: &case.title,
                    rows: Vec::new(),
                });
            }
            let Some(known) = cases.get_mut(place) else {
                continue;
            };
            for scenario in &case.scenarios {
                let row = *rows
                    .entry((place, &scenario.row.scenario))
                    .or_insert(known.rows.len());
                if row == known.rows.len() {
                    known.rows.push(Row {
                        id: &scenario.row.scenario,
                        cells: vec![None; columns.len()],
                        differs: false,
                    });
                }
                let cell = known
                    .rows
                    .get_mut(row)
                    .and_then(|row| row.cells.get_mut(column));
                if let Some(cell) = cell {
                    *cell = Some((scenario.row.verdict.into(), one_line(&scenario.row.reason)));
                }
            }
        }
    }
    for row in cases.iter_mut().flat_map(|case| &mut case.rows) {
        // A scenario that a run does not contain is no disagreement.
        let mut all = row.cells.iter().flatten().map(|(verdict, _)| *verdict);
        let first = all.next();
        row.differs = all.any(|one| Some(one) != first);
    }
    cases
}
