//! QEMU's test protocol: accesses memory, registers and interrupt lines from outside the guest.
//!
//! QEMU checks these requests by assertion, so a malformed one would kill the machine under test. Every request is made
//! in this file, with bounds, and for inputs that `arch` has found.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;

use super::{Halt, RunError};
use crate::arch::Input;
use crate::deadline::Deadline;
use crate::request::Answer;

/// The longest piece of a copy in bytes; an answer has two digits a byte.
const PIECE: usize = 64 << 10;

/// The connection.
#[derive(Debug)]
pub struct Qtest(BufReader<UnixStream>);

impl Qtest {
    /// Takes over a connection QEMU has opened.
    pub fn new(stream: UnixStream) -> Self {
        Self(BufReader::new(stream))
    }

    /// Reads memory: 1, 2, 4 and 8 bytes as one access, anything else as a copy.
    pub fn read(&mut self, addr: u64, len: usize, deadline: &Deadline) -> Result<Answer, Halt> {
        if wraps(addr, len) {
            return Ok(Answer::Refused(format!("{len} bytes at {addr:#x} wrap")));
        }
        let mut bytes = Vec::with_capacity(len.min(PIECE));
        for (line, piece) in read_lines(addr, len) {
            match self.ask(&line, deadline)? {
                Ok(text) if width(len).is_some() => {
                    bytes.extend(number(&text)?.to_le_bytes().iter().take(len))
                }
                Ok(text) => bytes.extend(unhex(&text, piece)?),
                Err(text) => return Ok(Answer::Refused(text)),
            }
        }
        Ok(Answer::Bytes(bytes))
    }

    /// Writes memory, with the widths of [`Self::read`].
    pub fn write(&mut self, addr: u64, bytes: &[u8], deadline: &Deadline) -> Result<Answer, Halt> {
        if wraps(addr, bytes.len()) {
            return Ok(Answer::Refused(format!(
                "{} bytes at {addr:#x} wrap",
                bytes.len()
            )));
        }
        for line in write_lines(addr, bytes) {
            let answer = self.order(&line, deadline)?;
            if answer != Answer::Done {
                return Ok(answer);
            }
        }
        Ok(Answer::Done)
    }

    /// Sets the level of an input line of a device. The line must exist: QEMU asserts it.
    pub fn set_line(
        &mut self,
        input: &Input,
        high: bool,
        deadline: &Deadline,
    ) -> Result<Answer, Halt> {
        let Input {
            device,
            group,
            number,
        } = input;
        let level = u8::from(high);
        self.order(
            &format!("set_irq_in {device} {group} {number} {level}"),
            deadline,
        )
    }

    fn order(&mut self, line: &str, deadline: &Deadline) -> Result<Answer, Halt> {
        Ok(match self.ask(line, deadline)? {
            Ok(_) => Answer::Done,
            Err(text) => Answer::Refused(text),
        })
    }

    /// Sends a line. Returns what follows `OK`, or the whole line if it does not begin with that.
    fn ask(&mut self, line: &str, deadline: &Deadline) -> Result<Result<String, String>, Halt> {
        let left = deadline.left().ok_or(Halt::Deadline)?;
        let stream = self.0.get_mut();
        stream.set_write_timeout(Some(left)).map_err(halt)?;
        stream
            .write_all(format!("{line}\n").as_bytes())
            .map_err(halt)?;
        let mut answer = Vec::new();
        // A socket's timeout counts anew from each read, so it is set before each.
        while !answer.ends_with(b"\n") {
            let left = deadline.left().ok_or(Halt::Deadline)?;
            self.0
                .get_ref()
                .set_read_timeout(Some(left))
                .map_err(halt)?;
            let room = (2 * PIECE + 64).saturating_sub(answer.len()) as u64;
            if self
                .0
                .by_ref()
                .take(room)
                .read_until(b'\n', &mut answer)
                .map_err(halt)?
                == 0
            {
                return Err(Halt::Gone);
            }
        }
        let text = String::from_utf8_lossy(&answer);
        let text = text.trim_end();
        Ok(match text.strip_prefix("OK") {
            Some(rest) => Ok(rest.trim_start().to_owned()),
            None => Err(text.to_owned()),
        })
    }
}

