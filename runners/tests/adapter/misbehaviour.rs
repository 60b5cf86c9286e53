//! Whatever an adapter does, the suite gets an answer or a reason in time, and no process or file of the adapter
//! remains.

use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use model::Capability;
use runners::adapter::AdapterError;

use crate::processes::{alive, assert_none_stays, unique};
use crate::script::{PATIENCE, adapter, marked, prepare, scenario, start};
use crate::trial;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("adapter::good_ones_are_heard_out", good),
        trial("adapter::one_process_serves_many_scenarios", many),
        trial("adapter::the_dead_are_told_with_their_last_words", dead),
        trial("adapter::the_slow_are_given_up", slow),
        trial("adapter::the_talkative_are_cut_off", talkative),
        trial("adapter::liars_are_told_what_they_said", liars),
        trial("adapter::what_was_prepared_must_be_there", prepared),
        trial("adapter::tearing_down_is_part_of_the_job", teardown),
        trial("adapter::nothing_of_it_stays", leftovers),
        trial("adapter::requests_that_nobody_reads_do_not_block", unread),
    ]
}

fn good() {
    // Output on standard error is allowed.
    let text = "me; echo starting >&2; ready 2; done_ 3; hears";
    let mark = unique("good");
    let adapters = start(&marked(text, &mark, PATIENCE)).expect("an adapter");
    let description = adapters.description();
    assert_eq!(
        (description.name.as_str(), description.version.as_str()),
        ("demo", "7")
    );
    assert!(description.capabilities.has(Capability::Iommu));
    let stage = prepare(&adapters).expect("prepared");
    assert_eq!(stage.setup.image(), None);
    let said = adapters.teardown(stage).expect("done");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 6, "{said}");
    assert!(lines[2].starts_with("> {\"version\":2,\"id\":2,\"request\":{\"prepare\":"));
    assert_eq!(
        lines[5],
        "< {\"version\":2,\"id\":3,\"response\":{\"done\":{}}}"
    );
    assert_eq!(alive(&mark).len(), 1, "it waits for more");
    drop(adapters);
    assert_none_stays(&mark, "after the end");
}

/// An idle process gets the next scenario; a second process starts only when two are needed at once.
fn many() {
    let mark = unique("many");
    let text = "me; n=2; while ready $n; do done_ $((n+1)); n=$((n+2)); done";
    let adapters = start(&marked(text, &mark, PATIENCE)).expect("an adapter");
    for _ in 0..3 {
        let stage = prepare(&adapters).expect("prepared");
        adapters.teardown(stage).expect("done");
    }
    assert_eq!(alive(&mark).len(), 1);
    let both = [
        prepare(&adapters).expect("one"),
        prepare(&adapters).expect("two"),
    ];
    assert_eq!(alive(&mark).len(), 2);
    // A process whose scenario did not reach its end gets no further one.
    drop(both);
    assert_none_stays(&mark, "dropped in the middle");
}

/// Starts the script, which must fail, and returns the error.
#[track_caller]
fn refused(text: &str) -> AdapterError {
    start(&adapter(text)).map(|_| ()).expect_err(text)
}

/// Lets the script prepare, which must fail, and returns the error.
#[track_caller]
fn unprepared(text: &str) -> AdapterError {
    let adapters = start(&adapter(text)).expect("described");
    prepare(&adapters).map(|_| ()).expect_err(text)
}

#[track_caller]
fn assert_says(error: &AdapterError, parts: &[&str]) {
    let said = error.to_string();
    for part in parts {
        assert!(said.contains(part), "wanted {part:?} in: {said}");
    }
    assert!(!said.contains('\n'), "{said}");
}

