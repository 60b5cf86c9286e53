//! Recognizes what one line of a requirement file is. Every function looks at one line only, and takes time linear in
//! its length.

use super::{
    chars::{is_break, is_one_line, is_space, is_trimmed, is_unicode_word, is_word},
    id::{Id, IdError, Span},
    item::Status,
};

/// A line that starts a part of an item, or is a whole part by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyword<'t> {
    Description,
    Rationale,
    Comment {
        /// Whether it was spelled `Comments:`, which is no keyword in OFT.
        plural: bool,
    },
    Covers,
    Depends,
    Needs,
    Tags,
    /// `Needs:` with the kinds on the same line.
    NeedsInline(&'t str),
    /// `Tags:` with the tags on the same line.
    TagsInline(&'t str),
    Status(Status),
}

/// The keywords as spelled in a file, for suggestions.
pub(super) const KEYWORDS: [&str; 8] = [
    "Description",
    "Rationale",
    "Comment",
    "Covers",
    "Depends",
    "Needs",
    "Tags",
    "Status",
];

/// Parses a line that is exactly a keyword.
pub(super) fn keyword(line: &str) -> Option<Keyword<'_>> {
    let letters = line.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (word, rest) = line.split_at_checked(letters)?;
    let rest = rest.strip_prefix(':')?;
    let found = match word {
        "Status" => return status(rest).map(Keyword::Status),
        "Description" => Keyword::Description,
        "Rationale" => Keyword::Rationale,
        "Comment" => Keyword::Comment { plural: false },
        "Comments" => Keyword::Comment { plural: true },
        "Covers" => Keyword::Covers,
        "Depends" => Keyword::Depends,
        "Needs" if is_word_list(rest) => Keyword::NeedsInline(rest),
        "Needs" => Keyword::Needs,
        "Tags" if is_word_list(rest) => Keyword::TagsInline(rest),
        "Tags" => Keyword::Tags,
        _ => return None,
    };
    let inline = matches!(found, Keyword::NeedsInline(_) | Keyword::TagsInline(_));
    (inline || is_blank(rest)).then_some(found)
}

fn status(rest: &str) -> Option<Status> {
    match rest.trim_matches(is_space) {
        "approved" => Some(Status::Approved),
        "proposed" => Some(Status::Proposed),
        "draft" => Some(Status::Draft),
        "rejected" => Some(Status::Rejected),
        _ => None,
    }
}

fn is_word_list(text: &str) -> bool {
    text.split(',')
        .map(|word| word.trim_matches(is_space))
        .all(|word| !word.is_empty() && word.chars().all(is_word))
}

/// Splits a list at its commas as OFT does: entries trimmed, empty ones at the end dropped.
pub(super) fn list(text: &str) -> Vec<String> {
    let kept = text.trim_end_matches(',');
    if kept.is_empty() && !text.is_empty() {
        return Vec::new();
    }
    kept.split(',')
        .map(|entry| entry.trim_matches(is_trimmed).to_owned())
        .collect()
}

/// Tells whether the line has only blanks.
pub(super) fn is_blank(line: &str) -> bool {
    line.chars().all(is_space)
}

/// Tells whether the line underlines the line above it.
pub(super) fn is_underline(line: &str) -> bool {
    let is_mark = |byte: &u8| b"-=`:.'\"~^_*+#<>".contains(byte);
    let marks = line.bytes().take_while(is_mark).count();
    marks >= 3 && line.get(marks..).is_some_and(is_blank)
}

/// Parses a line that begins an item: the id in column 0, possibly in back-quotes.
pub(super) fn item_id(line: &str) -> Option<Result<Id, IdError>> {
    let text = line.strip_prefix('`').unwrap_or(line);
    let span = Span::at_start(text)?;
    is_one_line(text.get(span.end..)?).then(|| span.id(text))
}

/// Returns the text after the bullet, if the line has one within its first four columns.
pub(super) fn bullet(line: &str) -> Option<&str> {
    let text = line.trim_start_matches(is_space);
    (line.len() - text.len() <= 3)
        .then_some(text)?
        .strip_prefix(['+', '*', '-'])
}

/// An id on a bullet, and the number of other ids that it hides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Referred<'t> {
    pub(super) id: Result<Id, IdError>,
    /// The id as written.
    pub(super) text: &'t str,
    /// The number of ids further left on the same bullet, which the format ignores.
    pub(super) hidden: usize,
}

