//! QEMU as a child process that cannot outlive us.
//!
//! A killed harness runs no code, so the kernel has to end QEMU, by the parent-death signal. Setting the signal between
//! fork and exec takes `unsafe`. So `setpriv` of util-linux (essential on Debian) sets it and then becomes QEMU, which
//! costs about 1 ms of 30.
//!
//! A gap remains before `setpriv` has set it. If the harness is killed in that gap, QEMU still starts but ends by
//! itself: it must connect to the sockets of the run, and nothing listens on them any more. Once QEMU has connected,
//! the signal is set.
//!
//! The kernel sends the signal when the *thread* that started the child ends, so a run stays in one thread.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;

use super::RunError;
use crate::deadline::Deadline;
use crate::run_record::Status;

/// How much of QEMU's standard error is kept, in bytes.
const STDERR_LIMIT: u64 = 64 << 10;

/// Whether a child dies with us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tie {
    /// It is killed when the thread that started it ends, for whatever reason.
    ToUs,
    /// It is not killed; only for a child that ends by itself.
    None,
}

/// A started QEMU. Dropping it kills it and waits for its end.
#[derive(Debug)]
pub struct Child(std::process::Child);

impl Child {
    /// Starts `argv` in `dir`.
    pub fn start(
        argv: &[String],
        dir: &Path,
        stdin: Stdio,
        stdout: Stdio,
        tie: Tie,
    ) -> Result<Self, RunError> {
        let (program, rest) = match argv {
            [program, rest @ ..] => (find(program)?, rest),
            [] => return Err(RunError::NoProgram(String::new())),
        };
        let mut command = match tie {
            Tie::None => Command::new(&program),
            Tie::ToUs => {
                let mut command = Command::new(find("setpriv")?);
                command.args(["--pdeathsig", "KILL", "--"]).arg(&program);
                command
            }
        };
        command
            .args(rest)
            .current_dir(dir)
            .stdin(stdin)
            .stdout(stdout)
            .stderr(Stdio::piped());
        let starting = RunError::doing(format!("starting {}", program.display()));
        Ok(Self(command.spawn().map_err(starting)?))
    }

    /// Passes the child's standard error to `end` once the stream has ended.
    pub fn on_stderr_end(&mut self, end: impl FnOnce(String) + Send + 'static) {
        let stream = self.0.stderr.take();
        thread::spawn(move || end(drain(stream)));
    }

    /// Kills the child. A child that has ended already keeps its status.
    pub fn kill(&mut self) {
        // The only error is that it has been waited for, and then it has ended.
        let _ = self.0.kill();
    }

    /// Waits for the end of a child that is known to be ending.
    pub fn wait(&mut self) -> Result<ExitStatus, RunError> {
        self.0.wait().map_err(RunError::doing("waiting for QEMU"))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
        // Without a wait a zombie would stay until the harness ends.
        let _ = self.0.wait();
    }
}

/// Runs a QEMU that ends by itself and returns its output. Kills one that does not end in time.
pub fn to_end(
    argv: &[String],
    dir: &Path,
    deadline: Deadline,
    tie: Tie,
) -> Result<Vec<u8>, RunError> {
    let mut child = Child::start(argv, dir, Stdio::null(), Stdio::piped(), tie)?;
    let (sender, ended) = mpsc::channel();
    let stdout = child.0.stdout.take();
    child.on_stderr_end(move |stderr| {
        // The receiver is gone once the time is up.
        let _ = sender.send(stderr);
    });
    let printed = thread::spawn(move || {
        let mut bytes = Vec::new();
        // The bytes before an error are still output.
        let _ = stdout.map(|mut stream| stream.read_to_end(&mut bytes));
        bytes
    });
    let stderr = deadline
        .left()
        .and_then(|left| ended.recv_timeout(left).ok());
    let Some(stderr) = stderr else {
        return Err(RunError::Hung(argv.join(" ")));
    };
    let status = child.wait()?;
    if !status.success() {
        return Err(RunError::Failed {
            argv: argv.join(" "),
            status: Status::from(status),
            stderr,
        });
    }
    Ok(printed.join().unwrap_or_default())
}

/// Finds a program as a shell does, so that the error names a missing one.
fn find(program: &str) -> Result<PathBuf, RunError> {
    let missing = || RunError::NoProgram(program.to_owned());
    if program.contains('/') {
        return std::path::absolute(program)
            .ok()
            .filter(|path| path.is_file())
            .ok_or_else(missing);
    }
    let paths = std::env::var_os("PATH").ok_or_else(missing)?;
    std::env::split_paths(&paths)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
        .ok_or_else(missing)
}

/// Reads a stream to its end and keeps the beginning.
fn drain(stream: Option<impl Read>) -> String {
    let mut head = Vec::new();
    if let Some(mut stream) = stream {
        // A broken stream has ended; the bytes before it count.
        let _ = stream.by_ref().take(STDERR_LIMIT).read_to_end(&mut head);
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    }
    String::from_utf8_lossy(&head).into_owned()
}
