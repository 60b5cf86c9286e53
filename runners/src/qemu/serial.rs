//! The console: turns its bytes into events and lines, and bounds floods.

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Instant;

use super::Event;

/// A longer line than this is passed on in pieces.
const LINE_LIMIT: usize = 4096;

/// Bytes kept of the end of a flood.
const TAIL: usize = 16 << 10;

/// Passes on what the console prints, up to `limit` bytes. Reports a flood once, and keeps its tail. Never waits for
/// the receiver of the events: QEMU writes the console while it holds its big lock, so a slow reader would stall qtest
/// and QMP as well.
pub fn follow(mut stream: UnixStream, limit: usize, events: Sender<Event>) {
    thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        let mut total = 0_u64;
        let mut room = limit;
        let mut tail = Vec::new();
        loop {
            // An error is an end like any other.
            let bytes = match stream.read(&mut buffer) {
                Ok(count) if count > 0 => buffer.get(..count).unwrap_or_default(),
                Ok(_) | Err(_) => break,
            };
            total += bytes.len() as u64;
            let (head, over) = bytes.split_at(bytes.len().min(room));
            if !head.is_empty() {
                room -= head.len();
                let event = Event::Serial {
                    bytes: head.to_vec(),
                    at: Instant::now(),
                };
                if events.send(event).is_err() {
                    return;
                }
            }
            if !over.is_empty() {
                if tail.is_empty() && events.send(Event::Flood).is_err() {
                    return;
                }
                tail.extend_from_slice(over);
                tail.drain(..tail.len().saturating_sub(TAIL));
            }
        }
        // The receiver may be gone, and then the event does not matter.
        let _ = events.send(Event::SerialEnd { total, tail });
    });
}

/// Splits bytes into lines and keeps all of them.
#[derive(Debug, Default)]
pub struct Lines {
    kept: Vec<u8>,
    /// Where the first line begins in `kept` that has not been returned.
    next: usize,
    /// Up to where `kept` has been searched for the end of that line.
    searched: usize,
    count: u64,
}

impl Lines {
    /// Adds what the console printed.
    pub fn push(&mut self, bytes: &[u8]) {
        self.kept.extend_from_slice(bytes);
    }

    /// Returns the next whole line, without its end.
    pub fn pop(&mut self) -> Option<String> {
        let fresh = self.kept.get(self.searched..).unwrap_or_default();
        let end = match fresh.iter().position(|byte| *byte == b'\n') {
            Some(offset) => (self.searched + offset + 1).min(self.next + LINE_LIMIT),
            None if self.kept.len() >= self.next + LINE_LIMIT => self.next + LINE_LIMIT,
            None => {
                self.searched = self.kept.len();
                return None;
            }
        };
        Some(self.take(end))
    }

    /// Returns what follows the last whole line, once the console has ended.
    pub fn rest(&mut self) -> Option<String> {
        (self.next < self.kept.len()).then(|| self.take(self.kept.len()))
    }

    fn take(&mut self, end: usize) -> String {
        let line = self.kept.get(self.next..end).unwrap_or_default();
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let text = String::from_utf8_lossy(line)
            .trim_end_matches('\r')
            .to_owned();
        self.next = end;
        self.searched = end;
        self.count += 1;
        text
    }

    /// Returns how many lines have been returned.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Returns the bytes of the lines that have been returned.
    pub fn heard(mut self) -> Vec<u8> {
        self.kept.truncate(self.next);
        self.kept
    }

    /// Returns all bytes.
    pub fn all(self) -> Vec<u8> {
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::mpsc;

    use super::*;

    /// The lines do not depend on how the bytes are cut into pieces.
    #[test]
    fn pieces_do_not_matter() {
        let text = b"one\r\n\ntwo \xff\r\r\nrest";
        for size in 1..=text.len() {
            let mut lines = Lines::default();
            let mut seen = Vec::new();
            for piece in text.chunks(size) {
                lines.push(piece);
                while let Some(line) = lines.pop() {
                    seen.push(line);
                }
            }
            assert_eq!(seen, ["one", "", "two \u{fffd}"], "pieces of {size}");
            assert_eq!(lines.rest().as_deref(), Some("rest"));
            assert_eq!(lines.rest(), None);
            assert_eq!(lines.count(), 4);
            assert_eq!(lines.all(), text);
        }
    }

    /// A line without an end is returned in pieces of the limit.
    #[test]
    fn endless_lines_come_in_pieces() {
        let mut lines = Lines::default();
        lines.push(&vec![b'x'; 2 * LINE_LIMIT + 1]);
        assert_eq!(lines.pop().map(|line| line.len()), Some(LINE_LIMIT));
        assert_eq!(lines.pop().map(|line| line.len()), Some(LINE_LIMIT));
        assert_eq!(lines.pop(), None);
        lines.push(b"\n");
        assert_eq!(lines.pop().as_deref(), Some("x"));
    }

    /// The bytes of lines that were not returned are not among those heard.
    #[test]
    fn heard_ends_with_the_last_line_handed_out() {
        let mut lines = Lines::default();
        lines.push(b"a\nb\nc\n");
        lines.pop();
        lines.pop();
        assert_eq!(lines.heard(), b"a\nb\n");
    }

    /// Of a flood, exactly the limit is passed on, then one notice, and the tail comes at the end.
    #[test]
    fn floods_are_cut_at_the_limit() {
        let (mut guest, host) = UnixStream::pair().expect("sockets");
        let (sender, events) = mpsc::channel();
        follow(host, 1000, sender);
        let flood: Vec<u8> = (0..100_000_u32).map(|i| (i % 251) as u8).collect();
        guest.write_all(&flood).expect("write");
        drop(guest);
        let mut head = Vec::new();
        let mut notices = 0;
        loop {
            match events.recv().expect("an end") {
                Event::Serial { bytes, .. } => head.extend(bytes),
                Event::Flood => notices += 1,
                Event::SerialEnd { total, tail } => {
                    assert_eq!(total, 100_000);
                    assert_eq!(tail, flood[flood.len() - TAIL..]);
                    break;
                }
                Event::Qmp(_) | Event::QmpEnd | Event::StderrEnd(_) => {
                    unreachable!("not the console's")
                }
            }
        }
        assert_eq!(head, flood[..1000]);
        assert_eq!(notices, 1);
    }
}
