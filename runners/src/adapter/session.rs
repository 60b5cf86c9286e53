//! A session with one adapter process: each request gets one answer, in time and in order. The first failure ends it.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use super::child::{Child, LINE_LIMIT, STDERR_LIMIT, Trouble};
use super::protocol::{Answer, Question, Request, Response, VERSION};
use crate::deadline::Deadline;
use crate::run_record::Status;

/// How many characters of a line an error shows.
const SHOWN: usize = 200;

/// Why an adapter failed: what it did, how it ended, and the end of its standard error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterError {
    /// What it did.
    pub what: String,
    /// How it ended, if it ended by itself.
    pub status: Option<Status>,
    /// The end of its standard error.
    pub stderr: String,
}

impl AdapterError {
    /// Describes a failure that did not end the process.
    pub fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            status: None,
            stderr: String::new(),
        }
    }
}

impl std::error::Error for AdapterError {}

impl fmt::Display for AdapterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the adapter {}", self.what)?;
        if let Some(status) = self.status {
            write!(f, " ({status})")?;
        }
        let said: Vec<&str> = self.stderr.lines().map(str::trim).collect();
        match said.join(" | ").trim_matches([' ', '|']) {
            "" => f.write_str("; it said nothing on standard error"),
            said => {
                f.write_str("; it said: ")?;
                f.write_str(&shown(said.as_bytes(), usize::MAX))
            }
        }
    }
}

/// A running adapter that has answered every request so far.
#[derive(Debug)]
pub struct Session {
    child: Child,
    last: u64,
    patience: Duration,
    /// The requests and answers, for people.
    transcript: String,
}

impl Session {
    /// Starts the program.
    pub fn start(
        command: &[String],
        folder: &Path,
        patience: Duration,
    ) -> Result<Self, AdapterError> {
        let program = command.first().map_or("", String::as_str);
        let child = Child::start(command, folder)
            .map_err(|error| AdapterError::new(format!("`{program}` did not start: {error}")))?;
        Ok(Self {
            child,
            last: 0,
            patience,
            transcript: String::new(),
        })
    }

    /// Sends a request and waits for the answer. A failed session is over: a later answer could belong to any request.
    pub fn ask(mut self, request: Request) -> Result<(Self, Response), AdapterError> {
        let name = match &request {
            Request::Describe(_) => "describe",
            Request::Prepare(_) => "prepare",
            Request::Operate(_) => "operate",
            Request::Teardown(_) => "teardown",
        };
        match self.attempt(request, name) {
            Ok(response) => Ok((self, response)),
            Err((what, trouble)) => {
                let by_itself = matches!(trouble, Some(Trouble::Ended));
                let (status, stderr) = self.child.end(by_itself);
                Err(AdapterError {
                    what,
                    status: status.map(Status::from),
                    stderr,
                })
            }
        }
    }

    fn attempt(
        &mut self,
        request: Request,
        name: &str,
    ) -> Result<Response, (String, Option<Trouble>)> {
        self.last += 1;
        let id = self.last;
        let question = Question {
            version: VERSION,
            id,
            request,
        };
        let mut line = serde_json::to_vec(&question).map_err(|error| (error.to_string(), None))?;
        self.transcript.push_str("> ");
        self.transcript.push_str(&String::from_utf8_lossy(&line));
        self.transcript.push('\n');
        line.push(b'\n');
        let deadline = Deadline::after(self.patience);
        let answered = match self.child.say(line) {
            Ok(()) => self.child.line(deadline),
            Err(trouble) => Err(trouble),
        };
        let bytes = answered.map_err(|trouble| (self.told(&trouble, name), Some(trouble)))?;
        self.transcript.push_str("< ");
        self.transcript.push_str(&String::from_utf8_lossy(&bytes));
        self.transcript.push('\n');
        understood(&bytes, id, name).map_err(|what| (what, None))
    }

    fn told(&self, trouble: &Trouble, name: &str) -> String {
        match trouble {
            Trouble::Ended => format!("ended its output instead of answering `{name}`"),
            Trouble::Late => {
                format!(
                    "did not answer `{name}` within {} ms",
                    self.patience.as_millis()
                )
            }
            Trouble::TooLong => {
                format!(
                    "printed {LINE_LIMIT} bytes without a line break instead of answering `{name}`"
                )
            }
            Trouble::TooMuchStderr => {
                format!(
                    "said more than {STDERR_LIMIT} bytes on standard error before it answered `{name}`"
                )
            }
            Trouble::Deaf => format!("did not read what came before `{name}`"),
        }
    }

