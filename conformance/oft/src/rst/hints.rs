//! Finds what a line was probably meant to be if the format reads it as something else. A hint is a warning and never
//! changes what is read.

use std::borrow::Cow;

use crate::{
    chars::{is_space, is_word},
    id::{Id, Span},
    line::{self, KEYWORDS, Referred},
};

/// What is wrong with a line, and how to correct it.
pub(super) struct Hint<'l> {
    pub(super) message: String,
    pub(super) help: Cow<'static, str>,
    /// The wrong part of the line.
    pub(super) culprit: &'l str,
}

impl<'l> Hint<'l> {
    fn new(
        culprit: &'l str,
        message: impl Into<String>,
        help: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            message: message.into(),
            help: help.into(),
            culprit,
        }
    }
}

/// Checks a line outside of all items, perhaps below a title: was it meant as an id?
pub(super) fn stray(line: &str, below_title: bool) -> Option<Hint<'_>> {
    let text = line.trim_matches(is_space);
    let bare = text.trim_start_matches('`');
    let quotes = text.len() - bare.len();
    let Some(span) = Span::at_start(bare) else {
        let id = bare.split('`').next().unwrap_or_default();
        return (below_title && quotes == 1 && lacks_revision(id)).then(|| {
            Hint::new(
                id,
                "this looks like an item id without a revision",
                "an id has the form `kind~name~1`",
            )
        });
    };
    let (id, behind) = bare.split_at_checked(span.end)?;
    behind.trim_matches('`').is_empty().then(|| {
        let why = if quotes > 1 {
            "in double back-quotes"
        } else {
            "indented"
        };
        Hint::new(
            id,
            format!("this id is {why}, so it begins no item"),
            "put the id into column 0, bare or between single back-quotes",
        )
    })
}

/// Checks a line that became text: is it a misspelled keyword, or one with text after it?
pub(super) fn text(line: &str) -> Option<Hint<'_>> {
    slip(line)
}

/// Checks a line that `list` dropped.
pub(super) fn lost<'l>(line: &'l str, list: &str) -> Option<Hint<'l>> {
    if line::is_blank(line) {
        return None;
    }
    slip(line).or_else(|| {
        let ids = matches!(list, "Covers" | "Depends");
        let help = match line::bullet(line) {
            Some(_) if ids => "a bullet here names one id, such as `- kind~name~1`",
            Some(_) => "a bullet here names one kind, in letters only",
            None => "begin the entry with `-`, `*` or `+`, indented by three columns at most",
        };
        let message = format!("this line is ignored: it is no entry of `{list}:`");
        Some(Hint::new(line.trim_matches(is_space), message, help))
    })
}

/// Checks a bullet that refers to an item: does it contain other ids, which do not count?
pub(super) fn hidden<'l>(referred: &Referred<'l>) -> Option<Hint<'l>> {
    let id = referred.id.as_ref().ok()?;
    (referred.hidden > 0).then(|| {
        let message = format!(
            "of the {} ids on this bullet only `{id}` counts",
            referred.hidden + 1
        );
        Hint::new(referred.text, message, "give each id a bullet of its own")
    })
}

/// Checks a bullet that names a kind: does it contain other words, which do not count?
pub(super) fn kind<'l>(line: &'l str, kind: &'l str) -> Option<Hint<'l>> {
    let words = line
        .split(|c| !is_word(c))
        .filter(|word| !word.is_empty())
        .count();
    (words > 1).then(|| {
        Hint::new(
            kind,
            format!("of the {words} words on this bullet only `{kind}` counts"),
            "give each kind a bullet of its own, and nothing else",
        )
    })
}

/// Returns the hint for the line `Comments:`.
pub(super) fn plural(line: &str) -> Hint<'_> {
    Hint::new(
        line.trim_matches(is_space),
        "`Comments:` is no keyword of OpenFastTrace; it is read as `Comment:`",
        "write `Comment:`, or OpenFastTrace adds this text to the part above it",
    )
}

/// Finds out whether a line that is no keyword was meant as one, and what to suggest.
fn slip(line: &str) -> Option<Hint<'_>> {
    // Most lines are prose, so only the start of the line is compared.
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
        return Some(Hint::new(
            word,
            format!("`{word}:` is no keyword"),
            format!("did you mean `{near}:`?"),
        ));
    }
    let behind_it = rest.trim_matches(is_space);
    let (culprit, message, help) = match word {
        "Status" => (
            word,
            "`Status:` does not count here".to_owned(),
            "write one of approved, proposed, draft, rejected, before the description",
        ),
        _ if crooked => (
            word,
            format!("`{word}:` is no keyword here"),
            "put it into column 0, with the colon directly after it",
        ),
        _ if line::is_blank(rest) => return None,
        "Needs" | "Tags" => (
            behind_it,
            format!("`{word}:` with this text after it is no keyword"),
            "list words of letters, digits and `_`, separated by commas",
        ),
        _ => (
            behind_it,
            format!("`{word}:` with text after it is no keyword"),
            "end the line after the colon and continue on the next line",
        ),
    };
    Some(Hint::new(culprit, message, help))
}

/// Tells whether the text is an id without a revision.
fn lacks_revision(text: &str) -> bool {
    format!("{text}~1").parse::<Id>().is_ok()
}

fn misspelled(word: &str) -> Option<&'static str> {
    let near = |wanted: &str| {
        KEYWORDS
            .into_iter()
            .find(|known| known.eq_ignore_ascii_case(wanted))
    };
    near(word).or_else(|| text::nearest(word, KEYWORDS))
}
