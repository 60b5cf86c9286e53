//! How a claim that cannot be read is reported.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::dt::{DtError, Node, PropError};

/// Something in a tree that is not as it must be: the place and what is wrong, value included.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigError {
    /// The path of the node.
    pub node: String,
    /// The property.
    pub property: String,
    /// What is wrong with it.
    pub what: String,
}

impl ConfigError {
    /// Reports `what` about a property of a node.
    pub fn new(node: Node<'_>, property: &str, what: impl fmt::Display) -> Self {
        Self {
            node: node.path().to_string(),
            property: property.to_owned(),
            what: what.to_string(),
        }
    }
}

impl From<PropError<'_>> for ConfigError {
    fn from(error: PropError<'_>) -> Self {
        Self::new(error.node, error.property, error.flaw)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: `{}` {}", self.node, self.property, self.what)
    }
}

impl core::error::Error for ConfigError {}

/// A host tree that no hypervisor can run on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HostError {
    /// It has more nodes than are read.
    TooManyNodes,
    /// Its nodes name more ranges than are read.
    TooManyRegions,
    /// Something that must be there is not, or is there twice.
    Part {
        /// What it is.
        part: &'static str,
        /// How many there are.
        count: usize,
    },
    /// One of its properties cannot be understood.
    ConfigError(ConfigError),
}

impl From<ConfigError> for HostError {
    fn from(flaw: ConfigError) -> Self {
        Self::ConfigError(flaw)
    }
}

impl From<PropError<'_>> for HostError {
    fn from(error: PropError<'_>) -> Self {
        Self::ConfigError(error.into())
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyNodes => {
                write!(
                    f,
                    "host device tree: has more than {} nodes",
                    super::MAX_NODES
                )
            }
            Self::TooManyRegions => {
                write!(
                    f,
                    "host device tree: names more than {} ranges",
                    super::MAX_REGIONS
                )
            }
            Self::Part { part, count } => {
                write!(f, "host device tree: has {count} nodes for {part}, not one")
            }
            Self::ConfigError(flaw) => write!(f, "host device tree: {flaw}"),
        }
    }
}

impl core::error::Error for HostError {}

/// What the owner of the machine should know although nothing is refused for it. However many
/// odd things a tree holds, the list stays short.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Warnings {
    lines: Vec<String>,
    more: usize,
}

impl Warnings {
    /// Most lines that are kept.
    pub const MOST: usize = 16;

    /// Adds a line, or counts it once the list is full.
    pub fn add(&mut self, line: fmt::Arguments<'_>) {
        if self.lines.len() < Self::MOST {
            self.lines.push(line.to_string());
        } else {
            self.more += 1;
        }
    }

    /// Returns the lines, with one more for those that were only counted.
    pub fn into_lines(self) -> Vec<String> {
        let Self { mut lines, more } = self;
        if more != 0 {
            lines.push(format!("{more} more notices of this kind"));
        }
        lines
    }
}

/// A value of a foreign tree in a message: its beginning, for a path of thousands of bytes helps
/// nobody.
pub(crate) struct Brief<'t>(pub &'t str);

impl fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.get(..80) {
            Some(start) if self.0.len() > 80 => write!(f, "{start}... ({} bytes)", self.0.len()),
            _ => f.write_str(self.0),
        }
    }
}

/// Reports that a tree cannot be read, with the module that holds it as the place.
pub(crate) fn unreadable(module: Node<'_>, error: DtError<'_>) -> ConfigError {
    ConfigError::new(
        module,
        "reg",
        format_args!("names a device tree that {error}"),
    )
}
