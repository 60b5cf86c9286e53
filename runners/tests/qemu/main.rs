//! Runs against a QEMU that misbehaves and against the real one.
//!
//! This program plays three parts, told apart by how it is started: the tests; a fake QEMU, when
//! `runners` starts it with QEMU's arguments; and a harness that is killed in the middle of a run.

#![expect(
    clippy::missing_docs_in_private_items,
    reason = "a test program has no interface"
)]

mod fake;
mod image;
mod lines;
mod machine;
mod misbehaviour;
mod orphan;
mod reality;
mod smmu;

use libtest_mimic::{Arguments, Failed, Trial};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    match args.get(1).map(String::as_str) {
        Some("-no-user-config") => fake::play(&args),
        Some(orphan::VICTIM) => orphan::be_victim(&args),
        _ => {
            let trials = [
                misbehaviour::trials(),
                lines::trials(),
                reality::trials(),
                machine::trials(),
                smmu::trials(),
                orphan::trials(),
            ];
            libtest_mimic::run(
                &Arguments::from_args(),
                trials.into_iter().flatten().collect(),
            )
            .exit();
        }
    }
}

/// Makes a trial of a function that panics when its claim does not hold.
fn trial(name: &str, claim: fn()) -> Trial {
    Trial::test(name, move || {
        claim();
        Ok::<(), Failed>(())
    })
}
