//! Scripts: what the lines of a case have a probe do, as typed operations with their expectations.

use wire::{Attr, Name, Op, Trigger, Width};

use crate::arch;
use crate::case::expect::Expect;
use crate::language::Scope;
use crate::language::operand::{Operands, PATIENCE, access};
use crate::scenario::domain_table::DomainTable;
use crate::scenario::{Domain, From, Line};

mod device;
mod domain;
mod hypervisor;
mod interrupt;
mod pci;
#[cfg(test)]
mod tests;

pub use device::{Access, Argument, steps};

/// The domain that a script is written for.
pub struct Writer<'a> {
    /// Its name in the case.
    pub name: &'a str,
    /// What names mean in it.
    pub scope: Scope<'a>,
    /// All domains of the case.
    pub table: &'a DomainTable,
    /// The domains that it creates.
    pub children: &'a [Domain],
}

/// Tells whether a word begins a request to the hypervisor.
pub fn is_request(verb: &str) -> bool {
    hypervisor::VERBS.contains(&verb)
}

/// Tells whether an operation can begin with a word.
#[cfg(test)]
pub fn is_operation(verb: &str) -> bool {
    verbs().any(|known| known == verb)
}

/// What one text stands for: operations with their own expectations, if they have any.
type Made = Vec<(Op, Option<Expect>)>;

impl Writer<'_> {
    /// Returns the lines that `text` stands for.
    pub fn lines(&self, text: &str) -> Result<Vec<Line>, String> {
        let (body, expect) = match text.split_once("=>") {
            Some((body, expect)) => (body.trim(), Some(expect.trim())),
            None => (text.trim(), None),
        };
        let mut words = Operands::of(body, self.scope);
        let verb = words.word("an operation")?;
        let made = self.several(verb, &mut words)?;
        let several = made.is_some();
        let made = match made {
            Some(made) => made,
            None => vec![(self.single(verb, &mut words)?, None)],
        };
        words.end()?;
        let own = made.iter().any(|(_, own)| own.is_some());
        // An interrupt may also be awaited in vain, or however often it comes.
        let replaced = matches!((verb, expect), ("expect", Some("any" | "timeout" | "ok")));
        if own && expect.is_some() && !replaced {
            return Err(format!("`{body}` states its expectation itself"));
        }
        if several && expect.is_some() && made.len() > 1 && verb != "give" {
            return Err(format!(
                "`{body}` stands for several operations, which must work"
            ));
        }
        if made.is_empty() && expect.is_some() {
            return Err(format!("`{body}` does nothing that could be observed"));
        }
        let mut said = Some(body.to_owned());
        let lines = made.into_iter().map(|(op, own)| {
            let expect = match (expect, own) {
                (Some(text), _) => Expect::parse(text, &self.scope, width(&op))?,
                (None, Some(own)) => own,
                (None, None) => Expect::Works,
            };
            let line = line(op, expect)?;
            Ok(Line {
                said: said.take(),
                ..line
            })
        });
        lines.collect()
    }

    /// Reads a text that stands for several operations, or for one with an expectation of its own.
    fn several(&self, verb: &str, words: &mut Operands<'_, '_>) -> Result<Option<Made>, String> {
        if let Some(made) = self.of_domains(verb, words)? {
            return Ok(Some(made));
        }
        if let Some(made) = self.of_functions(verb, words)? {
            return Ok(Some(made));
        }
        if let Some(made) = interrupt::several(verb, words)? {
            return Ok(Some(made));
        }
        device::several(verb, words)
    }

    /// Reads a text that stands for one operation.
    fn single(&self, verb: &str, words: &mut Operands<'_, '_>) -> Result<Op, String> {
        if let Some(op) = memory(verb, words)? {
            return Ok(op);
        }
        if let Some(op) = interrupt::single(verb, words)? {
            return Ok(op);
        }
        if let Some(op) = self.of_hypervisor(verb, words)? {
            return Ok(op);
        }
        if let Some(op) = arch::operation(verb, words)? {
            return Ok(Op::Arch(op));
        }
        Ok(match verb {
            "ram" => Op::Ram {
                at: words.address()?,
                len: words.number("a length")?,
            },
            "exec" => Op::Exec {
                at: words.address()?,
            },
            "tree" => Op::Tree,
            "timer" => Op::Timer {
                ms: words.number32("a time in ms")?,
            },
            "yield" => Op::Yield {
                count: words.number32("a count")?,
            },
            "attr" => {
                let known = [("device", Attr::Device), ("normal", Attr::Normal)];
                Op::Attr(words.one_of("memory type", &known)?)
            }
            "mark" => Op::Mark(mark(words.word("a name")?)?),
            "idle" => Op::Idle,
            "off" => Op::Off,
            "reset" => Op::Reset,
            "crash" => Op::Crash,
            "spin" => Op::Spin,
            "storm" => Op::Storm {
                at: words.address()?,
                count: words.number32("a count")?,
            },
            "loop" => Op::Loop {
                passes: words.number32("a number of passes")?,
                ops: words.number8("a number of operations")?,
            },
            _ => return Err(unknown(verb, words)),
        })
    }
}

