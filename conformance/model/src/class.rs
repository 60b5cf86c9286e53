//! Kinds of evidence.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The kind of evidence that a case gives.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Something that must work.
    Positive,
    /// Something that must be refused.
    Negative,
    /// The last value that works, or the first that does not.
    Boundary,
    /// Hostile configuration or behaviour.
    Fault,
}

impl Class {
    /// Every class, in the order of reports.
    pub const ALL: [Self; 4] = [Self::Positive, Self::Negative, Self::Boundary, Self::Fault];

    /// Returns the name used in files and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Positive => "positive",
            Self::Negative => "negative",
            Self::Boundary => "boundary",
            Self::Fault => "fault",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
