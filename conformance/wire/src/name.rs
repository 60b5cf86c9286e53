//! Names of a script's marks.

use core::fmt;

const LIMIT: usize = 24;

/// The name of a mark: 1 to 24 of `A-Z a-z 0-9 _ -`, so that it needs no quoting in a script or a frame.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name {
    bytes: [u8; LIMIT],
    len: u8,
}

impl Name {
    /// Makes a name of the text; `None` if it is not one.
    pub fn new(text: &str) -> Option<Self> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        let mut bytes = [0; LIMIT];
        bytes
            .get_mut(..text.len())?
            .copy_from_slice(text.as_bytes());
        let len = u8::try_from(text.len()).ok().filter(|len| *len > 0)?;
        text.bytes().all(legal).then_some(Self { bytes, len })
    }

    /// Returns the name as a script has it.
    pub fn as_str(&self) -> &str {
        self.bytes
            .get(..usize::from(self.len))
            .and_then(|bytes| core::str::from_utf8(bytes).ok())
            .unwrap_or_default()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}
