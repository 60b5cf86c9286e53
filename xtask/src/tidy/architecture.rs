//! `architecture`: code that belongs to one processor architecture has its own room in each crate: `src/arch.rs` with
//! `src/arch/`, and `arch.rs` or `arch/` under `tests/`. A second architecture is then a second file beside the first,
//! and no other file mentions either.
//!
//! Conditions on `target_arch` also belong there. Otherwise, code about an architecture compiles everywhere, so that it
//! can be tested on the host.

use crate::tidy::parts;
use crate::tidy::source::{Source, Tree};
use crate::tidy::word_list::entries;
use crate::tidy::{Finding, is_in};

const RULE: &str = "architecture";
/// The folders in which no file outside of the rooms may have one of the words.
const APPLIES_TO: &[&str] = &[
    "conformance/",
    "dtb-gen/",
    "reference-hv/",
    "reports/",
    "runners/",
    "xtask/",
];
/// Words of one architecture.
const WORDS: &str = include_str!("architecture/words.txt");
/// Foreign names that contain such a word.
const FOREIGN: &str = include_str!("architecture/foreign.txt");
/// The files outside of the rooms in which an image selects its architecture.
const PICKS: &[&str] = &["reference-hv/src/main.rs", "conformance/probes/src/main.rs"];

/// Finds words outside of the rooms, and second rooms.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let words: Vec<_> = entries(WORDS).collect();
    let mut findings = Vec::new();
    for file in tree
        .files()
        .filter(|file| applies(&file.path) && !is_room(&file.path))
    {
        words_outside(file, &words, &mut findings);
    }
    for file in tree.files().filter(|file| file.is_rust()) {
        findings.extend(question_outside(file));
        if let Some(place) = second_room(&file.path) {
            let text = format!(
                "`{place}` is a second room: a crate has one, `src/arch.rs` with `src/arch/`"
            );
            findings.push(file.finding(0, RULE, text));
        }
    }
    findings
}

/// Tells whether this file is checked. Build scripts are not, because they name targets.
fn applies(path: &str) -> bool {
    let kind = (path.ends_with(".rs") && !path.ends_with("/build.rs")) || path.ends_with(".html");
    kind && APPLIES_TO.iter().any(|place| path.starts_with(place))
}

/// Tells whether a file is in the room of a crate or of its tests.
fn is_room(path: &str) -> bool {
    match inside(path) {
        Some(("src", rest)) => rest == "arch.rs" || rest.starts_with("arch/"),
        Some((_, rest)) => rest.split('/').any(is_arch),
        None => false,
    }
}

/// Returns the first part of a path under `src` that looks like a second room.
fn second_room(path: &str) -> Option<&str> {
    let ("src", rest) = inside(path)? else {
        return None;
    };
    rest.split('/')
        .skip(1)
        .find(|part| is_arch(part) && !is_room(path))
}

fn is_arch(part: &str) -> bool {
    part == "arch" || part == "arch.rs"
}

/// Splits the path of a crate's file into `src` or `tests`, and the rest.
fn inside(path: &str) -> Option<(&str, &str)> {
    ["src", "tests"].iter().find_map(|kind| {
        let (_, rest) = path.split_once(&format!("/{kind}/"))?;
        Some((*kind, rest))
    })
}

/// Finds the words, one finding a line.
fn words_outside(file: &Source, words: &[&str], findings: &mut Vec<Finding>) {
    let mut lines: Vec<(usize, Vec<&str>)> = Vec::new();
    let foreign = entries(FOREIGN);
    let text = foreign.fold(file.text.clone(), |text, name| text.replace(name, ""));
    for (line, name) in parts::names(&text) {
        for word in words.iter().filter(|word| parts::has_part(name, word)) {
            match lines.last_mut() {
                Some((last, found)) if *last == line => found.push(word),
                _ => lines.push((line, vec![word])),
            }
        }
    }
    for (line, mut found) in lines {
        found.dedup();
        let text = format!(
            "{} outside of the room for architectures, `arch`",
            found.join(", ")
        );
        findings.push(file.finding(line, RULE, text));
    }
}

