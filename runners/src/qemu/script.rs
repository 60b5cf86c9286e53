//! Renders a run as a shell script beside its files, so that people can repeat it by hand.

use std::fmt::Write as _;

use serde_json::Value;

use super::argv::{HOST_DTB, Io, argv, load_name};
use super::{qmp, qtest};
use crate::request::{Action, File, LabelledAction, Request};

/// Returns the files that a run needs in addition to its image, by their names on the command line.
pub fn evidence_files(request: &Request) -> Vec<File> {
    let tree = request
        .host_dtb
        .iter()
        .map(|bytes| File::new(HOST_DTB, bytes.as_slice()));
    let loads = request
        .loads
        .iter()
        .map(|load| File::new(load_name(load.addr), load.bytes.clone()));
    tree.chain(loads)
        .chain(request.files.iter().cloned())
        .collect()
}

/// Renders a script for `/bin/sh` that repeats the run from its own folder, which also holds the [`evidence_files`].
/// `image` is the image's path relative to that folder. The script repeats the actions before the first instruction,
/// but not those of a run controller during the run.
pub fn script(request: &Request, image: &str) -> String {
    let pinned = request
        .machine
        .pin
        .as_ref()
        .unwrap_or(&request.machine.kind);
    let mut text = String::from("#!/bin/sh\nset -eu\ncd \"$(dirname \"$0\")\"\n");
    if request.before.is_empty() {
        text += "# Ctrl-A X ends it. QEMU=... takes another program.\n";
        command(
            &mut text,
            "exec ",
            &argv(request, pinned, image, Io::Terminal),
        );
        text.push('\n');
        return text;
    }
    text += concat!(
        "# Ctrl-C ends it. QEMU=... takes another program.\n",
        "pipes=$(mktemp -d)\n",
        "trap 'kill $qemu 2>/dev/null || true; rm -r \"$pipes\"' EXIT\n",
        "trap 'exit 130' INT TERM\n",
        "qemu=\n",
        "mkfifo \"$pipes/qmp.in\" \"$pipes/qmp.out\" \"$pipes/qtest.in\" \"$pipes/qtest.out\"\n",
    );
    command(&mut text, "", &argv(request, pinned, image, Io::Pipes));
    text += concat!(
        " </dev/null &\n",
        "qemu=$!\n",
        "exec 3>\"$pipes/qmp.in\" 4<\"$pipes/qmp.out\" 5>\"$pipes/qtest.in\" 6<\"$pipes/qtest.out\"\n",
        "tell() { echo \"$1\" >&3; while read -r answer <&4; do case $answer in *'\"id\": '*) break;; esac; done; }\n",
        "ask() { echo \"$1\" >&5; read -r answer <&6; echo \"$1: $answer\" >&2; }\n",
    );
    tell(&mut text, 0, "qmp_capabilities", &Value::Null);
    for (number, act) in (1..).zip(&request.before) {
        step(&mut text, number, act);
    }
    tell(&mut text, u64::MAX, "cont", &Value::Null);
    text += "wait \"$qemu\"\n";
    text
}

/// Writes one action that is carried out before the first instruction.
fn step(text: &mut String, id: u64, act: &LabelledAction) {
    // The label comes from the case; a line break in it must not become a command.
    let label = act.label.replace(['\n', '\r'], " ");
    let _ = writeln!(text, "# {label}");
    match &act.action {
        Action::Write { addr, bytes } => {
            for line in qtest::write_lines(*addr, bytes) {
                let _ = writeln!(text, "ask {}", quoted(&line));
            }
        }
        Action::Read { addr, len } => {
            for (line, _) in qtest::read_lines(*addr, *len) {
                let _ = writeln!(text, "ask {}", quoted(&line));
            }
        }
        Action::SetLine { line, high } => {
            // Only a running QEMU knows where the interrupt controller is in its tree of objects.
            let level = if *high { "high" } else { "low" };
            let told = quoted(&format!("left out: {line} set {level}"));
            let _ = writeln!(text, "echo {told} >&2");
        }
        Action::Qmp { execute, arguments } => tell(text, id, execute, arguments),
        Action::Stop => tell(text, id, "stop", &Value::Null),
        Action::Continue => tell(text, id, "cont", &Value::Null),
    }
}

fn tell(text: &mut String, id: u64, execute: &str, arguments: &Value) {
    let line = qmp::command(id, execute, arguments);
    let _ = writeln!(text, "tell {}", quoted(line.trim_end()));
}

/// Writes a command line, with one option and its value a line.
fn command(text: &mut String, prefix: &str, args: &[String]) {
    let (program, rest) = args
        .split_first()
        .map_or(("", args), |(first, rest)| (first.as_str(), rest));
    let _ = write!(text, "{prefix}\"${{QEMU:-{program}}}\"");
    for arg in rest {
        let separator = if arg.starts_with('-') {
            " \\\n    "
        } else {
            " "
        };
        text.push_str(separator);
        // Only an argument of our own contains a variable.
        match arg.split_once("$pipes") {
            Some((before, after)) => {
                let _ = write!(text, "{}\"$pipes\"{}", quoted(before), quoted(after));
            }
            None => text.push_str(&quoted(arg)),
        }
    }
}

/// Quotes a word for the shell, where it needs it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=,./:+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}
