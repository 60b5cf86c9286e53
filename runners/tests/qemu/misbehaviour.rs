//! Tests the outcome of a run when QEMU misbehaves.

use std::time::Duration;

use libtest_mimic::Trial;
use runners::{Action, Answer, Command, End, Machine, Request, RunError, RunRecord, Status, run};

use crate::image::{By, Idle, PATIENCE, Until};
use crate::trials::{reference, trial};

pub fn trials() -> Vec<Trial> {
    vec![
        trial(
            "misbehaviour::a_qemu_that_dies_at_once_is_quoted",
            dies_at_once,
        ),
        trial("misbehaviour::a_qemu_that_dies_later_is_quoted", dies_later),
        trial("misbehaviour::silence_ends_at_the_deadline", silence),
        trial(
            "misbehaviour::a_flood_is_cut_and_keeps_head_and_tail",
            flood,
        ),
        trial(
            "misbehaviour::console_bytes_that_are_no_text_are_kept",
            mumbling,
        ),
        trial("misbehaviour::the_last_line_needs_no_end", half_line),
        trial("misbehaviour::garbled_protocols_are_errors", garbled),
        trial(
            "misbehaviour::an_unanswered_action_ends_at_the_deadline",
            ignored,
        ),
        trial(
            "misbehaviour::asking_a_qemu_that_has_ended_is_refused",
            asking_the_dead,
        ),
        trial("misbehaviour::a_missing_program_is_named", missing_program),
        trial(
            "misbehaviour::a_file_outside_the_folder_is_refused",
            outside_file,
        ),
        trial(
            "misbehaviour::an_endless_director_ends_at_the_deadline",
            endless_director,
        ),
    ]
}

/// A run of the fake playing `part`.
fn request(part: &str) -> Request {
    let program = std::env::current_exe().expect("this program");
    let machine = Machine {
        program: program.to_str().expect("a plain path").to_owned(),
        kind: part.to_owned(),
        pin: None,
        options: Vec::new(),
        cpu: "none".to_owned(),
        cpus: 1,
        memory_mib: 1,
        devices: Vec::new(),
        extra: Vec::new(),
    };
    Request::new(reference().arch, machine, "/dev/null", PATIENCE)
}

fn briefly(part: &str) -> Request {
    Request {
        deadline: Duration::from_millis(150),
        ..request(part)
    }
}

fn idle(request: &Request) -> RunRecord {
    run(request, &mut Idle).expect("a run that can be followed")
}

fn died(code: i32, stderr: &str) -> End {
    let status = Status {
        code: Some(code),
        signal: None,
    };
    End::Died {
        status,
        stderr: stderr.to_owned(),
    }
}

fn dies_at_once() {
    let seen = idle(&request("dies"));
    assert_eq!(seen.end, died(3, "fake: no such thing as a machine\n"));
    assert_eq!(seen.timing.ready, None);
    assert_eq!(seen.timing.started, None);
}

fn dies_later() {
    let seen = idle(&request("quits"));
    assert_eq!(seen.end, died(0, "fake: nothing more to do\n"));
    assert_eq!(seen.console, b"bye\n");
    let seen = idle(&request("aborts"));
    let status = Status {
        code: None,
        signal: Some(6),
    };
    assert_eq!(
        seen.end,
        End::Died {
            status,
            stderr: "fake: assertion failed\n".to_owned()
        }
    );
}

fn silence() {
    for part in ["mute", "silent"] {
        let seen = idle(&briefly(part));
        assert_eq!(seen.end, End::Deadline, "{part}");
        assert!(
            seen.timing.total >= Duration::from_millis(150),
            "{part}: {:?}",
            seen.timing
        );
        assert!(seen.console.is_empty());
    }
}

