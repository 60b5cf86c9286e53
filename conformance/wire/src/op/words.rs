//! Reads the words of an op in order, each as the operand that must be there.

use super::error::{OpError, OpErrorKind};
use super::width::{MAX_MS, Width};
use crate::number;

/// The words of an op with their positions.
#[derive(Clone)]
pub struct Words<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Words<'a> {
    type Item = (usize, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.text.get(self.at..)?;
        let start = self.at + (rest.len() - rest.trim_ascii_start().len());
        let rest = self.text.get(start..)?;
        let len = rest
            .find(|c: char| c.is_ascii_whitespace())
            .unwrap_or(rest.len());
        self.at = start + len;
        rest.get(..len)
            .filter(|word| !word.is_empty())
            .map(|word| (start, word))
    }
}

impl<'a> Words<'a> {
    pub const fn of(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub fn word(&mut self, what: &'static str) -> Result<(usize, &'a str), OpError> {
        self.next().ok_or(OpError {
            at: self.text.len(),
            kind: OpErrorKind::Missing { what },
        })
    }

    pub fn placed(
        &mut self,
        what: &'static str,
        min: u64,
        max: u64,
    ) -> Result<(usize, u64), OpError> {
        let (at, word) = self.word(what)?;
        let value = number::script(word).ok_or(OpError {
            at,
            kind: OpErrorKind::Number { what },
        })?;
        if (min..=max).contains(&value) {
            Ok((at, value))
        } else {
            Err(OpError {
                at,
                kind: OpErrorKind::Range { what, min, max },
            })
        }
    }

    pub fn number(&mut self, what: &'static str, min: u64, max: u64) -> Result<u64, OpError> {
        self.placed(what, min, max).map(|(_, value)| value)
    }

    pub fn multiple(&mut self, what: &'static str, min: u64, of: u64) -> Result<u64, OpError> {
        let (at, value) = self.placed(what, min, u64::MAX)?;
        if value.is_multiple_of(of) {
            Ok(value)
        } else {
            Err(OpError {
                at,
                kind: OpErrorKind::Multiple { what, of },
            })
        }
    }

    pub fn small(&mut self, what: &'static str, min: u32, max: u32) -> Result<u32, OpError> {
        let value = self.number(what, u64::from(min), u64::from(max))?;
        Ok(u32::try_from(value).unwrap_or(max))
    }

    pub fn address(&mut self) -> Result<u64, OpError> {
        self.number("the address", 0, u64::MAX)
    }

    pub fn value(&mut self, width: Width) -> Result<u64, OpError> {
        self.number("the value", 0, width.max())
    }

    pub fn count(&mut self) -> Result<u32, OpError> {
        self.small("the count", 1, u32::MAX)
    }

    pub fn ms(&mut self) -> Result<u32, OpError> {
        self.small("the time in ms", 1, MAX_MS)
    }

    pub fn access(
        &mut self,
        prefix: &str,
        known: &'static [&'static str],
    ) -> Result<Width, OpError> {
        self.one_of("access", known, |word| Width::after(prefix, word))
    }

    pub fn one_of<T>(
        &mut self,
        what: &'static str,
        known: &'static [&'static str],
        find: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, OpError> {
        let (at, word) = self.word(what)?;
        find(word).ok_or(OpError {
            at,
            kind: OpErrorKind::Word { what, known },
        })
    }
}
