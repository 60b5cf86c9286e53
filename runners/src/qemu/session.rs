//! One run, from QEMU's greeting to its end.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use serde_json::Value;

use super::process::Child;
use super::qmp::{self, Message};
use super::qtest::{self, Qtest};
use super::serial::{self, Lines};
use super::{Event, Halt, RunError};
use crate::arch::{Controller, Platform};
use crate::deadline::Deadline;
use crate::iommu::{Iommu, Queue, queue};
use crate::request::{Action, Answer, Command, LabelledAction, Request, RunController};
use crate::run_record::{End, Record, Status, Timing};

/// How long the streams of an ended QEMU may stay open. They end with it, unless it passed them on to another program.
const GRACE: Duration = Duration::from_secs(5);

/// The refusal of every action once QEMU is gone.
const ENDED: &str = "QEMU has ended";

/// A run in progress.
pub struct Session<'a> {
    platform: &'static dyn Platform,
    events: Receiver<Event>,
    sender: Sender<Event>,
    /// Events that arrived while an answer was awaited.
    backlog: VecDeque<Event>,
    qmp: UnixStream,
    /// Id of the last QMP command.
    asked: u64,
    qtest: Option<Qtest>,
    controller: Option<Controller>,
    deadline: Deadline,
    run_controller: &'a mut dyn RunController,
    lines: Lines,
    /// Number of bytes printed beyond the limit, and the last of them.
    flood: Option<(u64, Vec<u8>)>,
    answers: Vec<Record>,
    timing: Timing,
    /// QEMU's reason for a shutdown by the guest.
    powered_off: Option<String>,
    stderr: String,
    open: Open,
}

/// The streams that have not ended.
#[derive(Debug)]
struct Open {
    serial: bool,
    qmp: bool,
    stderr: bool,
}

impl Open {
    fn any(&self) -> bool {
        self.serial || self.qmp || self.stderr
    }
}

/// What a session returns in addition to its end.
pub struct SessionRecord {
    pub console: Vec<u8>,
    pub stderr: String,
    pub answers: Vec<Record>,
    pub timing: Timing,
}

impl<'a> Session<'a> {
    /// Prepares to follow a QEMU that has been started.
    pub fn new(
        platform: &'static dyn Platform,
        events: Receiver<Event>,
        sender: Sender<Event>,
        qmp: UnixStream,
        deadline: Deadline,
        run_controller: &'a mut dyn RunController,
    ) -> Self {
        Self {
            platform,
            events,
            sender,
            backlog: VecDeque::new(),
            qmp,
            asked: 0,
            qtest: None,
            controller: None,
            deadline,
            run_controller,
            lines: Lines::default(),
            flood: None,
            answers: Vec::new(),
            timing: Timing::default(),
            powered_off: None,
            stderr: String::new(),
            open: Open {
                serial: false,
                qmp: true,
                stderr: true,
            },
        }
    }

    /// Follows the run until something halts it.
    pub fn drive(
        &mut self,
        request: &Request,
        serial: &UnixListener,
        qtest: &UnixListener,
    ) -> Halt {
        match self.follow(request, serial, qtest) {
            Ok(never) => match never {},
            Err(halt) => halt,
        }
    }

    fn follow(
        &mut self,
        request: &Request,
        serial: &UnixListener,
        qtest: &UnixListener,
    ) -> Result<std::convert::Infallible, Halt> {
        self.greeting()?;
        // QEMU opens its character devices in the order of its command line and sends QMP's greeting only when all are
        // open. So both connections are waiting.
        serial::follow(
            accept(serial, "console")?,
            request.console_limit,
            self.sender.clone(),
        );
        self.open.serial = true;
        self.qtest = Some(Qtest::new(accept(qtest, "qtest")?));
        self.must("qmp_capabilities")?;
        self.timing.ready = Some(self.deadline.elapsed());
        self.obey(
            request
                .before
                .iter()
                .cloned()
                .map(Command::Perform)
                .collect(),
        )?;
        self.timing.started = Some(self.deadline.elapsed());
        self.must("cont")?;
        loop {
            match self.next()? {
                Event::Serial { bytes, at } => {
                    self.hear(&bytes, at);
                    while let Some(line) = self.lines.pop() {
                        let commands = self.run_controller.line(&line);
                        self.obey(commands)?;
                    }
                }
                Event::SerialEnd { total, tail } => {
                    self.serial_ended(total, tail);
                    if let Some(line) = self.lines.rest() {
                        let commands = self.run_controller.line(&line);
                        self.obey(commands)?;
                    }
                }
                Event::Flood => return Err(Halt::Flooded),
                Event::Qmp(message) => self.note(message)?,
                Event::QmpEnd => self.open.qmp = false,
                Event::StderrEnd(text) => self.stderr_ended(text),
            }
        }
    }

