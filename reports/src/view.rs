//! The one input of every report: what was run, what was seen, and the verdicts, decided elsewhere.

use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};

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

/// The hypervisor that was judged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Name of its profile.
    pub name: String,
    /// The version it states.
    pub version: String,
    /// Architecture.
    pub arch: String,
    /// Digest of its image.
    pub digest: String,
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
    pub verdict: Verdict,
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
    pub verdict: Verdict,
    /// One scenario a parameter set.
    pub scenarios: Vec<Scenario>,
}

/// One run of a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scenario {
    /// Unique name.
    pub id: String,
    /// Its verdict.
    pub verdict: Verdict,
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

/// One thing observed, beside what was wanted of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What was looked at.
    pub what: String,
    /// What had to be seen.
    pub wanted: String,
    /// What was seen.
    pub seen: String,
    /// Whether the two agree.
    pub ok: bool,
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
    pub direct: Verdict,
    /// Verdict from the requirements below it.
    pub inherited: Verdict,
}

/// What kind of case it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// The feature is used as meant.
    Positive,
    /// Something that must be refused.
    Negative,
    /// The last value that is right, or the first that is wrong.
    Boundary,
    /// An attack, or a fault from outside.
    Fault,
}

impl Class {
    /// All classes, in the order of reports.
    pub const ALL: [Self; 4] = [Self::Positive, Self::Negative, Self::Boundary, Self::Fault];
}

/// The outcome of a scenario, a case or a requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Seen as wanted.
    Pass,
    /// The hypervisor did something else.
    Fail,
    /// The profile lacks what it takes.
    Skip,
    /// The rig could not tell.
    Broken,
    /// A failure that a waiver excuses.
    Waived,
    /// Nothing was run.
    NotVerified,
}

impl Verdict {
    /// All verdicts, in the order of reports.
    pub const ALL: [Self; 6] = [
        Self::Pass,
        Self::Fail,
        Self::Broken,
        Self::Skip,
        Self::Waived,
        Self::NotVerified,
    ];

    /// Returns what people call it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Skip => "skipped",
            Self::Broken => "broken",
            Self::Waived => "waived",
            Self::NotVerified => "not verified",
        }
    }

    /// Tells whether somebody has to look into it.
    pub fn is_red(self) -> bool {
        matches!(self, Self::Fail | Self::Broken)
    }
}

impl Display for Class {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Positive => "positive",
            Self::Negative => "negative",
            Self::Boundary => "boundary",
            Self::Fault => "fault",
        })
    }
}

impl Display for Verdict {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Skip => "skip",
            Self::Broken => "broken",
            Self::Waived => "waived",
            Self::NotVerified => "not-verified",
        })
    }
}

/// How many of each verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Passes.
    pub pass: usize,
    /// Failures.
    pub fail: usize,
    /// Skipped.
    pub skip: usize,
    /// Broken.
    pub broken: usize,
    /// Waived.
    pub waived: usize,
    /// Not run.
    pub not_verified: usize,
}

impl Counts {
    /// Counts verdicts.
    pub fn of(verdicts: impl IntoIterator<Item = Verdict>) -> Self {
        let mut counts = Self::default();
        for verdict in verdicts {
            *counts.slot(verdict) += 1;
        }
        counts
    }

    /// Returns how many there are of one verdict.
    pub fn get(mut self, verdict: Verdict) -> usize {
        *self.slot(verdict)
    }

    /// Returns how many there are in all.
    pub fn total(self) -> usize {
        Verdict::ALL.iter().map(|verdict| self.get(*verdict)).sum()
    }

    fn slot(&mut self, verdict: Verdict) -> &mut usize {
        match verdict {
            Verdict::Pass => &mut self.pass,
            Verdict::Fail => &mut self.fail,
            Verdict::Skip => &mut self.skip,
            Verdict::Broken => &mut self.broken,
            Verdict::Waived => &mut self.waived,
            Verdict::NotVerified => &mut self.not_verified,
        }
    }
}

impl Display for Counts {
    /// Prints what there is, as in `12 pass, 1 fail`; nothing at all as `none`.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let counted = Verdict::ALL
            .iter()
            .map(|verdict| (self.get(*verdict), verdict));
        let shown: Vec<_> = counted
            .filter(|(count, _)| *count > 0)
            .map(|(count, verdict)| format!("{count} {}", verdict.word()))
            .collect();
        f.pad(&if shown.is_empty() {
            "none".to_owned()
        } else {
            shown.join(", ")
        })
    }
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
    fn verdicts(&self) -> impl Iterator<Item = Verdict> {
        self.scenarios.iter().map(|scenario| scenario.verdict)
    }

    /// Counts its scenarios.
    pub fn counts(&self) -> Counts {
        Counts::of(self.verdicts())
    }
}
