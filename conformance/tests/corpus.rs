//! The inputs that fuzzing found worth keeping, tried without a fuzzer.

use std::{fs, path::Path};

#[path = "../fuzz/checks/requirement_parse.rs"]
mod requirement_parse;

/// No kept input upsets the requirement reader.
#[test]
fn requirement_reader_stands() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/requirement_parse");
    let entries = fs::read_dir(&corpus).expect("the corpus");
    let mut tried = 0;
    for entry in entries {
        let path = entry.expect("an entry of the corpus").path();
        println!("{}", path.display());
        requirement_parse::check(&fs::read(&path).expect("a file of the corpus"));
        tried += 1;
    }
    assert!(tried > 100, "only {tried} files in {}", corpus.display());
}