/// Finds `target_arch` outside its places.
fn question_outside(file: &Source) -> impl Iterator<Item = Finding> {
    let outside = !is_room(&file.path) && !is_in(&file.path, PICKS);
    let asks = file
        .tokens()
        .iter()
        .filter(move |token| outside && token.text == "target_arch");
    asks.map(|token| {
        file.finding(
            token.line,
            RULE,
            "`target_arch` outside of the places that pick an architecture",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sample lines: the words that are found, a bar, and the line.
    const SAMPLES: &str = include_str!("architecture/samples.txt");

    /// Returns paths and lines of the findings in a tree.
    fn found(files: &[(&str, &str)]) -> Vec<(String, usize)> {
        let findings = check(&Tree::of(files)).into_iter();
        findings
            .map(|finding| (finding.path, finding.line))
            .collect()
    }

    /// Returns a line that contains a word of the list.
    fn sample() -> String {
        format!("// {}\n", entries(WORDS).next().unwrap())
    }

    /// Each sample gives exactly the words before its bar.
    #[test]
    fn words_are_found_in_lines() {
        let samples: Vec<_> = SAMPLES
            .lines()
            .filter(|line| !line.starts_with('#'))
            .collect();
        assert!(samples.len() > 10);
        let words: Vec<_> = entries(WORDS).collect();
        for sample in samples {
            let (wanted, line) = sample.split_once('|').unwrap();
            let mut findings = Vec::new();
            let file = Source::new("a.html".to_owned(), line.to_owned());
            words_outside(&file, &words, &mut findings);
            let found: Vec<_> = findings.iter().map(|one| one.text.as_str()).collect();
            let found = found.concat();
            let found = found.split_once(" outside").map_or("", |(words, _)| words);
            assert_eq!(found, wanted.trim(), "{line}");
        }
    }

    /// The words are allowed in the rooms, and documents are not checked.
    #[test]
    fn words_belong_into_rooms() {
        let text = sample();
        let page = text.replace("//", "");
        for path in [
            "runners/src/arch.rs",
            "runners/src/arch/any.rs",
            "conformance/probes/src/arch/any/start.rs",
            "dtb-gen/tests/arch.rs",
            "dtb-gen/tests/support/arch/any.rs",
            "conformance/tests/suite/arch.rs",
            "conformance/probes/build.rs",
            "reference-hv/src/arch/any/policy.rs",
            "docs/a.rs",
        ] {
            assert_eq!(found(&[(path, &text)]), [], "{path}");
        }
        for path in [
            "runners/arch.yaml",
            "runners/src/a.toml",
            "runners/README.md",
        ] {
            assert_eq!(found(&[(path, &page)]), [], "{path}");
        }
        for path in [
            "reference-hv/src/vm.rs",
            "runners/src/searched.rs",
            "runners/src/march/a.rs",
            "runners/tests/archive.rs",
            "conformance/wire/src/any.rs",
            "conformance/fuzz/fuzz_targets/arch.rs",
            "conformance/examples/a.rs",
        ] {
            assert_eq!(found(&[(path, &text)]), [(path.to_owned(), 1)], "{path}");
        }
        let page_path = "reports/templates/a.html";
        assert_eq!(found(&[(page_path, &page)]), [(page_path.to_owned(), 1)]);
    }

    /// A crate has one room in its sources; each suite of its tests may have one.
    #[test]
    fn a_crate_has_one_room() {
        for (path, wanted) in [
            ("runners/src/arch.rs", 0),
            ("runners/src/arch/any.rs", 0),
            ("runners/src/qemu/arch.rs", 1),
            ("runners/src/qemu/arch/any.rs", 1),
            ("runners/tests/a/arch.rs", 0),
            ("runners/tests/b/arch.rs", 0),
        ] {
            let found = found(&[(path, "fn a() {}")]);
            assert_eq!(found.len(), wanted, "{path}");
        }
    }

    /// `target_arch` is found in attributes and macros, and only outside its places.
    #[test]
    fn only_rooms_ask_for_the_processor() {
        let asks = "#[cfg(target_arch = \"any\")]\nmod x;\n";
        let found = found(&[
            ("reference-hv/src/arch.rs", asks),
            ("reference-hv/src/arch/any/paging.rs", asks),
            ("conformance/probes/src/arch.rs", asks),
            ("conformance/probes/src/main.rs", asks),
            ("reference-hv/src/policy.rs", asks),
            (
                "runners/src/lib.rs",
                "fn a() { if cfg!(target_arch = \"x\") {} }",
            ),
            (
                "wire/src/lib.rs",
                "// target_arch\nconst A: &str = \"target_arch\";",
            ),
        ]);
        let wanted = ["reference-hv/src/policy.rs", "runners/src/lib.rs"];
        assert_eq!(found, wanted.map(|path| (path.to_owned(), 1)));
    }
}
