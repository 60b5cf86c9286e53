//! The QEMU machine protocol: one JSON object a line.
//!
//! Uses plain `serde_json` values. `qapi-qmp` generates types for the whole schema, which takes 28 s to build for the
//! five commands used here.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::Sender;
use std::thread;

use serde_json::{Value, json};

use super::Event;

/// The limit of a line in bytes. The longest real answer, `qom-list` of a full machine, is some tens of KiB.
const LINE_LIMIT: u64 = 4 << 20;

/// One line from QEMU.
#[derive(Debug, PartialEq)]
pub enum Message {
    /// QEMU introduces itself.
    Greeting,
    /// The answer to a command. QEMU repeats the command's id unless it could not parse the command.
    Answer {
        /// The id of the command.
        id: Option<u64>,
        /// What it returned, or why it was refused.
        result: Result<Value, String>,
    },
    /// An event.
    Event {
        /// Its name.
        name: String,
        /// Its data.
        data: Value,
    },
    /// Anything else.
    Garbage(String),
}

/// Reads one line. Total: an invalid message is [`Message::Garbage`].
pub fn read(line: &[u8]) -> Message {
    let garbage = || {
        let start = line.get(..200).unwrap_or(line);
        Message::Garbage(String::from_utf8_lossy(start).trim_end().to_owned())
    };
    let Ok(Value::Object(mut object)) = serde_json::from_slice(line) else {
        return garbage();
    };
    let id = object.get("id").and_then(Value::as_u64);
    if object.contains_key("QMP") {
        return Message::Greeting;
    }
    if let Some(value) = object.remove("return") {
        return Message::Answer {
            id,
            result: Ok(value),
        };
    }
    if let Some(error) = object.get("error") {
        let text = error
            .get("desc")
            .and_then(Value::as_str)
            .unwrap_or("no reason given");
        return Message::Answer {
            id,
            result: Err(text.to_owned()),
        };
    }
    match object
        .get("event")
        .and_then(Value::as_str)
        .map(str::to_owned)
    {
        Some(name) => Message::Event {
            name,
            data: object.remove("data").unwrap_or(Value::Null),
        },
        None => garbage(),
    }
}

/// Renders a command as one line.
pub fn command(id: u64, execute: &str, arguments: &Value) -> String {
    let mut object = json!({ "execute": execute, "id": id });
    if !arguments.is_null() {
        object["arguments"] = arguments.clone();
    }
    format!("{object}\n")
}

/// Passes each line, and then the end, to `events`.
pub fn follow(stream: UnixStream, events: Sender<Event>) {
    thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read_so_far = stream
                .by_ref()
                .take(LINE_LIMIT)
                .read_until(b'\n', &mut line);
            // An error is an end like any other: QEMU is gone, or will be killed at the deadline.
            let more = matches!(read_so_far, Ok(bytes) if bytes > 0);
            let event = if more {
                Event::Qmp(read(&line))
            } else {
                Event::QmpEnd
            };
            if events.send(event).is_err() || !more {
                return;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each kind of line is recognised, and anything else is garbage, not a panic.
    #[test]
    fn lines_are_told_apart() {
        let table: [(&str, Message); 8] = [
            (
                r#"{"QMP": {"version": {}, "capabilities": []}}"#,
                Message::Greeting,
            ),
            (
                r#"{"return": {"a": 1}, "id": 7}"#,
                Message::Answer {
                    id: Some(7),
                    result: Ok(json!({"a": 1})),
                },
            ),
            (
                r#"{"id": 8, "error": {"class": "GenericError", "desc": "no such thing"}}"#,
                Message::Answer {
                    id: Some(8),
                    result: Err("no such thing".into()),
                },
            ),
            (
                r#"{"error": {}}"#,
                Message::Answer {
                    id: None,
                    result: Err("no reason given".into()),
                },
            ),
            (
                r#"{"event": "SHUTDOWN", "data": {"guest": true}}"#,
                Message::Event {
                    name: "SHUTDOWN".into(),
                    data: json!({"guest": true}),
                },
            ),
            ("[1]", Message::Garbage("[1]".into())),
            (
                "{\"event\": 3}\n",
                Message::Garbage("{\"event\": 3}".into()),
            ),
            ("", Message::Garbage(String::new())),
        ];
        for (line, wanted) in table {
            assert_eq!(read(line.as_bytes()), wanted, "{line}");
        }
        assert_eq!(
            read(b"\xff\xfe"),
            Message::Garbage("\u{fffd}\u{fffd}".into())
        );
    }

    /// A command is one line with its id; arguments that are null are left out.
    #[test]
    fn commands_are_one_line() {
        assert_eq!(
            command(3, "stop", &Value::Null),
            "{\"execute\":\"stop\",\"id\":3}\n"
        );
        let with = command(4, "qom-list", &json!({"path": "/"}));
        assert_eq!(
            with,
            "{\"arguments\":{\"path\":\"/\"},\"execute\":\"qom-list\",\"id\":4}\n"
        );
    }
}
