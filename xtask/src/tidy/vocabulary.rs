//! `vocabulary`: the code uses the words of its field. Two lists have its former names with their replacements, and the
//! former names may not return.

use crate::tidy::Finding;
use crate::tidy::source::Tree;
use crate::tidy::word_list::entries;

const RULE: &str = "vocabulary";
/// Folders, and their old and new names, one `old -> new` a line.
const LISTS: &[(&[&str], &str)] = &[
    (
        &["conformance/", "dtb-gen/", "reports/", "runners/", "xtask/"],
        include_str!("vocabulary/suite.txt"),
    ),
    (
        &["reference-hv/"],
        include_str!("vocabulary/hypervisor.txt"),
    ),
];

/// Finds old names in code. Comments and texts may use the words in their ordinary sense.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (folders, list) in LISTS {
        let words: Vec<_> = words(list).collect();
        let applies = |path: &str| folders.iter().any(|place| path.starts_with(place));
        for (file, tokens) in tree.rust().filter(|(file, _)| applies(&file.path)) {
            for token in tokens {
                if let Some((old, new)) = words.iter().find(|(old, _)| *old == token.text) {
                    findings.push(file.finding(token.line, RULE, format!("`{old}` is now {new}")));
                }
            }
        }
    }
    findings
}

/// Reads a list.
fn words(list: &str) -> impl Iterator<Item = (&str, &str)> {
    entries(list).filter_map(|entry| entry.split_once(" -> "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every entry has a replacement, and no old name occurs twice in a list.
    #[test]
    fn the_lists_are_whole() {
        for (_, list) in LISTS {
            assert_eq!(words(list).count(), entries(list).count());
            let mut names: Vec<_> = words(list).map(|(old, _)| old).collect();
            names.sort_unstable();
            let all = names.len();
            names.dedup();
            assert_eq!(names.len(), all);
        }
    }

    /// An old name is found if it is a whole identifier with the same case.
    #[test]
    fn old_names_are_found() {
        let (old, new) = words(LISTS[0].1).next().unwrap();
        let (own, _) = words(LISTS[1].1).next().unwrap();
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
            ("xtask/src/any.rs", format!("struct {own};"), false),
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
