//! Reads the fields of a frame's body in order.

use core::str::Split;

use crate::number;

/// The unread words of a body.
pub struct Fields<'a>(Split<'a, char>);

impl<'a> Fields<'a> {
    pub fn of(body: &'a str) -> Self {
        Self(body.split(' '))
    }

    pub fn word(&mut self) -> Option<&'a str> {
        self.0.next()
    }

    pub fn hex<T: TryFrom<u64>>(&mut self) -> Option<T> {
        T::try_from(number::hex(self.word()?)?).ok()
    }

    pub fn optional<T: TryFrom<u64>>(&mut self) -> Option<Option<T>> {
        match self.word()? {
            "-" => Some(None),
            digits => Some(Some(T::try_from(number::hex(digits)?).ok()?)),
        }
    }

    pub fn end(&mut self) -> bool {
        self.0.next().is_none()
    }
}
