//! Notes as frames carry them: one letter, then fields in hexadecimal. A probe pays a trap for each
//! byte it prints, so they are terse.

use core::fmt::{self, Write};
use core::str::Split;

use super::{Answer, Data, Note, Reason, Same, Sweep, Vector, Why};
use crate::name::Name;
use crate::number;

impl Note {
    pub(crate) fn write_body(&self, out: &mut impl Write) -> fmt::Result {
        match *self {
            Self::Hello {
                version,
                el,
                frequency,
                mpidr,
            } => {
                write!(out, "h {version:x} {el:x} {frequency:x} {mpidr:x}")
            }
            Self::Op { index, answer } => {
                write!(out, "o {index:x} ")?;
                answer.write_body(out)
            }
            Self::Chunk { offset, data } => {
                write!(out, "c {offset:x} ")?;
                data.write_base64(out)
            }
            Self::Fault {
                vector,
                esr,
                elr,
                far,
            } => write!(out, "u {vector} {esr:x} {elr:x} {far:x}"),
            Self::Bad { at, why } => write!(out, "x {at:x} {why}"),
            Self::End { ops } => write!(out, "z {ops:x}"),
        }
    }

    /// Reads a body; `None` for anything that is none. Spellings are not checked here.
    pub(crate) fn read_body(body: &str) -> Option<Self> {
        let mut fields = Fields(body.split(' '));
        let note = match fields.word()? {
            "h" => Self::Hello {
                version: fields.hex()?,
                el: fields.hex()?,
                frequency: fields.hex()?,
                mpidr: fields.hex()?,
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
                vector: Vector::from_word(fields.word()?)?,
                esr: fields.hex()?,
                elr: fields.hex()?,
                far: fields.hex()?,
            },
            "x" => Self::Bad {
                at: fields.hex()?,
                why: Why::from_word(fields.word()?)?,
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
            Self::Fault { esr, far } => write!(out, "f {esr:x} {far:x}"),
            Self::Serror { esr } => write!(out, "e {esr:x}"),
            Self::Sweep(Sweep {
                ok,
                faults,
                first_ok,
                first_fault,
                bad_far,
                first_esr,
            }) => {
                write!(out, "w {ok:x} {faults:x} ")?;
                optional(out, first_ok)?;
                optional(out, first_fault)?;
                write!(out, "{bad_far:x} ")?;
                match first_esr {
                    Some(esr) => write!(out, "{esr:x}"),
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
            Self::Irqs { intid, count } => write!(out, "i {intid:x} {count:x}"),
            Self::Gic {
                enabled,
                pending,
                active,
            } => {
                let flag = |on, letter| if on { letter } else { '-' };
                write!(
                    out,
                    "g {}{}{}",
                    flag(enabled, 'e'),
                    flag(pending, 'p'),
                    flag(active, 'a')
                )
            }
            Self::Mark(name) => words(out, &["n ", name.as_str()]),
            Self::Cannot(reason) => words(out, &["x ", reason.word()]),
        }
    }

    fn read_body(fields: &mut Fields<'_>) -> Option<Self> {
        Some(match fields.word()? {
            "k" => Self::Ok,
            "v" => Self::Value(fields.hex()?),
            "f" => Self::Fault {
                esr: fields.hex()?,
                far: fields.hex()?,
            },
            "e" => Self::Serror { esr: fields.hex()? },
            "w" => Self::Sweep(Sweep {
                ok: fields.hex()?,
                faults: fields.hex()?,
                first_ok: fields.optional()?,
                first_fault: fields.optional()?,
                bad_far: fields.hex()?,
                first_esr: fields.optional()?,
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
                intid: fields.hex()?,
                count: fields.hex()?,
            },
            "g" => {
                let flags = fields.word()?;
                Self::Gic {
                    enabled: flags.contains('e'),
                    pending: flags.contains('p'),
                    active: flags.contains('a'),
                }
            }
            "n" => Self::Mark(Name::new(fields.word()?)?),
            "x" => Self::Cannot(Reason::from_word(fields.word()?)?),
            _ => return None,
        })
    }
}

/// Writes words one after the other; formatting text would bring its padding into the probe's image.
fn words(out: &mut impl Write, words: &[&str]) -> fmt::Result {
    words.iter().try_for_each(|word| out.write_str(word))
}

fn optional(out: &mut impl Write, value: Option<u64>) -> fmt::Result {
    match value {
        Some(value) => write!(out, "{value:x} "),
        None => out.write_str("- "),
    }
}

struct Fields<'a>(Split<'a, char>);

impl<'a> Fields<'a> {
    fn word(&mut self) -> Option<&'a str> {
        self.0.next()
    }

    fn hex<T: TryFrom<u64>>(&mut self) -> Option<T> {
        T::try_from(number::hex(self.word()?)?).ok()
    }

    fn optional<T: TryFrom<u64>>(&mut self) -> Option<Option<T>> {
        match self.word()? {
            "-" => Some(None),
            digits => Some(Some(T::try_from(number::hex(digits)?).ok()?)),
        }
    }

    fn end(&mut self) -> bool {
        self.0.next().is_none()
    }
}