    /// Waits for the next event. Returns [`Halt::Gone`] when none can come.
    fn next(&mut self) -> Result<Event, Halt> {
        if let Some(event) = self.backlog.pop_front() {
            return Ok(event);
        }
        if !self.open.any() {
            return Err(Halt::Gone);
        }
        let left = self.deadline.left().ok_or(Halt::Deadline)?;
        self.events.recv_timeout(left).map_err(|error| match error {
            RecvTimeoutError::Timeout => Halt::Deadline,
            RecvTimeoutError::Disconnected => Halt::Gone,
        })
    }

    fn hear(&mut self, bytes: &[u8], at: std::time::Instant) {
        self.timing
            .first_byte
            .get_or_insert(self.deadline.since_start(at));
        self.lines.push(bytes);
    }

    fn serial_ended(&mut self, total: u64, tail: Vec<u8>) {
        self.open.serial = false;
        if !tail.is_empty() {
            self.flood = Some((total, tail));
        }
    }

    fn stderr_ended(&mut self, text: String) {
        self.open.stderr = false;
        self.stderr = text;
    }

    fn greeting(&mut self) -> Result<(), Halt> {
        match self.next()? {
            Event::Qmp(Message::Greeting) => Ok(()),
            Event::Qmp(other) => Err(unexpected(other)),
            event => {
                self.backlog.push_back(event);
                Err(Halt::Gone)
            }
        }
    }

    /// Executes a QMP command that must succeed.
    fn must(&mut self, execute: &str) -> Result<(), Halt> {
        match self.qmp(execute, &Value::Null)? {
            Answer::Refused(text) => Err(broken("QMP", format!("{execute}: {text}"))),
            Answer::Done | Answer::Bytes(_) | Answer::Json(_) => Ok(()),
        }
    }

    /// Executes a QMP command. Other events that arrive meanwhile are kept for later.
    fn qmp(&mut self, execute: &str, arguments: &Value) -> Result<Answer, Halt> {
        if !self.open.qmp {
            return Err(Halt::Gone);
        }
        self.asked += 1;
        let left = self.deadline.left().ok_or(Halt::Deadline)?;
        self.qmp
            .set_write_timeout(Some(left))
            .map_err(qtest::halt)?;
        let line = qmp::command(self.asked, execute, arguments);
        self.qmp.write_all(line.as_bytes()).map_err(qtest::halt)?;
        loop {
            let left = self.deadline.left().ok_or(Halt::Deadline)?;
            match self.events.recv_timeout(left) {
                Err(RecvTimeoutError::Timeout) => return Err(Halt::Deadline),
                Err(RecvTimeoutError::Disconnected) => return Err(Halt::Gone),
                Ok(Event::Qmp(Message::Answer { id, result }))
                    if id.is_none_or(|id| id == self.asked) =>
                {
                    return Ok(result.map_or_else(Answer::Refused, Answer::Json));
                }
                Ok(Event::Qmp(message)) => self.note(message)?,
                Ok(Event::QmpEnd) => {
                    self.open.qmp = false;
                    return Err(Halt::Gone);
                }
                Ok(event) => self.backlog.push_back(event),
            }
        }
    }

