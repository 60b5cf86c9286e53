//! Runs QEMU. This file sets up process and sockets; [`session`] follows the run.

pub mod argv;
pub(crate) mod error;
mod process;
mod qmp;
mod qtest;
pub mod script;
mod serial;
mod session;
pub mod tools;

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Component, Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Instant;

pub(crate) use error::Halt;
pub use error::RunError;
use process::{Child, Tie};
use session::Session;

use crate::arch;
use crate::deadline::Deadline;
use crate::iommu::{Iommus, trace};
use crate::request::{Machine, Request, RunController};
use crate::run_record::{End, RunRecord};
use crate::rundir::RunDir;

/// An event of a running QEMU.
#[derive(Debug)]
enum Event {
    Serial { bytes: Vec<u8>, at: Instant },
    Flood,
    SerialEnd { total: u64, tail: Vec<u8> },
    Qmp(qmp::Message),
    QmpEnd,
    StderrEnd(String),
}

/// Runs a machine, steered by `run_controller`, until the controller finishes, the deadline passes, the console floods
/// or QEMU ends. When this returns, QEMU and its files are gone.
pub fn run(
    request: &Request,
    run_controller: &mut dyn RunController,
) -> Result<RunRecord, RunError> {
    if request.machine_args.is_some() {
        // These arguments name the machine type themselves.
        return once(request, &request.machine.kind, run_controller);
    }
    with_kind(&request.machine, |kind| once(request, kind, run_controller))
}

fn once(
    request: &Request,
    kind: &str,
    run_controller: &mut dyn RunController,
) -> Result<RunRecord, RunError> {
    let platform = arch::platform(request.arch)?;
    let deadline = Deadline::after(request.deadline);
    let dir = RunDir::create().map_err(RunError::doing("creating the folder of the run"))?;
    for file in script::evidence_files(request) {
        let mut parts = Path::new(&file.name).components();
        if file.name.is_empty() || !parts.all(|part| matches!(part, Component::Normal(_))) {
            return Err(RunError::BadName(file.name));
        }
        file.write(dir.path())
            .map_err(RunError::doing(format!("writing {}", file.name)))?;
    }
    let image = match &request.image {
        Some(image) => std::path::absolute(image)
            .map_err(RunError::doing(format!("finding {}", image.display())))?,
        None => PathBuf::new(),
    };
    let image = image
        .to_str()
        .ok_or_else(|| RunError::BadName(image.display().to_string()))?;
    let argv = argv::argv(request, kind, image, argv::Io::Harness);

    // Listen first: QEMU connects while it starts, and fails if we are gone.
    let listen = |name: &str| {
        let socket = dir.listen(name)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    };
    let serial = listen(argv::SERIAL).map_err(RunError::doing("opening the console's socket"))?;
    let qtest = listen(argv::QTEST).map_err(RunError::doing("opening qtest's socket"))?;
    let (ours, theirs) = UnixStream::pair().map_err(RunError::doing("opening QMP's sockets"))?;
    let stdin = Stdio::from(OwnedFd::from(theirs));
    let mut child = Child::start(&argv, dir.path(), stdin, Stdio::null(), Tie::ToUs)?;

    let (sender, events) = mpsc::channel();
    let reader = ours
        .try_clone()
        .map_err(RunError::doing("opening QMP's sockets"))?;
    qmp::follow(reader, sender.clone());
    let on_end = sender.clone();
    child.on_stderr_end(move |stderr| {
        // The receiver may be gone.
        let _ = on_end.send(Event::StderrEnd(stderr));
    });

    let mut session = Session::new(platform, events, sender, ours, deadline, run_controller);
    let halt = session.drive(request, &serial, &qtest);
    let queues = session.queues(&halt, &request.iommus);
    let (end, seen) = session.conclude(halt, &mut child)?;
    let iommus = (!request.iommus.is_empty()).then(|| Iommus {
        trace: trace::read(&dir.path().join(trace::FILE), &request.iommus),
        queues,
    });
    drop((child, dir));
    Ok(RunRecord {
        end,
        console: seen.console,
        stderr: seen.stderr,
        answers: seen.answers,
        iommus,
        argv,
        timing: crate::run_record::Timing {
            total: deadline.elapsed(),
            ..seen.timing
        },
    })
}

/// An attempt that may fail because this QEMU lacks the machine type.
trait Attempt {
    fn lacks_kind(&self) -> bool;
}

fn names_kind(stderr: &str) -> bool {
    stderr.contains("unsupported machine type")
}

impl Attempt for RunRecord {
    fn lacks_kind(&self) -> bool {
        matches!(&self.end, End::Died { stderr, .. } if names_kind(stderr))
    }
}

impl Attempt for Vec<u8> {
    fn lacks_kind(&self) -> bool {
        false
    }
}

impl Attempt for std::time::Duration {
    fn lacks_kind(&self) -> bool {
        false
    }
}

/// Makes an attempt with the pinned machine type, and with the plain one where this QEMU lacks the pinned one. Asking
/// QEMU first (`-M help`) would cost half an empty start in every process. This way the cost arises only on a refusal,
/// which is remembered.
fn with_kind<T: Attempt>(
    machine: &Machine,
    mut attempt: impl FnMut(&str) -> Result<T, RunError>,
) -> Result<T, RunError> {
    static LACKING: Mutex<BTreeSet<(String, String)>> = Mutex::new(BTreeSet::new());
    let Some(pin) = &machine.pin else {
        return attempt(&machine.kind);
    };
    let key = (machine.program.clone(), pin.clone());
    // A panic leaves the set usable.
    if !LACKING
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .contains(&key)
    {
        let result = attempt(pin);
        let lacks = match &result {
            Ok(done) => done.lacks_kind(),
            Err(RunError::Failed { stderr, .. }) => names_kind(stderr),
            Err(_) => false,
        };
        if !lacks {
            return result;
        }
        LACKING
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key);
    }
    attempt(&machine.kind)
}
