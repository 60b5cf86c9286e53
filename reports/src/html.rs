//! Renders one self-contained page for people. It loads nothing and is readable without scripts.

use askama::Template;
use model::{AggregateVerdict, Class, Counts, Parent};
use text::visible;

use crate::RenderError;
use crate::view::{Case, Evidence, Requirement, Run, Scenario};

/// Digest of the page's only script, for its content security policy. If hostile text ever gets past the escaping, the
/// browser still runs no other script.
const SCRIPT_DIGEST: &str = "sha256-nf03oy3d8hO1/pft+UT5DhfWLQJCPdAz6vERQen/gkA=";

/// How many bytes of trees and consoles one page holds; browsers become slow beyond that.
const EVIDENCE_BUDGET: usize = 24 << 20;

/// A lower bound for the size of a table row in bytes.
const ROW: usize = 160;

/// Renders the page.
///
/// Failed and broken scenarios always show their trees and console. Passed ones show them while there is room, and
/// otherwise say that they are left out.
#[derive(Clone, Copy, Debug)]
pub struct Html;

impl Html {
    /// Renders the report. The same run always gives the same text.
    pub fn render(self, run: &Run) -> Result<String, RenderError> {
        let page = Page::new(run).render()?;
        // The template escapes HTML; this shows control characters, which no escaping makes harmless.
        Ok(visible(&page).into_owned())
    }
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    run: &'a Run,
    style: &'static str,
    script: &'static str,
    script_digest: &'static str,
    counts: Counts,
    requirement_counts: Counts,
    classes: [Class; 4],
    verdicts: [AggregateVerdict; 6],
    parents: Vec<ParentRow<'a>>,
    blocks: Vec<Block<'a>>,
}

/// A parent requirement, with those of its requirements that decide its aggregate verdict.
struct ParentRow<'a> {
    parent: &'a Parent,
    /// Indices of blocks.
    deciding: Vec<usize>,
    /// How many requirements cover it.
    covering: usize,
}

impl<'a> ParentRow<'a> {
    fn new(parent: &'a Parent, requirements: &[Requirement]) -> Self {
        let covering: Vec<_> = requirements
            .iter()
            .enumerate()
            .filter(|(_, requirement)| requirement.item.parents.contains(&parent.id))
            .collect();
        Self {
            parent,
            covering: covering.len(),
            deciding: covering
                .into_iter()
                .filter(|(_, requirement)| requirement.item.verdict == parent.inherited)
                .map(|(place, _)| place)
                .collect(),
        }
    }
}

/// A requirement with its cases and scenarios.
struct Block<'a> {
    anchor: String,
    requirement: &'a Requirement,
    counts: Counts,
    class_counts: [Counts; 4],
    cases: Vec<CaseRow<'a>>,
}

struct CaseRow<'a> {
    case: &'a Case,
    counts: Counts,
    open: bool,
    scenarios: Vec<Row<'a>>,
}

struct Row<'a> {
    scenario: &'a Scenario,
    /// Whether the page contains trees and console.
    evidence: bool,
    open: bool,
}

impl<'a> Page<'a> {
    fn new(run: &'a Run) -> Self {
        let red = run
            .requirements
            .iter()
            .flat_map(|requirement| &requirement.cases);
        let red = red
            .flat_map(|case| &case.scenarios)
            .filter(|scenario| scenario.row.verdict.is_red());
        let mut left = EVIDENCE_BUDGET.saturating_sub(red.map(evidence).sum());
        let mut row = |scenario: &'a Scenario| {
            let red = scenario.row.verdict.is_red();
            let room = if red {
                Some(left)
            } else {
                left.checked_sub(evidence(scenario))
            };
            left = room.unwrap_or(left);
            Row {
                scenario,
                evidence: room.is_some(),
                open: red,
            }
        };
        let blocks = run
            .requirements
            .iter()
            .enumerate()
            .map(|(index, requirement)| Block {
                anchor: format!("r{index}"),
                requirement,
                counts: requirement.counts(),
                class_counts: Class::ALL.map(|class| requirement.class_counts(class)),
                cases: requirement
                    .cases
                    .iter()
                    .map(|case| CaseRow {
                        case,
                        counts: case.counts(),
                        open: case.verdict.is_red(),
                        scenarios: case.scenarios.iter().map(&mut row).collect(),
                    })
                    .collect(),
            });
        Self {
            run,
            style: include_str!("../templates/report.css"),
            script: include_str!("../templates/report.js"),
            script_digest: SCRIPT_DIGEST,
            counts: run.counts(),
            requirement_counts: run.requirement_counts(),
            classes: Class::ALL,
            verdicts: AggregateVerdict::ALL,
            parents: run
                .ledger
                .parents
                .iter()
                .map(|parent| ParentRow::new(parent, &run.requirements))
                .collect(),
            blocks: blocks.collect(),
        }
    }

    /// Returns the anchor of a requirement, if the page contains it.
    fn anchor(&self, id: &str) -> Option<&str> {
        let block = self
            .blocks
            .iter()
            .find(|block| block.requirement.item.id == id)?;
        Some(&block.anchor)
    }
}

impl Block<'_> {
    /// Tells whether a new group of requirements begins here.
    fn begins_group(&self, blocks: &[Self], index: &usize) -> bool {
        let before = index.checked_sub(1).and_then(|before| blocks.get(before));
        before.is_none_or(|before| before.requirement.item.group != self.requirement.item.group)
    }
}

fn evidence(scenario: &Scenario) -> usize {
    let Evidence {
        trees,
        console,
        iommu,
    } = &scenario.evidence;
    let trees = trees.iter().map(|tree| tree.dts.len()).sum::<usize>();
    let iommu = iommu.as_ref().map_or(0, |iommu| {
        let lines = iommu.notes.iter().map(String::len).sum::<usize>();
        lines + iommu.rows.len() * ROW
    });
    console.len() + trees + iommu
}

/// Formats milliseconds for people.
fn duration(millis: &u64) -> String {
    match millis {
        0..1000 => format!("{millis} ms"),
        _ => format!("{}.{} s", millis / 1000, millis % 1000 / 100),
    }
}

/// Returns the count of one verdict.
pub(crate) fn count(counts: &Counts, verdict: &AggregateVerdict) -> usize {
    counts.get(*verdict)
}
