//! Runs against a QEMU that misbehaves and against the real one.
//!
//! The arguments decide which of three parts this program plays: the tests; a fake QEMU, which `runners` starts with
//! QEMU's arguments; or a harness that is killed during a run.

#![expect(
    clippy::missing_docs_in_private_items,
    reason = "a test program has no interface"
)]

mod arch;
mod fake;
mod image;
mod lines;
mod machine;
mod misbehaviour;
mod orphan;
#[path = "../support/processes.rs"]
mod processes;
mod reality;
#[path = "../support/trials.rs"]
mod trials;

use libtest_mimic::Arguments;
use trials::trial;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    match args.get(1).map(String::as_str) {
        Some("-no-user-config") => fake::play(&args),
        Some(orphan::VICTIM) => orphan::be_victim(&args),
        _ => {
            let all = [
                misbehaviour::trials(),
                lines::trials(),
                reality::trials(),
                machine::trials(),
                arch::trials(),
                orphan::trials(),
            ];
            libtest_mimic::run(&Arguments::from_args(), all.into_iter().flatten().collect()).exit();
        }
    }
}
