//! One specification item, and its place.

use std::{fmt, sync::Arc};

use serde::Serialize;

use super::id::Id;

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// The file as it was named to the loader, with `/` between its parts.
    pub file: Arc<str>,
    /// The line, counted from one.
    pub line: u32,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The names in a folder of unknown origin may contain control characters.
        write!(f, "{}:{}", text::visible_line(&self.file), self.line)
    }
}

/// An id named by an item, and the line that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The id as named, whether or not it exists.
    pub id: Id,
    /// The line, counted from one, in the file of the item that names it.
    pub line: u32,
}

/// The approval status of an item. Only [`Status::Rejected`] changes a trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Approved; the default.
    #[default]
    Approved,
    /// Proposed, not yet agreed.
    Proposed,
    /// In preparation.
    Draft,
    /// Rejected: its own coverage no longer matters.
    Rejected,
}

impl Status {
    /// Returns the status as the format spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Proposed => "proposed",
            Self::Draft => "draft",
            Self::Rejected => "rejected",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A specification item as written in its file; nothing is linked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The item's id.
    pub id: Id,
    /// The heading right above the id.
    pub title: Option<String>,
    /// The heading above the item's own heading.
    pub group: Option<String>,
    /// What must hold.
    pub description: String,
    /// Why it must hold.
    pub rationale: String,
    /// Additional remarks.
    pub comment: String,
    /// The items that this one covers, in order.
    pub covers: Vec<Reference>,
    /// The items that this one depends on, in order.
    pub depends: Vec<Reference>,
    /// The kinds of items that must cover this one, in order.
    pub needs: Vec<String>,
    /// Free labels.
    pub tags: Vec<String>,
    /// The approval status.
    pub status: Status,
    /// The place of the id.
    pub at: Location,
    /// Whether the item only forwards coverage (`arch --> dsn : req~name~1`).
    pub forwards: bool,
}

impl Item {
    /// Creates an approved item with only its id and place.
    pub const fn new(id: Id, at: Location) -> Self {
        Self {
            id,
            title: None,
            group: None,
            description: String::new(),
            rationale: String::new(),
            comment: String::new(),
            covers: Vec::new(),
            depends: Vec::new(),
            needs: Vec::new(),
            tags: Vec::new(),
            status: Status::Approved,
            at,
            forwards: false,
        }
    }
}
