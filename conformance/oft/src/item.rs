//! One specification item, and where it was found.

use super::id::Id;
use serde::Serialize;
use std::{fmt, sync::Arc};

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
        // A folder that somebody else filled may have names that drive a terminal.
        write!(f, "{}:{}", text::visible_line(&self.file), self.line)
    }
}

/// One id named by an item, and the line that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The id as named, whether or not it exists.
    pub id: Id,
    /// The line, counted from one, in the file of the item that names it.
    pub line: u32,
}

/// How far an item has come. Only [`Status::Rejected`] changes a trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// In force; the default.
    #[default]
    Approved,
    /// Written, not yet agreed.
    Proposed,
    /// Being written.
    Draft,
    /// Refused: its own coverage no longer matters.
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

/// A specification item as its file has it; nothing is linked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The item's id.
    pub id: Id,
    /// The heading right above the id.
    pub title: Option<String>,
    /// The heading that the item's own heading stands under.
    pub group: Option<String>,
    /// What must hold.
    pub description: String,
    /// Why it must hold.
    pub rationale: String,
    /// What else there is to say.
    pub comment: String,
    /// The items that this one covers, in order.
    pub covers: Vec<Reference>,
    /// The items that this one depends on, in order.
    pub depends: Vec<Reference>,
    /// The kinds of items that have to cover this one, in order.
    pub needs: Vec<String>,
    /// Free labels.
    pub tags: Vec<String>,
    /// How far the item has come.
    pub status: Status,
    /// Where the id stands.
    pub at: Location,
    /// Whether the item only hands its coverage on (`arch --> dsn : req~name~1`).
    pub forwards: bool,
}

impl Item {
    /// Makes an approved item with nothing in it but its id and place.
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
