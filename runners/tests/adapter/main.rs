//! Tests of good and bad adapters, each a shell script of a line or two.
//!
//! The arguments decide which of two parts this program plays: the tests, or a suite that is killed while its adapter
//! works.

#![expect(
    clippy::missing_docs_in_private_items,
    reason = "a test program has no interface"
)]

mod misbehaviour;
mod operations;
mod orphan;
#[path = "../support/processes.rs"]
mod processes;
mod script;
#[path = "../support/trials.rs"]
mod trials;

use libtest_mimic::Arguments;
use trials::trial;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if args.get(1).map(String::as_str) == Some(orphan::VICTIM) {
        orphan::be_victim(&args);
    }
    let all = [
        misbehaviour::trials(),
        operations::trials(),
        orphan::trials(),
    ];
    libtest_mimic::run(&Arguments::from_args(), all.into_iter().flatten().collect()).exit();
}
