//! Text of a guest, line by line.

/// Most bytes of a line before it is broken.
pub const LENGTH: usize = 256;

/// A line that a guest is writing.
#[derive(Clone, Debug)]
pub struct Line {
    bytes: [u8; LENGTH],
    length: usize,
    /// The line was handed out; the next byte begins a new one.
    finished: bool,
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}

impl Line {
    /// Makes an empty line.
    pub const fn new() -> Self {
        Self {
            bytes: [0; LENGTH],
            length: 0,
            finished: false,
        }
    }

    /// Adds a byte, and returns the line when this finished it: without its end, and with control
    /// characters replaced, so that a guest's text can neither end its line nor move the cursor of
    /// whoever looks at it.
    pub fn push(&mut self, byte: u8) -> Option<&[u8]> {
        if self.finished {
            self.finished = false;
            self.length = 0;
        }
        let shown = match byte {
            b'\n' => return self.take(),
            b'\r' => return None,
            b'\t' | b' '..=b'~' | 0x80.. => byte,
            _ => b'.',
        };
        if let Some(slot) = self.bytes.get_mut(self.length) {
            *slot = shown;
            self.length += 1;
        }
        if self.length == LENGTH {
            self.take()
        } else {
            None
        }
    }

    /// Hands out what stands in a line that was never finished.
    pub fn flush(&mut self) -> Option<&[u8]> {
        if self.finished || self.length == 0 {
            None
        } else {
            self.take()
        }
    }

    fn take(&mut self) -> Option<&[u8]> {
        self.finished = true;
        self.bytes.get(..self.length)
    }
}
