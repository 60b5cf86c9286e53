//! Whole scripts: a header, then ops.

use crate::number;
use crate::op::{Op, OpError, OpErrorKind, parse_op};

const SEPARATORS: [char; 2] = [';', '\n'];

/// The header of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The run's nonce; every frame repeats it.
    pub nonce: u32,
    /// The domain's number; every frame repeats it.
    pub dom: u8,
    /// Whether the ops are in the ramdisk (`script=ramdisk`).
    pub in_ramdisk: bool,
}

/// The ops of a script, in order. The script ends with an error at a malformed op, at an op in a loop
/// that cannot be repeated, and at a loop with too few ops.
#[derive(Debug, Clone)]
pub struct Ops<'a> {
    text: &'a str,
    at: usize,
    /// The number of ops that a loop still lacks.
    looped: u8,
}

/// Reads a script such as `n=0badcafe d=01;r32 0x9030fe0;mark done`.
///
/// `;` or line ends separate ops; empty ops are skipped and have no index. The text ends before the
/// first NUL, which in a ramdisk padding or a [pack](crate::pack) follow.
pub fn parse_script(text: &[u8]) -> Result<(Header, Ops<'_>), OpError> {
    let len = text
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(text.len());
    let text =
        core::str::from_utf8(text.get(..len).unwrap_or_default()).map_err(|error| OpError {
            at: error.valid_up_to(),
            kind: OpErrorKind::Encoding,
        })?;
    let end = text.find(SEPARATORS).unwrap_or(text.len());
    let header = header(text.get(..end).unwrap_or_default()).ok_or(OpError {
        at: 0,
        kind: OpErrorKind::Header,
    })?;
    let ops = Ops {
        text,
        at: end,
        looped: 0,
    };
    Ok((header, ops))
}

fn header(text: &str) -> Option<Header> {
    let mut words = text.split_ascii_whitespace();
    let nonce = number::hex(words.next()?.strip_prefix("n=")?)?;
    let dom = number::hex(words.next()?.strip_prefix("d=")?)?;
    let in_ramdisk = match words.next() {
        None => false,
        Some("script=ramdisk") => true,
        Some(_) => return None,
    };
    let header = Header {
        nonce: u32::try_from(nonce).ok()?,
        dom: u8::try_from(dom).ok()?,
        in_ramdisk,
    };
    words.next().is_none().then_some(header)
}

impl Iterator for Ops<'_> {
    type Item = Result<Op, OpError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (start, op) = loop {
            // The cursor is on the separator before the next op.
            let start = self.at + 1;
            let Some(rest) = self.text.get(start..) else {
                let missing = OpErrorKind::Missing {
                    what: "an op of the loop",
                };
                return (self.looped > 0).then(|| self.fail(self.text.len(), missing));
            };
            let end = start + rest.find(SEPARATORS).unwrap_or(rest.len());
            self.at = end;
            let op = self.text.get(start..end)?;
            if !op.trim_ascii().is_empty() {
                break (start, op);
            }
        };
        let op = match parse_op(op) {
            Ok(op) => op,
            Err(error) => return Some(self.fail(start + error.at, error.kind)),
        };
        if self.looped > 0 {
            if !op.repeats() {
                return Some(self.fail(start, OpErrorKind::Once));
            }
            self.looped -= 1;
        } else if let Op::Loop { ops, .. } = op {
            self.looped = ops;
        }
        Some(Ok(op))
    }
}

impl Ops<'_> {
    /// Ends the script with an error.
    fn fail(&mut self, at: usize, kind: OpErrorKind) -> Result<Op, OpError> {
        self.at = self.text.len();
        self.looped = 0;
        Err(OpError { at, kind })
    }
}

#[cfg(feature = "alloc")]
pub use owned::{BootArgs, INLINE_LIMIT, Script};

#[cfg(feature = "alloc")]
mod owned {
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;
    use alloc::{fmt, format};

    use super::{Op, OpError, parse_script};

    /// The longest script that is passed in boot arguments. Xen's limit for a domain's arguments is 1024.
    pub const INLINE_LIMIT: usize = 900;

    /// A script in the harness. Its `Display` form is the text that a probe reads.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Script {
        /// The run.
        pub nonce: u32,
        /// The domain.
        pub dom: u8,
        /// The ops, in order.
        pub ops: Vec<Op>,
    }

    /// How a script is passed to its probe.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum BootArgs {
        /// In the boot arguments.
        Inline(String),
        /// In a ramdisk that the boot arguments point to.
        Ramdisk {
            /// The boot arguments.
            args: String,
            /// The ramdisk.
            ramdisk: String,
        },
    }

    impl Script {
        /// Reads a script; fails at the first malformed op.
        pub fn parse(text: &str) -> Result<Self, OpError> {
            let (header, ops) = parse_script(text.as_bytes())?;
            Ok(Self {
                nonce: header.nonce,
                dom: header.dom,
                ops: ops.collect::<Result<_, _>>()?,
            })
        }

        /// Returns the script as boot arguments, or as a ramdisk if it is too long.
        pub fn boot_args(&self) -> BootArgs {
            let text = self.to_string();
            if text.len() <= INLINE_LIMIT {
                return BootArgs::Inline(text);
            }
            BootArgs::Ramdisk {
                args: self.pointer(),
                ramdisk: text,
            }
        }

        /// Returns boot arguments and a ramdisk with the script and a [pack](crate::pack) of entries.
        pub fn with_pack(&self, entries: &[&[u8]]) -> (String, Vec<u8>) {
            let ramdisk = crate::pack::append(&self.to_string(), entries);
            (self.pointer(), ramdisk)
        }

        /// Returns the boot arguments that lead to the ramdisk.
        fn pointer(&self) -> String {
            format!("n={:08x} d={:02x} script=ramdisk", self.nonce, self.dom)
        }
    }

    impl fmt::Display for Script {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "n={:08x} d={:02x}", self.nonce, self.dom)?;
            self.ops.iter().try_for_each(|op| write!(f, ";{op}"))
        }
    }
}
