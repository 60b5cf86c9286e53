//! Verdicts: of one scenario, of several together, and their counts.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The verdict of one scenario.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every check was met.
    Pass,
    /// The hypervisor did something else than required.
    Fail,
    /// Not judged: the subject does not claim what the case needs.
    Skip,
    /// The harness could not tell.
    Broken,
    /// It failed, and a waiver excuses the failure.
    Waived,
}

impl Verdict {
    /// Returns the name used in ledgers.
    pub const fn name(self) -> &'static str {
        AggregateVerdict::of_one(self).name()
    }

    /// Returns the word for readers.
    pub const fn word(self) -> &'static str {
        AggregateVerdict::of_one(self).word()
    }

    /// Tells whether it needs attention.
    pub const fn is_red(self) -> bool {
        AggregateVerdict::of_one(self).is_red()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One comparison: what was wanted and what was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// What was compared.
    pub what: String,
    /// What the requirement demands.
    pub wanted: String,
    /// What was observed.
    pub seen: String,
    /// Whether both agree.
    pub ok: bool,
}

/// The verdict of several scenarios together: for a case, a requirement or a parent of requirements.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum AggregateVerdict {
    /// All scenarios passed.
    Pass,
    /// A scenario failed.
    Fail,
    /// A scenario was skipped.
    Skip,
    /// A scenario could not be judged.
    Broken,
    /// A scenario failed, and a waiver excuses it.
    Waived,
    /// There was no scenario.
    NotVerified,
}

impl AggregateVerdict {
    /// Every verdict, in the order of reports.
    pub const ALL: [Self; 6] = [
        Self::Pass,
        Self::Fail,
        Self::Broken,
        Self::Skip,
        Self::Waived,
        Self::NotVerified,
    ];

    /// The verdicts from the worst to the least bad; a pass remains if none of them occurs.
    const WEIGHT: [Self; 5] = [
        Self::Fail,
        Self::Broken,
        Self::Skip,
        Self::NotVerified,
        Self::Waived,
    ];

    const fn of_one(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Pass => Self::Pass,
            Verdict::Fail => Self::Fail,
            Verdict::Skip => Self::Skip,
            Verdict::Broken => Self::Broken,
            Verdict::Waived => Self::Waived,
        }
    }

    /// Aggregates the verdicts of scenarios: fail outweighs broken, and broken outweighs skip. Without a scenario the
    /// result is not verified.
    pub fn of(verdicts: impl IntoIterator<Item = Verdict>) -> Self {
        Self::over(verdicts.into_iter().map(Self::of_one))
    }

    /// Aggregates aggregate verdicts in the same order; not verified outweighs a pass.
    pub fn over(verdicts: impl IntoIterator<Item = Self>) -> Self {
        let all: Vec<Self> = verdicts.into_iter().collect();
        let worst = Self::WEIGHT
            .into_iter()
            .find(|verdict| all.contains(verdict));
        worst.unwrap_or(if all.is_empty() {
            Self::NotVerified
        } else {
            Self::Pass
        })
    }

    /// Returns the name used in ledgers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Skip => "skip",
            Self::Broken => "broken",
            Self::Waived => "waived",
            Self::NotVerified => "not-verified",
        }
    }

    /// Returns the word for readers.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Skip => "skipped",
            Self::Broken => "broken",
            Self::Waived => "waived",
            Self::NotVerified => "not verified",
        }
    }

    /// Tells whether it needs attention.
    pub const fn is_red(self) -> bool {
        matches!(self, Self::Fail | Self::Broken)
    }
}

impl From<Verdict> for AggregateVerdict {
    fn from(verdict: Verdict) -> Self {
        Self::of_one(verdict)
    }
}

impl fmt::Display for AggregateVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The number of scenarios or requirements with each verdict.
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
    pub fn of(verdicts: impl IntoIterator<Item = impl Into<AggregateVerdict>>) -> Self {
        let mut counts = Self::default();
        for verdict in verdicts {
            *counts.slot(verdict.into()) += 1;
        }
        counts
    }

    /// Returns the count of one verdict.
    pub fn get(mut self, verdict: impl Into<AggregateVerdict>) -> usize {
        *self.slot(verdict.into())
    }

    /// Returns the sum of all counts.
    pub fn total(self) -> usize {
        let all = AggregateVerdict::ALL.into_iter();
        all.map(|verdict| self.get(verdict)).sum()
    }

    fn slot(&mut self, verdict: AggregateVerdict) -> &mut usize {
        match verdict {
            AggregateVerdict::Pass => &mut self.pass,
            AggregateVerdict::Fail => &mut self.fail,
            AggregateVerdict::Skip => &mut self.skip,
            AggregateVerdict::Broken => &mut self.broken,
            AggregateVerdict::Waived => &mut self.waived,
            AggregateVerdict::NotVerified => &mut self.not_verified,
        }
    }
}

impl fmt::Display for Counts {
    /// Prints the counts that are not zero, as in `12 pass, 1 fail`; `none` if all are zero.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = AggregateVerdict::ALL
            .into_iter()
            .map(|verdict| (verdict, self.get(verdict)));
        let shown: Vec<_> = counted
            .filter(|(_, count)| *count > 0)
            .map(|(verdict, count)| format!("{count} {}", verdict.word()))
            .collect();
        f.pad(&if shown.is_empty() {
            "none".to_owned()
        } else {
            shown.join(", ")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One failure decides, however many passed; nothing run is not a pass.
    #[test]
    fn the_worst_verdict_wins() {
        use Verdict::{Broken, Fail, Pass, Skip, Waived};
        let of = |verdicts: &[Verdict]| AggregateVerdict::of(verdicts.iter().copied());
        assert_eq!(of(&[Pass, Skip, Broken, Fail]), AggregateVerdict::Fail);
        assert_eq!(of(&[Pass, Skip, Broken]), AggregateVerdict::Broken);
        assert_eq!(of(&[Waived, Skip]), AggregateVerdict::Skip);
        assert_eq!(of(&[Pass, Waived]), AggregateVerdict::Waived);
        assert_eq!(of(&[Pass]), AggregateVerdict::Pass);
        assert_eq!(of(&[]), AggregateVerdict::NotVerified);
        let over = |verdicts: &[AggregateVerdict]| AggregateVerdict::over(verdicts.iter().copied());
        assert_eq!(
            over(&[AggregateVerdict::Pass, AggregateVerdict::NotVerified]),
            AggregateVerdict::NotVerified
        );
        assert_eq!(
            over(&[AggregateVerdict::Pass, AggregateVerdict::Pass]),
            AggregateVerdict::Pass
        );
        assert_eq!(over(&[]), AggregateVerdict::NotVerified);
    }

    /// Counts are printed in the order of reports, and they add up.
    #[test]
    fn counts_say_what_there_is() {
        use Verdict::{Broken, Pass, Skip};
        let counts = Counts::of([Skip, Pass, Broken, Pass]);
        assert_eq!(counts.to_string(), "2 pass, 1 broken, 1 skipped");
        assert_eq!((counts.get(Pass), counts.get(Verdict::Fail)), (2, 0));
        assert_eq!(counts.total(), 4);
        assert_eq!(Counts::of([] as [Verdict; 0]).to_string(), "none");
    }
}
