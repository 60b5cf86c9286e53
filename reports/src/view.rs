//! The only input of every report: the ledger of a run, its rows grouped by requirement and case, with their evidence.
//! Verdicts come from the ledger; nothing is judged here.

use std::collections::BTreeSet;

use model::{AggregateVerdict, Arch, Class, Counts, IommuRecord, Ledger, Row, Verdict};
use serde::{Deserialize, Serialize};

/// A whole run against one subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The ledger without its rows, which are in the groups below.
    pub ledger: Ledger,
    /// Requirements, in the order of their files.
    pub requirements: Vec<Requirement>,
}

/// A requirement with the cases that verify it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    /// Its entry in the ledger.
    pub item: model::Requirement,
    /// Cases that cover it.
    pub cases: Vec<Case>,
}

/// A test case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// Id with its revision.
    pub id: String,
    /// Title.
    pub title: String,
    /// The class of the case.
    pub class: Class,
    /// Ids of the requirements it covers.
    pub covers: Vec<String>,
    /// The aggregate verdict of its scenarios.
    pub verdict: AggregateVerdict,
    /// One scenario for each set of parameters.
    pub scenarios: Vec<Scenario>,
}

/// One run of a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scenario {
    /// Its row in the ledger.
    pub row: Row,
    /// The command that runs it again.
    pub reproduce: String,
    /// Wall time; absent if the output must be reproducible.
    pub millis: Option<u64>,
    /// Trees, console and IOMMU record.
    pub evidence: Evidence,
}

/// The part of a scenario's evidence that reports show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Device trees that it was given or that it showed.
    pub trees: Vec<Tree>,
    /// Console text.
    pub console: String,
    /// What the machine's IOMMU did with accesses of devices; absent if the machine has none.
    pub iommu: Option<IommuRecord>,
}

/// A device tree as source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree {
    /// Its owner.
    pub name: String,
    /// Its source.
    pub dts: String,
}

impl Run {
    /// Groups the rows of a ledger; `evidence` returns the evidence of a row.
    pub fn new(mut ledger: Ledger, evidence: impl Fn(&Row) -> Evidence) -> Self {
        let requirements = ledger.requirements.iter();
        let requirements = requirements.map(|item| Requirement {
            item: item.clone(),
            cases: cases(&ledger, &item.id, &evidence),
        });
        let requirements = requirements.collect();
        ledger.rows.clear();
        Self {
            ledger,
            requirements,
        }
    }

    /// Returns the command that repeats this run.
    pub fn command(&self) -> String {
        let words = ["cargo", "xtask", "conformance"].into_iter();
        let chosen = self.ledger.selection.iter().map(String::as_str);
        words.chain(chosen).collect::<Vec<_>>().join(" ")
    }

    /// Returns the wall time of the whole run, if it was recorded.
    pub fn millis(&self) -> Option<u64> {
        self.ledger.times.get("").copied()
    }

    /// Returns every scenario once, even if its case covers several requirements.
    pub fn scenarios(&self) -> impl Iterator<Item = (&Requirement, &Case, &Scenario)> {
        let mut known = BTreeSet::new();
        let all = self.requirements.iter().flat_map(|requirement| {
            let cases = requirement.cases.iter();
            cases.flat_map(move |case| {
                case.scenarios
                    .iter()
                    .map(move |scenario| (requirement, case, scenario))
            })
        });
        all.filter(move |(_, _, scenario)| known.insert(scenario.row.scenario.as_str()))
    }

    /// Returns the limits of a pass on emulated guests.
    pub fn caveat(&self) -> Option<&'static str> {
        let emulated = self.ledger.accelerator.to_ascii_lowercase().contains("tcg");
        emulated.then_some(
            "The guests ran under QEMU's TCG, which idealizes caches and table walkers. A pass \
             shows what the hypervisor decides and maps; it does not show that its barriers, \
             break-before-make sequences, TLB and cache maintenance or DMA isolation suffice on \
             hardware.",
        )
    }

    /// Counts the scenarios.
    pub fn counts(&self) -> Counts {
        Counts::of(
            self.scenarios()
                .map(|(_, _, scenario)| scenario.row.verdict),
        )
    }

    /// Counts the requirements.
    pub fn requirement_counts(&self) -> Counts {
        Counts::of(
            self.requirements
                .iter()
                .map(|requirement| requirement.item.verdict),
        )
    }
}

fn cases(ledger: &Ledger, requirement: &str, evidence: &impl Fn(&Row) -> Evidence) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let covering = ledger
        .rows
        .iter()
        .filter(|row| row.covers.iter().any(|id| id == requirement));
    for row in covering {
        let scenario = Scenario {
            row: row.clone(),
            reproduce: reproduce(&ledger.selection, row),
            millis: ledger.times.get(&row.scenario).copied(),
            evidence: evidence(row),
        };
        match cases.iter_mut().rfind(|case| case.id == row.case) {
            Some(case) => case.scenarios.push(scenario),
            None => cases.push(Case {
                id: row.case.clone(),
                title: row.title.clone(),
                class: row.class,
                covers: row.covers.clone(),
                verdict: AggregateVerdict::NotVerified,
                scenarios: vec![scenario],
            }),
        }
    }
    for case in &mut cases {
        case.verdict = AggregateVerdict::of(case.verdicts());
    }
    cases
}

/// Returns the command that repeats the scenario of this row, on the same subject and with the same seed.
fn reproduce(selection: &[String], row: &Row) -> String {
    let mut words = vec!["cargo xtask reproduce".to_owned(), row.scenario.clone()];
    let mut pairs = selection.chunks_exact(2);
    while let Some([flag, value]) = pairs.next() {
        let usual = [
            ("--subject", "reference"),
            ("--arch", Arch::default().name()),
        ];
        let matters = matches!(flag.as_str(), "--subject" | "--arch" | "--level" | "--seed");
        if matters && !usual.contains(&(flag, value)) {
            words.extend([flag.clone(), value.clone()]);
        }
    }
    words.join(" ")
}

impl Requirement {
    /// Tells whether the subject is not conformant if this requirement is skipped.
    pub const fn is_mandatory(&self) -> bool {
        self.item.in_scope && !self.item.optional
    }

    /// Counts the scenarios of its cases.
    pub fn counts(&self) -> Counts {
        Counts::of(self.cases.iter().flat_map(Case::verdicts))
    }

    /// Counts the scenarios of its cases of one class.
    pub fn class_counts(&self, class: Class) -> Counts {
        let cases = self.cases.iter().filter(|case| case.class == class);
        Counts::of(cases.flat_map(Case::verdicts))
    }
}

impl Case {
    fn verdicts(&self) -> impl Iterator<Item = Verdict> {
        self.scenarios.iter().map(|scenario| scenario.row.verdict)
    }

    /// Counts its scenarios.
    pub fn counts(&self) -> Counts {
        Counts::of(self.verdicts())
    }
}
