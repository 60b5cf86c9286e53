//! What is wrong with an input file: where, what it says, and what may have been meant.

use serde::Serialize;
use std::fmt;
use text::{visible, visible_line};

/// How much a diagnostic weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The input cannot be used.
    Error,
    /// The input can be used, but probably does not say what its author meant.
    Warning,
}

/// One complaint about one place of an input file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Whether the input can be used all the same.
    pub severity: Severity,
    /// The file, as it was named to the loader.
    pub file: String,
    /// The line, counted from one; zero means the file as a whole.
    pub line: u32,
    /// What is wrong, without a full stop.
    pub message: String,
    /// The line as written; empty where none is to be shown.
    pub excerpt: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// Starts an error about `line` of `file`.
    pub fn error(file: impl Into<String>, line: u32, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            file: file.into(),
            line,
            message: message.into(),
            excerpt: String::new(),
            help: None,
        }
    }

    /// Starts a warning about `line` of `file`.
    pub fn warning(file: impl Into<String>, line: u32, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(file, line, message)
        }
    }

    /// Adds the line as written. Of a very long line only the start is kept.
    #[must_use]
    pub fn excerpt(mut self, line: &str) -> Self {
        const SHOWN: usize = 160;
        self.excerpt = line.chars().take(SHOWN).collect();
        if line.chars().nth(SHOWN).is_some() {
            self.excerpt.push('…');
        }
        self
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds "did you mean" if one of `known` is near to `wanted`.
    #[must_use]
    pub fn suggest<'a>(self, wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        match text::nearest(wanted, known) {
            Some(near) => self.help(format!("did you mean `{near}`?")),
            None => self,
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        // All of it may come from a file, and goes to a terminal.
        let file = visible_line(&self.file);
        write!(f, "{severity}: {}\n  --> {file}", visible(&self.message))?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
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

    /// A diagnostic shows place, line and advice, and nothing in it can drive a terminal.
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
}
