//! Checks QEMU arguments that an adapter gives. Pure.
//!
//! An adapter's answer must leave the suite in control of the machine: of its console, its control sockets and its
//! process. It must name no files but those that it hands over. So only listed options are allowed, and each file name
//! must be one of the answer's. This catches mistakes. It does not stop malice, for the adapter runs with the user's
//! rights.

use std::collections::BTreeSet;

/// How the value of an option is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Any text: only the guest reads it.
    Text,
    /// The name of one of the answer's files.
    File,
    /// A list of `key=value` parts.
    Parts,
    /// Only `none` or `null`, which switch the device off.
    Nothing,
    /// The source of a machine's state: one of the answer's files.
    State,
}

/// The options that an adapter may give.
const KNOWN: [(&str, Form); 18] = [
    ("M", Form::Parts),
    ("accel", Form::Parts),
    ("append", Form::Text),
    ("bios", Form::File),
    ("cpu", Form::Parts),
    ("device", Form::Parts),
    ("drive", Form::Parts),
    ("fw_cfg", Form::Parts),
    ("global", Form::Parts),
    ("icount", Form::Parts),
    ("incoming", Form::State),
    ("initrd", Form::File),
    ("m", Form::Parts),
    ("machine", Form::Parts),
    ("object", Form::Parts),
    ("rtc", Form::Parts),
    ("serial", Form::Nothing),
    ("smp", Form::Parts),
];

/// Keys whose value is a file. Of a nested key such as `file.filename`, the last word counts.
const FILES: [&str; 14] = [
    "data", "dtb", "dumpdtb", "file", "filename", "firmware", "initrd", "kernel", "logfile",
    "mem-path", "path", "pflash", "romfile", "script",
];

/// Keys that connect QEMU to something other than a file.
const ELSEWHERE: [&str; 6] = ["chardev", "driver", "host", "netdev", "server", "url"];

/// Checks arguments; `files` are the names that they may use.
pub fn check(arguments: &[String], files: &BTreeSet<&str>) -> Result<(), String> {
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let name = argument
            .strip_prefix("--")
            .or_else(|| argument.strip_prefix('-'))
            .ok_or_else(|| format!("`{argument}` is no option"))?;
        let known = KNOWN.iter().find(|(option, _)| *option == name);
        let Some((_, form)) = known else {
            let all: Vec<&str> = KNOWN.iter().map(|(option, _)| *option).collect();
            return Err(format!(
                "an adapter may not give `{argument}`; it may give -{}",
                all.join(", -")
            ));
        };
        let value = rest
            .next()
            .ok_or_else(|| format!("`{argument}` lacks its value"))?;
        let judged = match form {
            Form::Text => Ok(()),
            Form::File => named(value, files),
            Form::Parts => parts(name, value, files),
            Form::Nothing if ["none", "null"].contains(&value.as_str()) => Ok(()),
            Form::State => state(value, files),
            Form::Nothing => Err("only `null` or `none` is allowed".to_owned()),
        };
        judged.map_err(|why| format!("`{argument} {value}`: {why}"))?;
    }
    Ok(())
}

/// Checks `a,key=value,...`.
fn parts(option: &str, value: &str, files: &BTreeSet<&str>) -> Result<(), String> {
    // Both are other spellings of the parts below, and would get past the check.
    if value.trim_start().starts_with('{') || value.contains(",,") {
        return Err("JSON and doubled commas are not allowed".to_owned());
    }
    for part in value.split(',') {
        let Some((key, value)) = part.split_once('=') else {
            plain(part)?;
            continue;
        };
        let last = key.rsplit('.').next().unwrap_or(key).to_ascii_lowercase();
        if FILES.contains(&last.as_str()) {
            named(value, files)?;
        } else if option != "global" && ELSEWHERE.contains(&last.as_str()) {
            return Err(format!("an adapter may not set `{key}`"));
        } else {
            plain(value)?;
        }
    }
    Ok(())
}

/// Checks the source of a machine's state. QEMU would also read it from programs, sockets and descriptors.
fn state(value: &str, files: &BTreeSet<&str>) -> Result<(), String> {
    let Some(file) = value.strip_prefix("file:") else {
        return Err("a machine's state comes from `file:NAME`".to_owned());
    };
    let (name, offset) = file.split_once(",offset=").unwrap_or((file, "0"));
    if offset.is_empty() || !offset.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Err(format!("`{offset}` is no offset"));
    }
    named(name, files)
}

fn named(name: &str, files: &BTreeSet<&str>) -> Result<(), String> {
    if files.contains(name) {
        Ok(())
    } else {
        Err(format!("`{name}` is none of the answer's files"))
    }
}

