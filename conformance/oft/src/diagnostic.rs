//! Errors and warnings of input files: the place, the problem, and what may have been meant.

use std::fmt;

use serde::Serialize;
use text::{visible, visible_line};

/// The severity of a diagnostic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The input cannot be used.
    Error,
    /// The input can be used, but probably does not say what its author meant.
    Warning,
}

/// One error or warning at one place of an input file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Whether the input can still be used.
    pub severity: Severity,
    /// The file, as it was named to the loader.
    pub file: String,
    /// The line, counted from one; zero means the file as a whole.
    pub line: u32,
    /// Where the wrong part of the line begins, in characters counted from one; zero means the whole line.
    pub column: u32,
    /// The length of the wrong part in characters; zero if there is no column.
    pub width: u32,
    /// What is wrong, without a full stop.
    pub message: String,
    /// The line as written; empty if none is to be shown.
    pub excerpt: String,
    /// How to correct it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// Creates an error at `line` of `file`.
    pub fn error(file: impl Into<String>, line: u32, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            file: file.into(),
            line,
            column: 0,
            width: 0,
            message: message.into(),
            excerpt: String::new(),
            help: None,
        }
    }

    /// Creates a warning at `line` of `file`.
    pub fn warning(file: impl Into<String>, line: u32, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(file, line, message)
        }
    }

    /// Adds the line as written. Only the start of a very long line is kept.
    #[must_use]
    pub fn excerpt(mut self, line: &str) -> Self {
        const SHOWN: usize = 160;
        self.excerpt = line.chars().take(SHOWN).collect();
        if line.chars().nth(SHOWN).is_some() {
            self.excerpt.push('…');
        }
        self
    }

    /// Adds the line as written and marks a part of it: this very slice, or, if `part` is no slice of `line`, the first
    /// equal text in it. If `part` is empty or not found, the whole line is marked.
    #[must_use]
    pub fn highlight(self, line: &str, part: &str) -> Self {
        let own = part.as_ptr().addr().checked_sub(line.as_ptr().addr());
        let own = own.filter(|&at| line.get(at..at + part.len()) == Some(part));
        let found = own.or_else(|| line.find(part));
        let count = |text: &str| u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        match found.filter(|_| !part.is_empty()) {
            Some(at) => Self {
                column: count(line.get(..at).unwrap_or_default()).saturating_add(1),
                width: count(part),
                ..self
            },
            None => self,
        }
        .excerpt(line)
    }

    /// Adds how to correct it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds "did you mean" if an entry of `known` is near to `wanted`.
    #[must_use]
    pub fn suggest<'a>(self, wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        match text::nearest(wanted, known) {
            Some(near) => self.help(format!("did you mean `{near}`?")),
            None => self,
        }
    }
}

/// Shows the diagnostic in a few lines, for files, pipes and messages; for a terminal see [`crate::excerpt`].
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        // All of the text may come from a file and go to a terminal, so control characters are spelled out.
        let file = visible_line(&self.file);
        write!(f, "{severity}: {}\n  --> {file}", visible(&self.message))?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if self.column > 0 {
            write!(f, ":{}", self.column)?;
        }
        if !self.excerpt.is_empty() {
            let excerpt = self.excerpt.replace('\t', " ");
            write!(f, "\n   | {}", visible_line(&excerpt))?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n   = help: {}", visible(help))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A diagnostic shows place, line and advice, and contains nothing that a terminal interprets.
    #[test]
    fn diagnostic_shows_place_line_and_advice() {
        let shown = Diagnostic::error("a.rst", 3, "no such keyword `Cover`")
            .excerpt("Cover:\u{1b}[2J")
            .suggest("Cover", ["Covers"])
            .to_string();
        assert_eq!(
            shown,
            "error: no such keyword `Cover`\n  --> a.rst:3\n   | Cover:\\x1b[2J\n   = help: did you mean `Covers`?"
        );
    }

    /// The wrong part is marked in characters: the slice itself, or else the first text equal to it.
    #[test]
    fn culprits_have_columns() {
        let line = "- é~x~1, x~1";
        let (_, second) = line.split_at(10);
        for (part, place) in [
            (second, (10, 3)),
            ("x~1", (5, 3)),
            ("é", (3, 1)),
            (line, (1, 12)),
            ("", (0, 0)),
            ("gone", (0, 0)),
        ] {
            let note = Diagnostic::error("a.rst", 1, "wrong").highlight(line, part);
            assert_eq!((note.column, note.width), place, "{part}");
            assert_eq!(note.excerpt, line);
        }
    }
}
