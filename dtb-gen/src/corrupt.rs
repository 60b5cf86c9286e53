//! Makes exactly one named defect in a good blob.
//!
//! No library writes such defects, so they are made in the bytes. A tree that is wrong only in *meaning* (half tuples,
//! foreign phandles, loops of interrupt parents) is made by an [`Edit`](crate::Edit) instead.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use thiserror::Error;

use crate::ReadError;

mod apply;
mod parts;

pub use apply::apply;

/// One defect. [`Display`] prints and [`FromStr`] reads its name as test cases write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corruption {
    /// No byte is left.
    Empty,
    /// Only so many bytes are left; the header still has the old size.
    Truncate(u32),
    /// The second half is missing; the header still has the old size.
    TruncateHalf,
    /// The magic number has the wrong byte order.
    Magic,
    /// `totalsize` is this number.
    TotalSize(u32),
    /// `totalsize` is so many bytes more than there are.
    TotalSizeGrow(u32),
    /// `version` is 15, from before the structure block had a size.
    Version,
    /// `last_comp_version` is 18: readers of version 17 must not read the blob.
    LastCompVersion,
    /// The structure block begins after the end of the blob.
    OffStruct,
    /// The structure block is two bytes off its alignment, but otherwise intact.
    MisalignedStruct,
    /// The strings block begins after the end of the blob.
    OffStrings,
    /// The reservation block begins after the end of the blob.
    OffReserved,
    /// The reservation block has no closing entry.
    ReservedUnterminated,
    /// `size_dt_struct` is so large that adding the offset wraps in 32 bits.
    StructSize,
    /// `size_dt_struct` excludes the closing token.
    StructSizeShort,
    /// `size_dt_strings` is so large that adding the offset wraps in 32 bits.
    StringsSize,
    /// The first token inside the root does not exist in the specification.
    BadToken,
    /// The first property's name lies outside the strings block.
    StringOffset,
    /// The strings block ends before its last string does.
    UnterminatedString,
    /// The last node's name runs into the end of the structure block.
    UnterminatedName,
    /// The structure block's closing token is missing.
    NoEnd,
    /// The root is never closed.
    NoEndNode,
    /// One node more is closed than was opened.
    EndNodeUnderflow,
    /// There is a second root.
    ExtraRoot,
    /// The first property is longer than what is left of the structure block.
    PropLength,
    /// The first property is so long that adding its place wraps in 32 bits.
    HugePropLength,
    /// A property follows a child node. Some readers accept that, against the specification.
    PropAfterNode,
    /// A property comes before the root.
    PropOutside,
    /// So many nodes are nested inside the last child of the root.
    Deep(u32),
}

/// How a defect's name is written.
enum Form {
    Plain(Corruption),
    /// With a number; the field holds a sample.
    Number(fn(u32) -> Corruption, u32),
}

const FORMS: &[(&str, Form)] = &[
    ("empty", Form::Plain(Corruption::Empty)),
    ("truncate", Form::Number(Corruption::Truncate, 41)),
    ("truncate-half", Form::Plain(Corruption::TruncateHalf)),
    ("magic", Form::Plain(Corruption::Magic)),
    ("totalsize", Form::Number(Corruption::TotalSize, 8)),
    (
        "totalsize-grow",
        Form::Number(Corruption::TotalSizeGrow, 0x1000),
    ),
    ("version", Form::Plain(Corruption::Version)),
    (
        "last-comp-version",
        Form::Plain(Corruption::LastCompVersion),
    ),
    ("off-struct", Form::Plain(Corruption::OffStruct)),
    (
        "misaligned-struct",
        Form::Plain(Corruption::MisalignedStruct),
    ),
    ("off-strings", Form::Plain(Corruption::OffStrings)),
    ("off-reserved", Form::Plain(Corruption::OffReserved)),
    (
        "reserved-unterminated",
        Form::Plain(Corruption::ReservedUnterminated),
    ),
    ("struct-size", Form::Plain(Corruption::StructSize)),
    (
        "struct-size-short",
        Form::Plain(Corruption::StructSizeShort),
    ),
    ("strings-size", Form::Plain(Corruption::StringsSize)),
    ("bad-token", Form::Plain(Corruption::BadToken)),
    ("string-offset", Form::Plain(Corruption::StringOffset)),
    (
        "unterminated-string",
        Form::Plain(Corruption::UnterminatedString),
    ),
    (
        "unterminated-name",
        Form::Plain(Corruption::UnterminatedName),
    ),
    ("no-end", Form::Plain(Corruption::NoEnd)),
    ("no-end-node", Form::Plain(Corruption::NoEndNode)),
    (
        "end-node-underflow",
        Form::Plain(Corruption::EndNodeUnderflow),
    ),
    ("extra-root", Form::Plain(Corruption::ExtraRoot)),
    ("prop-length", Form::Plain(Corruption::PropLength)),
    ("huge-prop-length", Form::Plain(Corruption::HugePropLength)),
    ("prop-after-node", Form::Plain(Corruption::PropAfterNode)),
    ("prop-outside", Form::Plain(Corruption::PropOutside)),
    ("deep", Form::Number(Corruption::Deep, 10_000)),
];

