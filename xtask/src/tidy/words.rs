//! `word`: words that may not occur in the repository: marks of open work, disabled tests, and hosts of package
//! registries (because a machine may use a mirror).

use crate::tidy::Finding;
use crate::tidy::source::{Source, Tree};

const RULE: &str = "word";
/// Marks of open work, in any file. Each is written in two parts, because otherwise this file would break its own rule;
/// so are the hosts.
const MARKS: [(&str, &str); 3] = [("TO", "DO"), ("FIX", "ME"), ("XX", "X")];
const HOSTS: [(&str, &str); 6] = [
    ("crates", ".io"),
    ("npmjs", ".org"),
    ("npmjs", ".com"),
    ("pypi", ".org"),
    ("rubygems", ".org"),
    ("docker", ".io"),
];
/// Macros that replace missing code.
const STAND_INS: [&str; 2] = ["todo", "unimplemented"];
/// cargo writes the name of its registry into it.
const LOCK: &str = "Cargo.lock";

/// Finds the words.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree
        .files()
        .filter(|file| file.path != LOCK && !file.path.ends_with("/Cargo.lock"))
    {
        for (index, line) in file.text.lines().enumerate() {
            in_line(file, index + 1, line, &mut findings);
        }
    }
    for (file, tokens) in tree.rust() {
        for (token, next) in tokens.iter().zip(tokens.iter().skip(1)) {
            if STAND_INS.contains(&token.text.as_str()) && next.text == "!" {
                findings.push(file.finding(
                    token.line,
                    RULE,
                    format!("`{}!` stands for code that is not there", token.text),
                ));
            }
            if token.text == "[" && next.text == "ignore" {
                findings.push(file.finding(token.line, RULE, "a test that is switched off"));
            }
        }
    }
    findings
}

fn in_line(file: &Source, number: usize, line: &str, findings: &mut Vec<Finding>) {
    for (first, second) in MARKS {
        let mark = format!("{first}{second}");
        if line
            .match_indices(&mark)
            .any(|(place, _)| stands_alone(line, place, mark.len()))
        {
            findings.push(file.finding(
                number,
                RULE,
                format!("`{mark}`: work left open belongs into an issue"),
            ));
        }
    }
    for (first, second) in HOSTS {
        let host = format!("{first}{second}");
        if line.to_ascii_lowercase().contains(&host) {
            findings.push(file.finding(number, RULE, format!("`{host}` names a package registry")));
        }
    }
}

/// Tells whether the text at `place` is not part of a longer word.
fn stands_alone(line: &str, place: usize, length: usize) -> bool {
    let part = |one: char| one.is_alphanumeric() || one == '_';
    let before = line.get(..place).and_then(|text| text.chars().next_back());
    let after = line
        .get(place + length..)
        .and_then(|text| text.chars().next());
    !before.is_some_and(part) && !after.is_some_and(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each word is found, with its line, in every kind of file in which it matters.
    #[test]
    fn words_are_found() {
        let open = ["TO", "DO"].concat();
        let host = ["Crates", ".io"].concat();
        let table: &[(&str, String, usize)] = &[
            ("a.rs", format!("// fine\n// {open}: later"), 1),
            ("a.yaml", format!("# {open}(me)"), 1),
            ("a.md", format!("https://{host}/x"), 1),
            (
                "a.rs",
                format!("const {open}_LIST: u8 = 1; // PRE{open}"),
                0,
            ),
            ("Cargo.lock", format!("registry+https://{host}"), 0),
            ("fuzz/Cargo.lock", format!("registry+https://{host}"), 0),
            (
                "a.rs",
                "fn a() { todo!() }\nfn b() { unimplemented!() }".to_owned(),
                2,
            ),
            (
                "a.rs",
                "#[ignore]\nfn a() {}\n#[ignore = \"slow\"]\nfn b() {}".to_owned(),
                2,
            ),
            (
                "a.rs",
                "const A: &str = \"#[ignore]\";\nfn ignore() { todo(); }".to_owned(),
                0,
            ),
        ];
        for (path, text, count) in table {
            assert_eq!(
                check(&Tree::of(&[(path, text)])).len(),
                *count,
                "{path}: {text}"
            );
        }
    }
}
