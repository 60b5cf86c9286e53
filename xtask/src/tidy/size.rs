//! `size`: a long file gives a reason for its length.

use crate::tidy::Finding;
use crate::tidy::source::Tree;

const RULE: &str = "size";
/// The limit in lines for a file without a reason.
const LONGEST: usize = 500;
/// The beginning of the reason, and the last line on which it may be.
const MARK: &str = "// Length: ";
const HEAD: usize = 40;

/// Finds long Rust files without a reason.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files().filter(|file| file.is_rust()) {
        let lines = file.text.lines().count();
        let reason = file
            .text
            .lines()
            .take(HEAD)
            .find_map(|line| line.trim().strip_prefix(MARK));
        match reason {
            None if lines > LONGEST => findings.push(file.finding(
                0,
                RULE,
                format!("{lines} lines, more than {LONGEST}: split it, or say why in a `{MARK}...` comment near its top"),
            )),
            Some(_) if lines <= LONGEST => {
                findings.push(file.finding(0, RULE, format!("explains its length, but has only {lines} lines")));
            }
            _ => {}
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A long file needs a reason near its top, and a short one must not have a stale one.
    #[test]
    fn length_is_explained() {
        let long = "\n".repeat(LONGEST + 1);
        let reason = format!("//! Doc.\n{MARK}one table from the manual.\n");
        let table = [
            ("a.rs", "\n".repeat(LONGEST), false),
            ("a.rs", long.clone(), true),
            ("a.md", long.clone(), false),
            ("a.rs", format!("{reason}{long}"), false),
            ("a.rs", format!("{long}{reason}"), true),
            ("a.rs", reason.clone(), true),
        ];
        for (path, text, wanted) in table {
            assert_eq!(
                !check(&Tree::of(&[(path, &text)])).is_empty(),
                wanted,
                "{path}, {} bytes",
                text.len()
            );
        }
    }
}