/// The trigger of an interrupt, by the words of cases.
const TRIGGERS: [(&str, Trigger); 2] = [("level", Trigger::Level), ("edge", Trigger::Edge)];

fn mark(name: &str) -> Result<Name, String> {
    let made = Name::new(name);
    made.ok_or_else(|| format!("`{name}` is no name of a mark: up to 24 letters, digits, `_`, `-`"))
}

/// Makes a line. The text form of an operation is what the probe reads, so what the probe would refuse is no line.
pub fn line(op: Op, expect: Expect) -> Result<Line, String> {
    let text = op.to_string();
    if let Err(error) = text.parse::<Op>() {
        return Err(error.explain(&text).to_string());
    }
    let expect = match (&op, expect) {
        // On success the operation answers with a number, and any number that is no error is right.
        (Op::Hv(asked), Expect::Works) if hypervisor::counts(asked) => Expect::Answered,
        (Op::Hv(_) | Op::Hypercall { .. } | Op::Loop { .. }, Expect::Works) => ZERO,
        // A sweep of which nothing is reached.
        (Op::Sweep { count, .. }, Expect::Fault) => Expect::Sweep {
            ok: 0,
            faults: u64::from(*count),
        },
        (_, expect) => expect,
    };
    Ok(Line {
        op,
        expect,
        from: From::Case,
        said: None,
    })
}

/// The answer of a hypercall that succeeded, and of a loop whose passes were all equal.
const ZERO: Expect = Expect::Value {
    value: 0,
    mask: u64::MAX,
};

/// Returns the size of the values that an operation answers with.
const fn width(op: &Op) -> Width {
    match op {
        Op::Read { width, .. }
        | Op::Sweep { width, .. }
        | Op::Same { width, .. }
        | Op::Wait { width, .. }
        | Op::ScratchRead { width, .. } => *width,
        _ => Width::W64,
    }
}

/// Reads an access to memory.
fn memory(verb: &str, words: &mut Operands<'_, '_>) -> Result<Option<Op>, String> {
    if let Some((_, width)) = access(verb, "read") {
        let at = words.address()?;
        return Ok(Some(Op::Read { width, at }));
    }
    if let Some((_, width)) = access(verb, "write") {
        return Ok(Some(Op::Write {
            width,
            at: words.address()?,
            value: words.value("a value", width)?,
        }));
    }
    if let Some((_, width)) = access(verb, "wait") {
        return Ok(Some(Op::Wait {
            width,
            at: words.address()?,
            mask: words.value("a mask", width)?,
            value: words.value("a value", width)?,
            ms: words.number32_or("a time in ms", PATIENCE)?,
        }));
    }
    Ok(match verb {
        "sweep" => Some(sweep(words)?),
        "same" => {
            let word = words.word("an access")?;
            let (_, width) = access(word, "read")
                .ok_or_else(|| format!("`{word}`: `same` reads, such as `read32`"))?;
            Some(Op::Same {
                width,
                at: words.address()?,
                count: words.number32("a count")?,
                stride: words.number("a stride")?,
                value: words.value("a value", width)?,
                inc: words.value("an increment", width)?,
            })
        }
        _ => None,
    })
}

fn sweep(words: &mut Operands<'_, '_>) -> Result<Op, String> {
    let word = words.word("an access")?;
    let read = access(word, "read");
    let (_, width) = read
        .or_else(|| access(word, "write"))
        .ok_or_else(|| format!("`{word}`: a sweep reads or writes, such as `read32`"))?;
    Ok(Op::Sweep {
        width,
        at: words.address()?,
        count: words.number32("a count")?,
        stride: words.number("a stride")?,
        value: match read {
            Some(_) => None,
            None => Some(words.value("a value", width)?),
        },
    })
}

/// The operations that are one word, or begin with one.
const VERBS: &[&str] = &[
    "read8", "read16", "read32", "read64", "write8", "write16", "write32", "write64", "wait8",
    "wait16", "wait32", "wait64", "sweep", "same", "ram", "exec", "tree", "timer", "yield", "attr",
    "mark", "idle", "off", "reset", "crash", "spin", "storm", "loop",
];

/// Lists all words with which an operation can begin, apart from the procedures of devices.
pub fn verbs() -> impl Iterator<Item = &'static str> {
    let all = [
        VERBS,
        interrupt::VERBS,
        domain::VERBS,
        hypervisor::VERBS,
        pci::VERBS,
        device::VERBS,
        arch::OPERATIONS,
    ];
    all.into_iter().flatten().copied()
}

/// Says that no operation has this name; the words after it tell which device's procedures may be meant.
fn unknown(verb: &str, words: &mut Operands<'_, '_>) -> String {
    let device = words.peek().and_then(|name| words.scope.known_model(name));
    let own = device.iter().flat_map(|device| device.procedures.keys());
    match text::nearest(verb, verbs().chain(own.map(String::as_str))) {
        Some(near) => format!("`{verb}` is no operation; did you mean `{near}`?"),
        None => format!("`{verb}` is no operation"),
    }
}