    /// Takes the transcript so far.
    pub fn transcript(&mut self) -> String {
        std::mem::take(&mut self.transcript)
    }

    /// Lets the adapter end by itself.
    pub fn close(self) {
        self.child.dismiss();
    }

    /// Ends the session because of an answer that is well-formed but unusable.
    pub fn error(self, what: impl Into<String>) -> AdapterError {
        let (_, stderr) = self.child.end(false);
        AdapterError {
            what: what.into(),
            status: None,
            stderr,
        }
    }
}

/// Reads the answer to request `id`.
fn understood(line: &[u8], id: u64, name: &str) -> Result<Response, String> {
    let shown = || shown(line, SHOWN);
    let value: serde_json::Value = serde_json::from_slice(line).map_err(|error| {
        format!(
            "answered `{name}` with what is not JSON ({error}): {}",
            shown()
        )
    })?;
    // The version first: the rest of the line may differ in another version.
    match value.get("version").and_then(serde_json::Value::as_u64) {
        Some(version) if version == u64::from(VERSION) => {}
        Some(version) => {
            return Err(format!(
                "speaks version {version} of the protocol, this suite version {VERSION}"
            ));
        }
        None => {
            return Err(format!(
                "answered `{name}` without the version of the protocol: {}",
                shown()
            ));
        }
    }
    let answer: Answer = serde_json::from_slice(line)
        .map_err(|error| format!("answered `{name}` wrongly: {error}: {}", shown()))?;
    if answer.id != id {
        return Err(format!(
            "answered request {} when request {id} (`{name}`) was asked",
            answer.id
        ));
    }
    Ok(answer.response)
}

/// Quotes at most `most` characters of foreign bytes, with control characters made visible for a terminal.
fn shown(bytes: &[u8], most: usize) -> String {
    let text = String::from_utf8_lossy(bytes);
    match text.char_indices().nth(most) {
        Some((end, _)) => {
            text::visible_line(text.get(..end).unwrap_or_default()).into_owned() + "..."
        }
        None => text::visible_line(&text).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer must have this version, this request's id and the right form, which has no field for a verdict.
    #[test]
    fn answers_are_read_strictly() {
        let table = [
            ("nonsense", "not JSON"),
            ("{}", "without the version"),
            (
                r#"{"version":1,"id":1,"response":{"done":{}}}"#,
                "speaks version 1 of the protocol, this suite version 2",
            ),
            (
                r#"{"version":2,"id":2,"response":{"done":{}}}"#,
                "answered request 2 when request 1",
            ),
            (r#"{"version":2,"id":1}"#, "missing field `response`"),
            (
                r#"{"version":2,"id":1,"response":{"done":{},"error":{"reason":""}}}"#,
                "wrongly",
            ),
            (
                r#"{"version":2,"id":1,"response":{"done":{"verdict":"pass"}}}"#,
                "unknown field `verdict`",
            ),
            (
                r#"{"version":2,"id":1,"response":{"prepared":{"verdict":"pass"}}}"#,
                "unknown field `verdict`",
            ),
            (
                r#"{"version":2,"id":1,"verdict":"pass","response":{"done":{}}}"#,
                "unknown field `verdict`",
            ),
            (
                r#"{"version":2,"id":1,"response":{"verdict":"pass"}}"#,
                "unknown variant `verdict`",
            ),
            (
                r#"{"version":2,"id":1,"response":{"description":{"name":"a","version":"1","capabilities":["iommuu"]}}}"#,
                "`iommuu` is no capability, did you mean `iommu`?",
            ),
            ("[1]\u{1b}[2J", "\\x1b[2J"),
        ];
        for (line, part) in table {
            let why = understood(line.as_bytes(), 1, "prepare").expect_err(line);
            assert!(why.contains(part), "{line}: {why}");
        }
        let done = br#"{"id":7,"version":2,"response":{"done":{}}}"#;
        assert!(matches!(
            understood(done, 7, "teardown"),
            Ok(Response::Done(_))
        ));
    }

    /// An error shows standard error on one line and without control characters.
    #[test]
    fn reasons_are_one_line() {
        let error = AdapterError {
            what: "ended".to_owned(),
            status: Some(Status {
                code: Some(3),
                signal: None,
            }),
            stderr: "Traceback\n  \x1b[31mboom\r\n".to_owned(),
        };
        assert_eq!(
            error.to_string(),
            "the adapter ended (exit code 3); it said: Traceback | \\x1b[31mboom"
        );
        assert_eq!(
            AdapterError::new("slept").to_string(),
            "the adapter slept; it said nothing on standard error"
        );
    }
}
