//! Operations on interrupts.

use wire::{Op, Width};

use super::{Made, TRIGGERS, device, memory};
use crate::case::expect::Expect;
use crate::language::operand::{Operands, PATIENCE};

pub const VERBS: &[&str] = &["enable", "disable", "on", "leave-active", "expect", "count"];

/// The priority of an interrupt if its case sets none.
const PRIORITY: u8 = 0xa0;

pub fn single(verb: &str, words: &mut Operands<'_, '_>) -> Result<Option<Op>, String> {
    Ok(Some(match verb {
        "enable" => Op::IrqOn {
            irq: words.irq()?,
            trigger: match words.is_empty() {
                true => wire::Trigger::Level,
                false => words.one_of("trigger", &TRIGGERS)?,
            },
            priority: match words.is_empty() {
                true => PRIORITY,
                false => words.number8("a priority")?,
            },
        },
        "disable" => Op::IrqOff { irq: words.irq()? },
        "leave-active" => Op::IrqNoEoi { irq: words.irq()? },
        _ => return Ok(None),
    }))
}

/// Reads what has an expectation of its own, or stands for several operations.
pub fn several(verb: &str, words: &mut Operands<'_, '_>) -> Result<Option<Made>, String> {
    Ok(Some(match verb {
        // `on IRQ: ACTION`: writes that the handler makes.
        "on" => {
            let irq = words.word("an interrupt")?;
            let irq = irq
                .strip_suffix(':')
                .ok_or_else(|| format!("`on {irq}`: it reads `on INTERRUPT: ACTION`"))?;
            let irq = wire::Irq(words.scope.number32(irq)?);
            let action = words.rest();
            let mut action = Operands::of(&action, words.scope);
            let verb = action.word("an action")?;
            let writes: Vec<(Width, u64, u64)> = match memory(verb, &mut action)? {
                Some(op) => vec![write(op)?],
                None => {
                    let made = device::several(verb, &mut action)?;
                    let made = made.ok_or_else(|| super::unknown(verb, &mut action))?;
                    let writes = made.into_iter().map(|(op, _)| write(op));
                    writes.collect::<Result<_, String>>()?
                }
            };
            action.end()?;
            let acts = writes.into_iter().map(|(width, at, value)| Op::IrqAct {
                irq,
                width,
                at,
                value,
            });
            acts.map(|op| (op, None)).collect()
        }
        "expect" => {
            let irq = words.irq()?;
            let count = times(words)?;
            let ms = within(words)?;
            let op = Op::IrqWait { irq, count, ms };
            vec![(op, Some(Expect::Irqs(u64::from(count))))]
        }
        "count" => {
            let irq = words.irq()?;
            let own = match words.is_empty() {
                true => None,
                false => Some(Expect::Irqs(u64::from(times(words)?))),
            };
            vec![(Op::IrqCount { irq }, own)]
        }
        _ => return Ok(None),
    }))
}

fn write(op: Op) -> Result<(Width, u64, u64), String> {
    match op {
        Op::Write { width, at, value } => Ok((width, at, value)),
        op => Err(format!("`{op}`: a handler only writes")),
    }
}

/// Reads `never`, `once`, `twice` or `N times`.
fn times(words: &mut Operands<'_, '_>) -> Result<u32, String> {
    let word = words.word("how often: `once`, `twice`, `N times`")?;
    Ok(match word {
        "never" => 0,
        "once" => 1,
        "twice" => 2,
        _ => {
            let count = words.scope.number32(word)?;
            match words.word("`times`")? {
                "times" => count,
                other => return Err(format!("`{other}`: it reads `{word} times`")),
            }
        }
    })
}

/// Reads `within MS`.
fn within(words: &mut Operands<'_, '_>) -> Result<u32, String> {
    if words.peek() != Some("within") {
        return Ok(PATIENCE);
    }
    words.word("`within`")?;
    words.number32("a time in ms")
}
