//! `orphan`: every Rust file belongs to a crate. A file that no `mod` names is never compiled and decays unnoticed.

use std::collections::{BTreeMap, BTreeSet};

use crate::tidy::Finding;
use crate::tidy::source::{Token, Tree};

const RULE: &str = "orphan";

/// Finds Rust files that no crate root leads to, and directories with a `mod.rs`.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let files: BTreeMap<&str, &[Token]> = tree
        .rust()
        .map(|(file, tokens)| (file.path.as_str(), tokens))
        .collect();
    let roots = Roots::of(tree);
    let mut reached = BTreeSet::new();
    let mut open: Vec<String> = files
        .keys()
        .filter(|path| roots.has(path))
        .map(|path| (*path).to_owned())
        .collect();
    while let Some(path) = open.pop() {
        if let Some(tokens) = files.get(path.as_str())
            && reached.insert(path.clone())
        {
            open.extend(named_by(&path, tokens, roots.has(&path)));
        }
    }
    tree.files()
        .filter(|file| file.is_rust())
        .filter_map(|file| {
            if file.path.ends_with("/mod.rs") {
                Some(file.finding(
                    0,
                    RULE,
                    "a module goes into a file of its own name, not into mod.rs",
                ))
            } else if !reached.contains(&file.path) && files.contains_key(file.path.as_str()) {
                Some(file.finding(0, RULE, "no crate leads to this file"))
            } else {
                None
            }
        })
        .collect()
}

/// The roots of crates.
struct Roots<'t> {
    /// The directories with a manifest.
    packages: BTreeSet<&'t str>,
    /// The files that a manifest names.
    named: BTreeSet<String>,
}

impl<'t> Roots<'t> {
    fn of(tree: &'t Tree) -> Self {
        let mut roots = Self {
            packages: BTreeSet::new(),
            named: BTreeSet::new(),
        };
        for file in tree.files() {
            let Some(folder) = file.path.strip_suffix("Cargo.toml") else {
                continue;
            };
            roots.packages.insert(folder.trim_end_matches('/'));
            if let Ok(table) = file.text.parse::<toml::Table>() {
                let folder = folder.trim_end_matches('/');
                collect_paths(&toml::Value::Table(table), folder, &mut roots.named);
            }
        }
        roots
    }

    /// Tells whether the file is a crate root, by cargo's own rules or because a manifest names it.
    fn has(&self, path: &str) -> bool {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let package = match name {
            "build.rs" => Some(folder),
            "lib.rs" | "main.rs" => folder.strip_suffix("/src"),
            _ => None,
        };
        // Both `tests/a.rs` and `tests/a/main.rs` are roots.
        let collection = match name {
            "main.rs" => folder.rsplit_once('/').map_or("", |(above, _)| above),
            _ => folder,
        };
        let collected = ["/tests", "/benches", "/examples", "/src/bin"]
            .iter()
            .find_map(|kind| collection.strip_suffix(kind));
        let is_package =
            |folder: Option<&str>| folder.is_some_and(|one| self.packages.contains(one));
        is_package(package) || is_package(collected) || self.named.contains(path)
    }
}

/// Collects every `path = "..."` of a manifest. Those of dependencies name directories, so they match no file.
fn collect_paths(value: &toml::Value, folder: &str, named: &mut BTreeSet<String>) {
    match value {
        toml::Value::Table(table) => {
            if let Some(path) = table.get("path").and_then(toml::Value::as_str) {
                named.insert(join(folder, path));
            }
            table
                .values()
                .for_each(|value| collect_paths(value, folder, named));
        }
        toml::Value::Array(list) => {
            list.iter()
                .for_each(|value| collect_paths(value, folder, named));
        }
        _ => {}
    }
}

