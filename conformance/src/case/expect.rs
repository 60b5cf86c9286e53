//! What an operation must observe: the part after `=>`.

use std::fmt;

use serde::{Deserialize, Serialize};
use wire::{Answer, FaultClass, Op, Width};

use crate::arch;
use crate::case::errno;
use crate::language::Scope;

/// An expectation.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    /// The operation succeeds: no fault, no timeout, no mismatch.
    Works,
    /// Any answer; it is evidence only.
    Any,
    /// A value with these bits under `mask`.
    Value {
        /// The expected bits.
        value: u64,
        /// The bits that are compared.
        mask: u64,
    },
    /// Any value but this one.
    Not(u64),
    /// A value between two bounds, inclusive.
    Range {
        /// The lower bound.
        from: u64,
        /// The upper bound.
        to: u64,
    },
    /// A hypercall that fails with this error.
    Errno(u16),
    /// A hypercall that fails, with any error.
    Refused,
    /// A hypercall whose result is no error.
    Answered,
    /// Exactly those functions, among the ones that the operation asks for, that `query-pci` showed outside.
    Listed,
    /// The same value as the first answer to the same operation in this scenario.
    Unchanged,
    /// An access that nothing answers or that is not translated; the reported address must be that of the access.
    Fault,
    /// A misaligned access.
    AlignmentFault,
    /// Any exception.
    AnyFault,
    /// The time ran out.
    Timeout,
    /// Exactly this many interrupts.
    Irqs(u64),
    /// A sweep in which this many accesses succeeded and this many faulted, each at its own address.
    Sweep {
        /// Accesses that succeeded.
        ok: u64,
        /// Accesses that faulted.
        faults: u64,
    },
    /// What only operations of one architecture can observe.
    Arch(arch::Expect),
}

