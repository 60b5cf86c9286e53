//! No QEMU and no folder outlives its harness, however the harness ends.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use libtest_mimic::Trial;
use runners::{End, Io, Request, argv, run};

use crate::arch::RESPONDER;
use crate::image::{self, By, Until};
use crate::processes::{
    alive, assert_killed_leave_nothing, assert_none_stays, heard, kill, unique,
};
use crate::trial;

/// The argument that makes this program a harness waiting to be killed.
pub const VICTIM: &str = "--victim";

pub fn trials() -> Vec<Trial> {
    vec![
        trial("orphan::a_killed_harness_leaves_no_qemu", killed_at_random),
        trial(
            "orphan::a_killed_run_leaves_nothing_to_the_next",
            killed_while_running,
        ),
        trial(
            "orphan::a_qemu_without_a_harness_ends_by_itself",
            nobody_listens,
        ),
        trial(
            "orphan::a_panicking_director_leaves_nothing",
            panic_in_director,
        ),
    ]
}

/// Makes a run whose command line carries `mark`.
fn marked(mark: &str, image: &Path) -> Request {
    let mut request = image::request_of(image);
    request
        .machine
        .extra
        .extend(["-name".to_owned(), mark.to_owned()]);
    request
}

/// Runs until killed, or to its normal end if `end` is the last argument.
pub fn be_victim(args: &[String]) -> ! {
    let [_, _, mark, image, how] = args else {
        panic!("usage: {VICTIM} MARK IMAGE end|stay");
    };
    let request = marked(mark, Path::new(image));
    println!("starting");
    let mut stay = By(
        |line: &str| {
            println!("{line}");
            Vec::new()
        },
        |_: &str, _: &runners::Answer| Vec::new(),
    );
    let seen = match how.as_str() {
        "end" => run(&request, &mut Until("go")),
        _ => run(&request, &mut stay),
    };
    assert_eq!(seen.expect("a run").end, End::Finished);
    std::process::exit(0);
}

fn victim(mark: &str, image: &Path, temp: &Path, how: &str) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .arg(VICTIM)
        .arg(mark)
        .arg(image)
        .arg(how)
        .env("TMPDIR", temp)
        .stdout(Stdio::piped())
        .spawn()
        .expect("a victim")
}

/// The moments of the kill cover the start of QEMU densely, because the parent-death signal is set there.
fn killed_at_random() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let temp = tempfile::tempdir().expect("temporary folder");
    let image = image::write(dir.path(), &RESPONDER);
    let mark = unique("victim");
    assert_killed_leave_nothing(&mark, Duration::from_millis(60), || {
        victim(&mark, &image, temp.path(), "stay")
    });
    leaves_nothing(&mark, &image, temp.path());
}

fn killed_while_running() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let temp = tempfile::tempdir().expect("temporary folder");
    let image = image::write(dir.path(), &RESPONDER);
    let mark = unique("running");
    let mut child = victim(&mark, &image, temp.path(), "stay");
    let (lines, _open) = heard(&mut child, 2);
    assert_eq!(lines, ["starting", "go"]);
    assert_eq!(alive(&mark).len(), 2, "the harness and its QEMU");
    kill(&mut child);
    assert_none_stays(&mark, "killed while the guest ran");
    assert!(
        fs::read_dir(temp.path()).expect("folder").count() > 0,
        "the killed could not tidy up"
    );
    leaves_nothing(&mark, &image, temp.path());
}

/// The next run sweeps what the killed ones left, and leaves nothing itself.
#[track_caller]
fn leaves_nothing(mark: &str, image: &Path, temp: &Path) {
    let mut child = victim(mark, image, temp, "end");
    assert!(child.wait().expect("wait").success());
    let left: Vec<_> = fs::read_dir(temp)
        .expect("folder")
        .flatten()
        .map(|entry| entry.path())
        .collect();
    assert!(left.is_empty(), "{left:?}");
    assert_none_stays(mark, "after a normal end");
}

/// Closes the gap before the parent-death signal is set: without the harness' sockets QEMU cannot start.
fn nobody_listens() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let image = image::write(dir.path(), &RESPONDER);
    let request = marked(&unique("alone"), &image);
    let args = argv(
        &request,
        "virt",
        image.to_str().expect("a plain path"),
        Io::Harness,
    );
    let (ours, theirs) = UnixStream::pair().expect("sockets");
    drop(ours);
    // A killed harness leaves this state: the socket's name exists and nothing listens.
    drop(std::os::unix::net::UnixListener::bind(dir.path().join("serial")).expect("a socket"));
    let output = Command::new(&args[0])
        .args(&args[1..])
        .current_dir(dir.path())
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .output()
        .expect("QEMU");
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("Failed to connect"), "{stderr}");
}

fn panic_in_director() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let image = image::write(dir.path(), &RESPONDER);
    let mark = unique("panic");
    let request = marked(&mark, &image);
    let mut run_controller = By(
        |_: &str| panic!("by design"),
        |_: &str, _: &runners::Answer| Vec::new(),
    );
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        run(&request, &mut run_controller)
    }));
    assert!(caught.is_err());
    assert_none_stays(&mark, "after a panic");
}
