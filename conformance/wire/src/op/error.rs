//! What is wrong with the text of an op.

use core::fmt;

use crate::reason::ScriptError;

/// What the first word of an op stands for.
pub(crate) const OP: &str = "op";

/// Where in the text an op goes wrong, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpError {
    /// Byte of the text, where the culprit begins.
    pub at: usize,
    /// What is wrong there.
    pub kind: OpErrorKind,
}

/// How the text of an op goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpErrorKind {
    /// A word that is none of those possible here.
    Word {
        /// What the word stands for.
        what: &'static str,
        /// The words possible.
        known: &'static [&'static str],
    },
    /// A word where a number is due.
    Number {
        /// What the number stands for.
        what: &'static str,
    },
    /// A number outside its range.
    Range {
        /// What the number stands for.
        what: &'static str,
        /// The least possible.
        min: u64,
        /// The greatest possible.
        max: u64,
    },
    /// A number that must be a multiple.
    Multiple {
        /// What the number stands for.
        what: &'static str,
        /// Of what.
        of: u64,
    },
    /// Not 1 to 24 of `A-Z a-z 0-9 _ -`.
    Name,
    /// Not a byte of a scratch slot.
    Place,
    /// Not 1 to 40 printable characters.
    Path,
    /// An op that a loop cannot repeat.
    Once,
    /// The text ends where something is due.
    Missing {
        /// What is due.
        what: &'static str,
    },
    /// A word after the last operand.
    Extra,
    /// The script does not begin with `n=<nonce> d=<dom>`.
    Header,
    /// Not text at all.
    Encoding,
}

impl OpErrorKind {
    /// Returns the reason as a probe reports it.
    pub fn why(self) -> ScriptError {
        match self {
            Self::Word { what: OP, .. } => ScriptError::Op,
            Self::Word { .. } | Self::Name | Self::Place | Self::Path => ScriptError::Word,
            Self::Once => ScriptError::Op,
            Self::Number { .. } | Self::Range { .. } | Self::Multiple { .. } => ScriptError::Number,
            Self::Missing { .. } => ScriptError::Missing,
            Self::Extra => ScriptError::Extra,
            Self::Header => ScriptError::Header,
            Self::Encoding => ScriptError::Script,
        }
    }
}

impl fmt::Display for OpErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Word { what, known } => {
                write!(f, "no such {what}")?;
                // A long list helps nobody in one line; `explain` names the nearest.
                match known {
                    [first, rest @ ..] if known.len() <= 8 => {
                        write!(f, " (known: {first}")?;
                        rest.iter().try_for_each(|word| write!(f, ", {word}"))?;
                        f.write_str(")")
                    }
                    _ => Ok(()),
                }
            }
            Self::Number { what } => write!(f, "not a number ({what})"),
            Self::Range { what, min, max } => {
                write!(f, "{what} is not within {min:#x} to {max:#x}")
            }
            Self::Multiple { what, of } => write!(f, "{what} is not a multiple of {of}"),
            Self::Name => f.write_str("not a name of 1 to 24 letters, digits, `_` and `-`"),
            Self::Place => {
                f.write_str("not `SLOT+OFFSET` with a slot of 0 to 3 and an offset below 4096")
            }
            Self::Path => f.write_str("not a path of 1 to 40 printable characters"),
            Self::Once => f.write_str("a loop cannot repeat it"),
            Self::Missing { what } => write!(f, "{what} is missing"),
            Self::Extra => f.write_str("one operand too many"),
            Self::Header => {
                f.write_str("the script does not begin with `n=<nonce> d=<dom>` in hexadecimal")
            }
            Self::Encoding => f.write_str("not text"),
        }
    }
}

impl fmt::Display for OpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: {}", self.at, self.kind)
    }
}

impl core::error::Error for OpError {}

#[cfg(feature = "alloc")]
impl OpError {
    /// Says what is wrong, quoting the culprit from the text that was parsed, with the nearest right
    /// spelling where there is one.
    pub fn explain(&self, text: &str) -> alloc::string::String {
        use alloc::format;

        let Self { at, kind } = self;
        let tail = text.get(*at..).unwrap_or_default();
        let culprit = tail
            .split([' ', '\t', ';', '\n'])
            .next()
            .unwrap_or_default();
        let told = if culprit.is_empty() {
            format!("byte {at}: {kind}")
        } else {
            format!("byte {at}: `{culprit}`: {kind}")
        };
        match kind {
            OpErrorKind::Word { known, .. } => match text::nearest(culprit, *known) {
                Some(word) => format!("{told}; did you mean `{word}`?"),
                None => told,
            },
            _ => told,
        }
    }
}
