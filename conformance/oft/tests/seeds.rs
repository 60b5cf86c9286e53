//! Runs the seeds of the fuzz target without a fuzzer.

use std::{fs, path::Path};

#[path = "seeds/check.rs"]
mod check;

/// No seed makes the requirement reader fail.
#[test]
fn requirement_reader_stands() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/requirement_parse");
    let entries = fs::read_dir(&seeds).expect("the seeds");
    let mut tried = 0;
    for entry in entries {
        let path = entry.expect("a seed").path();
        println!("{}", path.display());
        check::check(&fs::read(&path).expect("a seed"));
        tried += 1;
    }
    assert!(tried > 50, "only {tried} files in {}", seeds.display());
}
