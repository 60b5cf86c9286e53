//! Finds, ends and awaits processes by a mark on their command line.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::Child;
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime};

/// Makes a mark that no other process has.
pub fn unique(name: &str) -> String {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("a clock");
    format!("{name}-{}-{}", std::process::id(), now.as_nanos())
}

/// Returns the processes whose command line has `mark` as an argument. Zombies have no command line.
pub fn alive(mark: &str) -> Vec<String> {
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

/// Waits until no process with `mark` is left. The kernel ends a process in its own time, so this checks repeatedly and
/// reports at the bound what is left.
#[track_caller]
pub fn assert_none_stays(mark: &str, what: &str) {
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

/// Returns the first lines that a child prints, and the reader: the child can print as long as the reader exists.
pub fn heard(child: &mut Child, count: usize) -> (Vec<String>, impl Read + use<>) {
    let mut reader = BufReader::new(child.stdout.take().expect("piped"));
    let lines = reader.by_ref().lines().take(count);
    let heard = lines.map(|line| line.expect("a line")).collect();
    (heard, reader)
}

/// Kills a child and waits for its end.
pub fn kill(child: &mut Child) {
    child.kill().expect("kill");
    child.wait().expect("wait");
}

/// Kills victims, each at another moment after its first line, and checks that no process with `mark` is left. Two of
/// three moments cover the first 5 ms densely; every third is anywhere in the first `reach`.
#[track_caller]
pub fn assert_killed_leave_nothing(mark: &str, reach: Duration, victim: impl Fn() -> Child) {
    let mut state = u64::from(std::process::id()) << 20 | 1;
    for round in 0..60 {
        // Knuth's multiplier; the upper bits are good enough here.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let reach = match round % 3 {
            0 => u64::try_from(reach.as_micros()).expect("a short time"),
            _ => 5_000,
        };
        let moment = Duration::from_micros((state >> 33) % reach);
        let mut child = victim();
        let (lines, _open) = heard(&mut child, 1);
        assert_eq!(lines.len(), 1, "it starts");
        // Waits for the moment of the kill only: nothing is ever sent.
        let (_never, moments) = mpsc::channel::<()>();
        let _ = moments.recv_timeout(moment);
        kill(&mut child);
        assert_none_stays(mark, &format!("killed {moment:?} after its start"));
    }
}
