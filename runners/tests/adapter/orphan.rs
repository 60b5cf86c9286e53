//! Nothing of an adapter outlives a suite that is killed, whenever that happens.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use libtest_mimic::Trial;

use crate::script::{PATIENCE, alive, assert_none_stays, marked, prepare, start, unique};
use crate::trial;

/// The argument that makes this program a suite waiting to be killed.
pub const VICTIM: &str = "--victim";

pub fn trials() -> Vec<Trial> {
    vec![
        trial("orphan::a_killed_suite_leaves_no_adapter", killed_at_random),
        trial(
            "orphan::a_killed_suite_leaves_no_child_of_its_adapter",
            killed_at_work,
        ),
        trial("orphan::folders_of_the_killed_are_swept", swept),
    ]
}

/// Has a scenario prepared by an adapter with a child that ignores signals, and stays.
pub fn be_victim(args: &[String]) -> ! {
    let [_, _, mark, how] = args else {
        panic!("usage: {VICTIM} MARK end|stay");
    };
    println!("starting");
    let child = format!("sh -c 'trap \"\" TERM HUP; while :; do sleep 1; done' {mark} &");
    let text = format!("{child} me; ready 2; done_ 3; hears");
    let adapters = start(&marked(&text, mark, PATIENCE)).expect("described");
    let stage = prepare(&adapters).expect("prepared");
    println!("prepared");
    if how == "stay" {
        let (_never, ends) = mpsc::channel::<()>();
        let _ = ends.recv_timeout(Duration::from_secs(600));
    }
    adapters.teardown(stage).expect("done");
    drop(adapters);
    std::process::exit(0);
}

fn victim(mark: &str, temp: &Path, how: &str) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .args([VICTIM, mark, how])
        .env("TMPDIR", temp)
        .stdout(Stdio::piped())
        .spawn()
        .expect("a victim")
}

/// The moments cover the start of guard and adapter densely.
fn killed_at_random() {
    let temp = tempfile::tempdir().expect("temporary folder");
    let mark = unique("victim");
    let mut state = u64::from(std::process::id()) << 20 | 1;
    for round in 0..60 {
        // Knuth's multiplier; the upper bits are good enough here.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let reach = if round % 3 == 0 { 30_000 } else { 6_000 };
        let moment = Duration::from_micros((state >> 33) % reach);
        let mut suite = victim(&mark, temp.path(), "stay");
        let mut lines = BufReader::new(suite.stdout.take().expect("piped"));
        lines.read_line(&mut String::new()).expect("starting");
        // A wait for nothing but the moment: no one ever sends.
        let (_never, moments) = mpsc::channel::<()>();
        let _ = moments.recv_timeout(moment);
        suite.kill().expect("kill");
        suite.wait().expect("wait");
        assert_none_stays(&mark, &format!("killed {moment:?} after its start"));
    }
}

fn killed_at_work() {
    let temp = tempfile::tempdir().expect("temporary folder");
    let mark = unique("working");
    let mut suite = victim(&mark, temp.path(), "stay");
    let lines = BufReader::new(suite.stdout.take().expect("piped")).lines();
    let heard: Vec<String> = lines.take(2).map(|line| line.expect("a line")).collect();
    assert_eq!(heard, ["starting", "prepared"]);
    assert_eq!(
        alive(&mark).len(),
        3,
        "the suite, its adapter and that one's child"
    );
    suite.kill().expect("kill");
    suite.wait().expect("wait");
    assert_none_stays(&mark, "killed while a scenario was prepared");
}

fn swept() {
    let temp = tempfile::tempdir().expect("temporary folder");
    let mark = unique("swept");
    let mut suite = victim(&mark, temp.path(), "stay");
    let lines = BufReader::new(suite.stdout.take().expect("piped")).lines();
    assert_eq!(lines.take(2).count(), 2);
    suite.kill().expect("kill");
    suite.wait().expect("wait");
    let left = || std::fs::read_dir(temp.path()).expect("folder").count();
    assert!(left() > 0, "the killed could not tidy up");
    let mut next = victim(&mark, temp.path(), "end");
    assert!(next.wait().expect("wait").success());
    assert_eq!(left(), 0, "the next one did");
    assert_none_stays(&mark, "after a normal end");
}