    /// Handles an unsolicited QMP message.
    fn note(&mut self, message: Message) -> Result<(), Halt> {
        match message {
            Message::Event { name, data } if name == "SHUTDOWN" => {
                // Without `guest`, we or a signal caused it.
                if data.get("guest") == Some(&Value::Bool(true)) {
                    let reason = data
                        .get("reason")
                        .and_then(Value::as_str)
                        .unwrap_or("guest");
                    self.powered_off = Some(reason.to_owned());
                }
                Ok(())
            }
            Message::Event { .. } => Ok(()),
            other => Err(unexpected(other)),
        }
    }

    /// Carries out commands. Commands that an answer gives rise to come before the rest.
    fn obey(&mut self, commands: Vec<Command>) -> Result<(), Halt> {
        let mut queue = VecDeque::from(commands);
        while let Some(command) = queue.pop_front() {
            let LabelledAction { label, action } = match command {
                Command::Finish => return Err(Halt::Finished),
                Command::Perform(act) => act,
            };
            // Bounds a run controller that answers each refusal with the same command.
            self.deadline.left().ok_or(Halt::Deadline)?;
            let lines = self.lines.count();
            let answer = match self.act(&action) {
                // Console output may still be unread, so the end of QEMU does not end the session here.
                Err(Halt::Gone) => Answer::Refused(ENDED.to_owned()),
                answer => answer?,
            };
            for command in self.run_controller.done(&label, &answer).into_iter().rev() {
                queue.push_front(command);
            }
            self.answers.push(Record {
                label,
                action,
                answer,
                lines,
            });
        }
        Ok(())
    }

    fn act(&mut self, action: &Action) -> Result<Answer, Halt> {
        match action {
            Action::Read { addr, len } => {
                self.with_qtest(|qtest, deadline| qtest.read(*addr, *len, deadline))
            }
            Action::Write { addr, bytes } => {
                self.with_qtest(|qtest, deadline| qtest.write(*addr, bytes, deadline))
            }
            Action::SetLine { line, high } => {
                let controller = self.controller()?;
                match self.platform.input(line, controller.as_ref()) {
                    Ok(input) => {
                        self.with_qtest(|qtest, deadline| qtest.set_line(&input, *high, deadline))
                    }
                    Err(why) => Ok(Answer::Refused(why)),
                }
            }
            Action::Qmp { execute, arguments } => self.qmp(execute, arguments),
            Action::Stop => self.qmp("stop", &Value::Null).map(done),
            Action::Continue => self.qmp("cont", &Value::Null).map(done),
        }
    }

    fn with_qtest(
        &mut self,
        ask: impl FnOnce(&mut Qtest, &Deadline) -> Result<Answer, Halt>,
    ) -> Result<Answer, Halt> {
        ask(self.qtest.as_mut().ok_or(Halt::Gone)?, &self.deadline)
    }

    fn controller(&mut self) -> Result<Option<Controller>, Halt> {
        if self.controller.is_none() {
            let platform = self.platform;
            self.controller =
                platform.controller(&mut |execute, arguments| self.qmp(execute, &arguments))?;
        }
        Ok(self.controller.clone())
    }

    /// Reads the event queues of IOMMUs after a run, while QEMU still exists.
    pub fn queues(&mut self, halt: &Halt, iommus: &[Iommu]) -> Vec<Queue> {
        let over = match halt {
            Halt::Finished => None,
            Halt::Gone => Some(ENDED),
            Halt::Deadline | Halt::Flooded | Halt::Broken(_) => Some("the run was cut off"),
        };
        // The queues must all be read at one point in time.
        let stopped = over.is_none() && !iommus.is_empty() && self.act(&Action::Stop).is_ok();
        let mut read = |addr, len| {
            if !stopped {
                return Err(over.unwrap_or("the machine did not stop").to_owned());
            }
            match self.act(&Action::Read { addr, len }) {
                Ok(Answer::Bytes(bytes)) => Ok(bytes),
                Ok(Answer::Refused(why)) => Err(why),
                Ok(other) => Err(format!("no bytes: {other:?}")),
                Err(halt) => Err(format!("{halt:?}")),
            }
        };
        let queue = |iommu: &Iommu| queue::read(iommu, &mut read);
        iommus.iter().map(queue).collect()
    }

