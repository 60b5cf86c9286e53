//! Reads the files of the repository once.

use std::fs;
use std::path::Path;
use std::str::FromStr as _;

use anyhow::Context as _;
use proc_macro2::{TokenStream, TokenTree};
use walkdir::{DirEntry, WalkDir};

use crate::tidy::Finding;

/// One text file.
#[derive(Debug)]
pub struct Source {
    /// Path relative to the root of the repository, with slashes.
    pub path: String,
    /// Its content.
    pub text: String,
    /// For Rust: every token in order, with groups opened, or the line at which reading failed. Words in strings and
    /// comments are not tokens.
    tokens: Option<Result<Vec<Token>, usize>>,
}

impl Source {
    /// Makes a source of a file; reads its tokens if it is Rust.
    pub fn new(path: String, text: String) -> Self {
        let tokens = path.ends_with(".rs").then(|| {
            let stream = TokenStream::from_str(&text).map_err(|error| error.span().start().line)?;
            let mut flat = Vec::new();
            flatten(stream, &mut flat);
            Ok(flat)
        });
        Self { path, text, tokens }
    }

    /// Tells whether this is Rust.
    pub fn is_rust(&self) -> bool {
        self.tokens.is_some()
    }

    /// Returns the tokens of a Rust file, else none.
    pub fn tokens(&self) -> &[Token] {
        match &self.tokens {
            Some(Ok(tokens)) => tokens,
            _ => &[],
        }
    }

    /// Makes a finding in this file.
    pub fn finding(&self, line: usize, rule: &'static str, text: impl Into<String>) -> Finding {
        Finding {
            path: self.path.clone(),
            line,
            rule,
            text: text.into(),
        }
    }
}

/// A token as text; the two brackets of a group are tokens of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// An identifier, a literal, or one character of punctuation.
    pub text: String,
    /// The line, from 1.
    pub line: usize,
}

fn flatten(stream: TokenStream, flat: &mut Vec<Token>) {
    for tree in stream {
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    proc_macro2::Delimiter::Parenthesis => ("(", ")"),
                    proc_macro2::Delimiter::Brace => ("{", "}"),
                    proc_macro2::Delimiter::Bracket => ("[", "]"),
                    proc_macro2::Delimiter::None => ("", ""),
                };
                flat.push(Token {
                    text: open.to_owned(),
                    line: group.span_open().start().line,
                });
                flatten(group.stream(), flat);
                flat.push(Token {
                    text: close.to_owned(),
                    line: group.span_close().start().line,
                });
            }
            other => flat.push(Token {
                text: other.to_string(),
                line: other.span().start().line,
            }),
        }
    }
}

/// Every text file of the repository, in order of path.
#[derive(Debug, Default)]
pub struct Tree {
    files: Vec<Source>,
}

impl Tree {
    /// Reads the tree under `root`, without the output of tools.
    pub fn read(root: &Path) -> anyhow::Result<Self> {
        let mut files = Vec::new();
        let walk = WalkDir::new(root)
            .sort_by_file_name()
            .into_iter()
            .filter_entry(is_ours);
        for entry in walk {
            let entry = entry.with_context(|| format!("cannot walk {}", root.display()))?;
            if !entry.file_type().is_file() {
                continue;
            }
            let bytes = fs::read(entry.path())
                .with_context(|| format!("cannot read {}", entry.path().display()))?;
            // Files that are not text (a tree blob, a fuzzing corpus) are subject to no rule.
            let Ok(text) = String::from_utf8(bytes) else {
                continue;
            };
            let path = entry.path().strip_prefix(root).unwrap_or(entry.path());
            let path = path
                .components()
                .map(|part| part.as_os_str().to_string_lossy())
                .collect::<Vec<_>>()
                .join("/");
            files.push(Source::new(path, text));
        }
        Ok(Self { files })
    }

    /// Makes a tree of paths and texts.
    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Self {
        let file =
            |(path, text): &(&str, &str)| Source::new((*path).to_owned(), (*text).to_owned());
        Self {
            files: files.iter().map(file).collect(),
        }
    }

    /// Returns every file.
    pub fn files(&self) -> impl Iterator<Item = &Source> {
        self.files.iter()
    }

    /// Returns the Rust files with their tokens. Files that cannot be read as Rust are in [`Tree::unreadable`].
    pub fn rust(&self) -> impl Iterator<Item = (&Source, &[Token])> {
        self.files().filter_map(|file| match &file.tokens {
            Some(Ok(tokens)) => Some((file, tokens.as_slice())),
            _ => None,
        })
    }

    /// Returns a finding for each Rust file that cannot be read.
    pub fn unreadable(&self) -> impl Iterator<Item = Finding> {
        self.files().filter_map(|file| match &file.tokens {
            Some(Err(line)) => Some(file.finding(*line, "rust", "this is no Rust")),
            _ => None,
        })
    }
}

/// Leaves out version control, hidden directories except our own, and every directory that is tagged as a cache, such
/// as cargo's output.
fn is_ours(entry: &DirEntry) -> bool {
    if entry.depth() == 0 || !entry.file_type().is_dir() {
        return true;
    }
    let name = entry.file_name().to_string_lossy();
    let hidden = name.starts_with('.') && !matches!(name.as_ref(), ".ci" | ".cargo" | ".config");
    !hidden && name != "target" && !entry.path().join("CACHEDIR.TAG").is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Output of cargo and git is not read, and our hidden directories are. Files that are not text are left out.
    #[test]
    fn tree_is_what_people_wrote() {
        let root = tempfile::tempdir().unwrap();
        for (path, bytes) in [
            ("a.rs", &b"fn a() {}"[..]),
            (".ci/run", b"#!"),
            (".git/config", b"x"),
            ("target/b.rs", b"x"),
            ("out/CACHEDIR.TAG", b"x"),
            ("out/c.rs", b"x"),
            ("sub/blob", &[0xff, 0xfe]),
            ("sub/d.txt", b"d"),
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        let tree = Tree::read(root.path()).unwrap();
        let paths: Vec<_> = tree.files().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, [".ci/run", "a.rs", "sub/d.txt"]);
    }

    /// Words in strings and comments are not tokens; those in macros and attributes are.
    #[test]
    fn tokens_are_code() {
        let text = "// unsafe\nfn a() { \"unsafe\"; }\n/* unsafe */ m! { unsafe }\n#[x(unsafe)]\nfn b() {}";
        let tree = Tree::of(&[("a.rs", text), ("b.rs", "fn ("), ("c.txt", "fn (")]);
        let (_, tokens) = tree.rust().next().unwrap();
        let lines: Vec<_> = tokens
            .iter()
            .filter(|token| token.text == "unsafe")
            .map(|token| token.line)
            .collect();
        assert_eq!(lines, [3, 4]);
        assert_eq!(
            tree.unreadable()
                .map(|finding| finding.path)
                .collect::<Vec<_>>(),
            ["b.rs"]
        );
    }
}
