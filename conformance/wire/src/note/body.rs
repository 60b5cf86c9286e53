//! Notes as frames carry them: one letter, then fields in hexadecimal. They are short because each byte
//! that a probe prints costs a trap.

use core::fmt::{self, Write};

use super::{Answer, Data, Note, Same, Sweep};
use crate::arch;
use crate::fault::Fault;
use crate::fields::Fields;
use crate::irq::Irq;
use crate::name::Name;
use crate::reason::{Reason, ScriptError};

impl Note {
    pub(crate) fn write_body(&self, out: &mut impl Write) -> fmt::Result {
        match *self {
            Self::Hello {
                version,
                privilege,
                frequency,
                cpu,
            } => {
                write!(out, "h {version:x} {privilege:x} {frequency:x} {cpu:x}")
            }
            Self::Op { index, answer } => {
                write!(out, "o {index:x} ")?;
                answer.write_body(out)
            }
            Self::Chunk { offset, data } => {
                write!(out, "c {offset:x} ")?;
                data.write_base64(out)
            }
            Self::Fault { fault, pc } => {
                out.write_str("u ")?;
                fault.write_body(out)?;
                write!(out, " {pc:x}")
            }
            Self::Stray(irq) => write!(out, "j {:x}", irq.0),
            Self::Bad { at, why } => write!(out, "x {at:x} {why}"),
            Self::End { ops } => write!(out, "z {ops:x}"),
        }
    }

    /// Reads a body; `None` if it is not one. Does not check whether numbers have their one spelling.
    pub(crate) fn read_body(body: &str) -> Option<Self> {
        let mut fields = Fields::of(body);
        let note = match fields.word()? {
            "h" => Self::Hello {
                version: fields.hex()?,
                privilege: fields.hex()?,
                frequency: fields.hex()?,
                cpu: fields.hex()?,
            },
            "o" => Self::Op {
                index: fields.hex()?,
                answer: Answer::read_body(&mut fields)?,
            },
            "c" => Self::Chunk {
                offset: fields.hex()?,
                data: Data::from_base64(fields.word()?)?,
            },
            "u" => Self::Fault {
                fault: Fault::read_body(&mut fields)?,
                pc: fields.hex()?,
            },
            "j" => Self::Stray(Irq(fields.hex()?)),
            "x" => Self::Bad {
                at: fields.hex()?,
                why: ScriptError::from_word(fields.word()?)?,
            },
            "z" => Self::End { ops: fields.hex()? },
            _ => return None,
        };
        fields.end().then_some(note)
    }
}

impl Answer {
    fn write_body(&self, out: &mut impl Write) -> fmt::Result {
        match *self {
            Self::Ok => out.write_str("k"),
            Self::Value(value) => write!(out, "v {value:x}"),
            Self::Fault(fault) => {
                out.write_str("f ")?;
                fault.write_body(out)
            }
            Self::Sweep(Sweep {
                ok,
                faults,
                first_ok,
                first_fault,
                elsewhere,
                first_raw,
            }) => {
                write!(out, "w {ok:x} {faults:x} ")?;
                optional(out, first_ok)?;
                optional(out, first_fault)?;
                write!(out, "{elsewhere:x} ")?;
                match first_raw {
                    Some(raw) => raw.write_body(out),
                    None => out.write_str("-"),
                }
            }
            Self::Same(Same {
                matches,
                mismatches,
                faults,
                first,
            }) => {
                write!(out, "m {matches:x} {mismatches:x} {faults:x} ")?;
                match first {
                    Some((address, value)) => write!(out, "{address:x} {value:x}"),
                    None => out.write_str("-"),
                }
            }
            Self::Timeout(value) => write!(out, "t {value:x}"),
            Self::BadRam(address) => write!(out, "b {address:x}"),
            Self::Tree(len) => write!(out, "d {len:x}"),
            Self::Irqs { irq, count } => write!(out, "i {:x} {count:x}", irq.0),
            Self::Mark(name) => words(out, &["n ", name.as_str()]),
            Self::Cannot(reason) => words(out, &["x ", reason.word()]),
            Self::Arch(answer) => answer.write_body(out),
        }
    }

    fn read_body(fields: &mut Fields<'_>) -> Option<Self> {
        Some(match fields.word()? {
            "k" => Self::Ok,
            "v" => Self::Value(fields.hex()?),
            "f" => Self::Fault(Fault::read_body(fields)?),
            "w" => Self::Sweep(Sweep {
                ok: fields.hex()?,
                faults: fields.hex()?,
                first_ok: fields.optional()?,
                first_fault: fields.optional()?,
                elsewhere: fields.hex()?,
                first_raw: match fields.word()? {
                    "-" => None,
                    word => Some(arch::Raw::from_word(word)?),
                },
            }),
            "m" => Self::Same(Same {
                matches: fields.hex()?,
                mismatches: fields.hex()?,
                faults: fields.hex()?,
                first: match fields.optional()? {
                    Some(address) => Some((address, fields.hex()?)),
                    None => None,
                },
            }),
            "t" => Self::Timeout(fields.hex()?),
            "b" => Self::BadRam(fields.hex()?),
            "d" => Self::Tree(fields.hex()?),
            "i" => Self::Irqs {
                irq: Irq(fields.hex()?),
                count: fields.hex()?,
            },
            "n" => Self::Mark(Name::new(fields.word()?)?),
            "x" => Self::Cannot(Reason::from_word(fields.word()?)?),
            letter => Self::Arch(arch::Answer::read_body(letter, fields)?),
        })
    }
}

/// Writes words in order. `write!` with text would link its padding code into the probe's image.
fn words(out: &mut impl Write, words: &[&str]) -> fmt::Result {
    words.iter().try_for_each(|word| out.write_str(word))
}

fn optional(out: &mut impl Write, value: Option<u64>) -> fmt::Result {
    match value {
        Some(value) => write!(out, "{value:x} "),
        None => out.write_str("- "),
    }
}
