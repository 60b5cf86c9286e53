//! The seeds of the fuzz target, tried without a fuzzer.

use std::{fs, path::Path};

#[path = "seeds/check.rs"]
mod check;

/// The readers handle every seed.
#[test]
fn readers_stand() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/wire_read");
    let mut tried = 0;
    for entry in fs::read_dir(&seeds).expect("the seeds") {
        let path = entry.expect("a seed").path();
        println!("{}", path.display());
        check::check(&fs::read(&path).expect("a seed"));
        tried += 1;
    }
    assert!(tried >= 10, "only {tried} files in {}", seeds.display());
}
