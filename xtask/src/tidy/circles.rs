//! `circle`: no two files of a crate use each other, directly or through others. A module and its own submodules are one
//! room with several doors and do not count.

use std::collections::{BTreeMap, BTreeSet};

use crate::tidy::Finding;
use crate::tidy::source::{Token, Tree};

const RULE: &str = "circle";
/// Whose files are looked at.
const APPLIES_TO: &[&str] = &["conformance/", "dtb-gen/", "reports/", "runners/", "xtask/"];

/// The modules that a file uses, by module path.
type Uses = BTreeMap<String, BTreeSet<String>>;

/// Finds files that use each other in a circle.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut crates: BTreeMap<&str, BTreeMap<String, (&str, &[Token])>> = BTreeMap::new();
    for (file, tokens) in tree.rust() {
        let Some((root, inside)) = file.path.split_once("src/") else {
            continue;
        };
        let of_tests = inside.ends_with("tests.rs") || inside.contains("tests/");
        if APPLIES_TO.iter().any(|place| root.starts_with(place)) && !of_tests {
            let module = inside.trim_end_matches(".rs").replace('/', "::");
            let files = crates.entry(root).or_default();
            files.insert(module, (&file.path, tokens));
        }
    }
    let mut findings = Vec::new();
    for files in crates.values() {
        let uses: Uses = files
            .iter()
            .map(|(module, (_, tokens))| (module.clone(), used(module, tokens, files)))
            .collect();
        let mut told = BTreeSet::new();
        for (module, (path, _)) in files {
            let mut circle = circle(module, &uses);
            circle.sort();
            if !circle.is_empty() && told.insert(circle.clone()) {
                findings.push(Finding {
                    path: (*path).to_owned(),
                    line: 0,
                    rule: RULE,
                    text: format!("these use each other: {}", circle.join(", ")),
                });
            }
        }
    }
    findings
}

/// Returns every module from which and to which a chain of uses leads, the module itself among them; none: no circle.
fn circle(module: &str, uses: &Uses) -> Vec<String> {
    let reach = |from: &str| {
        let mut reached = BTreeSet::new();
        let mut open: Vec<&str> = vec![from];
        while let Some(one) = open.pop() {
            for next in uses.get(one).into_iter().flatten() {
                if reached.insert(next.as_str()) {
                    open.push(next);
                }
            }
        }
        reached
    };
    let there = reach(module);
    let back = |other: &&&str| reach(other).contains(module);
    there
        .iter()
        .filter(back)
        .map(|one| (*one).to_owned())
        .collect()
}

/// Returns the files of the crate that one of them names by `crate::` or `super::`, its own tests aside.
fn used<T>(module: &str, tokens: &[Token], files: &BTreeMap<String, T>) -> BTreeSet<String> {
    let word = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let mut found = BTreeSet::new();
    for at in 0..tokens.len() {
        if word(at) == "mod" && word(at + 1) == "tests" && word(at + 2) == "{" {
            break;
        }
        let above = module.rsplit_once("::").map_or("", |(above, _)| above);
        let start = match word(at) {
            "crate" => String::new(),
            // `super::super::` and what is relative to a module inside of the file are left to the reader.
            "super" if word(at.wrapping_sub(1)) != ":" => above.to_owned(),
            _ => continue,
        };
        if word(at + 1) == ":" && word(at + 2) == ":" {
            paths(tokens, at + 3, &start, &mut |path| {
                let target = file_of(path, files).filter(|target| !related(module, target));
                found.extend(target);
            });
        }
    }
    found
}

/// Reads a path, or a group of them, from behind its `::`, and returns where it ends.
fn paths(tokens: &[Token], mut at: usize, before: &str, out: &mut dyn FnMut(&str)) -> usize {
    let word = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let mut path = before.to_owned();
    loop {
        if word(at) == "{" {
            at += 1;
            while !matches!(word(at), "}" | "") {
                at = paths(tokens, at, &path, out).max(at + 1);
            }
            return at + 1;
        }
        if !path.is_empty() {
            path.push_str("::");
        }
        path.push_str(word(at));
        if word(at + 1) == ":" && word(at + 2) == ":" {
            at += 3;
        } else {
            out(&path);
            return at + 1;
        }
    }
}

/// Returns the module of the crate in whose file a path leads.
fn file_of<T>(path: &str, files: &BTreeMap<String, T>) -> Option<String> {
    let mut path = path;
    loop {
        if files.contains_key(path) {
            return Some(path.to_owned());
        }
        path = path.rsplit_once("::")?.0;
    }
}

/// Tells whether one module lies in the other.
fn related(one: &str, other: &str) -> bool {
    let within = |inner: &str, outer: &str| {
        inner == outer
            || inner
                .strip_prefix(outer)
                .is_some_and(|rest| rest.starts_with("::"))
    };
    within(one, other) || within(other, one)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let findings = check(&Tree::of(files)).into_iter();
        findings.map(|finding| finding.text).collect()
    }

    /// Files, and what is found in them.
    type Row<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);

    /// A circle is found once, however long, by every form of a path; tests and submodules make none.
    #[test]
    fn circles_are_found() {
        let table: &[Row<'_>] = &[
            (
                &[
                    ("runners/src/a.rs", "use crate::{b::B, c};"),
                    ("runners/src/b.rs", "fn b() { crate::a::a(); }"),
                    ("runners/src/c.rs", ""),
                ],
                &["these use each other: a, b"],
            ),
            (
                &[
                    ("runners/src/a.rs", "use crate::x::b::{self, B};"),
                    ("runners/src/x/b.rs", "use super::c::C;"),
                    ("runners/src/x/c.rs", "use crate::a;"),
                ],
                &["these use each other: a, x::b, x::c"],
            ),
            (
                &[
                    ("runners/src/a.rs", "mod in_it; use crate::a::in_it::X;"),
                    ("runners/src/a/in_it.rs", "use super::Y; use crate::a::Z;"),
                ],
                &[],
            ),
            (
                &[
                    ("runners/src/a.rs", "use crate::b::B;"),
                    (
                        "runners/src/b.rs",
                        "#[cfg(test)] mod tests { use crate::a::A; }",
                    ),
                    ("runners/src/b/tests.rs", "use crate::a::A;"),
                ],
                &[],
            ),
            (
                &[
                    ("runners/src/a.rs", "use crate::b::B;"),
                    ("reports/src/b.rs", "use crate::a::A;"),
                ],
                &[],
            ),
        ];
        for (files, wanted) in table {
            assert_eq!(found(files), *wanted, "{files:?}");
        }
    }
}