/// Parses a bullet that refers to an item. Of several ids the last one counts.
pub(super) fn reference(line: &str) -> Option<Referred<'_>> {
    let text = bullet(line)?;
    let breaks = Breaks::of(text);
    let mut found = None;
    let mut hidden = 0;
    for at in word_starts(text) {
        let tail = text.get(at..).unwrap_or_default();
        let Some(span) = whole_id(tail) else { continue };
        if found.is_some() {
            hidden += 1;
        } else if breaks.touch_or_miss(at, at + span.end) {
            found = Some((span.id(tail), tail.get(..span.end).unwrap_or_default()));
        }
    }
    found.map(|(id, text)| Referred { id, text, hidden })
}

/// Finds an id at the start of `text` with a word boundary after it. Digits of other scripts are no word characters
/// here, so the revision may have to drop some of them.
fn whole_id(text: &str) -> Option<Span> {
    let mut span = Span::at_start(text)?;
    while text.get(span.end..)?.starts_with(is_word) {
        span = span.shorter(text)?;
    }
    Some(span)
}

/// Parses a bullet that names a needed kind: the last word that has only letters.
pub(super) fn needed_kind(line: &str) -> Option<&str> {
    let text = bullet(line)?;
    let breaks = Breaks::of(text);
    word_starts(text).find_map(|at| {
        let tail = text.get(at..)?;
        let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let ends = letters > 0 && !tail.get(letters..)?.starts_with(is_word);
        let kind = tail.get(..letters)?;
        (ends && breaks.touch_or_miss(at, at + letters)).then_some(kind)
    })
}

/// Lists, from right to left, where in `text` a word may begin: after every character that is not part of a word, and
/// at the start.
fn word_starts(text: &str) -> impl Iterator<Item = usize> {
    let after = |(at, c): (usize, char)| (!is_word(c)).then(|| at + c.len_utf8());
    text.char_indices().rev().filter_map(after).chain([0])
}

/// The places in a line that `.*` does not match.
struct Breaks {
    /// The end of the first such place.
    first_end: usize,
    /// The start of the last such place; none if there is none.
    last: Option<usize>,
}

impl Breaks {
    fn of(text: &str) -> Self {
        if is_one_line(text) {
            return Self {
                first_end: 0,
                last: None,
            };
        }
        let breaks = |(_, c): &(usize, char)| is_break(*c);
        let first = text.char_indices().find(breaks);
        let last = text.char_indices().rfind(breaks);
        Self {
            first_end: first.map_or(0, |(at, c)| at + c.len_utf8()),
            last: last.map(|(at, _)| at),
        }
    }

    /// Tells whether `.*` matches everything around `start..end`.
    fn miss(&self, start: usize, end: usize) -> bool {
        self.last
            .is_none_or(|last| self.first_end > start && last < end)
    }

    /// Does the same, but one character on either side may be anything that is not part of a word.
    fn touch_or_miss(&self, start: usize, end: usize) -> bool {
        self.last
            .is_none_or(|last| self.first_end >= start && last <= end)
    }
}

/// Parses a bullet of a tag list.
pub(super) fn tag_entry(line: &str) -> Option<&str> {
    let text = bullet(line)?.trim_start_matches(is_space);
    is_one_line(text).then_some(text)
}

/// `arch --> dsn, utest : req~name~1`: forwarded coverage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Forward<'t> {
    /// The kind that is skipped.
    pub(super) kind: &'t str,
    /// The kinds that must cover the item instead.
    pub(super) needs: Vec<&'t str>,
    /// The covered item.
    pub(super) original: Result<Id, IdError>,
}

/// Finds the first forward on the line.
pub(super) fn forward(line: &str) -> Option<Forward<'_>> {
    let breaks = Breaks::of(line);
    line.match_indices("-->").find_map(|(at, arrow)| {
        let before = line.get(..at)?.trim_end_matches(is_space);
        let stem = before.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let kind = before.get(stem.len()..).filter(|kind| !kind.is_empty())?;
        let mut rest = line.get(at + arrow.len()..)?;
        let mut needs = Vec::new();
        loop {
            let text = rest.trim_start_matches(is_space);
            let letters = text.bytes().take_while(u8::is_ascii_alphabetic).count();
            needs.push(text.get(..letters).filter(|kind| !kind.is_empty())?);
            rest = text.get(letters..)?;
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => break,
            }
        }
        let text = rest
            .trim_start_matches(is_space)
            .strip_prefix(':')?
            .trim_start_matches(is_space);
        let span = Span::at_start(text)?;
        let end = line.len() - text.len() + span.end;
        breaks.miss(stem.len(), end).then(|| Forward {
            kind,
            needs,
            original: span.id(text),
        })
    })
}

/// Tells whether the line contains `word` (such as `oft:off`) as a whole word.
pub(super) fn has_switch(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        let after = line
            .get(at + word.len()..)
            .and_then(|text| text.chars().next());
        !before.is_some_and(is_unicode_word) && !after.is_some_and(is_unicode_word)
    })
}

#[cfg(test)]
mod tests;
