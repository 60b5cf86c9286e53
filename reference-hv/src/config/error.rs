//! How a claim that cannot be read is reported.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use super::flaw::Flaw;
use super::limits::{MAX_NODES, MAX_REGIONS};
use crate::dt::{DtError, Node, PropError, flaws};

/// Where something is claimed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin<'t> {
    /// A node of a device tree.
    Node(Node<'t>),
}

impl<'t> From<Node<'t>> for Origin<'t> {
    fn from(node: Node<'t>) -> Self {
        Self::Node(node)
    }
}

impl fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(node) => node.path().fmt(f),
        }
    }
}

/// Something that is claimed and is not as it must be: the place and what is wrong, value included.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigError<F = Flaw> {
    /// Where it is claimed.
    pub origin: String,
    /// The property.
    pub property: Box<str>,
    /// What is wrong with it.
    pub flaw: F,
}

impl ConfigError {
    /// Reports what is wrong with a property of a claim.
    pub fn new<'t>(origin: impl Into<Origin<'t>>, property: &str, flaw: impl Into<Flaw>) -> Self {
        Self {
            origin: origin.into().to_string(),
            property: property.into(),
            flaw: flaw.into(),
        }
    }
}

impl From<PropError<'_>> for ConfigError {
    fn from(error: PropError<'_>) -> Self {
        Self::new(error.node, error.property, error.flaw)
    }
}

impl<F: fmt::Display> fmt::Display for ConfigError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: `{}` {}", self.origin, self.property, self.flaw)
    }
}

impl<F: fmt::Debug + fmt::Display> core::error::Error for ConfigError<F> {}

flaws! {
    /// A host tree that no hypervisor can run on.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub enum HostError {
        /// It has more nodes than are read.
        TooManyNodes = "host device tree: has more than {MAX_NODES} nodes";
        /// Its nodes name more ranges than are read.
        TooManyRegions = "host device tree: names more than {MAX_REGIONS} ranges";
        /// Something that must be there is not, or is there twice.
        Part(part: &'static str, count: usize) = "host device tree: has {count} nodes for {part}, not one";
        /// One of its properties cannot be understood.
        ConfigError(flaw: ConfigError) = "host device tree: {flaw}";
    }
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
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Brief<'t>(
    /// All of it.
    pub &'t str,
);

impl fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.get(..80) {
            Some(start) if self.0.len() > 80 => write!(f, "{start}... ({} bytes)", self.0.len()),
            _ => f.write_str(self.0),
        }
    }
}

/// Reports that a tree cannot be read, with the module that holds it as the place.
pub(crate) fn unreadable(module: Origin<'_>, error: DtError<'_>) -> ConfigError {
    ConfigError::new(module, "reg", Flaw::Tree(error.to_string()))
}
