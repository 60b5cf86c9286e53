//! Foreign tools that the tests run. `cargo xtask test` installs them.

use std::io::Write as _;
use std::process::{Command, Stdio};

/// Runs dtc over an input; the first value tells whether it succeeded.
pub fn try_dtc(args: &[&str], input: &[u8]) -> (bool, Vec<u8>) {
    let mut child = Command::new("dtc")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("dtc cannot be started ({error}): `cargo xtask test` installs it")
        });
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    std::thread::scope(|scope| {
        // dtc stops reading early on a bad blob.
        scope.spawn(move || drop(stdin.write_all(input)));
        let output = child.wait_with_output().expect("dtc can be waited for");
        (output.status.success(), output.stdout)
    })
}