    /// Takes in the rest of QEMU's streams. Returns whether all of them ended in time.
    fn collect(&mut self, until: Deadline) -> bool {
        while self.open.any() {
            let kept = self.backlog.pop_front();
            let Some(event) = kept.or_else(|| self.events.recv_timeout(until.left()?).ok()) else {
                return false;
            };
            match event {
                Event::Serial { bytes, at } => self.hear(&bytes, at),
                Event::SerialEnd { total, tail } => self.serial_ended(total, tail),
                // A QMP error after the run changes nothing.
                Event::Qmp(message) => drop(self.note(message)),
                Event::QmpEnd => self.open.qmp = false,
                Event::StderrEnd(text) => self.stderr_ended(text),
                Event::Flood => {}
            }
        }
        true
    }

    /// Ends QEMU if it is still running, takes in the rest of its streams, and returns the outcome.
    pub fn conclude(
        mut self,
        halt: Halt,
        child: &mut Child,
    ) -> Result<(End, SessionRecord), RunError> {
        // How much comes after the line that finished the run is a matter of timing, so it is left out.
        let heard = matches!(halt, Halt::Finished).then(|| std::mem::take(&mut self.lines).heard());
        // A QEMU that has closed its side is ending by itself. It has time until the deadline.
        let late = matches!(halt, Halt::Gone) && !self.collect(self.deadline);
        // Once the last stream has closed, a signal no longer changes the status.
        child.kill();
        self.collect(Deadline::after(GRACE));
        let status = Status::from(child.wait()?);
        let end = match halt {
            Halt::Broken(RunError::Protocol { what, text, .. }) => {
                let stderr = self.stderr;
                return Err(RunError::Protocol { what, text, stderr });
            }
            Halt::Broken(error) => return Err(error),
            Halt::Finished => End::Finished,
            Halt::Deadline => End::Deadline,
            Halt::Gone if late => End::Deadline,
            Halt::Flooded => End::Flooded {
                bytes: self.flood.as_ref().map_or(0, |(total, _)| *total),
            },
            Halt::Gone => match self.powered_off {
                Some(reason) if status.code == Some(0) => End::PoweredOff { reason },
                Some(_) | None => End::Died {
                    status,
                    stderr: self.stderr.clone(),
                },
            },
        };
        let console = heard.unwrap_or_else(|| whole(self.lines.all(), self.flood));
        Ok((
            end,
            SessionRecord {
                console,
                stderr: self.stderr,
                answers: self.answers,
                timing: self.timing,
            },
        ))
    }
}

/// Joins the head and the tail of a flood.
fn whole(mut head: Vec<u8>, flood: Option<(u64, Vec<u8>)>) -> Vec<u8> {
    if let Some((total, tail)) = flood {
        let left_out = total.saturating_sub(head.len() as u64 + tail.len() as u64);
        head.extend(format!("\n[{left_out} bytes left out]\n").into_bytes());
        head.extend(tail);
    }
    head
}

/// Takes a connection that QEMU must have opened by now.
fn accept(socket: &UnixListener, what: &'static str) -> Result<UnixStream, Halt> {
    match socket.accept() {
        Ok((stream, _)) => Ok(stream),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            Err(broken(what, "a greeting before the connection".to_owned()))
        }
        Err(error) => Err(Halt::Broken(RunError::doing(format!("connecting {what}"))(
            error,
        ))),
    }
}

fn done(answer: Answer) -> Answer {
    match answer {
        Answer::Json(_) => Answer::Done,
        other => other,
    }
}

fn unexpected(message: Message) -> Halt {
    broken(
        "QMP",
        match message {
            Message::Garbage(text) => text,
            other => format!("{other:?}"),
        },
    )
}

fn broken(what: &'static str, text: String) -> Halt {
    Halt::Broken(RunError::Protocol {
        what,
        text,
        stderr: String::new(),
    })
}
