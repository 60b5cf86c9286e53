//! An adapter as a child process that cannot hang the suite and does not outlive it.
//!
//! The program is not trusted: it may print without end, print nothing, leave its input unread, start other processes,
//! and die. So each of its streams has its own thread and a bound, and every wait has a deadline.
//!
//! All processes that it starts are in one process group, unless they leave it. The leader of the group is not the
//! adapter but a guard: a shell that waits for the end of a pipe whose other end we hold, and then kills the group. The
//! kernel closes our end however we end, so the group dies with us. The guard starts before the adapter, so the adapter
//! never runs without it. While we live we kill the group ourselves, because the adapter's processes could stop the
//! guard.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child as Process, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::deadline::Deadline;

/// Limit of a line in bytes; answers contain files in base64.
pub const LINE_LIMIT: usize = 8 << 20;
/// Limit of the output on standard error between two answers, in bytes.
pub const STDERR_LIMIT: usize = 1 << 20;
/// How much of standard error is kept: its last bytes.
const STDERR_KEPT: usize = 1 << 10;
/// How long the streams of a killed or ended process may stay open.
const AFTER_END: Duration = Duration::from_secs(2);

/// The guard. Only the end of its pipe or a SIGKILL ends it.
const GUARD: &str = "trap '' HUP INT TERM; read -r _; kill -s KILL 0";

/// An event of the process.
enum Event {
    Line(Vec<u8>),
    TooLong,
    End,
    TooMuchStderr,
}

/// Why there is no line.
#[derive(Debug)]
pub enum Trouble {
    /// The process closed its output, as it does when it ends.
    Ended,
    /// The time was up.
    Late,
    /// It printed [`LINE_LIMIT`] bytes without a line break.
    TooLong,
    /// It printed more than [`STDERR_LIMIT`] bytes on standard error.
    TooMuchStderr,
    /// It does not read its input.
    Deaf,
}

/// The output on standard error.
#[derive(Debug, Default)]
struct Said {
    tail: Vec<u8>,
    since_answer: usize,
}

/// A started adapter. Dropping it kills its group and waits for the guard and the adapter.
#[derive(Debug)]
pub struct Child {
    guard: Process,
    /// Closing it ends the group.
    _leash: Option<ChildStdin>,
    program: Process,
    input: Option<SyncSender<Vec<u8>>>,
    events: Receiver<Event>,
    said: Arc<Mutex<Said>>,
    stderr_end: Receiver<()>,
}

impl Child {
    /// Starts `command` in `folder`. A program name with a slash in it is relative to that folder.
    pub fn start(command: &[String], folder: &Path) -> io::Result<Self> {
        let (program, rest) = command
            .split_first()
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no program"))?;
        let mut guard = Command::new("sh")
            .args(["-c", GUARD])
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let leash = guard.stdin.take();
        let path = if program.contains('/') {
            std::path::absolute(folder.join(program))?
        } else {
            program.into()
        };
        let started = Command::new(path)
            .args(rest)
            .current_dir(folder)
            .process_group(i32::try_from(guard.id()).unwrap_or(i32::MAX))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut program = match started {
            Ok(program) => program,
            Err(error) => {
                drop(leash);
                // Only the guard is in the group yet.
                let _ = guard.kill();
                let _ = guard.wait();
                return Err(error);
            }
        };
        let said = Arc::new(Mutex::new(Said::default()));
        // Room for each kind of end and one line: no thread ever blocks while it reports its end.
        let (events_to, events) = sync_channel(4);
        let (ended, stderr_end) = sync_channel(1);
        if let Some(stderr) = program.stderr.take() {
            let (said, events) = (said.clone(), events_to.clone());
            thread::spawn(move || {
                follow_stderr(stderr, &said, &events);
                let _ = ended.send(());
            });
        }
        if let Some(stdout) = program.stdout.take() {
            thread::spawn(move || follow_stdout(stdout, &events_to));
        }
        let (input, lines) = sync_channel::<Vec<u8>>(1);
        if let Some(mut stdin) = program.stdin.take() {
            thread::spawn(move || {
                // A thread that is gone shows by its silence.
                while let Ok(line) = lines.recv() {
                    let _ = stdin.write_all(&line).and_then(|()| stdin.flush());
                }
            });
        }
        Ok(Self {
            guard,
            _leash: leash,
            program,
            input: Some(input),
            events,
            said,
            stderr_end,
        })
    }

