//! Frames: one console line with number and checksum.

use core::fmt::{self, Write};

use crc::{CRC_32_ISO_HDLC, Crc};

use crate::note::Note;

/// The longest frame in bytes, line end not counted. Xen cuts a guest's line near 126 characters
/// and puts its own prefix in front.
pub const MAX_FRAME: usize = 120;

const SYNC: &[u8] = b"@pt2 ";
const STOP: u8 = b'.';

static CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// A note with its sender and its place in the sender's sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// The run, as the script named it.
    pub nonce: u32,
    /// The domain, as the script named it.
    pub dom: u8,
    /// Counts the frames of this domain from 0, and wraps.
    pub seq: u16,
    /// The content.
    pub note: Note,
}

/// The text of one frame, without a line end.
#[derive(Clone, Copy)]
pub struct Line {
    bytes: [u8; MAX_FRAME],
    len: usize,
}

/// The kind of a console line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// A frame with a correct checksum. Text around it is ignored.
    Frame(Frame),
    /// A line without a frame.
    Chatter,
    /// A line in which a frame begins that is damaged.
    Damaged(Damage),
}

/// What is wrong with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// There is no full stop within [`MAX_FRAME`] bytes: the frame is truncated, or mixed with other text.
    Unterminated,
    /// Nonce, domain, number or checksum is malformed.
    Header,
    /// The checksum does not match: the text is not the text that was sent.
    Checksum {
        /// The checksum that the frame carries.
        stated: u32,
        /// The checksum of its text.
        computed: u32,
    },
    /// The checksum matches, but this version knows no such note.
    Body,
}

impl Frame {
    /// Writes the frame as text. Every frame fits, and [`read`] returns it again.
    pub fn encode(&self) -> Line {
        let mut body = Line::EMPTY;
        let mut line = Line::EMPTY;
        // Every note fits, as the property tests show. One that did not would be cut, and be read as
        // damaged.
        let _fits = self.note.write_body(&mut body);
        let crc = checksum(self.nonce, self.dom, self.seq, body.as_bytes());
        let Self {
            nonce, dom, seq, ..
        } = self;
        let _fits = write!(
            line,
            "@pt2 {nonce:08x} {dom:02x} {seq:04x} {crc:08x} {}.",
            body.as_str()
        );
        line
    }
}

/// Reads one console line. Total: any text is at worst damaged, and a line is a frame only if its
/// checksum matches.
pub fn read(line: &[u8]) -> Reading {
    let mut worst = Reading::Chatter;
    let mut rest = line;
    while let Some(at) = rest.windows(SYNC.len()).position(|window| window == SYNC) {
        rest = rest.get(at + SYNC.len()..).unwrap_or_default();
        match read_after_sync(rest) {
            Ok(frame) => return Reading::Frame(frame),
            // Only the first damage is reported; later ones may be fragments of the same frame.
            Err(damage) if worst == Reading::Chatter => worst = Reading::Damaged(damage),
            Err(_) => {}
        }
    }
    worst
}

fn read_after_sync(rest: &[u8]) -> Result<Frame, Damage> {
    let window = rest.get(..MAX_FRAME - SYNC.len()).unwrap_or(rest);
    let stop = window
        .iter()
        .position(|byte| *byte == STOP)
        .ok_or(Damage::Unterminated)?;
    let text = window
        .get(..stop)
        .and_then(|text| core::str::from_utf8(text).ok())
        .ok_or(Damage::Header)?;
    let mut fields = text.splitn(5, ' ');
    let mut field = |digits: usize| {
        let text = fields
            .next()
            .filter(|text| text.len() == digits)
            .ok_or(Damage::Header)?;
        crate::number::hex(text).ok_or(Damage::Header)
    };
    let nonce = u32::try_from(field(8)?).map_err(|_| Damage::Header)?;
    let dom = u8::try_from(field(2)?).map_err(|_| Damage::Header)?;
    let seq = u16::try_from(field(4)?).map_err(|_| Damage::Header)?;
    let stated = u32::try_from(field(8)?).map_err(|_| Damage::Header)?;
    let body = fields.next().ok_or(Damage::Header)?;

    let computed = checksum(nonce, dom, seq, body.as_bytes());
    if stated != computed {
        return Err(Damage::Checksum { stated, computed });
    }
    let note = Note::read_body(body).ok_or(Damage::Body)?;
    let frame = Frame {
        nonce,
        dom,
        seq,
        note,
    };
    // A frame has exactly one text: other spellings of the same numbers are not from a probe.
    let spelled = frame.encode();
    let canonical = spelled
        .as_bytes()
        .strip_prefix(SYNC)
        .and_then(|line| line.strip_suffix(&[STOP]));
    if canonical == Some(text.as_bytes()) {
        Ok(frame)
    } else {
        Err(Damage::Body)
    }
}

fn checksum(nonce: u32, dom: u8, seq: u16, body: &[u8]) -> u32 {
    let mut head = Line::EMPTY;
    // 17 characters fit into 120.
    let _fits = write!(head, "{nonce:08x} {dom:02x} {seq:04x} ");
    let mut digest = CRC.digest();
    digest.update(head.as_bytes());
    digest.update(body);
    digest.finalize()
}

impl Line {
    pub(crate) const EMPTY: Self = Self {
        bytes: [0; MAX_FRAME],
        len: 0,
    };

    /// Returns the line's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Returns the line as text.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len.checked_add(text.len()).ok_or(fmt::Error)?;
        self.bytes
            .get_mut(self.len..end)
            .ok_or(fmt::Error)?
            .copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Unterminated => write!(f, "frame without an end within {MAX_FRAME} bytes"),
            Self::Header => f.write_str("frame without nonce, domain, number and checksum"),
            Self::Checksum { stated, computed } => {
                write!(
                    f,
                    "frame states checksum {stated:08x}, its text has {computed:08x}"
                )
            }
            Self::Body => f.write_str("frame with a body that this version does not know"),
        }
    }
}

impl core::error::Error for Damage {}
