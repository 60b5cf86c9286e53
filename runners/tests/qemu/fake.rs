//! A QEMU that misbehaves as its machine type says.

use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::exit;

/// Plays QEMU until the part is over.
pub fn play(args: &[String]) -> ! {
    let kind = args
        .iter()
        .skip_while(|arg| *arg != "-M")
        .nth(1)
        .expect("-M");
    let part = kind.split(',').next().unwrap_or_default();
    let stdin = std::io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .expect("standard input");
    let mut qmp = UnixStream::from(stdin);
    match part {
        "dies" => {
            eprintln!("fake: no such thing as a machine");
            exit(3);
        }
        "mute" => {
            // Ends only when the harness closes its side of the socket or kills it.
            drain(&mut qmp);
            exit(0);
        }
        "babbles" => {
            say(&mut qmp, "Welcome to the machine");
            drain(&mut qmp);
            exit(0);
        }
        "unconnected" => {
            say(&mut qmp, r#"{"QMP": {}}"#);
            drain(&mut qmp);
            exit(0);
        }
        _ => {}
    }
    let mut serial = UnixStream::connect("serial").expect("the console's socket");
    let qtest = UnixStream::connect("qtest").expect("qtest's socket");
    say(&mut qmp, r#"{"QMP": {}}"#);
    answer(&mut qmp, 1);
    answer(&mut qmp, 2);
    match part {
        "silent" => drain(&mut qmp),
        "floods" => while serial.write_all(b"all work and no play\n").is_ok() {},
        "mumbles" => {
            serial.write_all(b"caf\xe9 \xff\r\n").expect("console");
            drain(&mut qmp);
        }
        "powers-off" => {
            serial.write_all(b"whole line\nhalf a li").expect("console");
            say(
                &mut qmp,
                r#"{"event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-shutdown"}}"#,
            );
        }
        "quits" => {
            serial.write_all(b"bye\n").expect("console");
            eprintln!("fake: nothing more to do");
        }
        "aborts" => {
            eprintln!("fake: assertion failed");
            std::process::abort();
        }
        "babbles-later" => {
            say(&mut qmp, "{\"event\": ");
            drain(&mut qmp);
        }
        "lies" => {
            serial.write_all(b"ask me\n").expect("console");
            let mut qtest = BufReader::new(qtest);
            qtest.read_line(&mut String::new()).expect("a question");
            qtest
                .get_mut()
                .write_all(b"OK perhaps\n")
                .expect("an answer");
            drain(&mut qmp);
        }
        "ignores" => {
            serial.write_all(b"ask me\n").expect("console");
            drain(&mut qmp);
        }
        "obliges" => {
            serial.write_all(b"ask me\n").expect("console");
            let mut id = 3;
            loop {
                answer(&mut qmp, id);
                id += 1;
            }
        }
        other => {
            eprintln!("fake: unsupported machine type {other}");
            exit(1);
        }
    }
    exit(0);
}

fn say(qmp: &mut UnixStream, line: &str) {
    writeln!(qmp, "{line}").expect("QMP");
}

/// Reads one command and answers it with an empty result.
fn answer(qmp: &mut UnixStream, id: u64) {
    let mut line = String::new();
    // The reader buffers at most one line: each command comes after the answer to the one before.
    BufReader::new(&mut *qmp)
        .read_line(&mut line)
        .expect("a command");
    assert!(line.contains(&format!("\"id\":{id}}}")), "{line}");
    say(qmp, &format!(r#"{{"return": {{}}, "id": {id}}}"#));
}

fn drain(stream: &mut UnixStream) {
    // An error is an end as well.
    let _ = std::io::copy(stream, &mut std::io::sink());
}
