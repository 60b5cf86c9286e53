//! Lines by the rules of the format.

/// Splits a text into lines, which end at a line feed, a carriage return, or both.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    placed_lines(text).map(|(_, line)| line)
}

/// Does the same, and returns with each line the offset at which it begins.
pub(super) fn placed_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let at = text.len() - rest.len();
        let Some(end) = memchr::memchr2(b'\n', b'\r', rest.as_bytes()) else {
            return Some((at, std::mem::take(&mut rest)));
        };
        let (line, tail) = rest.split_at(end);
        rest = tail
            .strip_prefix("\r\n")
            .or_else(|| tail.get(1..))
            .unwrap_or_default();
        Some((at, line))
    })
}

#[cfg(test)]
mod tests {
    use super::lines;

    /// The three kinds of line ends are equivalent.
    #[test]
    fn lines_end_in_three_ways() {
        let split = |text| lines(text).collect::<Vec<_>>();
        assert_eq!(split("a\nb\r\nc\rd\n"), ["a", "b", "c", "d"]);
        assert_eq!(split("\n\r\r\n\n"), ["", "", "", ""]);
        assert_eq!(split("a\n\rb"), ["a", "", "b"]);
        assert_eq!(split(""), [""; 0]);
    }
}