fn dead() {
    let error = refused("echo 'no licence' >&2; exit 3");
    assert_says(
        &error,
        &["ended its output instead of answering `describe` (exit code 3); it said: no licence"],
    );
    assert_says(
        &refused("kill -KILL $$"),
        &["ended its output", "(signal 9)"],
    );
    assert_says(
        &refused("exit 0"),
        &["(exit code 0); it said nothing on standard error"],
    );
    let half = "hears; printf '{\"version\":2,'; exit 1";
    assert_says(
        &refused(half),
        &["ended its output instead of answering `describe` (exit code 1)"],
    );
    let deaf = refused("exec >&2; echo 'gone quiet'; hears; hears");
    assert_says(
        &deaf,
        &["ended its output instead of answering `describe`; it said: gone quiet"],
    );
    let later = unprepared("me; hears; echo later >&2; exit 4");
    assert_says(
        &later,
        &["ended its output instead of answering `prepare` (exit code 4); it said: later"],
    );
    let mut missing = adapter("");
    missing.command = vec!["no-such-program-anywhere".to_owned()];
    let error = start(&missing).map(|_| ()).expect_err("no program");
    assert_says(
        &error,
        &["`no-such-program-anywhere` did not start: No such file"],
    );
    missing.command = vec!["./nor-here".to_owned()];
    let error = start(&missing).map(|_| ()).expect_err("no program");
    assert_says(&error, &["`./nor-here` did not start: No such file"]);
    let error = unprepared("me; hears; says 2 '{\"error\":{\"reason\":\"no disk\"}}'; hears");
    assert_says(&error, &["the adapter cannot `prepare`: no disk"]);
}

fn slow() {
    let began = Instant::now();
    for text in [
        "echo thinking >&2; hears; hears",
        // The adapter ends, but its children keep the pipes open.
        "echo thinking >&2; sleep 1000 & exit 0",
        // A stopped process does not end when it is asked to.
        "echo thinking >&2; kill -STOP 0",
    ] {
        let error = start(&marked(text, "slow", 700))
            .map(|_| ())
            .expect_err(text);
        assert_says(
            &error,
            &["did not answer `describe` within 700 ms; it said: thinking"],
        );
    }
    assert!(
        began.elapsed() < Duration::from_secs(30),
        "{:?}",
        began.elapsed()
    );
}

fn talkative() {
    let error = refused("exec yes no verdict at all");
    assert_says(
        &error,
        &[
            "answered `describe` with what is not JSON",
            "no verdict at all",
        ],
    );
    let error = refused("exec cat /dev/zero");
    assert_says(
        &error,
        &["printed 8388608 bytes without a line break instead of answering `describe`"],
    );
    let error = refused("yes 'all work and no play' >&2 & hears; hears");
    assert_says(
        &error,
        &["said more than 1048576 bytes on standard error", "no play"],
    );
    assert!(error.stderr.len() <= 1024, "{}", error.stderr.len());
    // Surplus lines are mistaken for the next answer, so they are an error.
    let error = unprepared("me; says 1 '{\"done\":{}}'; hears; hears");
    assert_says(
        &error,
        &["answered request 1 when request 2 (`prepare`) was asked"],
    );
}

fn liars() {
    for (line, part) in [
        ("hello", "what is not JSON"),
        (
            r#"{"version":1,"id":1,"response":{"done":{}}}"#,
            "speaks version 1 of the protocol, this suite version 2",
        ),
        (
            r#"{"version":2,"id":9,"response":{"done":{}}}"#,
            "answered request 9 when request 1",
        ),
        (
            r#"{"version":2,"id":1,"response":{"done":{}}}"#,
            "answered `describe` with `done`",
        ),
        (
            r#"{"version":2,"id":1,"response":{"verdict":"pass"}}"#,
            "unknown variant `verdict`",
        ),
        (
            r#"{"version":2,"id":1,"response":{"description":{"name":"a","version":"1","capabilities":["dma"]}}}"#,
            "`dma` is no capability",
        ),
    ] {
        assert_says(&refused(&format!("hears; echo '{line}'; hears")), &[part]);
    }
    // The same program describes itself differently when it is started again.
    let text = "hears; says 1 '{\"description\":{\"name\":\"'$$'\",\"version\":\"1\",\"capabilities\":[]}}'; ready 2; hears";
    let adapters = start(&adapter(text)).expect("described");
    let first = prepare(&adapters).expect("prepared");
    let error = prepare(&adapters).map(|_| ()).expect_err("another");
    assert_says(
        &error,
        &["described itself differently when it was started again"],
    );
    drop(first);
}

