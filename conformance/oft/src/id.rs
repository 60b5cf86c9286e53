//! Item ids such as `XenSSR~hide_iommu_from_domain~1`.

use std::{cmp::Ordering, fmt, hash, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::chars::{digit, is_unicode_word};

/// The largest revision of the format (OFT stores it in a signed 32-bit number).
pub const MAX_REVISION: u32 = 0x7fff_ffff;

/// An item's id: kind, name and revision. A value of this type is always well formed.
///
/// The revision is part of the id, so the verdicts on an old wording do not apply to a new one.
#[derive(Clone)]
pub struct Id {
    /// The canonical spelling, with the revision in plain decimal.
    text: Arc<str>,
    /// Offset of the end of the kind.
    kind: usize,
    /// Offset of the end of the name.
    name: usize,
    revision: u32,
}

/// Why a text is no item id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text does not have the form of an id.
    #[error("`{0}` is not an item id of the form kind~name~revision")]
    Malformed(String),
    /// The revision is too large.
    #[error("`{0}` has a revision above {MAX_REVISION}")]
    Revision(String),
}

impl IdError {
    /// Returns the wrong part of the line: the text, or only its revision; the whole line if neither is found.
    pub fn highlight<'l>(&self, line: &'l str) -> &'l str {
        let (text, skipped) = match self {
            Self::Malformed(text) => (text.as_str(), 0),
            Self::Revision(text) => (text.as_str(), text.rfind('~').map_or(0, |tilde| tilde + 1)),
        };
        // A tag may leave out the name, so that only the revision of the reported id appears in the line.
        [
            (text, skipped),
            (text.get(skipped..).unwrap_or_default(), 0),
        ]
        .into_iter()
        .find_map(|(wanted, skipped)| {
            let at = line.find(wanted)?;
            line.get(at + skipped..at + wanted.len())
        })
        .unwrap_or(line)
    }
}

impl Id {
    /// Creates an id from its parts, or says why they form none.
    pub fn new(kind: &str, name: &str, revision: u32) -> Result<Self, IdError> {
        format!("{kind}~{name}~{revision}").parse()
    }

    /// Returns the artifact type, such as `XenSSR`.
    pub fn kind(&self) -> &str {
        self.text.get(..self.kind).unwrap_or_default()
    }

    /// Returns the name, such as `hide_iommu_from_domain`.
    pub fn name(&self) -> &str {
        self.text.get(self.kind + 1..self.name).unwrap_or_default()
    }

    /// Returns the revision.
    pub const fn revision(&self) -> u32 {
        self.revision
    }

    /// Returns the whole id as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Tells whether both have the same kind and name; revisions are ignored.
    pub fn same_name(&self, other: &Self) -> bool {
        self.kind() == other.kind() && self.name() == other.name()
    }

    /// Returns the id of the same name and revision under another kind.
    pub(super) fn of_kind(&self, kind: &str) -> Self {
        let (name, revision) = (self.name(), self.revision);
        Self::assemble(kind, name, revision)
    }

    /// Joins parts that are known to be well formed.
    pub(super) fn assemble(kind: &str, name: &str, revision: u32) -> Self {
        let (kind_end, name_end) = (kind.len(), kind.len() + 1 + name.len());
        Self {
            text: format!("{kind}~{name}~{revision}").into(),
            kind: kind_end,
            name: name_end,
            revision,
        }
    }
}

impl FromStr for Id {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        match Span::at_start(text) {
            Some(span) if span.end == text.len() => span.id(text),
            _ => Err(IdError::Malformed(text.to_owned())),
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({})", self.text)
    }
}

impl PartialEq for Id {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Id {}

impl hash::Hash for Id {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl Ord for Id {
    fn cmp(&self, other: &Self) -> Ordering {
        self.kind()
            .cmp(other.kind())
            .then_with(|| self.name().cmp(other.name()))
            .then(self.revision.cmp(&other.revision))
    }
}

impl PartialOrd for Id {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The ends of an id's parts in a text that begins with one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    kind: usize,
    name: usize,
    /// Offset of the end of the revision's last digit.
    pub(super) end: usize,
}

impl Span {
    /// Finds the longest id at the start of `text`.
    pub(super) fn at_start(text: &str) -> Option<Self> {
        let kind = text.bytes().take_while(u8::is_ascii_alphabetic).count();
        if kind == 0 {
            return None;
        }
        let name = kind + 1 + name_length(text.get(kind..)?.strip_prefix('~')?)?;
        let revision = text.get(name..)?.strip_prefix('~')?;
        let digits: usize = digits(revision).map(|(c, _)| c.len_utf8()).sum();
        (digits > 0).then_some(Self {
            kind,
            name,
            end: name + 1 + digits,
        })
    }

    /// Returns the same span without its last digit, if one remains.
    pub(super) fn shorter(self, text: &str) -> Option<Self> {
        let revision = text.get(self.name + 1..self.end)?;
        let last = revision.chars().next_back()?;
        let end = self.end - last.len_utf8();
        (end > self.name + 1).then_some(Self { end, ..self })
    }

    /// Creates the id from the text in which the span was found.
    pub(super) fn id(self, text: &str) -> Result<Id, IdError> {
        let whole = text.get(..self.end).unwrap_or_default();
        let number = whole.get(self.name + 1..).unwrap_or_default();
        let revision = digits(number)
            .try_fold(0_u32, |sum, (_, value)| {
                sum.checked_mul(10)?.checked_add(value)
            })
            .filter(|&revision| revision <= MAX_REVISION)
            .ok_or_else(|| IdError::Revision(whole.to_owned()))?;
        if number.is_ascii() && (number.len() == 1 || !number.starts_with('0')) {
            return Ok(Id {
                text: whole.into(),
                kind: self.kind,
                name: self.name,
                revision,
            });
        }
        let kind = whole.get(..self.kind).unwrap_or_default();
        let name = whole.get(self.kind + 1..self.name).unwrap_or_default();
        Ok(Id::assemble(kind, name, revision))
    }
}

/// Returns the length of the longest name at the start of `text`: a letter, then words and dashes, in pieces joined by
/// single dots.
pub(super) fn name_length(text: &str) -> Option<usize> {
    if !text.starts_with(char::is_alphabetic) {
        return None;
    }
    let piece = |text: &str| {
        text.find(|c| c != '-' && !is_unicode_word(c))
            .unwrap_or(text.len())
    };
    let mut length = piece(text);
    while let Some(rest) = text.get(length..).and_then(|rest| rest.strip_prefix('.')) {
        match piece(rest) {
            0 => break,
            more => length += 1 + more,
        }
    }
    Some(length)
}

fn digits(text: &str) -> impl Iterator<Item = (char, u32)> {
    text.chars().map_while(|c| digit(c).map(|value| (c, value)))
}

#[cfg(test)]
mod tests;
