//! Text to op, without allocation.

mod control;

use core::str::FromStr;

use super::{Attr, MAX_INTID, MAX_MS, Op, OpError, OpErrorKind, Sysreg, Trigger, Width};
use crate::name::Name;
use crate::number;

pub(super) const OP: &str = "op";

const OPS: &[&str] = &[
    "r8", "r16", "r32", "r64", "w8", "w16", "w32", "w64", "sweep", "same", "wait8", "wait16",
    "wait32", "wait64", "ram", "exec", "tree", "irq", "sgi", "timer", "yield", "attr", "hvc",
    "smc", "mrs", "mark", "idle", "off", "reset", "crash", "spin", "cpuon", "storm", "hc", "hcmem",
    "hcaim", "hcr", "hv", "loop",
];
const READS: &[&str] = &["r8", "r16", "r32", "r64"];
const WRITES: &[&str] = &["w8", "w16", "w32", "w64"];
const ACCESSES: &[&str] = &["r8", "r16", "r32", "r64", "w8", "w16", "w32", "w64"];
const IRQS: &[&str] = &[
    "on", "off", "act", "noeoi", "wait", "count", "pend", "unpend", "state",
];

/// Priority of an interrupt whose `irq on` names none.
const PRIORITY: u64 = 0xa0;

/// Reads one op, such as `r32 0x0903_0fe0`. Positions in errors count from the start of `text`.
pub fn parse_op(text: &str) -> Result<Op, OpError> {
    let mut words = Words { text, at: 0 };
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
        "sgi" => Op::Sgi {
            intid: words.small("the interrupt", 0, 15)?,
        },
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
        "hvc" => Op::Hvc(words.registers()?),
        "smc" => Op::Smc(words.registers()?),
        "mrs" => Op::Mrs(words.one_of("system register", Sysreg::NAMES, Sysreg::from_name)?),
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
        "cpuon" => Op::CpuOn {
            mpidr: words.number("the MPIDR", 0, u64::MAX)?,
        },
        "storm" => Op::Storm {
            at: words.address()?,
            count: words.count()?,
        },
        _ => {
            return control::op(words, word).unwrap_or(Err(error(
                at,
                OpErrorKind::Word {
                    what: OP,
                    known: OPS,
                },
            )));
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
    let intid = words.small("the interrupt", 0, MAX_INTID)?;
    Ok(match verb {
        "on" => Op::IrqOn {
            intid,
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
        "off" => Op::IrqOff { intid },
        "act" => {
            let width = words.access("w", WRITES)?;
            Op::IrqAct {
                intid,
                width,
                at: words.address()?,
                value: words.value(width)?,
            }
        }
        "noeoi" => Op::IrqNoEoi { intid },
        "wait" => Op::IrqWait {
            intid,
            count: words.count()?,
            ms: words.ms()?,
        },
        "count" => Op::IrqCount { intid },
        "pend" => Op::IrqPend { intid },
        "unpend" => Op::IrqUnpend { intid },
        _ => Op::IrqState { intid },
    })
}

/// The words of an op with their places.
#[derive(Clone)]
struct Words<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Words<'a> {
    type Item = (usize, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.text.get(self.at..)?;
        let start = self.at + (rest.len() - rest.trim_ascii_start().len());
        let rest = self.text.get(start..)?;
        let len = rest
            .find(|c: char| c.is_ascii_whitespace())
            .unwrap_or(rest.len());
        self.at = start + len;
        rest.get(..len)
            .filter(|word| !word.is_empty())
            .map(|word| (start, word))
    }
}

impl<'a> Words<'a> {
    fn word(&mut self, what: &'static str) -> Result<(usize, &'a str), OpError> {
        self.next().ok_or(OpError {
            at: self.text.len(),
            kind: OpErrorKind::Missing { what },
        })
    }

    fn placed(&mut self, what: &'static str, min: u64, max: u64) -> Result<(usize, u64), OpError> {
        let (at, word) = self.word(what)?;
        let value = number::script(word).ok_or(OpError {
            at,
            kind: OpErrorKind::Number { what },
        })?;
        if (min..=max).contains(&value) {
            Ok((at, value))
        } else {
            Err(OpError {
                at,
                kind: OpErrorKind::Range { what, min, max },
            })
        }
    }

    fn number(&mut self, what: &'static str, min: u64, max: u64) -> Result<u64, OpError> {
        self.placed(what, min, max).map(|(_, value)| value)
    }

    fn multiple(&mut self, what: &'static str, min: u64, of: u64) -> Result<u64, OpError> {
        let (at, value) = self.placed(what, min, u64::MAX)?;
        if value.is_multiple_of(of) {
            Ok(value)
        } else {
            Err(OpError {
                at,
                kind: OpErrorKind::Multiple { what, of },
            })
        }
    }

    fn small(&mut self, what: &'static str, min: u32, max: u32) -> Result<u32, OpError> {
        let value = self.number(what, u64::from(min), u64::from(max))?;
        Ok(u32::try_from(value).unwrap_or(max))
    }

    fn address(&mut self) -> Result<u64, OpError> {
        self.number("the address", 0, u64::MAX)
    }

    fn value(&mut self, width: Width) -> Result<u64, OpError> {
        self.number("the value", 0, width.max())
    }

    fn count(&mut self) -> Result<u32, OpError> {
        self.small("the count", 1, u32::MAX)
    }

    fn ms(&mut self) -> Result<u32, OpError> {
        self.small("the time in ms", 1, MAX_MS)
    }

    fn registers(&mut self) -> Result<[u64; 4], OpError> {
        let mut values = [0; 4];
        for (value, what) in values.iter_mut().zip(["x0", "x1", "x2", "x3"]) {
            *value = self.number(what, 0, u64::MAX)?;
        }
        Ok(values)
    }

    fn access(&mut self, prefix: &str, known: &'static [&'static str]) -> Result<Width, OpError> {
        self.one_of("access", known, |word| Width::after(prefix, word))
    }

    fn one_of<T>(
        &mut self,
        what: &'static str,
        known: &'static [&'static str],
        find: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, OpError> {
        let (at, word) = self.word(what)?;
        find(word).ok_or(OpError {
            at,
            kind: OpErrorKind::Word { what, known },
        })
    }
}
