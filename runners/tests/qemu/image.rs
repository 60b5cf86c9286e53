//! Tiny guests, assembled by hand, and directors that follow them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use model::Arch;
use runners::{Act, Action, Answer, Command, Director, Machine, Profile, Request};
use tempfile::TempDir;

/// Bound of a run that is expected to end well; reached only if something is wrong.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Set by a test to let [`RESPONDER`] go on.
pub const FLAG: u64 = 0x5000_0000;
/// Counted up by [`RESPONDER`] for ever once it has gone on.
pub const COUNTER: u64 = 0x5000_0004;

/// Prints `go`, waits for a flag in memory, prints `seen`, and counts for ever.
#[rustfmt::skip]
pub const RESPONDER: [u32; 22] = [
    0xd2a1_2001, // movz x1, #0x900, lsl #16        the PL011
    0xd2aa_0003, // movz x3, #0x5000, lsl #16       the flag
    0x5280_0ce2, 0xb900_0022, // mov w2, #'g'; str w2, [x1]
    0x5280_0de2, 0xb900_0022, // mov w2, #'o'; str w2, [x1]
    0x5280_0142, 0xb900_0022, // mov w2, #'\n'; str w2, [x1]
    0xb940_0064, // 1: ldr w4, [x3]
    0x34ff_ffe4, // cbz w4, 1b
    0x5280_0e62, 0xb900_0022, // mov w2, #'s'; str w2, [x1]
    0x5280_0ca2, 0xb900_0022, // mov w2, #'e'; str w2, [x1]
    0xb900_0022, //              str w2, [x1]
    0x5280_0dc2, 0xb900_0022, // mov w2, #'n'; str w2, [x1]
    0x5280_0142, 0xb900_0022, // mov w2, #'\n'; str w2, [x1]
    0x1100_04a5, // 2: add w5, w5, #1
    0xb900_0465, // str w5, [x3, #4]
    0x17ff_fffe, // b 2b
];

/// Prints `up` and turns the machine off by PSCI, from EL2.
#[rustfmt::skip]
pub const LAST_WORDS: [u32; 10] = [
    0xd2a1_2001, // movz x1, #0x900, lsl #16
    0x5280_0ea2, 0xb900_0022, // mov w2, #'u'; str w2, [x1]
    0x5280_0e02, 0xb900_0022, // mov w2, #'p'; str w2, [x1]
    0x5280_0142, 0xb900_0022, // mov w2, #'\n'; str w2, [x1]
    0x5280_0100, // mov w0, #8
    0x72b0_8000, // movk w0, #0x8400, lsl #16      SYSTEM_OFF
    0xd400_0003, // smc #0
];

/// Counts 1000 down to 0, two instructions each, and waits for an interrupt for ever.
#[rustfmt::skip]
pub const COUNTDOWN: [u32; 5] = [
    0xd280_7d01, // mov x1, #1000
    0xf100_0421, // 1: subs x1, x1, #1
    0x54ff_ffe1, // b.ne 1b
    0xd503_207f, // 2: wfi
    0x17ff_ffff, // b 2b
];

/// Resets the machine by PSCI, from EL2.
#[rustfmt::skip]
pub const RESET: [u32; 3] = [
    0x5280_0120, // mov w0, #9
    0x72b0_8000, // movk w0, #0x8400, lsl #16      SYSTEM_RESET
    0xd400_0003, // smc #0
];

/// Writes a guest into a folder.
pub fn write(dir: &Path, code: &[u32]) -> PathBuf {
    let path = dir.join("image.bin");
    let bytes: Vec<u8> = code.iter().flat_map(|word| word.to_le_bytes()).collect();
    std::fs::write(&path, bytes).expect("writing the image");
    path
}

/// The reference profile's machine.
pub fn machine() -> Machine {
    Profile::shipped("reference", Arch::Aarch64)
        .expect("shipped")
        .machine
}

/// A run of a guest on the real QEMU. The folder holds the image.
pub fn request(code: &[u32]) -> (Request, TempDir) {
    let dir = tempfile::tempdir().expect("temporary folder");
    (
        Request::new(machine(), write(dir.path(), code), PATIENCE),
        dir,
    )
}

/// Names an action.
pub fn act(label: &str, action: Action) -> Act {
    Act {
        label: label.to_owned(),
        action,
    }
}

/// A read of memory.
pub fn read(addr: u64, len: usize) -> Action {
    Action::Read { addr, len }
}

/// A director made of two closures.
pub struct By<L, D>(pub L, pub D);

impl<L, D> Director for By<L, D>
where
    L: FnMut(&str) -> Vec<Command>,
    D: FnMut(&str, &Answer) -> Vec<Command>,
{
    fn line(&mut self, line: &str) -> Vec<Command> {
        (self.0)(line)
    }

    fn done(&mut self, label: &str, answer: &Answer) -> Vec<Command> {
        (self.1)(label, answer)
    }
}

/// A director that wants nothing.
pub struct Idle;

impl Director for Idle {
    fn line(&mut self, _: &str) -> Vec<Command> {
        Vec::new()
    }

    fn done(&mut self, _: &str, _: &Answer) -> Vec<Command> {
        Vec::new()
    }
}

/// A director that finishes at a line.
pub struct Until(pub &'static str);

impl Director for Until {
    fn line(&mut self, line: &str) -> Vec<Command> {
        if line == self.0 {
            vec![Command::Finish]
        } else {
            Vec::new()
        }
    }

    fn done(&mut self, _: &str, _: &Answer) -> Vec<Command> {
        Vec::new()
    }
}
