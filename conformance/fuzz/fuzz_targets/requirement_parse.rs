//! Reads arbitrary bytes as a requirement file or a source file.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../checks/requirement_parse.rs"]
mod requirement_parse;

fuzz_target!(|data: &[u8]| requirement_parse::check(data));
