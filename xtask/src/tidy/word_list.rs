//! Word lists of rules: one entry a line; `#` begins a comment.

/// Returns the entries of a list.
pub fn entries(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let entry = line.split('#').next().unwrap_or_default().trim();
        (!entry.is_empty()).then_some(entry)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Comments and empty lines are not entries.
    #[test]
    fn entries_are_read() {
        let found: Vec<_> = entries("# head\n\n one two # why\nthree\n").collect();
        assert_eq!(found, ["one two", "three"]);
    }
}
