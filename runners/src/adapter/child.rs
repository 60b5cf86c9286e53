//! An adapter as a child process that neither hangs nor outlives us, whatever it does.
//!
//! The program is no friend: it may print without end, print nothing, leave its input unread, start others and die. So
//! each of its streams has a thread of its own and a bound, and whoever waits for them waits until a deadline.
//!
//! All processes that it starts are in one group, unless they leave it. The group's leader is not the adapter but a
//! guard, a shell that waits for the end of a pipe whose other end we hold, and kills the group then. The kernel closes
//! our end however we end, so the group dies with us, and as the guard is there before the adapter, there is no moment
//! without it. While we live, we kill the group ourselves: a guard can be stopped by those it guards.

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

/// Bytes of a line, answers in base64 included.
pub const LINE_LIMIT: usize = 8 << 20;
/// Bytes that may be said on standard error between two answers.
pub const STDERR_LIMIT: usize = 1 << 20;
/// Bytes of standard error that are kept: its last.
const STDERR_KEPT: usize = 1 << 10;
/// How long a killed or ended process may take to close its streams.
const AFTER_END: Duration = Duration::from_secs(2);

/// The guard: nothing but its pipe or a SIGKILL ends it.
const GUARD: &str = "trap '' HUP INT TERM; read -r _; kill -s KILL 0";

/// What comes from the process by itself.
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
    /// It printed more than [`LINE_LIMIT`] without a line break.
    TooLong,
    /// It said more than [`STDERR_LIMIT`] on standard error.
    TooMuchStderr,
    /// It does not read what it is told.
    Deaf,
}

/// What was said on standard error.
#[derive(Debug, Default)]
struct Said {
    tail: Vec<u8>,
    since_answer: usize,
}

/// A started adapter. Dropping it kills its group and waits for both processes of ours.
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
    /// Starts `command` in `folder`, where its program is looked for if it has a slash in it.
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
                // Nobody is in the group but the guard.
                let _ = guard.kill();
                let _ = guard.wait();
                return Err(error);
            }
        };
        let said = Arc::new(Mutex::new(Said::default()));
        // Room for each kind of end beside a line: nobody is kept from telling it.
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
                // A reader that went away shows by its silence.
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

    /// Says a line, which waits in a thread of its own until it is read.
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

    /// Says that nothing more will be asked, gives the process a moment to end by itself, and ends it.
    pub fn dismiss(mut self) {
        self.input = None;
        let deadline = Deadline::after(AFTER_END);
        // Whatever it still prints, it prints to nobody.
        while self.line(deadline).is_ok() {}
    }

    /// Ends the process and returns the last that it said on standard error and, where it has ended `by_itself`, how.
    pub fn end(mut self, by_itself: bool) -> (Option<ExitStatus>, String) {
        // It closes its standard error just before its status can be seen; a signal no longer changes that then. One
        // that has only closed its output goes on.
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
        // Bytes are whole whatever happened to who wrote them.
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Kills the whole group. Its leader is the guard, which has not been waited for: the number is still the group's.
    fn kill(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.guard), Signal::KILL);
        // Reaches a program that left the group.
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

/// Hands on lines until there are no more, or until one is too long. Where nobody takes them, it waits, and so does
/// whoever prints.
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
            // Half a line and then the end: nobody will finish it.
            Ok(_) | Err(_) => Event::End,
        };
        let last = !matches!(event, Event::Line(_));
        if events.send(event).is_err() || last {
            return;
        }
    }
}

/// Keeps the last of what is said, and tells when it is too much.
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
            // Full only with ends of other kinds, and one is enough.
            let _ = events.try_send(Event::TooMuchStderr);
        }
    }
}
