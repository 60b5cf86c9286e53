//! Tests against the real QEMU.

use std::thread;

use libtest_mimic::Trial;
use runners::{Action, Answer, Command, End, Icount, Load, Request, RunRecord, run};
use serde_json::{Value, json};

use crate::arch::{COUNTDOWN, LAST_WORDS, RESET, RESPONDER};
use crate::image::{self, By, COUNTER, FLAG, Idle, Until, act, before, read};
use crate::trial;

pub fn trials() -> Vec<Trial> {
    vec![
        trial(
            "reality::a_guest_that_powers_off_is_told_from_a_death",
            power_off,
        ),
        trial("reality::the_director_ends_the_run", director_ends),
        trial(
            "reality::images_and_firmware_lie_in_memory_before_the_first_instruction",
            memory,
        ),
        trial(
            "reality::the_guest_sees_what_is_written_while_it_runs",
            write_while_running,
        ),
        trial("reality::a_stopped_guest_stands_still", stop_and_continue),
        trial("reality::what_qemu_refuses_is_an_answer", refusals),
        trial("reality::instructions_are_counted", instructions),
        trial("reality::runs_side_by_side_do_not_mix", side_by_side),
    ]
}

fn idle(request: &Request) -> RunRecord {
    run(request, &mut Idle).expect("a run that can be followed")
}

fn power_off() {
    let (request, _dir) = image::request(&LAST_WORDS);
    let seen = idle(&request);
    assert_eq!(
        seen.end,
        End::PoweredOff {
            reason: "guest-shutdown".to_owned()
        },
        "{}",
        seen.stderr
    );
    assert_eq!(seen.console, b"up\n");
    assert!(
        seen.timing.ready <= seen.timing.started && seen.timing.started <= seen.timing.first_byte
    );
    assert!(
        seen.timing
            .first_byte
            .is_some_and(|first| first <= seen.timing.total)
    );
    let (request, _dir) = image::request(&RESET);
    assert_eq!(
        idle(&request).end,
        End::PoweredOff {
            reason: "guest-reset".to_owned()
        }
    );
}

fn director_ends() {
    let (request, _dir) = image::request(&RESPONDER);
    let seen = run(&request, &mut Until("go")).expect("a run");
    assert_eq!(seen.end, End::Finished);
    assert_eq!(seen.console, b"go\n");
}

fn memory() {
    let (mut request, _dir) = image::request(&LAST_WORDS);
    request.loads.push(Load::new(0x4a00_0000, *b"loaded"));
    let odd: Vec<u8> = (0..100_003_u32).map(|i| (i % 251) as u8).collect();
    // ECAM of 00:03.0, the edu: vendor and device, then its BAR assigned and read back.
    let ecam = 0x40_1001_8000;
    request.before = vec![
        act("load", read(0x4a00_0000, 6)),
        act(
            "write",
            Action::Write {
                addr: 0x4b00_0001,
                bytes: odd.clone(),
            },
        ),
        act("read", read(0x4b00_0001, odd.len())),
        act("id", read(ecam, 4)),
        act(
            "bar",
            Action::Write {
                addr: ecam + 0x10,
                bytes: 0x1000_0000_u32.to_le_bytes().to_vec(),
            },
        ),
        act("bar read", read(ecam + 0x10, 4)),
        act(
            "enable",
            Action::Write {
                addr: ecam + 4,
                bytes: vec![6, 0],
            },
        ),
        act("edu", read(0x1000_0000, 4)),
    ];
    request.machine.devices.push("edu,addr=3".to_owned());
    let seen = run(&request, &mut Until("up")).expect("a run");
    let answers: Vec<Answer> = seen
        .answers
        .into_iter()
        .map(|record| record.answer)
        .collect();
    assert_eq!(answers[0], Answer::Bytes(b"loaded".to_vec()));
    assert_eq!(answers[2], Answer::Bytes(odd));
    let values: Vec<_> = answers[3..].iter().map(Answer::value).collect();
    assert_eq!(
        values,
        [
            Some(0x11e8_1234),
            None,
            Some(0x1000_0000),
            None,
            Some(0x0100_00ed)
        ]
    );
}

fn write_while_running() {
    let (request, _dir) = image::request(&RESPONDER);
    let mut run_controller = By(
        |line: &str| match line {
            "go" => vec![
                Command::act("before", read(COUNTER, 4)),
                Command::act(
                    "flag",
                    Action::Write {
                        addr: FLAG,
                        bytes: vec![1, 0, 0, 0],
                    },
                ),
            ],
            _ => vec![Command::Finish],
        },
        |_: &str, _: &Answer| Vec::new(),
    );
    let seen = run(&request, &mut run_controller).expect("a run");
    assert_eq!(seen.end, End::Finished);
    assert_eq!(seen.console, b"go\nseen\n");
    let labels: Vec<_> = seen
        .answers
        .iter()
        .map(|record| (record.label.as_str(), record.lines))
        .collect();
    assert_eq!(labels, [("before", 1), ("flag", 1)]);
    assert_eq!(seen.answers[0].answer.value(), Some(0));
}

