//! Parses the texts of a case, with one function for each kind.

use wire::{Hv, Op};

use crate::arch;
use crate::case::expect::Expect;
use crate::case::value::{cut, number, number32};
use crate::scenario::{Action, ActionKind, Domain, From, Line, Range, TriggerPoint};

/// Parses how much a case asks of a subject.
pub fn level(text: &str) -> Result<model::Level, String> {
    let known = model::Level::ALL.into_iter();
    known
        .clone()
        .find(|level| level.name() == text)
        .ok_or_else(|| {
            let names = known.map(model::Level::name).collect::<Vec<_>>();
            format!("`{text}` is no level; there are {}", names.join(", "))
        })
}

/// Parses `<operation> => <expectation>`.
pub fn line(text: &str) -> Result<Line, String> {
    let (op, expect) = halves(text)?;
    let op = op.parse::<Op>().map_err(|error| error.explain(op))?;
    let expect = match (&op, expect) {
        // On success the operation answers with a number, and any number that is no error is right.
        (Op::Hv(asked), Expect::Works) if counts(asked) => Expect::Answered,
        (Op::Hv(_) | Op::Hypercall { .. } | Op::Loop { .. }, Expect::Works) => ZERO,
        (_, expect) => expect,
    };
    Ok(Line {
        op,
        expect,
        from: From::Case,
    })
}

/// The answer of a hypercall that succeeded, and of a loop whose passes were all equal.
const ZERO: Expect = Expect::Value {
    value: 0,
    mask: u64::MAX,
};

/// Tells whether a query answers with a number.
const fn counts(asked: &Hv) -> bool {
    matches!(
        asked,
        Hv::Version
            | Hv::Free
            | Hv::List
            | Hv::Info { .. }
            | Hv::Pages { .. }
            | Hv::Wait { .. }
            | Hv::PciGroup { .. }
            | Hv::PciKnown { .. }
            | Hv::PciList { .. }
            | Hv::Create { dom: 0, .. }
    )
}

fn halves(text: &str) -> Result<(&str, Expect), String> {
    match text.split_once("=>") {
        None => Ok((text.trim(), Expect::Works)),
        Some((before, after)) => Ok((before.trim(), Expect::parse(after)?)),
    }
}

/// Number of ranges that one row may stand for.
const ROW: u64 = 0x1_0000;

/// Parses `<host> <size> <guest>`, or a row of ranges: `<host> <size> <guest> x <count> <host step> <guest step>`. A
/// guest step may be negative, so that the row runs backwards.
pub fn ranges(text: &str) -> Result<Vec<Range>, String> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let (one, row) = text
        .split_once(" x ")
        .map_or((text, None), |(one, row)| (one, Some(row)));
    let numbers: Vec<u64> = one
        .split_whitespace()
        .map(number)
        .collect::<Result<_, _>>()?;
    let &[host, size, guest] = numbers.as_slice() else {
        return Err(format!(
            "`{text}`: {} numbers instead of three: host, size, guest",
            numbers.len()
        ));
    };
    let Some(row) = row else {
        return Ok(vec![Range { host, size, guest }]);
    };
    let words: Vec<&str> = row.split_whitespace().collect();
    let &[count, host_step, guest_step] = words.as_slice() else {
        return Err(format!(
            "`{row}`: a row reads `x COUNT HOST-STEP GUEST-STEP`"
        ));
    };
    let (count, host_step) = (number(count)?, number(host_step)?);
    let back = guest_step.strip_prefix('-');
    let guest_step = number(back.unwrap_or(guest_step))?;
    let along = |base: u64, step: u64, place: u64| base.wrapping_add(step.wrapping_mul(place));
    let guest_step = if back.is_some() {
        guest_step.wrapping_neg()
    } else {
        guest_step
    };
    let one = |place| Range {
        host: along(host, host_step, place),
        size,
        guest: along(guest, guest_step, place),
    };
    if count > ROW {
        return Err(format!(
            "`{row}`: a row of {count} ranges; {ROW} are the most"
        ));
    }
    Ok((0..count).map(one).collect())
}

/// Parses `<address cells> <size cells>`, or `none`.
pub fn cells(text: &str) -> Result<Option<(u32, u32)>, String> {
    if text == "none" {
        return Ok(None);
    }
    let (address, size) = cut(text);
    Ok(Some((number32(address)?, number32(size)?)))
}

/// Parses `true` or `false`.
pub fn truth(text: &str) -> Result<bool, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is neither `true` nor `false`"))
}

/// Parses the trigger of a step outside.
pub fn trigger(text: &str, domains: &[Domain]) -> Result<TriggerPoint, String> {
    match cut(text) {
        ("start", "") => Ok(TriggerPoint::Start),
        ("end", "") => Ok(TriggerPoint::End),
        (name, mark) => {
            let names = || domains.iter().map(|domain| domain.name.as_str());
            let Some(domain) = domains.iter().find(|domain| domain.name == name) else {
                let near = text::nearest(name, names().chain(["start", "end"]));
                return Err(format!(
                    "`{name}` is no domain; did you mean `{}`?",
                    near.unwrap_or("start")
                ));
            };
            let said = |line: &&Line| matches!(&line.op, Op::Mark(name) if name.as_str() == mark);
            match domain.lines.iter().find(said) {
                Some(_) => Ok(TriggerPoint::Mark(domain.number, mark.to_owned())),
                None => Err(format!("the script of `{name}` has no `mark {mark}`")),
            }
        }
    }
}

