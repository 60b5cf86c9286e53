//! Renders the summary of a run for a terminal.

use anstyle::{AnsiColor, Style};
use model::{AggregateVerdict, Check};
use text::one_line;

use crate::view::{Case, Requirement, Run, Scenario};

/// The least width in columns; a narrower terminal wraps the lines itself.
const NARROWEST: usize = 40;

/// Indentation of the text beside a verdict.
const INDENT: &str = "        ";

/// Renders a summary for a terminal: the requirements, then the scenarios that need attention, then the headline.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// Whether to colour the verdicts.
    pub colour: bool,
    /// Width of the terminal in columns.
    pub width: usize,
}

impl Terminal {
    /// Renders the summary. The same run always gives the same text.
    pub fn render(self, run: &Run) -> String {
        let mut page = Page {
            out: String::new(),
            colour: self.colour,
            width: self.width.max(NARROWEST),
        };
        page.head(run);
        let mut group = None;
        for requirement in &run.requirements {
            if group.replace(&requirement.item.group) != Some(&requirement.item.group) {
                page.blank();
                page.line(&page.bold(&one_line(&requirement.item.group)));
            }
            page.requirement(requirement);
        }
        for (_, case, scenario) in run
            .scenarios()
            .filter(|(_, _, scenario)| scenario.row.verdict.is_red())
        {
            page.finding(case, scenario);
        }
        page.foot(run);
        page.out
    }
}

struct Page {
    out: String,
    colour: bool,
    width: usize,
}

impl Page {
    fn head(&mut self, run: &Run) {
        let subject = &run.ledger.subject;
        self.wrap(
            "",
            &format!(
                "Device passthrough conformance, suite {}",
                one_line(&run.ledger.suite)
            ),
        );
        self.field(
            "subject",
            &format!("{} {} ({})", subject.name, subject.version, subject.arch),
        );
        self.whole("  ", "image", &subject.digest);
        self.field(
            "run",
            &format!(
                "accelerator {}, seed {}",
                run.ledger.accelerator, run.ledger.seed
            ),
        );
        self.whole("  ", "command", &run.command());
    }

    fn requirement(&mut self, requirement: &Requirement) {
        let counts = match requirement.cases.as_slice() {
            [] => "no case".to_owned(),
            _ => requirement.counts().to_string(),
        };
        let optional = if requirement.is_mandatory() {
            ""
        } else {
            " (optional)"
        };
        let id = format!("{}{optional}", one_line(&requirement.item.id));
        let room = self.width.saturating_sub(INDENT.len() + columns(&counts));
        // The counts go to the right edge, or on a line of their own.
        let beside = columns(&id) + 2 <= room;
        let first = if beside {
            format!("{id}{}{counts}", " ".repeat(room - columns(&id)))
        } else {
            id
        };
        self.verdict(requirement.item.verdict, &first);
        self.wrap(INDENT, &one_line(&requirement.item.title));
        if !beside {
            self.wrap(INDENT, &counts);
        }
    }

    fn finding(&mut self, case: &Case, scenario: &Scenario) {
        self.blank();
        self.verdict(
            scenario.row.verdict.into(),
            &one_line(&scenario.row.scenario),
        );
        self.wrap(
            INDENT,
            &format!("{} ({})", one_line(&case.title), case.class),
        );
        self.wrap(INDENT, &format!("case {}", one_line(&case.id)));
        if !scenario.row.reason.is_empty() {
            self.wrap(INDENT, &one_line(&scenario.row.reason));
        }
        for Check {
            what, wanted, seen, ..
        } in scenario.row.checks.iter().filter(|check| !check.ok)
        {
            self.wrap(INDENT, &format!("- {}", one_line(what)));
            self.labelled("wanted", wanted);
            self.labelled("seen", seen);
        }
        if let Some(evidence) = &scenario.row.evidence {
            self.whole(INDENT, "evidence", evidence);
        }
        self.whole(INDENT, "again", &scenario.reproduce);
    }

