//! Reads arbitrary bytes as what a guest prints and as what a boot loader passes.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../wire/tests/seeds/check.rs"]
mod check;

fuzz_target!(|data: &[u8]| check::check(data));
