//! Expressions: numbers, named places and values, sums and differences.
//!
//! `0x1000`, `4K`, `ram+2M`, `gpio.IE`, `nic.bar0+4`, `page:edu` (the number of the page), `(ram+1M)`.

use crate::case::value::number;

/// Smallest page, as a power of two.
const PAGE: u32 = 12;

/// What an expression stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number: an address, an offset, an interrupt, a size.
    Number(u64),
    /// A name, such as the path of a node.
    Text(String),
}

/// Evaluates an expression; `symbol` looks a name up.
pub fn evaluate(
    text: &str,
    symbol: &dyn Fn(&str) -> Result<Value, String>,
) -> Result<Value, String> {
    let text = text.trim();
    if let Some(address) = text.strip_prefix("page:") {
        return match evaluate(address, symbol)? {
            Value::Number(address) => Ok(Value::Number(address >> PAGE)),
            Value::Text(name) => Err(format!("`{text}`: `{name}` is no address")),
        };
    }
    let mut rest = text;
    let first = term(&mut rest, text, symbol)?;
    if rest.is_empty() {
        return Ok(first);
    }
    let mut sum = as_number(&first, text)?;
    while !rest.is_empty() {
        let (minus, after) = match rest.strip_prefix('+') {
            Some(after) => (false, after),
            None => match rest.strip_prefix('-') {
                Some(after) => (true, after),
                None => return Err(format!("`{text}`: `{rest}` is neither `+` nor `-`")),
            },
        };
        rest = after;
        let next = as_number(&term(&mut rest, text, symbol)?, text)?;
        let result = if minus {
            sum.checked_sub(next)
        } else {
            sum.checked_add(next)
        };
        sum = result.ok_or_else(|| format!("`{text}` is no number of 64 bits"))?;
    }
    Ok(Value::Number(sum))
}

fn as_number(value: &Value, text: &str) -> Result<u64, String> {
    match value {
        Value::Number(number) => Ok(*number),
        Value::Text(name) => Err(format!("`{text}`: `{name}` is no number")),
    }
}

fn term(
    rest: &mut &str,
    whole: &str,
    symbol: &dyn Fn(&str) -> Result<Value, String>,
) -> Result<Value, String> {
    let text = *rest;
    if text.starts_with('(') {
        let end = closing(text).ok_or_else(|| format!("`{whole}`: `(` without `)`"))?;
        let inner = text.get(1..end).unwrap_or_default();
        *rest = text.get(end + 1..).unwrap_or_default();
        return evaluate(inner, symbol);
    }
    let end = name_end(text);
    let (word, after) = text.split_at(end);
    *rest = after;
    if word.is_empty() {
        return Err(format!("`{whole}`: a number or a name is missing"));
    }
    if word.starts_with(|c: char| c.is_ascii_digit()) {
        return size(word).map(Value::Number);
    }
    symbol(word)
}

/// Returns the place of the bracket that closes the one at the start.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_u32;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// Returns the length of the number or name at the start. A `-` belongs to a name if a letter follows.
fn name_end(text: &str) -> usize {
    let digits = text.starts_with(|c: char| c.is_ascii_digit());
    let mut at = 0;
    while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let next = text
            .get(at + c.len_utf8()..)
            .and_then(|rest| rest.chars().next());
        let part = match c {
            '-' => at > 0 && !digits && next.is_some_and(|next| next.is_ascii_alphabetic()),
            '(' if at > 0 && text.get(..at).is_some_and(|before| before.ends_with('@')) => {
                match text.get(at..).and_then(closing) {
                    Some(length) => {
                        at += length + 1;
                        continue;
                    }
                    None => false,
                }
            }
            c => c.is_ascii_alphanumeric() || "_.:@[]".contains(c),
        };
        if !part {
            break;
        }
        at += c.len_utf8();
    }
    at
}