    /// Sends a line. A thread holds it until the process reads it.
    pub fn say(&mut self, line: Vec<u8>) -> Result<(), Trouble> {
        self.said().since_answer = 0;
        match self.input.as_ref().map(|input| input.try_send(line)) {
            Some(Ok(())) => Ok(()),
            Some(Err(TrySendError::Full(_))) => Err(Trouble::Deaf),
            Some(Err(TrySendError::Disconnected(_))) | None => Err(Trouble::Ended),
        }
    }

    /// Waits for a line, without its end.
    pub fn line(&mut self, deadline: Deadline) -> Result<Vec<u8>, Trouble> {
        let left = deadline.left().ok_or(Trouble::Late)?;
        match self.events.recv_timeout(left) {
            Ok(Event::Line(line)) => Ok(line),
            Ok(Event::TooLong) => Err(Trouble::TooLong),
            Ok(Event::TooMuchStderr) => Err(Trouble::TooMuchStderr),
            Err(RecvTimeoutError::Timeout) => Err(Trouble::Late),
            Ok(Event::End) | Err(RecvTimeoutError::Disconnected) => Err(Trouble::Ended),
        }
    }

    /// Closes the input, gives the process a moment to end by itself, and ends it.
    pub fn dismiss(mut self) {
        self.input = None;
        let deadline = Deadline::after(AFTER_END);
        // Its remaining output is dropped.
        while self.line(deadline).is_ok() {}
    }

    /// Ends the process and returns the last of its standard error and, if it ended `by_itself`, its exit status.
    pub fn end(mut self, by_itself: bool) -> (Option<ExitStatus>, String) {
        // A process closes its standard error just before its status is available, and a signal then no longer changes
        // the status. A process that has only closed its output is still running.
        let ended = by_itself && self.stderr_end.recv_timeout(AFTER_END).is_ok();
        self.kill();
        let status = self.program.wait().ok().filter(|_| ended);
        if !ended {
            let _ = self.stderr_end.recv_timeout(AFTER_END);
        }
        let said = String::from_utf8_lossy(&self.said().tail).into_owned();
        (status, said)
    }

    fn said(&self) -> std::sync::MutexGuard<'_, Said> {
        // A panic of the writer leaves whole bytes.
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Kills the whole group. The guard, its leader, has not been waited for, so no other group can have its number
    /// yet.
    fn kill(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.guard), Signal::KILL);
        // Reaches a program that has left the group.
        let _ = self.program.kill();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
        let _ = self.program.wait();
        let _ = self.guard.wait();
    }
}

/// Passes on lines until the stream ends or a line is too long. Blocks while nothing takes them, which also blocks the
/// process that prints.
fn follow_stdout(stdout: impl Read, events: &SyncSender<Event>) {
    let mut reader = BufReader::new(stdout);
    let limit = u64::try_from(LINE_LIMIT).unwrap_or(u64::MAX);
    loop {
        let mut line = Vec::new();
        let read = reader.by_ref().take(limit).read_until(b'\n', &mut line);
        let event = match read {
            Ok(1..) if line.ends_with(b"\n") => {
                line.pop();
                Event::Line(line)
            }
            Ok(LINE_LIMIT..) => Event::TooLong,
            // The end cuts a line short, so the line can never become complete.
            Ok(_) | Err(_) => Event::End,
        };
        let last = !matches!(event, Event::Line(_));
        if events.send(event).is_err() || last {
            return;
        }
    }
}

/// Keeps the last of the output, and reports when it is too much.
fn follow_stderr(mut stderr: impl Read, said: &Mutex<Said>, events: &SyncSender<Event>) {
    let mut piece = [0; 4096];
    loop {
        let read = match stderr.read(&mut piece) {
            Ok(0) | Err(_) => return,
            Ok(read) => piece.get(..read).unwrap_or_default(),
        };
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.tail.extend_from_slice(read);
        let surplus = said.tail.len().saturating_sub(STDERR_KEPT);
        said.tail.drain(..surplus);
        let before = said.since_answer;
        said.since_answer = before.saturating_add(read.len());
        if before <= STDERR_LIMIT && said.since_answer > STDERR_LIMIT {
            // The channel is full only if other ends were reported, and one is enough.
            let _ = events.try_send(Event::TooMuchStderr);
        }
    }
}
