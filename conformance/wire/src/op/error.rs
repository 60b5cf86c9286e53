//! Errors in the text of an op.

use core::fmt;

use crate::reason::ScriptError;

/// The name of an op's first word in errors.
pub(crate) const OP: &str = "op";

/// An error in the text of an op, with its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpError {
    /// The byte of the text at which the faulty word begins.
    pub at: usize,
    /// The kind of error.
    pub kind: OpErrorKind,
}

/// The kind of an error in the text of an op.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpErrorKind {
    /// A word that is not possible here.
    Word {
        /// What the word stands for.
        what: &'static str,
        /// The possible words.
        known: &'static [&'static str],
    },
    /// A word where a number must be.
    Number {
        /// What the number stands for.
        what: &'static str,
    },
    /// A number outside its range.
    Range {
        /// What the number stands for.
        what: &'static str,
        /// The smallest possible number.
        min: u64,
        /// The largest possible number.
        max: u64,
    },
    /// A number that is not the multiple that it must be.
    Multiple {
        /// What the number stands for.
        what: &'static str,
        /// The divisor.
        of: u64,
    },
    /// A name that is not 1 to 24 of `A-Z a-z 0-9 _ -`.
    Name,
    /// A place that is not in a scratch slot.
    Place,
    /// A path that is not 1 to 40 printable characters.
    Path,
    /// An op that a loop cannot repeat.
    Once,
    /// The text ends before a required operand.
    Missing {
        /// The missing operand.
        what: &'static str,
    },
    /// A word after the last operand.
    Extra,
    /// The script does not begin with `n=<nonce> d=<dom>`.
    Header,
    /// Bytes that are not text.
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
                // A long list is no help in one line; `explain` names the nearest word.
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
    /// Describes the error, quotes the faulty word from the parsed text, and names the nearest right
    /// spelling if there is one.
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