fn flood() {
    let limit = 100_000;
    let seen = idle(&Request {
        console_limit: limit,
        ..request("floods")
    });
    let End::Flooded { bytes } = seen.end else {
        panic!("{:?}", seen.end);
    };
    assert!(bytes > limit as u64);
    let text = String::from_utf8(seen.console).expect("text");
    assert!(text.starts_with("all work and no play\nall work"));
    assert!(
        text.get(limit..)
            .is_some_and(|rest| rest.starts_with("\n[") && rest.contains(" bytes left out]\n"))
    );
    assert!(text.len() < limit + 20_000, "{} bytes kept", text.len());
}

fn mumbling() {
    let seen = run(&request("mumbles"), &mut Until("caf\u{fffd} \u{fffd}")).expect("a run");
    assert_eq!(seen.end, End::Finished);
    assert_eq!(seen.console, b"caf\xe9 \xff\r\n");
}

fn half_line() {
    let mut lines = Vec::new();
    let mut run_controller = By(
        |line: &str| {
            lines.push(line.to_owned());
            Vec::new()
        },
        |_: &str, _: &Answer| Vec::new(),
    );
    let seen = run(&request("powers-off"), &mut run_controller).expect("a run");
    assert_eq!(
        seen.end,
        End::PoweredOff {
            reason: "guest-shutdown".to_owned()
        }
    );
    assert_eq!(lines, ["whole line", "half a li"]);
    assert_eq!(seen.console, b"whole line\nhalf a li");
}

fn garbled() {
    let table = [
        ("babbles", "QMP: did not expect \"Welcome to the machine\""),
        ("babbles-later", "QMP: did not expect \"{\\\"event\\\":\""),
        (
            "unconnected",
            "console: did not expect \"a greeting before the connection\"",
        ),
        ("lies", "qtest: did not expect \"perhaps\""),
    ];
    for (part, wanted) in table {
        let error = run(&request(part), &mut ask_at("ask me")).expect_err(part);
        assert!(
            matches!(error, RunError::Protocol { .. }),
            "{part}: {error}"
        );
        assert_eq!(error.to_string(), wanted, "{part}");
    }
}

/// A run controller that reads memory at a line, and finishes with the answer.
fn ask_at(
    when: &'static str,
) -> By<impl FnMut(&str) -> Vec<Command>, impl FnMut(&str, &Answer) -> Vec<Command>> {
    let read = || Command::act("memory", Action::Read { addr: 0, len: 4 });
    By(
        move |line: &str| {
            if line == when {
                vec![read()]
            } else {
                Vec::new()
            }
        },
        |_: &str, _: &Answer| vec![Command::Finish],
    )
}

fn ignored() {
    let seen = run(&briefly("ignores"), &mut ask_at("ask me")).expect("a run");
    assert_eq!(seen.end, End::Deadline);
    assert!(seen.answers.is_empty());
}

fn asking_the_dead() {
    let seen = run(&request("quits"), &mut ask_at("bye")).expect("a run");
    assert_eq!(seen.end, End::Finished);
    let answers: Vec<_> = seen.answers.iter().map(|record| &record.answer).collect();
    assert_eq!(answers, [&Answer::Refused("QEMU has ended".to_owned())]);
}

fn missing_program() {
    for program in ["no-such-qemu", "/nowhere/qemu"] {
        let mut request = request("silent");
        request.machine.program = program.to_owned();
        let error = run(&request, &mut Idle).expect_err("no program");
        assert_eq!(error.to_string(), format!("{program}: no such program"));
    }
}

fn outside_file() {
    for name in ["../escape", "/tmp/escape", ""] {
        let mut request = request("silent");
        request.files.push(runners::File::new(name, Vec::new()));
        let error = run(&request, &mut Idle).expect_err(name);
        assert!(
            matches!(&error, RunError::BadName(bad) if bad == name),
            "{error}"
        );
    }
}

fn endless_director() {
    let again = || vec![Command::act("again", Action::Stop)];
    let mut run_controller = By(|_: &str| again(), |_: &str, _: &Answer| again());
    let request = Request {
        deadline: Duration::from_secs(1),
        ..request("obliges")
    };
    let seen = run(&request, &mut run_controller).expect("a run");
    assert_eq!(seen.end, End::Deadline);
    assert!(seen.answers.len() > 1);
}
