//! No QEMU and no folder outlives its harness, however that ends.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime};

use libtest_mimic::Trial;
use runners::{End, Io, Request, argv, run};

use crate::image::{self, By, PATIENCE, RESPONDER, Until};
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
    let mut request = Request::new(image::machine(), image, PATIENCE);
    request
        .machine
        .extra
        .extend(["-name".to_owned(), mark.to_owned()]);
    request
}

/// Runs until killed, or to a good end if `end` is the last argument.
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

/// Returns the processes whose command line has `mark` as an argument, `setpriv` before it has
/// become QEMU included. Zombies have no command line.
fn alive(mark: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("procfs").flatten() {
        // A process may end between the listing and the reading.
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if line
            .split(|byte| *byte == 0)
            .any(|arg| arg == mark.as_bytes())
        {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    found
}

/// Looks until no process with `mark` is left. The kernel ends it on its own time, so the look is
/// repeated; a QEMU that stays is found at the bound.
#[track_caller]
fn assert_none_stays(mark: &str, what: &str) {
    let began = Instant::now();
    loop {
        let left = alive(mark);
        if left.is_empty() {
            return;
        }
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "{what}: still alive: {left:?}"
        );
        std::thread::yield_now();
    }
}

fn unique(name: &str) -> String {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("a clock");
    format!("{name}-{}-{}", std::process::id(), now.as_nanos())
}

/// The moments cover the start of QEMU densely, for there the tie is being made.
fn killed_at_random() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let temp = tempfile::tempdir().expect("temporary folder");
    let image = image::write(dir.path(), &RESPONDER);
    let mark = unique("victim");
    let mut state = u64::from(std::process::id()) << 20 | 1;
    for round in 0..60 {
        // Knuth's multiplier; the upper bits are good enough here.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let reach = if round % 3 == 0 { 60_000 } else { 5_000 };
        let moment = Duration::from_micros((state >> 33) % reach);
        let mut child = victim(&mark, &image, temp.path(), "stay");
        let mut lines = BufReader::new(child.stdout.take().expect("piped"));
        lines.read_line(&mut String::new()).expect("starting");
        // A wait for nothing but the moment: no one ever sends.
        let (_never, moments) = mpsc::channel::<()>();
        let _ = moments.recv_timeout(moment);
        child.kill().expect("kill");
        child.wait().expect("wait");
        assert_none_stays(&mark, &format!("killed {moment:?} after its start"));
    }
    leaves_nothing(&mark, &image, temp.path());
}

fn killed_while_running() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let temp = tempfile::tempdir().expect("temporary folder");
    let image = image::write(dir.path(), &RESPONDER);
    let mark = unique("running");
    let mut child = victim(&mark, &image, temp.path(), "stay");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let heard: Vec<String> = lines.take(2).map(|line| line.expect("a line")).collect();
    assert_eq!(heard, ["starting", "go"]);
    assert_eq!(alive(&mark).len(), 2, "the harness and its QEMU");
    child.kill().expect("kill");
    child.wait().expect("wait");
    assert_none_stays(&mark, "killed while the guest ran");
    assert!(
        fs::read_dir(temp.path()).expect("folder").count() > 0,
        "the killed could not tidy up"
    );
    leaves_nothing(&mark, &image, temp.path());
}

/// The next run sweeps what the killed have left, and leaves nothing of its own.
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

/// What closes the moment before the tie is made: without the harness' sockets QEMU cannot start.
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
    // As a killed harness leaves it: the socket's name is there and nobody listens.
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
    let mut director = By(
        |_: &str| panic!("by design"),
        |_: &str, _: &runners::Answer| Vec::new(),
    );
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        run(&request, &mut director)
    }));
    assert!(caught.is_err());
    assert_none_stays(&mark, "after a panic");
}