/// Renders the requests that read `len` bytes, each with the number of bytes it reads.
pub fn read_lines(addr: u64, len: usize) -> Vec<(String, usize)> {
    if let Some(width) = width(len) {
        return vec![(format!("read{width} {addr:#x}"), len)];
    }
    (0..len)
        .step_by(PIECE)
        .map(|done| {
            let piece = PIECE.min(len - done);
            (
                format!("read {:#x} {piece:#x}", addr.wrapping_add(done as u64)),
                piece,
            )
        })
        .collect()
}

/// Renders the requests that write `bytes`.
pub fn write_lines(addr: u64, bytes: &[u8]) -> Vec<String> {
    if let Some(width) = width(bytes.len()) {
        let value = bytes
            .iter()
            .rev()
            .fold(0_u64, |v, b| v << 8 | u64::from(*b));
        return vec![format!("write{width} {addr:#x} {value:#x}")];
    }
    let pieces = bytes.chunks(PIECE).zip((addr..).step_by(PIECE));
    pieces
        .map(|(piece, at)| {
            let hex: String = piece.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("write {at:#x} {:#x} 0x{hex}", piece.len())
        })
        .collect()
}

/// Tells whether the last byte would lie above the last address.
fn wraps(addr: u64, len: usize) -> bool {
    let reach = (len as u64).saturating_sub(1);
    addr.checked_add(reach).is_none()
}

/// Returns qtest's letter for a single access of `len` bytes.
fn width(len: usize) -> Option<char> {
    match len {
        1 => Some('b'),
        2 => Some('w'),
        4 => Some('l'),
        8 => Some('q'),
        _ => None,
    }
}

fn number(text: &str) -> Result<u64, Halt> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    u64::from_str_radix(digits, 16).map_err(|_| nonsense(text))
}

/// Decodes `0x` and two digits a byte.
fn unhex(text: &str, len: usize) -> Result<Vec<u8>, Halt> {
    let digits = text.strip_prefix("0x").unwrap_or(text).as_bytes();
    let digit = |byte: &u8| {
        char::from(*byte)
            .to_digit(16)
            .and_then(|value| u8::try_from(value).ok())
    };
    let bytes: Option<Vec<u8>> = digits
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(high)? << 4 | digit(low)?),
            _ => None,
        })
        .collect();
    bytes
        .filter(|bytes| bytes.len() == len)
        .ok_or_else(|| nonsense(text))
}

fn nonsense(text: &str) -> Halt {
    Halt::Broken(RunError::Protocol {
        what: "qtest",
        text: text.chars().take(200).collect(),
        stderr: String::new(),
    })
}