/// Checks a value that must not name a file.
fn plain(value: &str) -> Result<(), String> {
    let leaves = value.starts_with('/') || value.split('/').any(|step| step == "..");
    if leaves || value.contains("://") {
        Err(format!("`{value}` leads out of the folder of the run"))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(line: &[&str]) -> Result<(), String> {
        let line: Vec<String> = line.iter().map(|word| (*word).to_owned()).collect();
        check(&line, &BTreeSet::from(["disk.img", "fw.bin"]))
    }

    /// Arguments that describe a machine with the answer's own files pass.
    #[test]
    fn machines_may_be_described() {
        for line in [
            vec![],
            vec!["-M", "virt,virtualization=on,highmem=off", "-cpu", "max"],
            vec!["-incoming", "file:disk.img"],
            vec!["-incoming", "file:disk.img,offset=0x1000"],
            vec!["-smp", "2", "-m", "1G", "--device", "edu,addr=3"],
            vec!["-drive", "if=pflash,unit=1,format=raw,file=disk.img"],
            vec!["-device", "loader,file=fw.bin,addr=0x1000,force-raw=on"],
            vec!["-bios", "fw.bin", "-append", "root=/dev/vda ../x,,y"],
            vec!["-serial", "null", "-object", "rng-builtin,id=r"],
            vec!["-global", "virtio-mmio.force-legacy=false"],
        ] {
            assert_eq!(say(&line), Ok(()), "{line:?}");
        }
    }

    /// Arguments that take over console, control or process, or name other files, are refused by name.
    #[test]
    fn nothing_leads_out() {
        for (line, part) in [
            (vec!["-daemonize"], "may not give `-daemonize`"),
            (vec!["-S"], "may not give `-S`"),
            (vec!["-D", "/tmp/log"], "may not give `-D`"),
            (vec!["-pidfile", "x"], "may not give `-pidfile`"),
            (vec!["-qmp", "tcp:localhost:1"], "may not give `-qmp`"),
            (vec!["-monitor", "stdio"], "may not give `-monitor`"),
            (
                vec!["-chardev", "file,id=x,path=y"],
                "may not give `-chardev`",
            ),
            (vec!["-readconfig", "x"], "may not give `-readconfig`"),
            (vec!["-kernel", "fw.bin"], "may not give `-kernel`"),
            (vec!["-serial", "file:/tmp/x"], "only `null`"),
            (vec!["-serial", "chardev:console"], "only `null`"),
            (vec!["disk.img"], "`disk.img` is no option"),
            (vec!["@args"], "is no option"),
            (vec!["-device"], "lacks its value"),
            // Nobody could go on with such a machine: an adapter has no QMP.
            (vec!["-incoming", "defer"], "comes from `file:NAME`"),
            (vec!["-bios", "/etc/passwd"], "none of the answer's files"),
            (vec!["-bios", "../fw.bin"], "none of the answer's files"),
            (
                vec!["-drive", "file=/etc/passwd"],
                "none of the answer's files",
            ),
            (
                vec!["-drive", "FILE=/etc/passwd"],
                "none of the answer's files",
            ),
            (
                vec!["-drive", "file.filename=x"],
                "none of the answer's files",
            ),
            (
                vec!["-drive", "file=fat:rw:/"],
                "none of the answer's files",
            ),
            (vec!["-drive", "file=json:{}"], "none of the answer's files"),
            (vec!["-drive", "driver=ssh,host=h"], "may not set `driver`"),
            (vec!["-device", "{\"driver\":\"edu\"}"], "JSON and doubled"),
            (vec!["-device", "loader,file=a,,b"], "JSON and doubled"),
            (
                vec!["-device", "edu,romfile=/x"],
                "none of the answer's files",
            ),
            (
                vec!["-device", "pci-serial,chardev=console"],
                "may not set `chardev`",
            ),
            (
                vec!["-object", "input-linux,id=a,evdev=/dev/input"],
                "leads out",
            ),
            (
                vec!["-object", "memory-backend-file,mem-path=x"],
                "none of the answer's",
            ),
            (
                vec!["-M", "virt,dumpdtb=/tmp/x"],
                "none of the answer's files",
            ),
            (
                vec!["-fw_cfg", "name=opt/x,file=/etc/shadow"],
                "none of the answer's",
            ),
            (vec!["-rtc", "a/../../b"], "leads out"),
            (vec!["-incoming", "exec:cat x"], "comes from `file:NAME`"),
            (vec!["-incoming", "tcp:0:4444"], "comes from `file:NAME`"),
            (vec!["-incoming", "fd:3"], "comes from `file:NAME`"),
            (vec!["-incoming", "unix:sock"], "comes from `file:NAME`"),
            (vec!["-incoming", "{}"], "comes from `file:NAME`"),
            (
                vec!["-incoming", "file:/etc/passwd"],
                "none of the answer's",
            ),
            (
                vec!["-incoming", "file:fw.bin,offset=1,x"],
                "`1,x` is no offset",
            ),
        ] {
            let why = say(&line).expect_err(part);
            assert!(why.contains(part), "{line:?}: {why}");
        }
    }
}