/// While stopped the counter keeps its value; when running it does not.
fn stop_and_continue() {
    let (request, _dir) = image::request(&RESPONDER);
    let mut last = 0;
    let mut run_controller = By(
        |line: &str| match line {
            "go" => vec![Command::act(
                "flag",
                Action::Write {
                    addr: FLAG,
                    bytes: vec![1, 0, 0, 0],
                },
            )],
            _ => vec![
                Command::act("stop", Action::Stop),
                Command::act("still 1", read(COUNTER, 4)),
                Command::act(
                    "state",
                    Action::Qmp {
                        execute: "query-status".to_owned(),
                        arguments: Value::Null,
                    },
                ),
                Command::act("still 2", read(COUNTER, 4)),
                Command::act("continue", Action::Continue),
                Command::act("moving", read(COUNTER, 4)),
                Command::Finish,
            ],
        },
        |label: &str, answer: &Answer| match (label, answer.value()) {
            ("still 2", Some(value)) => {
                last = value;
                Vec::new()
            }
            // Reads again until the value changes; the run's deadline bounds it.
            ("moving", Some(value)) if value == last => {
                vec![Command::act("moving", read(COUNTER, 4))]
            }
            _ => Vec::new(),
        },
    );
    let seen = run(&request, &mut run_controller).expect("a run");
    assert_eq!(seen.end, End::Finished);
    let of = |label: &str| {
        let record = seen.answers.iter().find(|record| record.label == label);
        record.map(|record| record.answer.clone()).expect(label)
    };
    assert_eq!(of("stop"), Answer::Done);
    assert_eq!(of("continue"), Answer::Done);
    assert_eq!(of("still 1"), of("still 2"));
    assert!(matches!(of("state"), Answer::Json(state) if state["status"] == "paused"));
}

fn refusals() {
    let answers = before(
        &LAST_WORDS,
        vec![
            act(
                "no such line",
                Action::SetLine {
                    line: "nonsense".to_owned(),
                    high: true,
                },
            ),
            act(
                "no such command",
                Action::Qmp {
                    execute: "brew".to_owned(),
                    arguments: Value::Null,
                },
            ),
            act(
                "no such object",
                Action::Qmp {
                    execute: "qom-list".to_owned(),
                    arguments: json!({"path": "/nix"}),
                },
            ),
            act("wraps", read(u64::MAX, 8)),
            act("nothing", read(0x4000_0000, 0)),
        ],
    );
    let refused = |answer: &Answer, part: &str| matches!(answer, Answer::Refused(text) if text.contains(part));
    assert!(
        refused(&answers[0], "`nonsense` is no interrupt line"),
        "{:?}",
        answers[0]
    );
    assert!(refused(&answers[1], "brew"), "{:?}", answers[1]);
    assert!(refused(&answers[2], "/nix"), "{:?}", answers[2]);
    assert!(refused(&answers[3], "wrap"), "{:?}", answers[3]);
    assert_eq!(answers[4], Answer::Bytes(Vec::new()));
}

/// The same guest executes the same instructions in every run, and their number is known.
fn instructions() {
    let (mut request, _dir) = image::request(&COUNTDOWN);
    request.icount = Some(Icount {
        shift: 0,
        sleep: false,
    });
    let count = || Action::Qmp {
        execute: "query-replay".to_owned(),
        arguments: Value::Null,
    };
    // The guest prints nothing, so the count is read until it stops changing.
    request.before = vec![
        act("none", count()),
        act("go", Action::Continue),
        act("some", count()),
    ];
    let runs = [(); 2].map(|()| {
        let mut last = None;
        let mut run_controller = By(
            |_: &str| Vec::new(),
            |label: &str, answer: &Answer| {
                let Answer::Json(json) = answer else {
                    return Vec::new();
                };
                let now = json["icount"].as_u64();
                match label {
                    "none" => assert_eq!(now, Some(0)),
                    _ if now == last && now > Some(2000) => return vec![Command::Finish],
                    _ => {
                        last = now;
                        return vec![Command::act("some", count())];
                    }
                }
                Vec::new()
            },
        );
        let seen = run(&request, &mut run_controller).expect("a run");
        assert_eq!(seen.end, End::Finished);
        last
    });
    assert_eq!(runs[0], runs[1]);
    // 1 + 2 x 1000, the wait, and QEMU's own loader stub of 6 (x0 to x3, the entry, the branch).
    assert_eq!(runs[0], Some(2008));
}

fn side_by_side() {
    let (request, _dir) = image::request(&RESPONDER);
    thread::scope(|scope| {
        let runs: Vec<_> = (1..=4_u8)
            .map(|number| {
                let mut request = request.clone();
                request.before = vec![act(
                    "mark",
                    Action::Write {
                        addr: 0x5100_0000,
                        bytes: vec![number; 16],
                    },
                )];
                scope.spawn(move || {
                    let mut run_controller = By(
                        |_: &str| {
                            vec![
                                Command::act("mark read", read(0x5100_0000, 16)),
                                Command::Finish,
                            ]
                        },
                        |_: &str, _: &Answer| Vec::new(),
                    );
                    let seen = run(&request, &mut run_controller).expect("a run");
                    assert_eq!(seen.answers[1].answer, Answer::Bytes(vec![number; 16]));
                })
            })
            .collect();
        for run in runs {
            run.join().expect("a run");
        }
    });
}
