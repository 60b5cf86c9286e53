//! What is wrong with an input file: where, what it says, and what may have been meant.

use serde::Serialize;
use std::fmt;

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
        match nearest(wanted, known) {
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
        write!(f, "{severity}: {}\n  --> {}", self.message, self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if !self.excerpt.is_empty() {
            write!(f, "\n   | {}", Printable(&self.excerpt))?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n   = help: {help}")?;
        }
        Ok(())
    }
}

/// Text that came from a file, with control characters made visible: it goes to a terminal.
pub(super) struct Printable<'a>(pub(super) &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        self.0.chars().try_for_each(|c| match c {
            '\t' => f.write_char(' '),
            c if c.is_control() => write!(f, "{}", c.escape_unicode()),
            c => f.write_char(c),
        })
    }
}

/// Returns the entry of `known` that `wanted` was most likely meant to be, if any is near.
///
/// Near is at most a quarter of the letters (and always two) added, dropped, changed or swapped.
pub fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = wanted.chars().count();
    let reach = (length / 4).max(2);
    known
        .into_iter()
        .filter(|entry| entry.chars().count().abs_diff(length) <= reach)
        .map(|entry| (strsim::osa_distance(wanted, entry), entry))
        .filter(|&(distance, _)| distance <= reach)
        .min()
        .map(|(_, entry)| entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A slip of the finger finds its word; a stranger finds none; a tie goes by the alphabet.
    #[test]
    fn nearest_finds_slips_only() {
        let known = [
            "XenSSR~map_ident~1",
            "XenSSR~map_ident~2",
            "Covers",
            "Needs",
        ];
        for (wanted, found) in [
            ("XenSSR~map_idnet~1", Some("XenSSR~map_ident~1")),
            ("XenSSR~map_ident~3", Some("XenSSR~map_ident~1")),
            ("Cover", Some("Covers")),
            ("Need", Some("Needs")),
            ("Title", None),
            ("", None),
        ] {
            assert_eq!(nearest(wanted, known), found, "{wanted}");
        }
    }

    /// A diagnostic shows place, line and advice, and nothing in it can drive a terminal.
    #[test]
    fn diagnostic_shows_place_line_and_advice() {
        let shown = Diagnostic::error("a.rst", 3, "no such keyword `Cover`")
            .excerpt("Cover:\u{1b}[2J")
            .suggest("Cover", ["Covers"])
            .to_string();
        assert_eq!(
            shown,
            "error: no such keyword `Cover`\n  --> a.rst:3\n   | Cover:\\u{1b}[2J\n   = help: did you mean `Covers`?"
        );
    }
}