/// Turns a socket error into the reason why the session ends.
pub fn halt(error: io::Error) -> Halt {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Halt::Deadline,
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Halt::Gone,
        _ => Halt::Broken(RunError::doing("talking to QEMU")(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;

    /// Simulates QEMU: answers each line in turn, and returns the lines it got.
    fn with<T>(
        answers: &'static [&'static str],
        act: impl FnOnce(&mut Qtest, &Deadline) -> T,
    ) -> (T, Vec<String>) {
        let (ours, theirs) = UnixStream::pair().expect("sockets");
        let fake = thread::spawn(move || {
            let mut reader = BufReader::new(theirs);
            let mut asked = Vec::new();
            for answer in answers {
                let mut line = String::new();
                reader.read_line(&mut line).expect("a question");
                asked.push(line.trim_end().to_owned());
                reader
                    .get_mut()
                    .write_all(answer.as_bytes())
                    .expect("an answer");
            }
            asked
        });
        let mut qtest = Qtest::new(ours);
        let seen = act(&mut qtest, &Deadline::after(Duration::from_secs(20)));
        (seen, fake.join().expect("the fake"))
    }

    /// A length that is a width is one access; another is a copy.
    #[test]
    fn lengths_decide_the_access() {
        let table: [(usize, &'static [&'static str], &str, &[u8]); 5] = [
            (1, &["OK 0x00000000000000ab\n"], "readb 0x10", &[0xab]),
            (2, &["OK 0x000000000000abcd\n"], "readw 0x10", &[0xcd, 0xab]),
            (4, &["OK 0x0000000001020304\n"], "readl 0x10", &[4, 3, 2, 1]),
            (
                8,
                &["OK 0x0102030405060708\n"],
                "readq 0x10",
                &[8, 7, 6, 5, 4, 3, 2, 1],
            ),
            (3, &["OK 0x0a0b0c\n"], "read 0x10 0x3", &[0xa, 0xb, 0xc]),
        ];
        for (len, answers, asked, bytes) in table {
            let (seen, lines) = with(answers, |qtest, deadline| qtest.read(0x10, len, deadline));
            assert!(
                matches!(seen, Ok(Answer::Bytes(seen)) if seen == bytes),
                "{asked}"
            );
            assert_eq!(lines, [asked]);
        }
    }

    /// A write has the same widths as a read.
    #[test]
    fn writes_mirror_reads() {
        let (seen, lines) = with(&["OK\n", "OK\n"], |qtest, deadline| {
            [
                qtest.write(0x20, &[4, 3, 2, 1], deadline),
                qtest.write(0x20, &[1, 2, 3], deadline),
            ]
        });
        assert!(seen.iter().all(|answer| matches!(answer, Ok(Answer::Done))));
        assert_eq!(lines, ["writel 0x20 0x1020304", "write 0x20 0x3 0x010203"]);
    }

    /// A refusal by QEMU is an answer, a garbled answer is an error, and QEMU's end is neither.
    #[test]
    fn refusal_garbage_and_end_differ() {
        let (seen, _) = with(&["FAIL Unknown command 'x'\n"], |qtest, deadline| {
            qtest.read(0, 4, deadline)
        });
        assert!(matches!(seen, Ok(Answer::Refused(text)) if text == "FAIL Unknown command 'x'"));
        for garbled in [&["OK what\n"], &["OK\n"]] {
            let (seen, _) = with(garbled, |qtest, deadline| qtest.read(0, 4, deadline));
            assert!(
                matches!(
                    seen,
                    Err(Halt::Broken(RunError::Protocol { what: "qtest", .. }))
                ),
                "{garbled:?}"
            );
        }
        let (seen, _) = with(&["OK 0x0a0b\n"], |qtest, deadline| {
            qtest.read(0, 3, deadline)
        });
        assert!(matches!(seen, Err(Halt::Broken(_))), "a short copy");
        let (seen, _) = with(&[""], |qtest, deadline| qtest.read(0, 4, deadline));
        assert!(matches!(seen, Err(Halt::Gone)));
    }

    /// An access of no bytes sends no request, and no access wraps around the end of the address space.
    #[test]
    fn empty_and_wrapping_copies_ask_nothing() {
        let ((empty, none), lines) = with(&[], |qtest, deadline| {
            (qtest.read(0, 0, deadline), qtest.write(0, &[], deadline))
        });
        assert!(matches!(empty, Ok(Answer::Bytes(bytes)) if bytes.is_empty()));
        assert!(matches!(none, Ok(Answer::Done)));
        assert!(lines.is_empty());
        let (seen, lines) = with(&[], |qtest, deadline| {
            [
                qtest.read(u64::MAX, 2, deadline),
                qtest.write(u64::MAX - 1, &[0; 3], deadline),
            ]
        });
        assert!(
            seen.iter()
                .all(|answer| matches!(answer, Ok(Answer::Refused(_))))
        );
        assert!(lines.is_empty());
    }
}
