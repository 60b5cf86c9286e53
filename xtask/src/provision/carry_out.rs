//! Carries out the steps of a plan.

use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context as _, bail, ensure};

use crate::progress::Progress;
use crate::provision::plan::Step;
use crate::provision::somebody_there;

/// How many lines of a failed command's output are shown.
const LAST_LINES: usize = 40;

/// Carries out the steps in order, and stops at the first failure that is not allowed.
pub fn all(steps: &[Step]) -> anyhow::Result<()> {
    if steps.iter().any(Step::takes_sudo) && somebody_there() {
        // Ask for the password now: later the bar would cover the question.
        let status = Command::new("sudo").arg("--validate").status();
        ensure!(
            status.context("cannot start sudo")?.success(),
            "sudo refuses"
        );
    }
    for step in steps {
        let mut progress = Progress::start(step.label());
        progress.announce(&step.to_string());
        let outcome = one(step, &progress);
        progress.finish(outcome.is_ok());
        match (outcome, step) {
            (Err(error), Step::Run { may_fail: true, .. }) => {
                eprintln!("xtask: going on, although {error:#}")
            }
            (outcome, _) => outcome?,
        }
    }
    Ok(())
}

fn one(step: &Step, progress: &Progress) -> anyhow::Result<()> {
    match step {
        Step::Write { rights, path, text } => match rights.split_first() {
            // `create_new`: a file that has appeared meanwhile is not ours.
            None => OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(path)
                .and_then(|mut file| file.write_all(text.as_bytes()))
                .with_context(|| format!("cannot write {}", path.display())),
            Some((program, words)) => {
                let mut command = Command::new(program);
                command.args(words).arg("tee").arg(path);
                run(&step.label(), command, Some(text), progress)
            }
        },
        Step::Run { argv, .. } => {
            let Some((program, words)) = argv.split_first() else {
                bail!("a step without a command")
            };
            let mut command = Command::new(program);
            command.args(words);
            if argv.iter().any(|word| word == "apt-get") {
                command.args(["-o", "APT::Status-Fd=1"]);
            }
            run(&step.label(), command, None, progress)
        }
    }
}

/// Runs a command to its end and shows its output as progress. A failure shows its last lines.
fn run(
    name: &str,
    mut command: Command,
    input: Option<&str>,
    progress: &Progress,
) -> anyhow::Result<()> {
    let mut child = command
        .stdin(if input.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {name}"))?;
    if let (Some(text), Some(mut stdin)) = (input, child.stdin.take()) {
        stdin
            .write_all(text.as_bytes())
            .with_context(|| format!("{name} reads no input"))?;
    }
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        bail!("{name} runs without pipes");
    };
    let (said, complained) = thread::scope(|scope| {
        // Read both at once: a full pipe that is not read would block the child.
        let complained = scope.spawn(|| {
            BufReader::new(stderr)
                .lines()
                .map_while(Result::ok)
                .collect::<Vec<_>>()
        });
        let mut said = Vec::new();
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            match apt_status(&line) {
                Some((percent, text)) => {
                    progress.percent(percent);
                    progress.detail(text);
                }
                None => {
                    progress.detail(line.clone());
                    said.push(line);
                }
            }
        }
        (said, complained.join().unwrap_or_default())
    });
    let status = child
        .wait()
        .with_context(|| format!("cannot wait for {name}"))?;
    if status.success() {
        return Ok(());
    }
    // Standard error last: readers look there for the reason.
    let lines: Vec<_> = said.into_iter().chain(complained).collect();
    let last = lines
        .get(lines.len().saturating_sub(LAST_LINES)..)
        .unwrap_or_default();
    bail!("{name} ends with {status}:\n{}", last.join("\n"))
}

/// Reads a line of apt's status stream: `dlstatus:1:23.4:Retrieving file 1 of 3` while fetching,
/// `pmstatus:dtc:50.0:Unpacking` while installing.
fn apt_status(line: &str) -> Option<(f32, &str)> {
    let rest = line
        .strip_prefix("dlstatus:")
        .or_else(|| line.strip_prefix("pmstatus:"))?;
    // A package may have its architecture as a suffix, also after a colon. So the percentage is the first numeric field
    // after the very first field.
    let mut rest = rest.split_once(':')?.1;
    loop {
        let (field, after) = rest.split_once(':')?;
        match field.parse::<f32>() {
            Ok(percent) if percent.is_finite() => return Some((percent, after)),
            _ => rest = after,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// apt's status lines give a percentage and a text; any other line gives nothing.
    #[test]
    fn apt_status_is_read() {
        let table = [
            (
                "dlstatus:1:23.4:Retrieving file 1 of 3",
                Some((23.4, "Retrieving file 1 of 3")),
            ),
            (
                "pmstatus:qemu-system-arm:100.0000:Installed",
                Some((100.0, "Installed")),
            ),
            (
                "pmstatus:libfdt1:riscv64:50.0:Unpacking libfdt1:riscv64",
                Some((50.0, "Unpacking libfdt1:riscv64")),
            ),
            ("pmstatus:a:inf:b", None),
            ("pmstatus:", None),
            ("dlstatus:1:2", None),
            ("Reading package lists...", None),
        ];
        for (line, wanted) in table {
            assert_eq!(apt_status(line), wanted, "{line}");
        }
    }

    /// A failed step ends the work unless it may fail. The error shows the command's output.
    #[test]
    fn failures_stop_unless_they_may() {
        let folder = tempfile::tempdir().unwrap();
        let shell = |script: &str, may_fail| Step::Run {
            argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
            may_fail,
        };
        let mark = |name: &str| {
            shell(
                &format!("touch {}", folder.path().join(name).display()),
                false,
            )
        };
        let error = all(&[
            mark("a"),
            shell("true", false),
            shell("echo because >&2; exit 3", false),
            mark("b"),
        ])
        .unwrap_err();
        assert!(error.to_string().contains("because"), "{error}");
        assert!(folder.path().join("a").exists() && !folder.path().join("b").exists());
        all(&[shell("exit 3", true), mark("b")]).unwrap();
        assert!(folder.path().join("b").exists());
        assert!(
            all(&[Step::Run {
                argv: vec!["/no/such/program".into()],
                may_fail: false
            }])
            .is_err()
        );
    }

    /// A file is created once with exactly its text, and an existing one is left alone. Creating it through a command
    /// such as sudo does the same.
    #[test]
    fn files_are_made_and_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.sources");
        let step = |rights: &[&str], text: &str| Step::Write {
            rights: rights.iter().map(|word| (*word).to_owned()).collect(),
            path: path.clone(),
            text: text.to_owned(),
        };
        all(&[step(&[], "a\nb\n")]).unwrap();
        assert!(all(&[step(&[], "c\n")]).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\nb\n");
        std::fs::remove_file(&path).unwrap();
        all(&[step(&["env"], "d\n")]).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "d\n");
    }
}
