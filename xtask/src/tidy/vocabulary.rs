//! `vocabulary`: the suite uses the words of its field. A list has its former names with their replacements, and the
//! former names may not return.

use crate::tidy::Finding;
use crate::tidy::source::Tree;
use crate::tidy::word_list::entries;

const RULE: &str = "vocabulary";
/// The folders that are checked.
const APPLIES_TO: &[&str] = &["conformance/", "dtb-gen/", "reports/", "runners/", "xtask/"];
/// Old and new names, one `old -> new` a line.
const WORDS: &str = include_str!("vocabulary/words.txt");

/// Finds old names in code. Comments and texts may use the words in their ordinary sense.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let words: Vec<_> = words().collect();
    let mut findings = Vec::new();
    for (file, tokens) in tree.rust().filter(|(file, _)| applies(&file.path)) {
        for token in tokens {
            if let Some((old, new)) = words.iter().find(|(old, _)| *old == token.text) {
                findings.push(file.finding(token.line, RULE, format!("`{old}` is now {new}")));
            }
        }
    }
    findings
}

fn applies(path: &str) -> bool {
    APPLIES_TO.iter().any(|place| path.starts_with(place))
}

/// Reads the list.
fn words() -> impl Iterator<Item = (&'static str, &'static str)> {
    entries(WORDS).filter_map(|entry| entry.split_once(" -> "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every entry has a replacement, and no old name occurs twice.
    #[test]
    fn the_list_is_whole() {
        assert_eq!(words().count(), entries(WORDS).count());
        let mut names: Vec<_> = words().map(|(old, _)| old).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    /// An old name is found if it is a whole identifier with the same case.
    #[test]
    fn old_names_are_found() {
        let (old, new) = words().next().unwrap();
        let table = [
            ("runners/src/any.rs", format!("struct {old};"), true),
            ("xtask/tests/any.rs", format!("use a::{{b, {old}}};"), true),
            (
                "conformance/src/any.rs",
                format!("/// {old}\nfn a() -> b::{old} {{}}"),
                true,
            ),
            (
                "conformance/src/any.rs",
                format!("/// {old}\nconst A: &str = \"{old}\";"),
                false,
            ),
            (
                "conformance/src/any.rs",
                format!("struct {old}s; struct {}x;", old.to_lowercase()),
                false,
            ),
            ("reference-hv/src/any.rs", format!("struct {old};"), false),
            ("conformance/any.yaml", old.to_owned(), false),
        ];
        for (path, text, wanted) in table {
            let found = check(&Tree::of(&[(path, &text)])).into_iter();
            let found: Vec<_> = found
                .filter(|one| one.path == path)
                .map(|one| one.text)
                .collect();
            let all = [format!("`{old}` is now {new}")];
            assert_eq!(
                found,
                all.get(..usize::from(wanted)).unwrap(),
                "{path}: {text}"
            );
        }
    }
}