/// Parses one action outside the guests.
pub fn act(text: &str) -> Result<Action, String> {
    let (act, mut expect) = halves(text)?;
    let words: Vec<&str> = act.split_whitespace().collect();
    let what = match words.as_slice() {
        [verb, at] if verb.starts_with("read") => {
            ActionKind::Read(number(at)?, width(verb, "read")?)
        }
        [verb, at, value] if verb.starts_with("write") => {
            let (bytes, value) = (width(verb, "write")?, number(value)?);
            if bytes < 8 && value >> (8 * bytes) != 0 {
                return Err(format!("`{act}`: {value:#x} does not fit {bytes} bytes"));
            }
            ActionKind::Write(number(at)?, bytes, value)
        }
        [verb, at, mask, value] if verb.starts_with("wait") => ActionKind::Wait(
            number(at)?,
            width(verb, "wait")?,
            number(mask)?,
            number(value)?,
        ),
        [word, line, level @ ("high" | "low")] if *word == arch::LINE => {
            ActionKind::Line(number32(line)?, *level == "high")
        }
        ["qmp", name, arguments @ ..] => {
            let pair = |text: &&str| {
                let (name, value) = text
                    .split_once('=')
                    .ok_or_else(|| format!("`{text}`: an argument reads `NAME=VALUE`"))?;
                Ok((name.to_owned(), value.to_owned()))
            };
            let arguments = arguments.iter().map(pair).collect::<Result<_, String>>()?;
            ActionKind::Qmp((*name).to_owned(), arguments)
        }
        ["query-pci"] => ActionKind::QueryPci,
        ["stop"] => ActionKind::Stop,
        ["cont"] => ActionKind::Continue,
        _ => {
            return Err(format!(
                "`{act}` is no act outside; acts are `read32 A`, `write32 A V`, `wait32 A MASK V`, `{} N high|low`, `qmp NAME [KEY=VALUE...]`, `query-pci`, `stop`, `cont`, and of PCI functions `cfgread32 NAME OFFSET`, `cfgwrite32 NAME OFFSET V`, `cfgwait32 NAME OFFSET MASK V`, `unplug NAME`",
                arch::LINE
            ));
        }
    };
    if let ActionKind::Wait(_, _, mask, value) = what {
        if expect != Expect::Works {
            return Err(format!("`{act}` states its expectation itself"));
        }
        expect = Expect::Value { value, mask };
    }
    Ok(Action {
        text: act.to_owned(),
        what,
        expect,
    })
}

fn width(verb: &str, kind: &str) -> Result<u8, String> {
    match verb.strip_prefix(kind) {
        Some("8") => Ok(1),
        Some("16") => Ok(2),
        Some("32") => Ok(4),
        Some("64") => Ok(8),
        _ => Err(format!("`{verb}`: the width is 8, 16, 32 or 64")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines, ranges and actions are parsed, or refused with the wrong word.
    #[test]
    fn texts_are_read() {
        assert_eq!(
            line("r32 0x0903_0fe0 => 0x61").unwrap().expect,
            Expect::Value {
                value: 0x61,
                mask: u64::MAX
            }
        );
        assert_eq!(line("tree").unwrap().expect, Expect::Works);
        assert!(line("r33 0x10").is_err());
        assert!(
            line("r32 0x10 => falt")
                .unwrap_err()
                .contains("did you mean `fault`")
        );
        assert_eq!(
            ranges("1 0x10 2_0").unwrap(),
            [Range {
                host: 1,
                size: 16,
                guest: 20
            }]
        );
        let row = ranges("0x1000 0x1000 0x9000 x 2 0x1000 -0x1000").unwrap();
        assert_eq!(
            row[1],
            Range {
                host: 0x2000,
                size: 0x1000,
                guest: 0x8000
            }
        );
        assert!(
            ranges("1 2")
                .unwrap_err()
                .contains("2 numbers instead of three")
        );
        assert!(ranges("1 2 3 x 2").unwrap_err().contains("a row reads"));
        assert_eq!(
            act("write16 0x10 3").unwrap().what,
            ActionKind::Write(16, 2, 3)
        );
        assert_eq!(
            act("read32 0x10 => unchanged").unwrap().expect,
            Expect::Unchanged
        );
        assert!(act("read33 0x10").unwrap_err().contains("width"));
        assert_eq!(
            act("wait32 0x10 1 0").unwrap().expect,
            Expect::Value { value: 0, mask: 1 }
        );
        assert!(
            act("wait32 0x10 1 0 => 0")
                .unwrap_err()
                .contains("states its expectation")
        );
        assert_eq!(line("hv destroy 2").unwrap().expect, ZERO);
        assert_eq!(line("hv list => ok").unwrap().expect, Expect::Answered);
        let act_on_line = |level| act(&format!("{} 1 {level}", arch::LINE));
        assert_eq!(act_on_line("low").unwrap().what, ActionKind::Line(1, false));
        assert!(act_on_line("up").unwrap_err().contains("no act outside"));
        assert_eq!(cells("none").unwrap(), None);
        assert_eq!(cells("1 2").unwrap(), Some((1, 2)));
    }
}
