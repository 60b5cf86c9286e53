//! Runs of tiny guests, and run controllers that follow them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use runners::{
    Action, Answer, Command, End, LabelledAction, Machine, Request, RunController, iommu_option,
    run,
};
use tempfile::TempDir;

use crate::trials::reference;

/// Time limit of a run that should succeed; it is reached only if something is wrong.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A test sets it to let the guest [`RESPONDER`](crate::arch::RESPONDER) continue.
pub const FLAG: u64 = 0x5000_0000;
/// The guest [`RESPONDER`](crate::arch::RESPONDER) counts it up for ever once it has continued.
pub const COUNTER: u64 = 0x5000_0004;

/// Writes a guest into a folder.
pub fn write(dir: &Path, code: &[u32]) -> PathBuf {
    let path = dir.join("image.bin");
    let bytes: Vec<u8> = code.iter().flat_map(|word| word.to_le_bytes()).collect();
    std::fs::write(&path, bytes).expect("writing the image");
    path
}

/// The reference profile's machine.
pub fn machine() -> Machine {
    reference().machine
}

/// A run of an image on that machine.
pub fn request_of(image: impl Into<PathBuf>) -> Request {
    Request::new(reference().arch, machine(), image, PATIENCE)
}

/// A run of a guest on the real QEMU. The folder holds the image.
pub fn request(code: &[u32]) -> (Request, TempDir) {
    let dir = tempfile::tempdir().expect("temporary folder");
    (request_of(write(dir.path(), code)), dir)
}

/// Gives a machine its IOMMU.
pub fn add_iommu(machine: &mut Machine) {
    let option = iommu_option(reference().arch).expect("an architecture that runs");
    machine.options.push(option.to_owned());
}

/// Carries out `acts` before the first instruction and returns their answers.
pub fn before(code: &[u32], acts: Vec<LabelledAction>) -> Vec<Answer> {
    let (mut request, _dir) = request(code);
    request.before = acts;
    add_iommu(&mut request.machine);
    request.machine.devices.push("edu,addr=3".to_owned());
    let seen = run(&request, &mut Until("up")).expect("a run");
    assert_eq!(seen.end, End::Finished);
    assert_eq!(seen.answers.len(), request.before.len());
    seen.answers
        .into_iter()
        .map(|record| record.answer)
        .collect()
}

/// Labels an action.
pub fn act(label: &str, action: Action) -> LabelledAction {
    LabelledAction {
        label: label.to_owned(),
        action,
    }
}

/// A read of memory.
pub fn read(addr: u64, len: usize) -> Action {
    Action::Read { addr, len }
}

/// A run controller made of two closures.
pub struct By<L, D>(pub L, pub D);

impl<L, D> RunController for By<L, D>
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

/// A run controller that commands nothing.
pub struct Idle;

impl RunController for Idle {
    fn line(&mut self, _: &str) -> Vec<Command> {
        Vec::new()
    }

    fn done(&mut self, _: &str, _: &Answer) -> Vec<Command> {
        Vec::new()
    }
}

/// A run controller that finishes at a line.
pub struct Until(pub &'static str);

impl RunController for Until {
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
