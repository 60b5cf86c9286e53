//! A list of files that do not comply with a new rule yet. It can only shrink: a listed file that complies, or is gone,
//! is a finding itself.

use crate::tidy::Finding;

/// One rule's list.
#[derive(Clone, Copy, Debug)]
pub struct NotYet {
    /// The rule's name.
    pub rule: &'static str,
    /// Path of the list, relative to the root of the repository.
    pub path: &'static str,
    /// One path a line; `#` begins a comment.
    pub text: &'static str,
}

impl NotYet {
    /// Removes the findings in listed files, and adds a finding for each useless entry.
    pub fn apply(self, found: Vec<Finding>) -> Vec<Finding> {
        let listed: Vec<_> = entries(self.text).collect();
        let is_listed = |path: &str| listed.iter().any(|(_, entry)| *entry == path);
        let stale = listed
            .iter()
            .filter(|(_, entry)| !found.iter().any(|one| one.path == *entry));
        let stale: Vec<_> = stale
            .map(|(line, entry)| Finding {
                path: self.path.to_owned(),
                line: *line,
                rule: self.rule,
                text: format!("`{entry}` obeys the rule or is gone: remove it from the list"),
            })
            .collect();
        found
            .into_iter()
            .filter(|one| !is_listed(&one.path))
            .chain(stale)
            .collect()
    }
}

/// Reads a committed list: one entry a line, with its line number; `#` begins a comment.
pub fn entries(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().filter_map(|(index, line)| {
        let entry = line.split('#').next().unwrap_or_default().trim();
        (!entry.is_empty()).then_some((index + 1, entry))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A listed file is excused only as long as it breaks the rule.
    #[test]
    fn the_list_only_shrinks() {
        let finding = |path: &str, line| Finding {
            path: path.to_owned(),
            line,
            rule: "r",
            text: "wrong".to_owned(),
        };
        let list = NotYet {
            rule: "r",
            path: "list.txt",
            text: "# why\na.rs\n\nb.rs # clean\n",
        };
        let found = list.apply(vec![
            finding("a.rs", 1),
            finding("a.rs", 2),
            finding("c.rs", 3),
        ]);
        let found: Vec<_> = found
            .iter()
            .map(|one| (one.path.as_str(), one.line))
            .collect();
        assert_eq!(found, [("c.rs", 3), ("list.txt", 4)]);
    }
}
