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
    /// Beyond the requirements, the subject fails closed. It refuses whatever is described wrongly or in part, or
    /// contradicts the machine, even where the requirements leave that open.
    Strict,
}

impl Level {
    /// Every level, the least first.
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