/// Parses a number, with `K`, `M` or `G` for multiples of 1024.
pub fn size(text: &str) -> Result<u64, String> {
    if text.starts_with("0x") {
        return number(text);
    }
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'K') => (text.len() - 1, 10),
        Some(b'M') => (text.len() - 1, 20),
        Some(b'G') => (text.len() - 1, 30),
        _ => (text.len(), 0),
    };
    let count = number(text.get(..digits).unwrap_or(text))
        .map_err(|_| format!("`{text}` is no number (decimal, 0x hexadecimal, or with K, M, G)"))?;
    let size = count.checked_mul(1 << shift);
    size.ok_or_else(|| format!("`{text}` is no number of 64 bits"))
}

/// Splits `NAME@PLACE.REST` into its parts.
pub(super) fn parts(name: &str) -> (&str, Option<&str>, &str) {
    let at = name.find(['.', '@']).unwrap_or(name.len());
    let (head, rest) = name.split_at(at);
    let Some(place) = rest.strip_prefix('@') else {
        return (head, None, rest.strip_prefix('.').unwrap_or_default());
    };
    let inner = place
        .strip_prefix('(')
        .and_then(|open| open.rsplit_once(')'));
    match inner {
        Some((place, tail)) => (head, Some(place), tail.strip_prefix('.').unwrap_or(tail)),
        None => {
            let (place, tail) = place.split_once('.').unwrap_or((place, ""));
            (head, Some(place), tail)
        }
    }
}

/// Splits `NAME[INDEX]`.
pub(super) fn indexed(name: &str) -> (&str, Option<u64>) {
    let open = name.strip_suffix(']').and_then(|open| open.split_once('['));
    match open.and_then(|(name, index)| Some((name, index.parse().ok()?))) {
        Some((name, index)) => (name, Some(index)),
        None => (name, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(name: &str) -> Result<Value, String> {
        match name {
            "ram" => Ok(Value::Number(0x4000_0000)),
            "flash-pattern" => Ok(Value::Number(7)),
            "gpio.path" => Ok(Value::Text("/gpio".to_owned())),
            name => Ok(Value::Text(name.to_owned())),
        }
    }

    #[track_caller]
    fn check(text: &str, wanted: u64) {
        assert_eq!(evaluate(text, &symbol), Ok(Value::Number(wanted)), "{text}");
    }

    /// Numbers have units, sums have any number of terms, and pages are counted.
    #[test]
    fn expressions_are_evaluated() {
        check("0x10", 16);
        check("4K", 4096);
        check("ram+2M-8K", 0x401f_e000);
        check("page:ram+4K", 0x40001);
        check("(ram+1)-1", 0x4000_0000);
        check("flash-pattern-7", 0);
        check("2G-ram", 0x4000_0000);
        check("0xffff_ffff", 0xffff_ffff);
    }

    /// What is no expression is refused with its text.
    #[test]
    fn bad_expressions_are_refused() {
        for (text, why) in [
            ("ram+", "is missing"),
            ("1K-2K", "no number of 64 bits"),
            ("(ram", "without `)`"),
            ("gpio.path+1", "`/gpio` is no number"),
            ("3x", "is no number"),
            ("ram*2", "neither `+` nor `-`"),
        ] {
            let told = evaluate(text, &symbol).unwrap_err();
            assert!(told.contains(why), "{text}: {told}");
        }
    }

    /// A name has a head, perhaps a place behind `@`, and a tail, which may have an index.
    #[test]
    fn names_have_parts() {
        assert_eq!(parts("gpio"), ("gpio", None, ""));
        assert_eq!(parts("iommu.irq[1]"), ("iommu", None, "irq[1]"));
        assert_eq!(parts("gpio@window.IE"), ("gpio", Some("window"), "IE"));
        assert_eq!(parts("gpio@(a+(b))"), ("gpio", Some("a+(b)"), ""));
        assert_eq!(parts("dA.ram.end"), ("dA", None, "ram.end"));
        assert_eq!(indexed("irq[1]"), ("irq", Some(1)));
        assert_eq!(indexed("irq[x]"), ("irq[x]", None));
    }

    /// A place behind `@` may be an expression in brackets.
    #[test]
    fn a_place_is_part_of_the_name() {
        let told = evaluate("gpio@(window+4K).IE", &symbol);
        assert_eq!(told, Ok(Value::Text("gpio@(window+4K).IE".to_owned())));
    }
}
