//! No process of an adapter outlives a suite that is killed, whenever that happens.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use libtest_mimic::Trial;

use crate::processes::{
    alive, assert_killed_leave_nothing, assert_none_stays, heard, kill, unique,
};
use crate::script::{PATIENCE, marked, prepare, start};
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

/// Lets an adapter prepare a scenario, with a child that ignores signals, and waits to be killed.
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

/// The moments of the kill cover the start of guard and adapter densely.
fn killed_at_random() {
    let temp = tempfile::tempdir().expect("temporary folder");
    let mark = unique("victim");
    assert_killed_leave_nothing(&mark, Duration::from_millis(30), || {
        victim(&mark, temp.path(), "stay")
    });
}

fn killed_at_work() {
    let temp = tempfile::tempdir().expect("temporary folder");
    let mark = unique("working");
    let mut suite = victim(&mark, temp.path(), "stay");
    let (lines, _open) = heard(&mut suite, 2);
    assert_eq!(lines, ["starting", "prepared"]);
    assert_eq!(
        alive(&mark).len(),
        3,
        "the suite, its adapter and that one's child"
    );
    kill(&mut suite);
    assert_none_stays(&mark, "killed while a scenario was prepared");
}

fn swept() {
    let temp = tempfile::tempdir().expect("temporary folder");
    let mark = unique("swept");
    let mut suite = victim(&mark, temp.path(), "stay");
    let (lines, _open) = heard(&mut suite, 2);
    assert_eq!(lines.len(), 2);
    kill(&mut suite);
    let left = || std::fs::read_dir(temp.path()).expect("folder").count();
    assert!(left() > 0, "the killed could not tidy up");
    let mut next = victim(&mark, temp.path(), "end");
    assert!(next.wait().expect("wait").success());
    assert_eq!(left(), 0, "the next one did");
    assert_none_stays(&mark, "after a normal end");
}
