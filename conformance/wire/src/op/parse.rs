//! Parses ops from text, without allocation.

mod control;

use core::str::FromStr;

use super::error::{OP, OpError, OpErrorKind};
use super::words::Words;
use super::{Attr, Op, Trigger, Width};
use crate::arch;
use crate::irq::Irq;
use crate::name::Name;

/// The ops that every probe has.
const NEUTRAL: [&str; 34] = [
    "r8", "r16", "r32", "r64", "w8", "w16", "w32", "w64", "sweep", "same", "wait8", "wait16",
    "wait32", "wait64", "ram", "exec", "tree", "irq", "timer", "yield", "attr", "mark", "idle",
    "off", "reset", "crash", "spin", "storm", "hc", "hcmem", "hcaim", "hcr", "hv", "loop",
];
/// All ops; those of one architecture come last.
const OPS: &[&str] = &{
    let mut all = [""; NEUTRAL.len() + arch::OPS.len()];
    let (neutral, others) = all.split_at_mut(NEUTRAL.len());
    neutral.copy_from_slice(&NEUTRAL);
    others.copy_from_slice(arch::OPS);
    all
};
const READS: &[&str] = &["r8", "r16", "r32", "r64"];
const WRITES: &[&str] = &["w8", "w16", "w32", "w64"];
const ACCESSES: &[&str] = &["r8", "r16", "r32", "r64", "w8", "w16", "w32", "w64"];
const IRQS: &[&str] = &[
    "on", "off", "act", "noeoi", "wait", "count", "pend", "unpend", "state",
];

/// The priority of an interrupt if its `irq on` has none.
const PRIORITY: u64 = 0xa0;

/// Reads one op, such as `r32 0x0903_0fe0`. Positions in errors count from the start of `text`.
pub fn parse_op(text: &str) -> Result<Op, OpError> {
    let mut words = Words::of(text);
    let op = op(&mut words)?;
    match words.next() {
        None => Ok(op),
        Some((at, _)) => Err(error(at, OpErrorKind::Extra)),
    }
}

fn error(at: usize, kind: OpErrorKind) -> OpError {
    OpError { at, kind }
}

impl FromStr for Op {
    type Err = OpError;

    fn from_str(text: &str) -> Result<Self, OpError> {
        parse_op(text)
    }
}

fn op(words: &mut Words<'_>) -> Result<Op, OpError> {
    let (at, word) = words.word(OP)?;
    if let Some(width) = Width::after("r", word) {
        return Ok(Op::Read {
            width,
            at: words.address()?,
        });
    }
    if let Some(width) = Width::after("w", word) {
        return Ok(Op::Write {
            width,
            at: words.address()?,
            value: words.value(width)?,
        });
    }
    if let Some(width) = Width::after("wait", word) {
        return Ok(Op::Wait {
            width,
            at: words.address()?,
            mask: words.number("the mask", 0, width.max())?,
            value: words.value(width)?,
            ms: words.ms()?,
        });
    }
    Ok(match word {
        "sweep" => sweep(words)?,
        "same" => {
            let width = words.access("r", READS)?;
            Op::Same {
                width,
                at: words.address()?,
                count: words.count()?,
                stride: words.number("the stride", 0, u64::MAX)?,
                value: words.value(width)?,
                inc: words.number("the increment", 0, width.max())?,
            }
        }
        "ram" => Op::Ram {
            at: words.multiple("the address", 0, 8)?,
            len: words.multiple("the length", 8, 8)?,
        },
        "exec" => Op::Exec {
            at: words.multiple("the address", 0, 4)?,
        },
        "tree" => Op::Tree,
        "irq" => irq(words)?,
        "timer" => Op::Timer { ms: words.ms()? },
        "yield" => Op::Yield {
            count: words.count()?,
        },
        "attr" => {
            Op::Attr(
                words.one_of("memory type", &["device", "normal"], |word| match word {
                    "device" => Some(Attr::Device),
                    "normal" => Some(Attr::Normal),
                    _ => None,
                })?,
            )
        }
        "mark" => {
            let (at, word) = words.word("a name")?;
            Op::Mark(Name::new(word).ok_or(OpError {
                at,
                kind: OpErrorKind::Name,
            })?)
        }
        "idle" => Op::Idle,
        "off" => Op::Off,
        "reset" => Op::Reset,
        "crash" => Op::Crash,
        "spin" => Op::Spin,
        "storm" => Op::Storm {
            at: words.address()?,
            count: words.count()?,
        },
        _ => {
            let unknown = OpErrorKind::Word {
                what: OP,
                known: OPS,
            };
            return control::op(words, word)
                .or_else(|| Some(arch::Op::parse(words, word)?.map(Op::Arch)))
                .unwrap_or(Err(error(at, unknown)));
        }
    })
}

fn sweep(words: &mut Words<'_>) -> Result<Op, OpError> {
    let (at, word) = words.word("an access")?;
    let read = Width::after("r", word);
    let Some(width) = read.or(Width::after("w", word)) else {
        return Err(OpError {
            at,
            kind: OpErrorKind::Word {
                what: "access",
                known: ACCESSES,
            },
        });
    };
    Ok(Op::Sweep {
        width,
        at: words.address()?,
        count: words.count()?,
        stride: words.number("the stride", 0, u64::MAX)?,
        value: if read.is_some() {
            None
        } else {
            Some(words.value(width)?)
        },
    })
}

fn irq(words: &mut Words<'_>) -> Result<Op, OpError> {
    let (at, verb) = words.word("an interrupt op")?;
    if !IRQS.contains(&verb) {
        return Err(OpError {
            at,
            kind: OpErrorKind::Word {
                what: "interrupt op",
                known: IRQS,
            },
        });
    }
    let irq = Irq(words.small("the interrupt", 0, arch::LAST_IRQ.0)?);
    if let Some(op) = arch::Op::of_irq(verb, irq) {
        return Ok(Op::Arch(op));
    }
    Ok(match verb {
        "on" => Op::IrqOn {
            irq,
            trigger: words.one_of("trigger", &["level", "edge"], |word| match word {
                "level" => Some(Trigger::Level),
                "edge" => Some(Trigger::Edge),
                _ => None,
            })?,
            priority: {
                let priority = match words.clone().next() {
                    Some(_) => words.number("the priority", 0, 0xff)?,
                    None => PRIORITY,
                };
                u8::try_from(priority).unwrap_or(u8::MAX)
            },
        },
        "off" => Op::IrqOff { irq },
        "act" => {
            let width = words.access("w", WRITES)?;
            Op::IrqAct {
                irq,
                width,
                at: words.address()?,
                value: words.value(width)?,
            }
        }
        "noeoi" => Op::IrqNoEoi { irq },
        "wait" => Op::IrqWait {
            irq,
            count: words.count()?,
            ms: words.ms()?,
        },
        _ => Op::IrqCount { irq },
    })
}
