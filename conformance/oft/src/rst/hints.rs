//! What a line was probably meant to be, where the format reads it as something else. A hint is a
//! warning and never changes what is read.

use super::{Reader, State};
use crate::{
    Diagnostic, Id,
    chars::{is_space, is_word},
    id::Span,
    line::{self, KEYWORDS, Referred},
};

impl Reader<'_, '_> {
    fn warn(&mut self, line: &str, message: impl Into<String>, help: impl Into<String>) {
        let note = Diagnostic::warning(&**self.file, self.number, message);
        self.notes.push(note.excerpt(line).help(help));
    }

    /// Looks at a line outside of all items: an id that was meant to begin one?
    pub(super) fn hint_stray(&mut self, line: &str) {
        let text = line.trim_matches(is_space);
        let bare = text.trim_start_matches('`');
        let quotes = text.len() - bare.len();
        let Some(span) = Span::at_start(bare) else {
            if self.state == State::Title && quotes == 1 && lacks_revision(bare) {
                self.warn(
                    line,
                    "this looks like an item id without a revision",
                    "an id has the form `kind~name~1`",
                );
            }
            return;
        };
        let alone = bare
            .get(span.end..)
            .is_some_and(|rest| rest.trim_matches('`').is_empty());
        if alone {
            let why = if quotes > 1 {
                "in double back-quotes"
            } else {
                "indented"
            };
            self.warn(
                line,
                format!("this id is {why}, so it begins no item"),
                "put the id into column 0, bare or between single back-quotes",
            );
        }
    }

    /// Looks at a line that became text: a keyword that was misspelled or has text behind it?
    pub(super) fn hint_text(&mut self, line: &str) {
        if let Some((message, help)) = slip(line) {
            self.warn(line, message, help);
        }
    }

    /// Looks at a line that a list dropped.
    pub(super) fn hint_lost(&mut self, line: &str) {
        if line::is_blank(line) {
            return;
        }
        let list = match self.state {
            State::Covers => "Covers",
            State::Depends => "Depends",
            State::Needs => "Needs",
            _ => "Tags",
        };
        if let Some((message, help)) = slip(line) {
            self.warn(line, message, help);
            return;
        }
        let ids = matches!(self.state, State::Covers | State::Depends);
        let help = match line::bullet(line) {
            Some(_) if ids => "a bullet here names one id, such as `- kind~name~1`",
            Some(_) => "a bullet here names one kind, in letters only",
            None => "begin the entry with `-`, `*` or `+`, indented by three columns at most",
        };
        let message = format!("this line is lost: it is no entry of `{list}:`");
        self.warn(line, message, help);
    }

    pub(super) fn hint_hidden(&mut self, line: &str, referred: &Referred) {
        let (true, Ok(id)) = (referred.hidden > 0, &referred.id) else {
            return;
        };
        let message = format!(
            "of the {} ids on this bullet only `{id}` counts",
            referred.hidden + 1
        );
        self.warn(line, message, "give each id a bullet of its own");
    }

    pub(super) fn hint_kind(&mut self, line: &str, kind: &str) {
        let words = line
            .split(|c| !is_word(c))
            .filter(|word| !word.is_empty())
            .count();
        if words > 1 {
            let message = format!("of the {words} words on this bullet only `{kind}` counts");
            self.warn(
                line,
                message,
                "give each kind a bullet of its own, and nothing else",
            );
        }
    }

    pub(super) fn hint_plural(&mut self, line: &str) {
        self.warn(
            line,
            "`Comments:` is no keyword of OpenFastTrace; it is read as `Comment:`",
            "write `Comment:`, or OpenFastTrace adds this text to the part above it",
        );
    }
}

/// Finds out whether a line that is no keyword was meant to be one, and what to say then.
fn slip(line: &str) -> Option<(String, String)> {
    // Most lines are prose, so only the start of this one is looked at.
    const LONGEST: usize = 12;
    let text = line.trim_start_matches(is_space);
    let letters = text
        .bytes()
        .take(LONGEST + 1)
        .take_while(u8::is_ascii_alphabetic)
        .count();
    let (word, behind) = text
        .split_at_checked(letters)
        .filter(|_| (1..=LONGEST).contains(&letters))?;
    let rest = behind.trim_start_matches(is_space).strip_prefix(':')?;
    let crooked = text.len() < line.len() || !behind.starts_with(':');
    if !KEYWORDS.contains(&word) {
        let near = misspelled(word).filter(|_| line::is_blank(rest))?;
        return Some((
            format!("`{word}:` is no keyword"),
            format!("did you mean `{near}:`?"),
        ));
    }
    let (message, help) = match word {
        "Status" => (
            "`Status:` does not count here".to_owned(),
            "write one of approved, proposed, draft, rejected, before the description",
        ),
        _ if crooked => (
            format!("`{word}:` is no keyword here"),
            "put it into column 0, the colon right behind it",
        ),
        _ if line::is_blank(rest) => return None,
        "Needs" | "Tags" => (
            format!("`{word}:` with this text behind it is no keyword"),
            "list words of letters, digits and `_`, separated by commas",
        ),
        _ => (
            format!("`{word}:` with text behind it is no keyword"),
            "end the line after the colon and go on below",
        ),
    };
    Some((message, help.to_owned()))
}

/// Tells whether the text begins as an id does, and ends before its revision.
fn lacks_revision(text: &str) -> bool {
    let end = text.find('`').unwrap_or(text.len());
    text.get(..end)
        .is_some_and(|id| format!("{id}~1").parse::<Id>().is_ok())
}

fn misspelled(word: &str) -> Option<&'static str> {
    let near = |wanted: &str| {
        KEYWORDS
            .into_iter()
            .find(|known| known.eq_ignore_ascii_case(wanted))
    };
    near(word).or_else(|| text::nearest(word, KEYWORDS))
}
