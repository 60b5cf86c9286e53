//! The one input of every report: what was run, what was seen, and the verdicts, decided elsewhere.

use std::collections::BTreeSet;

use model::{AggregateVerdict, Check, Class, Counts, Subject};
use serde::{Deserialize, Serialize};

/// A whole run against one subject.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Version of the suite.
    pub suite_version: String,
    /// What was judged.
    pub subject: Subject,
    /// The command that gives this run again.
    pub command: String,
    /// Seed of everything random.
    pub seed: String,
    /// What executed the guests, `tcg` for example.
    pub accelerator: String,
    /// The headline verdict.
    pub conformant: bool,
    /// Requirements, in the order of their files.
    pub requirements: Vec<Requirement>,
    /// What the requirements roll up to.
    pub parents: Vec<Parent>,
    /// What went wrong outside any case: invalid waivers, defects of the requirement files.
    pub problems: Vec<String>,
    /// What somebody should know and nothing is wrong with.
    #[serde(default)]
    pub notices: Vec<String>,
    /// Wall time; absent where the output is to be reproducible.
    pub millis: Option<u64>,
}

/// A requirement and all that was done to verify it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    /// Id with its revision.
    pub id: String,
    /// Title.
    pub title: String,
    /// The group it belongs to, `Arm64` for example.
    pub group: String,
    /// Its text.
    pub sections: Vec<Section>,
    /// Ids it rolls up to.
    pub parents: Vec<String>,
    /// Whether skipping it makes the subject not conformant.
    pub mandatory: bool,
    /// Its verdict.
    pub verdict: AggregateVerdict,
    /// Cases that cover it.
    pub cases: Vec<Case>,
}

/// A headed part of a requirement's text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// `Description`, `Rationale` or `Comments`.
    pub title: String,
    /// The text.
    pub text: String,
}

/// A test case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// Id with its revision.
    pub id: String,
    /// Title.
    pub title: String,
    /// What kind of case it is.
    pub class: Class,
    /// Ids of the requirements it covers.
    pub covers: Vec<String>,
    /// Its verdict.
    pub verdict: AggregateVerdict,
    /// One scenario a parameter set.
    pub scenarios: Vec<Scenario>,
}

/// One run of a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scenario {
    /// Unique name.
    pub id: String,
    /// Its verdict.
    pub verdict: AggregateVerdict,
    /// Why, in one line; empty for a pass.
    pub reason: String,
    /// What was wanted and what was seen.
    pub checks: Vec<Check>,
    /// Folder with everything needed to look closer.
    pub evidence: Option<String>,
    /// The command that runs it again.
    pub reproduce: String,
    /// Device trees it was given or showed.
    pub trees: Vec<Tree>,
    /// Console text.
    pub console: String,
    /// What the machine's SMMUs did with accesses of devices; absent where it has none.
    pub smmu: Option<Smmu>,
    /// Seed.
    pub seed: String,
    /// Digests of what went in: (what, digest).
    pub digests: Vec<(String, String)>,
    /// Wall time; absent where the output is to be reproducible.
    pub millis: Option<u64>,
}

/// What SMMUs did, by QEMU's trace and by the event queue in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Smmu {
    /// The accesses.
    pub accesses: Vec<Access>,
    /// Where the two disagree, or one of them does not tell everything.
    pub notes: Vec<String>,
}

/// An access of a device and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// By what the SMMU knows the device; empty where that is not told.
    pub stream: String,
    /// What became of it.
    pub fate: String,
    /// Direction and address, as far as they are told.
    pub access: String,
    /// How often the trace tells of it.
    pub traced: u64,
    /// How often the event queue does.
    pub queued: u64,
}

/// A device tree as source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree {
    /// Whose tree it is.
    pub name: String,
    /// Its source.
    pub dts: String,
}

/// A requirement of the layer above.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// Id with its revision.
    pub id: String,
    /// Title.
    pub title: String,
    /// Verdict from its own cases.
    pub direct: AggregateVerdict,
    /// Verdict from the requirements below it.
    pub inherited: AggregateVerdict,
}

impl Run {
    /// Returns every scenario once, though its case may stand under several requirements.
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
        all.filter(move |(_, _, scenario)| known.insert(scenario.id.as_str()))
    }

    /// Returns what a pass does not show, where the guests were emulated.
    pub fn caveat(&self) -> Option<&'static str> {
        let emulated = self.accelerator.to_ascii_lowercase().contains("tcg");
        emulated.then_some(
            "The guests ran under QEMU's TCG, which idealizes caches and table walkers. A pass \
             shows what the hypervisor decides and maps; it does not show that its barriers, \
             break-before-make sequences, TLB and cache upkeep or DMA isolation suffice on \
             hardware.",
        )
    }

    /// Counts the scenarios.
    pub fn counts(&self) -> Counts {
        Counts::of(self.scenarios().map(|(_, _, scenario)| scenario.verdict))
    }

    /// Counts the requirements.
    pub fn requirement_counts(&self) -> Counts {
        Counts::of(
            self.requirements
                .iter()
                .map(|requirement| requirement.verdict),
        )
    }
}

impl Requirement {
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
    fn verdicts(&self) -> impl Iterator<Item = AggregateVerdict> {
        self.scenarios.iter().map(|scenario| scenario.verdict)
    }

    /// Counts its scenarios.
    pub fn counts(&self) -> Counts {
        Counts::of(self.verdicts())
    }
}
