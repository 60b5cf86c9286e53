//! `requirement`: every system requirement is defined once, and a case cites it or the list of unverified ones contains
//! it. The `requirements` command does the real tracing; this rule only keeps the files consistent.

use std::collections::BTreeMap;

use crate::tidy::Finding;
use crate::tidy::source::{Source, Tree};

const RULE: &str = "requirement";
const FOLDER: &str = "requirements/";
/// One id a line, `#` begins a comment.
const NOT_VERIFIED: &str = "requirements/not-verified.txt";
/// The type of a system requirement.
const KIND: &str = "XenSSR~";

/// Compares the defined, cited and listed ids.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let ours = |file: &&Source| file.path.starts_with(FOLDER);
    let mut stated: BTreeMap<&str, (&Source, usize)> = BTreeMap::new();
    let mut cited: BTreeMap<&str, (&Source, usize)> = BTreeMap::new();
    let mut listed: BTreeMap<&str, (&Source, usize)> = BTreeMap::new();
    let mut findings = Vec::new();
    for file in tree.files().filter(ours) {
        for (index, line) in file.text.lines().enumerate() {
            let number = index + 1;
            if file.path.ends_with(".rst") {
                // An item begins its line with its id, in backticks or bare; any other mention is a reference.
                let item = line.strip_prefix('`').unwrap_or(line);
                if let Some(id) = ids(item).next().filter(|id| item.starts_with(id))
                    && let Some((first, at)) = stated.insert(id, (file, number))
                {
                    findings.push(file.finding(
                        number,
                        RULE,
                        format!("{id} is stated already, at {}:{at}", first.path),
                    ));
                }
            } else if file.path.ends_with(".yaml") {
                cited.extend(ids(line).map(|id| (id, (file, number))));
            } else if file.path == NOT_VERIFIED {
                let words = line.split('#').next().unwrap_or_default();
                listed.extend(ids(words).map(|id| (id, (file, number))));
            }
        }
    }
    for (id, (file, line)) in &stated {
        match (cited.contains_key(id), listed.get(id)) {
            (false, None) => findings.push(file.finding(
                *line,
                RULE,
                format!("no case cites {id}, and {NOT_VERIFIED} does not list it"),
            )),
            (true, Some((list, at))) => findings.push(list.finding(
                *at,
                RULE,
                format!("{id} has cases: take it off the list"),
            )),
            _ => {}
        }
    }
    for (id, (file, line)) in cited.iter().chain(&listed) {
        if !stated.contains_key(id) {
            findings.push(file.finding(*line, RULE, format!("{id} is stated nowhere")));
        }
    }
    findings
}

/// Returns every id of a system requirement in a line, with its revision.
fn ids(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices(KIND).filter_map(move |(start, _)| {
        let rest = line.get(start + KIND.len()..)?;
        let name =
            rest.find(|one: char| !(one.is_alphanumeric() || matches!(one, '_' | '-' | '.')))?;
        let revision = rest.get(name..)?.strip_prefix('~')?;
        let digits = revision
            .find(|one: char| !one.is_ascii_digit())
            .unwrap_or(revision.len());
        (name > 0 && digits > 0)
            .then(|| line.get(start..start + KIND.len() + name + 1 + digits))
            .flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::of(files))
            .iter()
            .map(Finding::to_string)
            .collect()
    }

    const STATED: (&str, &str) = (
        "requirements/a/x.rst",
        "Title\n-----\n\n`XenSSR~one~1`\n\nCovers:\n - `XenPRQ~p~1`\n",
    );

    /// A requirement with a case or on the list passes; references define nothing.
    #[test]
    fn cited_or_listed_is_fine() {
        assert_eq!(
            found(&[
                STATED,
                ("requirements/a/one.yaml", "covers: [XenSSR~one~1]\n")
            ]),
            [""; 0]
        );
        assert_eq!(
            found(&[
                STATED,
                (NOT_VERIFIED, "# later\nXenSSR~one~1  # needs PCI\n")
            ]),
            [""; 0]
        );
        assert_eq!(
            found(&[(
                "requirements/README.rst",
                "See `XenSSR~two~1` and\n - `XenSSR~three~1`\n"
            )]),
            [""; 0]
        );
        assert_eq!(found(&[("docs/x.rst", "`XenSSR~one~1`\n")]), [""; 0]);
    }

    /// Every inconsistency is reported with its place.
    #[test]
    fn drift_is_found() {
        assert_eq!(
            found(&[STATED]),
            [
                "requirements/a/x.rst:4: requirement: no case cites XenSSR~one~1, and requirements/not-verified.txt does not list it"
            ]
        );
        assert_eq!(
            found(&[
                STATED,
                ("requirements/a/y.rst", "XenSSR~one~1\n"),
                ("requirements/a/one.yaml", "- XenSSR~one~1\n")
            ]),
            [
                "requirements/a/y.rst:1: requirement: XenSSR~one~1 is stated already, at requirements/a/x.rst:4"
            ]
        );
        // A new revision invalidates the old case.
        assert_eq!(
            found(&[
                STATED,
                ("requirements/a/one.yaml", "- XenSSR~one~2\n"),
                (NOT_VERIFIED, "XenSSR~one~1\n")
            ]),
            ["requirements/a/one.yaml:1: requirement: XenSSR~one~2 is stated nowhere"]
        );
        assert_eq!(
            found(&[
                STATED,
                ("requirements/a/one.yaml", "- XenSSR~one~1\n"),
                (NOT_VERIFIED, "XenSSR~one~1\nXenSSR~gone~1\n")
            ]),
            [
                "requirements/not-verified.txt:1: requirement: XenSSR~one~1 has cases: take it off the list",
                "requirements/not-verified.txt:2: requirement: XenSSR~gone~1 is stated nowhere",
            ]
        );
    }

    /// Ids are found as a whole, anywhere in a line.
    #[test]
    fn ids_are_whole() {
        let all = |line| ids(line).collect::<Vec<_>>();
        assert_eq!(
            all("a XenSSR~x.y-z_1~12, `XenSSR~b~0`: XenSSR~~1 XenSSR~c XenSSR~d~ XenSSR~e~x"),
            ["XenSSR~x.y-z_1~12", "XenSSR~b~0"]
        );
    }
}
