//! Reads arbitrary bytes as console output of a guest and as boot arguments.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../wire/tests/seeds/check.rs"]
mod check;

fuzz_target!(|data: &[u8]| check::check(data));
