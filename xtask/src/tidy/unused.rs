//! `unused`: every dependency is used by a source file.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::Metadata;

use crate::tidy::Finding;
use crate::tidy::source::Tree;

const RULE: &str = "unused";
const ROOT: &str = "Cargo.toml";

/// One of our packages, as its manifest describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Its directory, relative to the root, with a slash at the end.
    pub folder: String,
    /// The names of its dependencies in its manifest.
    pub dependencies: BTreeSet<String>,
}

/// Reads our packages.
pub fn packages(metadata: &Metadata) -> Vec<Package> {
    let root = &metadata.workspace_root;
    let package = |package: &cargo_metadata::Package| {
        let manifest = package.manifest_path.strip_prefix(root).ok()?;
        let names = package
            .dependencies
            .iter()
            .map(|one| one.rename.clone().unwrap_or_else(|| one.name.clone()));
        Some(Package {
            folder: format!("{}/", manifest.parent()?),
            dependencies: names.collect(),
        })
    };
    metadata
        .workspace_packages()
        .into_iter()
        .filter_map(package)
        .collect()
}

/// Finds dependencies that no source of their package uses, and versions in the root manifest that no package uses.
pub fn check(tree: &Tree, packages: &[Package]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut named: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (file, tokens) in tree.rust() {
        // A package inside another one's directory has its own sources.
        let owner = packages
            .iter()
            .filter(|package| file.path.starts_with(&package.folder))
            .max_by_key(|package| package.folder.len());
        if let Some(owner) = owner {
            let words = tokens.iter().map(|token| token.text.as_str());
            named.entry(&owner.folder).or_default().extend(words);
        }
    }
    for package in packages {
        for dependency in &package.dependencies {
            let word = dependency.replace('-', "_");
            let used = named
                .get(package.folder.as_str())
                .is_some_and(|words| words.contains(word.as_str()));
            if !used {
                findings.push(Finding {
                    path: format!("{}{ROOT}", package.folder),
                    line: 0,
                    rule: RULE,
                    text: format!("no source names `{dependency}`"),
                });
            }
        }
    }
    let root = tree.files().find(|file| file.path == ROOT);
    let table = root.and_then(|file| file.text.parse::<toml::Table>().ok());
    let versions = table
        .as_ref()
        .and_then(|table| table.get("workspace")?.get("dependencies")?.as_table());
    for (name, value) in versions.into_iter().flatten() {
        // Our own packages need not be used.
        let ours = value.get("path").is_some();
        let mut all = packages.iter();
        if !ours && !all.any(|package| package.dependencies.contains(name)) {
            findings.push(Finding {
                path: ROOT.to_owned(),
                line: 0,
                rule: RULE,
                text: format!("no package takes up `{name}`"),
            });
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(folder: &str, dependencies: &[&str]) -> Package {
        Package {
            folder: folder.to_owned(),
            dependencies: dependencies.iter().map(|one| (*one).to_owned()).collect(),
        }
    }

    fn found(files: &[(&str, &str)], packages: &[Package]) -> Vec<String> {
        let findings = check(&Tree::of(files), packages);
        findings.iter().map(Finding::to_string).collect()
    }

    /// A dependency that a source of the package names is used, in whatever form. One that only a comment, a string or
    /// another package names is not.
    #[test]
    fn only_code_of_the_package_counts() {
        let packages = [
            package("a/", &["serde", "quick-xml", "toml", "walkdir"]),
            package("a/b/", &["toml"]),
        ];
        assert_eq!(
            found(
                &[
                    (
                        "a/src/lib.rs",
                        "use quick_xml::X; #[derive(serde::Serialize)] struct A; // walkdir"
                    ),
                    ("a/b/src/lib.rs", "fn f() { toml::from_str(\"walkdir\") }"),
                ],
                &packages
            ),
            [
                "a/Cargo.toml: unused: no source names `toml`",
                "a/Cargo.toml: unused: no source names `walkdir`",
            ]
        );
    }

    /// A version that no package uses is found; our own packages need not be used.
    #[test]
    fn versions_are_taken_up() {
        let root = "[workspace.dependencies]\na = { path = \"a\" }\nserde = \"1\"\nold = { version = \"2\" }\n";
        assert_eq!(
            found(
                &[
                    ("Cargo.toml", root),
                    ("a/Cargo.toml", ""),
                    ("a/src/lib.rs", "use serde;")
                ],
                &[package("a/", &["serde"])]
            ),
            ["Cargo.toml: unused: no package takes up `old`"]
        );
    }
}
