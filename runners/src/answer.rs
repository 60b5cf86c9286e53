//! Results of what is done to a running machine.

use serde::Serialize;
use serde_json::Value;

/// The result of an [`Action`](crate::Action).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It was done and returns nothing.
    Done,
    /// The bytes read.
    Bytes(Vec<u8>),
    /// What a QMP command returned.
    Json(Value),
    /// QEMU refused it or has ended; the reason.
    Refused(String),
}

impl Answer {
    /// Returns the bytes read, if this is an answer with bytes.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Done | Self::Json(_) | Self::Refused(_) => None,
        }
    }

    /// Returns 1 to 8 bytes read as a little-endian number.
    pub fn value(&self) -> Option<u64> {
        let bytes = self.bytes().filter(|b| (1..=8).contains(&b.len()))?;
        Some(bytes.iter().rev().fold(0, |v, b| v << 8 | u64::from(*b)))
    }
}
