//! Reads arbitrary bytes as a requirement file or a source file.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../oft/tests/seeds/check.rs"]
mod check;

fuzz_target!(|data: &[u8]| check::check(data));