impl Corruption {
    /// Returns every defect once, with sample numbers.
    pub fn all() -> Vec<Self> {
        let sample = |(_, form): &(&str, Form)| match form {
            Form::Plain(corruption) => *corruption,
            Form::Number(make, sample) => make(*sample),
        };
        FORMS.iter().map(sample).collect()
    }

    fn number(self) -> Option<u32> {
        match self {
            Self::Truncate(number)
            | Self::TotalSize(number)
            | Self::TotalSizeGrow(number)
            | Self::Deep(number) => Some(number),
            _ => None,
        }
    }
}

impl Display for Corruption {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let number = self.number();
        let named = FORMS.iter().find(|(_, form)| match (form, number) {
            (Form::Plain(corruption), None) => corruption == self,
            (Form::Number(make, _), Some(number)) => make(number) == *self,
            _ => false,
        });
        let name = named.map_or("unnamed", |(name, _)| name);
        match number {
            Some(number) => write!(f, "{name}:{number}"),
            None => write!(f, "{name}"),
        }
    }
}

/// Why a defect cannot be named or made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CorruptionError {
    /// No defect has this name.
    #[error("unknown defect `{name}`{}", nearest.as_ref().map_or_else(String::new, |name| format!(", nearest is `{name}`")))]
    Unknown {
        /// The name as written.
        name: String,
        /// The right spelling of the name most like it.
        nearest: Option<String>,
    },
    /// The number after the name is missing, superfluous or invalid.
    #[error("defect `{text}`: {why}, as in `{sample}`")]
    Number {
        /// The text as written.
        text: String,
        /// What is wrong with it.
        why: &'static str,
        /// A valid spelling.
        sample: Corruption,
    },
    /// The input was already a bad tree.
    #[error("defect `{corruption}`: the input is no good tree: {why}")]
    Unreadable {
        /// The defect to make.
        corruption: Corruption,
        /// The reader's error.
        why: ReadError,
    },
    /// The blob has no part in which this defect can be made.
    #[error("defect `{corruption}`: {why}")]
    Nothing {
        /// The defect to make.
        corruption: Corruption,
        /// What is missing.
        why: String,
    },
}

impl FromStr for Corruption {
    type Err = CorruptionError;

    fn from_str(text: &str) -> Result<Self, CorruptionError> {
        let (name, number) = match text.split_once(':') {
            Some((name, number)) => (name, Some(number)),
            None => (text, None),
        };
        let Some((_, form)) = FORMS.iter().find(|(known, _)| *known == name) else {
            let near = text::nearest(name, FORMS.iter().map(|(known, _)| *known));
            let nearest = near.map(spelling);
            return Err(CorruptionError::Unknown {
                name: text.to_owned(),
                nearest,
            });
        };
        let wrong = |why, sample| CorruptionError::Number {
            text: text.to_owned(),
            why,
            sample,
        };
        match (form, number) {
            (Form::Plain(corruption), None) => Ok(*corruption),
            (Form::Plain(corruption), Some(_)) => Err(wrong("takes no number", *corruption)),
            (Form::Number(make, sample), None) => Err(wrong("needs a number", make(*sample))),
            (Form::Number(make, sample), Some(number)) => {
                let number = parse(number);
                number
                    .map(make)
                    .ok_or_else(|| wrong("the number is none of 32 bits", make(*sample)))
            }
        }
    }
}

/// Returns the spelling of a known name, with `N` for the number.
fn spelling(name: &str) -> String {
    let takes_number = FORMS
        .iter()
        .any(|(known, form)| *known == name && matches!(form, Form::Number(..)));
    format!("{name}{}", if takes_number { ":N" } else { "" })
}

/// Reads a decimal or `0x` number, underscores allowed.
fn parse(text: &str) -> Option<u32> {
    let text = text.replace('_', "");
    match text.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}