    fn foot(&mut self, run: &Run) {
        for (head, texts) in [
            ("Problems", &run.ledger.problems),
            ("Notices", &run.ledger.notices),
        ] {
            if texts.is_empty() {
                continue;
            }
            self.blank();
            self.line(&self.bold(head));
            for text in texts {
                self.wrap("  ", &format!("- {}", one_line(text)));
            }
        }
        if !run.ledger.parents.is_empty() {
            self.blank();
            for parent in &run.ledger.parents {
                let text = format!(
                    "{}: direct {}, inherited {}",
                    one_line(&parent.id),
                    parent.direct.word(),
                    parent.inherited.word()
                );
                self.wrap("", &text);
            }
        }
        if let Some(caveat) = run.caveat() {
            self.blank();
            self.wrap("", caveat);
        }
        let requirements = run.requirement_counts();
        self.blank();
        self.wrap(
            "",
            &format!("{} requirements: {requirements}", requirements.total()),
        );
        let counts = run.counts();
        // Skipped and not verified appear even if there are none, so that they cannot be overlooked.
        let rest = format!("{} skipped, {} waived", counts.skip, counts.waived);
        let ran = format!(
            "{} pass, {} fail, {} broken",
            counts.pass, counts.fail, counts.broken
        );
        let missing = match counts.not_verified {
            0 => String::new(),
            more => format!(", {more} not run"),
        };
        self.wrap(
            "",
            &format!("{} scenarios: {ran}, {rest}{missing}", counts.total()),
        );
        let (word, colour) = match run.ledger.conformant {
            true => ("CONFORMANT", AnsiColor::Green),
            false => ("NOT CONFORMANT", AnsiColor::Red),
        };
        let style = Style::new().bold().fg_color(Some(colour.into()));
        self.line(&self.paint(word, style));
    }

    fn verdict(&mut self, verdict: AggregateVerdict, text: &str) {
        let (word, colour) = match verdict {
            AggregateVerdict::Pass => ("PASS", AnsiColor::Green),
            AggregateVerdict::Fail => ("FAIL", AnsiColor::Red),
            AggregateVerdict::Broken => ("BROKEN", AnsiColor::Magenta),
            AggregateVerdict::Skip => ("SKIP", AnsiColor::Yellow),
            AggregateVerdict::Waived => ("WAIVED", AnsiColor::Yellow),
            AggregateVerdict::NotVerified => ("-", AnsiColor::BrightBlack),
        };
        let painted = self.paint(word, Style::new().bold().fg_color(Some(colour.into())));
        let gap = " ".repeat(INDENT.len() - word.len());
        self.line(&format!("{painted}{gap}{text}"));
    }

    /// Writes a text for copying on one line, however long.
    fn whole(&mut self, indent: &str, label: &str, text: &str) {
        self.line(&format!("{indent}{label:<9}{}", one_line(text)));
    }

    fn field(&mut self, label: &str, text: &str) {
        self.hang(&format!("  {label:<9}"), &one_line(text));
    }

    fn labelled(&mut self, label: &str, text: &str) {
        self.hang(&format!("{INDENT}  {label:<9}"), &one_line(text));
    }

    /// Writes a text beside a label, with its further lines indented.
    fn hang(&mut self, label: &str, text: &str) {
        self.fill(label, &" ".repeat(columns(label)), text);
    }

    fn wrap(&mut self, indent: &str, text: &str) {
        let deeper = if text.starts_with("- ") {
            format!("{indent}  ")
        } else {
            indent.to_owned()
        };
        self.fill(indent, &deeper, text);
    }

    fn fill(&mut self, first: &str, further: &str, text: &str) {
        // A path or command is copied as a whole, so it breaks only at a space.
        let options = textwrap::Options::new(self.width)
            .initial_indent(first)
            .subsequent_indent(further)
            .break_words(false)
            .word_splitter(textwrap::WordSplitter::NoHyphenation);
        for line in textwrap::wrap(text, options) {
            self.line(&line);
        }
    }

    fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    fn blank(&mut self) {
        self.out.push('\n');
    }

    fn bold(&self, text: &str) -> String {
        self.paint(text, Style::new().bold())
    }

    fn paint(&self, text: &str, style: Style) -> String {
        if self.colour {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }
}

fn columns(text: &str) -> usize {
    textwrap::core::display_width(text)
}
