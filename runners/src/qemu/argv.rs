//! Makes QEMU's command line. Starts nothing, so that snapshots can pin it.

use crate::iommu::trace;
use crate::request::{Machine, Request};

/// The socket of the run's folder that QEMU's console connects to.
pub const SERIAL: &str = "serial";
/// The socket of the run's folder that qtest connects to.
pub const QTEST: &str = "qtest";
/// The host's device tree in the run's folder.
pub const HOST_DTB: &str = "host.dtb";

/// What is at the other end of the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Io {
    /// The harness: QEMU starts paused, has QMP on its standard input, and connects to the sockets of console and qtest
    /// in its working directory.
    Harness,
    /// A person: the console is the terminal, and the machine starts at once.
    Terminal,
    /// A script: the console is standard output; QEMU starts paused, with QMP and qtest on named
    /// pipes under `$pipes`.
    Pipes,
}

/// Returns the arguments up to the console that every start of the machine has, with machine type `kind`.
pub fn machine_argv(machine: &Machine, kind: &str) -> Vec<String> {
    let mut args = start(machine);
    args.extend(described(machine, kind));
    args
}

/// Returns the program and the arguments that are the same for every machine.
fn start(machine: &Machine) -> Vec<String> {
    let mut args = vec![machine.program.clone()];
    // -nodefaults leaves out the network card, whose ROM file a minimal installation lacks.
    args.extend(
        [
            "-no-user-config",
            "-nodefaults",
            "-display",
            "none",
            "-no-reboot",
        ]
        .map(str::to_owned),
    );
    args
}

/// Returns the arguments that describe the machine, with machine type `kind`.
fn described(machine: &Machine, kind: &str) -> Vec<String> {
    let mut args = Vec::new();
    let mut options = kind.to_owned();
    for option in &machine.options {
        options.push(',');
        options.push_str(option);
    }
    pair(&mut args, "-M", options);
    pair(&mut args, "-cpu", machine.cpu.clone());
    pair(&mut args, "-smp", machine.cpus.to_string());
    pair(&mut args, "-m", machine.memory_mib.to_string());
    for device in &machine.devices {
        pair(&mut args, "-device", device.clone());
    }
    args
}

/// Returns the arguments that make up the machine of a run, including the run's own. An adapter that replaces all
/// arguments needs them.
pub fn machine_arguments(request: &Request) -> Vec<String> {
    let machine = &request.machine;
    let mut args = described(machine, machine.pin.as_ref().unwrap_or(&machine.kind));
    args.extend(machine.extra.iter().chain(&request.extra).cloned());
    args
}

/// Returns the command line of a run on a machine of type `kind`, with the program first. `image` is the path of the
/// image, if there is one. All other paths are relative to the folder of the run.
pub fn argv(request: &Request, kind: &str, image: &str, io: Io) -> Vec<String> {
    let machine = &request.machine;
    let mut args = match &request.machine_args {
        None => machine_argv(machine, kind),
        Some(_) => start(machine),
    };
    args.extend(request.machine_args.iter().flatten().cloned());
    for _ in 0..request.console {
        pair(&mut args, "-serial", "null".to_owned());
    }
    match io {
        Io::Harness => {
            pair(
                &mut args,
                "-chardev",
                format!("socket,id=console,path={SERIAL}"),
            );
            pair(&mut args, "-serial", "chardev:console".to_owned());
        }
        Io::Terminal => pair(&mut args, "-serial", "mon:stdio".to_owned()),
        Io::Pipes => pair(&mut args, "-serial", "stdio".to_owned()),
    }
    if request.machine_args.is_none() {
        args.extend(machine.extra.iter().cloned());
    }
    if let Some(icount) = request.icount {
        let sleep = if icount.sleep { "on" } else { "off" };
        pair(
            &mut args,
            "-icount",
            format!("shift={},sleep={sleep}", icount.shift),
        );
    }
    // Loading 256 KiB from a file takes 0.3 ms; writing it through qtest takes 13 ms.
    let load = |args: &mut Vec<String>, file: &str, addr: u64| {
        // A plain comma would begin the next option.
        let file = file.replace(',', ",,");
        let loader = format!("loader,file={file},addr={addr:#x},force-raw=on");
        pair(args, "-device", loader);
    };
    match &request.firmware {
        None => {
            if request.image.is_some() {
                pair(&mut args, "-kernel", image.to_owned());
            }
            if request.host_dtb.is_some() {
                pair(&mut args, "-dtb", HOST_DTB.to_owned());
            }
        }
        Some(firmware) => {
            pair(&mut args, "-bios", firmware.path.display().to_string());
            if request.image.is_some() {
                load(&mut args, image, firmware.image);
            }
            if request.host_dtb.is_some() {
                load(&mut args, HOST_DTB, firmware.tree);
            }
        }
    }
    for one in &request.loads {
        load(&mut args, &load_name(one.addr), one.addr);
    }
    args.extend(request.extra.iter().cloned());
    if !request.iommus.is_empty() {
        for model in trace::models(&request.iommus) {
            for event in model.trace_events() {
                pair(&mut args, "-trace", (*event).to_owned());
            }
        }
        pair(&mut args, "-d", trace::COMPLAINTS.to_owned());
        pair(&mut args, "-D", trace::FILE.to_owned());
    }
    match io {
        Io::Harness => {
            // Standard input is one end of a socket pair: QEMU need not connect, and it sees the end when we die.
            pair(&mut args, "-chardev", "socket,id=qmp,fd=0".to_owned());
            pair(
                &mut args,
                "-chardev",
                format!("socket,id=qtest,path={QTEST}"),
            );
            paused(&mut args);
        }
        Io::Terminal => {}
        Io::Pipes => {
            pair(
                &mut args,
                "-chardev",
                "pipe,id=qmp,path=$pipes/qmp".to_owned(),
            );
            pair(
                &mut args,
                "-chardev",
                "pipe,id=qtest,path=$pipes/qtest".to_owned(),
            );
            paused(&mut args);
        }
    }
    args
}

/// Names the file that holds the image loaded at `addr`.
pub fn load_name(addr: u64) -> String {
    format!("load-{addr:x}.bin")
}

fn paused(args: &mut Vec<String>) {
    pair(args, "-mon", "chardev=qmp,mode=control".to_owned());
    pair(args, "-qtest", "chardev:qtest".to_owned());
    // Without it QEMU prints every access on standard error.
    pair(args, "-qtest-log", "none".to_owned());
    args.push("-S".to_owned());
}

fn pair(args: &mut Vec<String>, name: &str, value: String) {
    args.push(name.to_owned());
    args.push(value);
}
