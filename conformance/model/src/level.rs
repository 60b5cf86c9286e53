//! How much is asked of a subject.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much a case asks of a subject, and how much a subject claims to meet.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// What the requirements say.
    #[default]
    Required,
    /// Beyond that: it fails closed. What is described wrongly, in part or at odds with the machine is refused, whatever
    /// the requirements leave open.
    Strict,
}

impl Level {
    /// Every level, from the least to the most.
    pub const ALL: [Self; 2] = [Self::Required, Self::Strict];

    /// Returns the name used in files and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Strict => "strict",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