/// Returns the files that the `mod` items of a file name, with `#[path]`, `include!` and nested modules. The files need
/// not exist.
fn named_by(path: &str, tokens: &[Token], root: bool) -> Vec<String> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    // A crate's root looks in its own directory, a module in the directory of its name.
    let home = if root {
        folder.to_owned()
    } else {
        format!("{folder}/{}", name.trim_end_matches(".rs"))
    };
    let mut named = Vec::new();
    // The inline modules around the token, and the bracket depth at which each ends.
    let mut inside: Vec<(usize, String)> = Vec::new();
    let mut depth = 0_usize;
    let mut attribute: Option<String> = None;
    let text = |index: usize| tokens.get(index).map_or("", |token| token.text.as_str());
    for index in 0..tokens.len() {
        match text(index) {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => {
                depth = depth.saturating_sub(1);
                inside.retain(|(end, _)| *end < depth + 1);
            }
            "#" if text(index + 1) == "[" && text(index + 2) == "path" => {
                attribute = Some(text(index + 4).trim_matches('"').to_owned())
            }
            "include" if text(index + 1) == "!" => {
                named.push(join(folder, text(index + 3).trim_matches('"')))
            }
            "mod" => {
                let module = text(index + 1).trim_start_matches("r#").to_owned();
                match text(index + 2) {
                    ";" => {
                        let nested: String =
                            inside.iter().map(|(_, name)| format!("/{name}")).collect();
                        named.push(match attribute.take() {
                            Some(file) if inside.is_empty() => join(folder, &file),
                            Some(file) => join(&format!("{home}{nested}"), &file),
                            None => format!("{home}{nested}/{module}.rs")
                                .trim_start_matches('/')
                                .to_owned(),
                        });
                    }
                    "{" => inside.push((depth + 1, module)),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    named
}

/// Resolves `file`, as written in a file in `folder`.
fn join(folder: &str, file: &str) -> String {
    let mut parts: Vec<_> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in file.split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::of(files))
            .into_iter()
            .map(|finding| finding.path)
            .collect()
    }

    /// Files are reached as rustc reaches them.
    #[test]
    fn every_way_to_a_file_counts() {
        assert_eq!(
            found(&[
                (
                    "p/Cargo.toml",
                    "[[bin]]\nname = \"x\"\npath = \"odd/place.rs\"\n"
                ),
                ("p/build.rs", ""),
                (
                    "p/src/lib.rs",
                    "mod a;\nmod r#box;\n#[path = \"far.rs\"]\nmod near;\nmod inline { fn x() {} mod deep; }\nmod last;"
                ),
                (
                    "p/src/a.rs",
                    "mod b; fn f() { path = x; }\n#[cfg(test)]\nmod tests;"
                ),
                ("p/src/a/b.rs", "include!(\"../shared/c.rs\");"),
                ("p/src/a/tests.rs", ""),
                ("p/src/box.rs", ""),
                ("p/src/far.rs", ""),
                ("p/src/inline/deep.rs", ""),
                ("p/src/last.rs", ""),
                ("p/src/shared/c.rs", ""),
                ("p/src/main.rs", ""),
                ("p/src/bin/tool.rs", ""),
                ("p/odd/place.rs", "mod helper;"),
                ("p/odd/helper.rs", ""),
                ("p/tests/one.rs", "mod common;"),
                ("p/tests/common.rs", ""),
                ("p/tests/two/main.rs", "mod part;"),
                ("p/tests/two/part.rs", ""),
                ("p/benches/b.rs", ""),
            ]),
            [""; 0]
        );
    }

    /// A file that no other file names is found, even if it names itself or occurs only in strings or comments.
    #[test]
    fn orphans_are_found() {
        assert_eq!(
            found(&[
                ("p/Cargo.toml", "[package]\nname = \"p\"\n"),
                (
                    "p/src/lib.rs",
                    "// mod a;\nmod b { }\nmod c;\nmod d { mod e; }\nmod f;"
                ),
                ("p/src/a.rs", ""),
                ("p/src/b/x.rs", ""),
                ("p/src/c/mod.rs", ""),
                ("p/src/e.rs", ""),
                ("p/src/g.rs", "mod h;"),
                ("p/src/g/h.rs", "mod g;"),
                ("q/src/lib.rs", ""),
            ]),
            [
                "p/src/a.rs",
                "p/src/b/x.rs",
                "p/src/c/mod.rs",
                "p/src/e.rs",
                "p/src/g.rs",
                "p/src/g/h.rs",
                "q/src/lib.rs"
            ]
        );
    }
}