impl Expect {
    /// Parses the text after `=>`, for an answer of a size; an empty text means that the operation must succeed.
    pub fn parse(text: &str, scope: &Scope<'_>, width: Width) -> Result<Self, String> {
        let number = |word: &str| match word {
            "ones" => Ok(width.max()),
            word => scope.number(word),
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        if let Some(expect) = arch::Expect::parse(&words) {
            return Ok(Self::Arch(expect));
        }
        Ok(match words.as_slice() {
            ["ok"] => Self::Works,
            ["any"] => Self::Any,
            ["unchanged"] => Self::Unchanged,
            ["listed"] => Self::Listed,
            ["nothing"] => Self::Fault,
            ["alignment-fault"] => Self::AlignmentFault,
            ["any-fault"] => Self::AnyFault,
            ["timeout"] => Self::Timeout,
            ["irqs", count] => Self::Irqs(number(count)?),
            ["known"] => Self::Value {
                value: KNOWN_FUNCTION,
                mask: u64::MAX,
            },
            ["unknown"] => Self::Value {
                value: UNKNOWN_FUNCTION,
                mask: u64::MAX,
            },
            ["not", "unknown"] => Self::Not(UNKNOWN_FUNCTION),
            ["not", value] => Self::Not(number(value)?),
            ["refused"] => Self::Refused,
            [name] if errno::number(name).is_some() => {
                Self::Errno(errno::number(name).unwrap_or_default())
            }
            [range] if range.contains("..") => {
                let (from, to) = range.split_once("..").unwrap_or_default();
                Self::Range {
                    from: number(from)?,
                    to: number(to)?,
                }
            }
            ["reached", ok, "of", all] => {
                let (ok, all) = (number(ok)?, number(all)?);
                let faults = all.checked_sub(ok);
                let faults = faults.ok_or_else(|| format!("`{text}`: {ok} is more than {all}"))?;
                Self::Sweep { ok, faults }
            }
            [value] if !near_a_word(value) => Self::Value {
                value: number(value)?,
                mask: u64::MAX,
            },
            [value, "&", mask] => Self::Value {
                value: number(value)?,
                mask: number(mask)?,
            },
            _ => {
                let own = KNOWN.iter().chain(arch::EXPECTATIONS).copied();
                let known = own.clone().chain(errno::names());
                let near = text::nearest(words.first().copied().unwrap_or(""), known);
                let hint = near.map_or_else(|| own.collect::<Vec<_>>().join("`, `"), str::to_owned);
                return Err(format!(
                    "`{}` is no expectation; did you mean `{hint}`?",
                    text.trim()
                ));
            }
        })
    }

    /// Tells whether `answer` to `op` meets the expectation; `first` is the first answer to the same operation.
    pub fn met_by(&self, op: &Op, answer: &Answer, first: Option<&Answer>) -> bool {
        match self {
            Self::Any => true,
            Self::Works => works(answer),
            Self::Value { value, mask } => {
                matches!(answer, Answer::Value(seen) if seen & mask == value & mask)
            }
            Self::Not(value) => matches!(answer, Answer::Value(seen) if seen != value),
            Self::Range { from, to } => {
                matches!(answer, Answer::Value(seen) if (from..=to).contains(&seen))
            }
            Self::Errno(wanted) => {
                matches!(answer, Answer::Value(seen) if errno::of(*seen) == Some(*wanted))
            }
            Self::Refused => {
                matches!(answer, Answer::Value(seen) if errno::of(*seen).is_some())
            }
            Self::Answered => {
                matches!(answer, Answer::Value(seen) if errno::of(*seen).is_none())
            }
            Self::Unchanged => works(answer) && first.is_some_and(|first| first == answer),
            // It is replaced by a value once the functions seen outside are known.
            Self::Listed => false,
            Self::Fault => match (op.address(), answer) {
                (Some(at), Answer::Fault(fault)) => {
                    let unanswered =
                        matches!(fault.class(), FaultClass::Unmapped | FaultClass::External);
                    unanswered && fault.address() == Some(at)
                }
                _ => false,
            },
            Self::AlignmentFault => {
                matches!(answer, Answer::Fault(fault) if fault.class() == FaultClass::Alignment)
            }
            Self::AnyFault => matches!(answer, Answer::Fault(_)),
            Self::Timeout => matches!(answer, Answer::Timeout(_)),
            Self::Irqs(count) => {
                matches!(answer, Answer::Irqs { count: seen, .. } if u64::from(*seen) == *count)
            }
            Self::Sweep { ok, faults } => matches!(answer, Answer::Sweep(seen)
                if u64::from(seen.ok) == *ok && u64::from(seen.faults) == *faults && seen.elsewhere == 0),
            Self::Arch(expect) => expect.met_by(answer),
        }
    }
}

const KNOWN: &[&str] = &[
    "ok",
    "any",
    "unchanged",
    "listed",
    "nothing",
    "alignment-fault",
    "any-fault",
    "timeout",
    "irqs",
    "not",
    "refused",
    "reached",
    "known",
    "unknown",
];

/// What Xen answers for a function that it knows and that has no NUMA node, and for one that it does not know (Xen,
/// public/sysctl.h: `XEN_INVALID_NODE_ID`, `XEN_INVALID_DEV`).
const KNOWN_FUNCTION: u64 = 0xffff_ffff;
const UNKNOWN_FUNCTION: u64 = 0xffff_fffe;

/// Tells whether a word is a misspelled expectation rather than an expression.
fn near_a_word(word: &str) -> bool {
    let plain = word.chars().all(|c| c.is_ascii_alphabetic() || c == '-');
    let known = KNOWN.iter().chain(arch::EXPECTATIONS).copied();
    plain && text::nearest(word, known.chain(errno::names())).is_some()
}

/// Tells whether an operation succeeded.
pub fn works(answer: &Answer) -> bool {
    match answer {
        Answer::Ok
        | Answer::Value(_)
        | Answer::Tree(_)
        | Answer::Irqs { .. }
        | Answer::Arch(_)
        | Answer::Mark(_) => true,
        Answer::Sweep(sweep) => sweep.faults == 0,
        Answer::Same(same) => same.mismatches == 0 && same.faults == 0,
        Answer::Fault(_) | Answer::Timeout(_) | Answer::BadRam(_) | Answer::Cannot(_) => false,
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Works => f.write_str("goes through"),
            Self::Any => f.write_str("any answer"),
            Self::Value {
                value,
                mask: u64::MAX,
            } => write!(f, "{value:#x}"),
            Self::Value { value, mask } => write!(f, "{value:#x} under mask {mask:#x}"),
            Self::Not(value) => write!(f, "anything but {value:#x}"),
            Self::Range { from, to } => write!(f, "{from:#x} to {to:#x}"),
            Self::Errno(number) => f.write_str(&errno::shown(*number)),
            Self::Refused => f.write_str("an error"),
            Self::Answered => f.write_str("a result that is no error"),
            Self::Unchanged => f.write_str("the same value as before"),
            Self::Listed => f.write_str("the functions that QEMU lists"),
            Self::Fault => f.write_str("abort at the address of the access"),
            Self::AlignmentFault => f.write_str("alignment abort"),
            Self::AnyFault => f.write_str("exception"),
            Self::Timeout => f.write_str("nothing until the time is out"),
            Self::Irqs(count) => write!(f, "exactly {count} interrupts"),
            Self::Sweep { ok, faults } => write!(
                f,
                "{ok} accesses go through, {faults} abort at their own addresses"
            ),
            Self::Arch(expect) => expect.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{check_expectation as check, outside};

    fn parse(text: &str) -> Result<Expect, String> {
        Expect::parse(text, &outside(), Width::W32)
    }

    /// A value may be an expression; `ones` is all bits of the access. A sweep is told by how many of its accesses reach
    /// something.
    #[test]
    fn values_are_expressions() {
        let value = |value| {
            Ok(Expect::Value {
                value,
                mask: u64::MAX,
            })
        };
        assert_eq!(parse("gpio.identity"), value(0x61));
        assert_eq!(parse("ones"), value(0xffff_ffff));
        assert_eq!(parse("unknown"), value(0xffff_fffe));
        let (from, to) = (0x4000_0000, 0x4000_1000);
        assert_eq!(parse("ram..ram+4K"), Ok(Expect::Range { from, to }));
        let swept = Expect::Sweep { ok: 1, faults: 2 };
        assert_eq!(parse("reached 1 of 3"), Ok(swept));
    }

    /// Values are compared under their mask; an operation without an expectation must succeed.
    #[test]
    fn values_are_compared() {
        check("0x61 & 0xff", "r32 0x1000", Answer::Value(0x1061), true);
        check("0x61", "r32 0x1000", Answer::Value(0x1061), false);
        check("not 0", "r32 0x1000", Answer::Value(0), false);
        check("ok", "r32 0x1000", Answer::Timeout(0), false);
        check(
            "irqs 1",
            "irq count 34",
            Answer::Irqs {
                irq: wire::Irq(34),
                count: 2,
            },
            false,
        );
    }

    /// A hypercall fails with the wanted error, with any error, or not at all.
    #[test]
    fn errors_of_hypercalls_are_told_apart() {
        let busy = Answer::Value(16_u64.wrapping_neg());
        check("EBUSY", "hv destroy 2", busy, true);
        check("EPERM", "hv destroy 2", busy, false);
        check("refused", "hv destroy 2", busy, true);
        check("refused", "hv destroy 2", Answer::Value(0), false);
        check("4..6", "hv list", Answer::Value(6), true);
        check("4..6", "hv list", Answer::Value(7), false);
        assert!(Expect::Answered.met_by(&"hv list".parse().unwrap(), &Answer::Value(6), None));
        assert!(!Expect::Answered.met_by(&"hv list".parse().unwrap(), &busy, None));
        assert!(
            parse("EBUSSY")
                .unwrap_err()
                .contains("did you mean `EBUSY`")
        );
    }

    /// An unknown expectation is refused, with the nearest known one.
    #[test]
    fn unknown_expectations_are_refused() {
        assert!(
            parse("nothin")
                .unwrap_err()
                .contains("did you mean `nothing`")
        );
        assert!(
            parse("reached 3 of 2")
                .unwrap_err()
                .contains("3 is more than 2")
        );
        assert!(parse("reached 1 off 2").is_err());
        assert!(parse("0x61 0x2").is_err());
        assert!(
            parse("gpio.AFSL")
                .unwrap_err()
                .contains("did you mean `AFSEL`?")
        );
    }
}