fn prepared() {
    let table = [
        (r#"{"image":"gone.img"}"#, "image: gone.img: No such file"),
        (
            r#"{"image":"/dev/zero"}"#,
            "image: /dev/zero: no regular file",
        ),
        (r#"{"image":"/"}"#, "image: /: no regular file"),
        (r#"{"tree":{"base64":"?!?"}}"#, "tree: Invalid"),
        (
            r#"{"loads":[{"address":4096,"blob":{"path":"x"}}]}"#,
            "the load at 0x1000: x: No such file",
        ),
        (
            r#"{"files":[{"name":"../x","blob":{"base64":""}}]}"#,
            "`../x` is no name for a file",
        ),
        (
            r#"{"files":[{"name":"host.dtb","blob":{"base64":""}}]}"#,
            "a file called `host.dtb` is the suite's own",
        ),
        (
            r#"{"arguments":["-daemonize"]}"#,
            "may not give `-daemonize`",
        ),
        (
            r#"{"arguments":["-drive","file=/etc/passwd"]}"#,
            "`/etc/passwd` is none of the answer's files",
        ),
        (
            r#"{"arguments":["-serial","file:/tmp/out"]}"#,
            "only `null` or `none`",
        ),
        (r#"{"argv":["-qmp","stdio"]}"#, "may not give `-qmp`"),
        (r#"{"argv":[]}"#, "`argv` names no machine"),
        (r#"{"console":{"serial":9}}"#, "console on serial line 9"),
    ];
    for (answer, part) in table {
        let error = unprepared(&format!(
            "me; hears; echo busy >&2; says 2 '{{\"prepared\":{answer}}}'; hears"
        ));
        assert_says(
            &error,
            &[
                "gave an invalid answer to `prepare`: ",
                part,
                "it said: busy",
            ],
        );
    }
    let error = unprepared("me; hears; says 2 '{\"prepared\":{\"verdict\":\"pass\"}}'; hears");
    assert_says(&error, &["unknown field `verdict`"]);
}

fn teardown() {
    for (text, part) in [
        (
            "me; ready 2; hears; echo oops >&2; exit 9",
            "ended its output instead of answering `teardown` (exit code 9); it said: oops",
        ),
        (
            "me; ready 2; hears; echo nonsense; hears",
            "answered `teardown` with what is not JSON",
        ),
        (
            "me; ready 2; ready 3; hears",
            "answered `teardown` with `prepared`",
        ),
    ] {
        let adapters = start(&adapter(text)).expect("described");
        let stage = prepare(&adapters).expect("prepared");
        assert_says(&adapters.teardown(stage).expect_err(text), &[part]);
    }
}

/// Children, a program that left its group, and one at work: all are gone when the suite is done.
fn leftovers() {
    let mark = unique("leftover");
    // Not every shell has `exec -a`; a sleep with a unique duration is a mark as well.
    let text = format!(
        "sh -c 'trap \"\" TERM HUP; while :; do sleep 1; done' {mark} & me; hears; hears; hears"
    );
    let adapters = start(&marked(&text, &mark, PATIENCE)).expect("described");
    // The child forks for each `sleep`, and until that is started it has the same command line.
    assert!(alive(&mark).len() >= 2, "the adapter and its child");
    drop(adapters);
    assert_none_stays(&mark, "dropped");

    let adapters = start(&marked(&text, &mark, 700)).expect("described");
    let error = prepare(&adapters).map(|_| ()).expect_err("it only hears");
    assert_says(&error, &["did not answer `prepare`"]);
    assert_none_stays(&mark, "given up");

    let mut alone = marked("hears; hears", &mark, 700);
    alone.command.insert(0, "setsid".to_owned());
    let error = start(&alone).map(|_| ()).expect_err("it only hears");
    assert_says(&error, &["did not answer `describe`"]);
    assert_none_stays(&mark, "in a session of its own");
}

/// A request that is larger than any pipe does not hang the suite.
fn unread() {
    let adapters = start(&marked("me; exec sleep 1000", "unread", 1500)).expect("described");
    let mut large = scenario();
    large.hypervisor_arguments = "x".repeat(4 << 20);
    let error = adapters
        .prepare(large, &[], &[])
        .map(|_| ())
        .expect_err("unread");
    assert_says(&error, &["did not answer `prepare` within 1500 ms"]);
}
