//! Command lines and scripts, pinned by snapshots.

use std::process::{Command, Stdio};

use libtest_mimic::Trial;
use runners::{
    Action, File, Firmware, Icount, Io, LabelledAction, Load, Request, argv, evidence_files,
    machine_arguments, script,
};
use serde_json::json;

use crate::arch::{self, LAST_WORDS};
use crate::{image, trial};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("lines::the_command_line_of_a_plain_run", plain),
        trial("lines::the_command_line_of_a_full_run", full),
        trial("lines::firmware_starts_the_image", firmware),
        trial("lines::a_machine_of_somebody_elses", foreign),
        trial("lines::the_script_of_a_run", scripts),
        trial("lines::evidence_has_every_file_the_script_names", evidence),
        trial("lines::scripts_run", scripts_run),
    ]
}

/// Arguments that replace the machine's leave console and control with the suite. A console on another line gets silent
/// lines before it, and an image that the arguments name is not named again.
fn foreign() {
    let mut request = full_request();
    request.icount = None;
    request.iommus.clear();
    request.image = None;
    request.machine_args = Some(["-M", "virt", "-cpu", "max"].map(str::to_owned).to_vec());
    request.extra = ["-kernel", "kernel.img"].map(str::to_owned).to_vec();
    request.console = 1;
    let line = argv(&request, "virt", "", Io::Harness).join(" ");
    let (made, ours) = line
        .split_once(" -chardev socket,id=qmp")
        .expect("QMP is there");
    assert_eq!(
        made.strip_prefix(request.machine.program.as_str()),
        Some(
            " -no-user-config -nodefaults -display none -no-reboot -M virt -cpu max -serial null \
         -chardev socket,id=console,path=serial -serial chardev:console -dtb host.dtb \
         -device loader,file=load-4a000000.bin,addr=0x4a000000,force-raw=on -kernel kernel.img"
        )
    );
    assert!(ours.ends_with(" -S"), "{ours}");
    // An adapter that replaces all arguments gets all of them.
    let told = machine_arguments(&full_request()).join(" ");
    assert!(told.starts_with("-M virt"), "{told}");
    assert!(
        told.ends_with("-device edu,addr=3 -serial null -drive if=none,id=d,file=disk image"),
        "{told}"
    );
}

fn plain_request() -> Request {
    image::request_of("/images/refhv")
}

fn full_request() -> Request {
    let mut request = plain_request();
    image::add_iommu(&mut request.machine);
    request.iommus = vec![arch::iommu()];
    request.machine.devices.push("edu,addr=3".to_owned());
    request
        .machine
        .extra
        .extend(["-serial", "null"].map(str::to_owned));
    request.host_dtb = Some(b"tree".to_vec());
    request.loads.push(Load::new(0x4a00_0000, *b"probe"));
    request
        .files
        .push(File::new("disk image", *b"disk").padded(512));
    request
        .extra
        .extend(["-drive", "if=none,id=d,file=disk image"].map(str::to_owned));
    request.icount = Some(Icount {
        shift: 0,
        sleep: false,
    });
    let act = |label: &str, action| LabelledAction {
        label: label.to_owned(),
        action,
    };
    request.before = vec![
        act(
            "the BAR of the edu",
            Action::Write {
                addr: 0x40_1001_8010,
                bytes: vec![0, 0, 0, 0x10],
            },
        ),
        act(
            "three bytes",
            Action::Write {
                addr: 0x4000_0000,
                bytes: vec![1, 2, 3],
            },
        ),
        act(
            "and back",
            Action::Read {
                addr: 0x4000_0000,
                len: 3,
            },
        ),
        act(
            "a line\nrm -rf /",
            Action::SetLine {
                line: arch::LINE.to_owned(),
                high: true,
            },
        ),
        act(
            "a name",
            Action::Qmp {
                execute: "qom-list".to_owned(),
                arguments: json!({"path": "/it's"}),
            },
        ),
    ];
    request
}

#[track_caller]
fn same(name: &str, seen: &str, wanted: &str) {
    assert!(seen == wanted, "golden/{name} differs; seen:\n{seen}");
}

fn plain() {
    let args = argv(&plain_request(), "virt-10.0", "/images/refhv", Io::Harness);
    same(
        "plain.argv",
        &(args.join("\n") + "\n"),
        include_str!("../golden/plain.argv"),
    );
}

fn full() {
    let args = argv(&full_request(), "virt", "/images/refhv", Io::Harness);
    same(
        "full.argv",
        &(args.join("\n") + "\n"),
        include_str!("../golden/full.argv"),
    );
}

/// With firmware, QEMU only loads image and tree where the firmware expects them.
fn firmware() {
    let mut request = full_request();
    request.firmware = Some(Firmware {
        path: "/firmware/u-boot.bin".into(),
        image: 0x4200_0000,
        tree: 0x4800_0000,
    });
    let args = argv(&request, "virt", "/images/a,b", Io::Harness);
    let behind = |name: &str| {
        let place = args.iter().position(|arg| arg == name)?;
        args.get(place + 1).map(String::as_str)
    };
    assert_eq!(behind("-bios"), Some("/firmware/u-boot.bin"));
    assert_eq!((behind("-kernel"), behind("-dtb")), (None, None));
    for wanted in [
        "loader,file=/images/a,,b,addr=0x42000000,force-raw=on",
        "loader,file=host.dtb,addr=0x48000000,force-raw=on",
        "loader,file=load-4a000000.bin,addr=0x4a000000,force-raw=on",
    ] {
        assert!(args.iter().any(|arg| arg == wanted), "{wanted}: {args:?}");
    }
}

fn scripts() {
    same(
        "plain.sh",
        &script(&plain_request(), "../refhv"),
        include_str!("../golden/plain.sh"),
    );
    same(
        "full.sh",
        &script(&full_request(), "../refhv"),
        include_str!("../golden/full.sh"),
    );
}

fn evidence() {
    let request = full_request();
    let files = evidence_files(&request);
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["host.dtb", "load-4a000000.bin", "disk image"]);
    let (_, dir) = image::request(&LAST_WORDS);
    files[2].write(dir.path()).expect("evidence");
    let disk = std::fs::read(dir.path().join("disk image")).expect("the file written");
    assert_eq!((disk.len(), &disk[..5]), (512, b"disk\0".as_slice()));
    let text = script(&request, "../refhv");
    for name in names {
        assert!(text.contains(name), "{name}");
    }
}

/// A shell runs both forms of the script from another folder, and they show the console.
fn scripts_run() {
    let (mut request, dir) = image::request(&LAST_WORDS);
    for before in [Vec::new(), full_request().before] {
        let paused = !before.is_empty();
        request.before = before;
        request.loads = vec![Load::new(0x4a00_0000, *b"probe")];
        for file in evidence_files(&request) {
            file.write(dir.path()).expect("evidence");
        }
        let path = dir.path().join("run.sh");
        std::fs::write(&path, script(&request, "image.bin")).expect("script");
        let output = Command::new("sh")
            .arg(&path)
            .stdin(Stdio::null())
            .output()
            .expect("a shell");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "paused {paused}: {stderr}");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout).replace('\r', ""),
            "up\n",
            "paused {paused}"
        );
        if paused {
            assert!(
                stderr.contains("read 0x40000000 0x3: OK 0x010203"),
                "{stderr}"
            );
        }
    }
}
