//! Parses the texts of a case, with one function for each kind.

use wire::Op;

use crate::case::value::{cut, number32};
use crate::language::Scope;
use crate::scenario::{Domain, Line, Range, TriggerPoint};

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

/// Number of ranges that one row may stand for.
const ROW: u64 = 0x1_0000;

/// Parses `<host> <size> <guest>`, or a row of ranges: `<host> <size> <guest> x <count> <host step> <guest step>`. A
/// guest step may be negative, so that the row runs backwards.
pub fn ranges(text: &str, scope: &Scope<'_>) -> Result<Vec<Range>, String> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let (one, row) = text
        .split_once(" x ")
        .map_or((text, None), |(one, row)| (one, Some(row)));
    let words: Vec<&str> = one.split_whitespace().collect();
    let &[host, size, guest] = words.as_slice() else {
        return Err(format!(
            "`{text}`: {} numbers instead of three: host, size, guest",
            words.len()
        ));
    };
    let outside = Scope::outside(scope.names);
    let (host, size) = (outside.number(host)?, outside.number(size)?);
    let guest = scope.number(guest)?;
    let Some(row) = row else {
        return Ok(vec![Range { host, size, guest }]);
    };
    let words: Vec<&str> = row.split_whitespace().collect();
    let &[count, host_step, guest_step] = words.as_slice() else {
        return Err(format!(
            "`{row}`: a row reads `x COUNT HOST-STEP GUEST-STEP`"
        ));
    };
    let (count, host_step) = (scope.number(count)?, scope.number(host_step)?);
    let back = guest_step.strip_prefix('-');
    let guest_step = scope.number(back.unwrap_or(guest_step))?;
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

/// Parses `<address> <size>`.
pub fn bank(text: &str, scope: &Scope<'_>) -> Result<(u64, u64), String> {
    let numbers: Vec<u64> = text
        .split_whitespace()
        .map(|word| scope.number(word))
        .collect::<Result<_, _>>()?;
    match numbers.as_slice() {
        &[base, size] => Ok((base, size)),
        _ => Err(format!(
            "`{text}`: {} numbers instead of two: address, size",
            numbers.len()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::outside;

    /// Ranges, rows of them, banks and cells are read; their numbers may be expressions.
    #[test]
    fn ranges_are_read() {
        let ranges = |text| super::ranges(text, &outside());
        assert_eq!(
            ranges("gpio+0x800 0x10 2_0").unwrap(),
            [Range {
                host: 0x903_0800,
                size: 16,
                guest: 20
            }]
        );
        let row = ranges("0x1000 4K 0x9000 x 2 0x1000 -0x1000").unwrap();
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
        assert_eq!(bank("bank1 8M", &outside()), Ok((0x5800_0000, 0x80_0000)));
        assert!(
            bank("bank1", &outside())
                .unwrap_err()
                .contains("1 numbers instead of two")
        );
        assert_eq!(cells("none").unwrap(), None);
        assert_eq!(cells("1 2").unwrap(), Some((1, 2)));
        assert!(truth("yes").unwrap_err().contains("neither `true`"));
    }
}
