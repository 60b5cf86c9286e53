//! Compares two runs.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use model::{AggregateVerdict, Subject};
use serde::{Deserialize, Serialize};
use text::one_line;

/// What changed from an old run to a new one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// The old run.
    pub old: Side,
    /// The new run.
    pub new: Side,
    /// Requirements whose verdict changed.
    pub requirements: Vec<Change>,
    /// Scenarios that only one run contains or whose verdict changed.
    pub scenarios: Vec<Change>,
    /// Scenarios with the same verdict in both.
    pub same: usize,
    /// Scenarios of the old run that were not selected in the new one.
    pub left_out: usize,
    /// Whether the new run is worse.
    pub regression: bool,
}

/// One of the two runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// The subject.
    pub subject: Subject,
    /// Version of the suite.
    pub suite: String,
    /// Number of scenarios.
    pub scenarios: usize,
    /// The headline verdict.
    pub conformant: bool,
}

/// A requirement or scenario whose verdict changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Its id.
    pub id: String,
    /// What kind of change it is.
    pub kind: Kind,
    /// Verdict in the old run; none if that run does not contain it.
    pub old: Option<AggregateVerdict>,
    /// Verdict in the new run; none if that run does not contain it.
    pub new: Option<AggregateVerdict>,
    /// Why the new verdict is what it is, in one line.
    pub reason: String,
}

/// A kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The new verdict is worse.
    Regressed,
    /// The new verdict is better.
    Fixed,
    /// The new verdict is different, but neither better nor worse.
    Changed,
    /// The old run does not contain it.
    New,
    /// The new run does not contain it.
    Gone,
}

impl Kind {
    /// All kinds, in the order of reports.
    pub const ALL: [Self; 5] = [
        Self::Regressed,
        Self::Fixed,
        Self::Changed,
        Self::New,
        Self::Gone,
    ];

    /// Returns its word in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Regressed => "regressed",
            Self::Fixed => "fixed",
            Self::Changed => "changed",
            Self::New => "new",
            Self::Gone => "gone",
        }
    }
}

impl Comparison {
    /// Renders the comparison for a terminal, with or without colour.
    pub fn text(&self, colour: bool) -> String {
        let mut page = Page {
            out: String::new(),
            colour,
        };
        page.side("old", &self.old);
        page.side("new", &self.new);
        page.changes("Requirements", &self.requirements);
        page.changes("Scenarios", &self.scenarios);
        page.foot(self);
        page.out
    }

    fn count(&self, kind: Kind) -> usize {
        let of_kind = |change: &&Change| change.kind == kind;
        self.scenarios.iter().filter(of_kind).count()
    }
}

struct Page {
    out: String,
    colour: bool,
}

impl Page {
    fn side(&mut self, label: &str, side: &Side) {
        let Side {
            subject,
            suite,
            scenarios,
            conformant,
        } = side;
        let headline = if *conformant {
            "conformant"
        } else {
            "not conformant"
        };
        self.line(&format!(
            "{label}  {} {} ({}), {scenarios} scenarios, {headline}",
            one_line(&subject.name),
            one_line(&subject.version),
            subject.arch
        ));
        self.line(&format!(
            "     suite {}, image {}",
            one_line(suite),
            one_line(&subject.digest)
        ));
    }

    fn changes(&mut self, title: &str, changes: &[Change]) {
        for kind in Kind::ALL {
            let mut of_kind = changes
                .iter()
                .filter(|change| change.kind == kind)
                .peekable();
            if of_kind.peek().is_none() {
                continue;
            }
            let heading = self.paint(&format!("{title} {}", kind.word()), Style::new().bold());
            self.line("");
            self.line(&heading);
            for change in of_kind {
                self.change(change);
            }
        }
    }

    fn change(&mut self, change: &Change) {
        let word = |verdict: Option<AggregateVerdict>| verdict.map_or("-", AggregateVerdict::word);
        let colour = match change.new {
            Some(AggregateVerdict::Pass) => AnsiColor::Green,
            Some(AggregateVerdict::Fail) => AnsiColor::Red,
            Some(AggregateVerdict::Broken) => AnsiColor::Magenta,
            Some(AggregateVerdict::Skip | AggregateVerdict::Waived) => AnsiColor::Yellow,
            Some(AggregateVerdict::NotVerified) | None => AnsiColor::BrightBlack,
        };
        // Padded before it is coloured: escape sequences have no width.
        let verdicts = format!("{:>12} -> {:<12}", word(change.old), word(change.new));
        let verdicts = self.paint(&verdicts, Style::new().fg_color(Some(colour.into())));
        self.line(&format!("{verdicts}  {}", one_line(&change.id)));
        if !change.reason.is_empty() {
            self.line(&format!("{:30}{}", "", one_line(&change.reason)));
        }
    }

    fn foot(&mut self, comparison: &Comparison) {
        let counts: Vec<_> = Kind::ALL
            .into_iter()
            .map(|kind| format!("{} {}", comparison.count(kind), kind.word()))
            .collect();
        self.line("");
        let left_out = match comparison.left_out {
            0 => String::new(),
            more => format!(", {more} of the old run not selected in the new one"),
        };
        self.line(&format!(
            "{} scenarios the same, {}{left_out}",
            comparison.same,
            counts.join(", ")
        ));
        let (word, colour) = match comparison.regression {
            true => ("REGRESSION", AnsiColor::Red),
            false => ("NO REGRESSION", AnsiColor::Green),
        };
        let word = self.paint(word, Style::new().bold().fg_color(Some(colour.into())));
        self.line(&word);
    }

    fn line(&mut self, text: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.out, "{}", text.trim_end());
    }

    fn paint(&self, text: &str, style: Style) -> String {
        if self.colour {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }
}
