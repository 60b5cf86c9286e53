use std::fs;

use tempfile::TempDir;

use super::*;
use crate::sample;
use crate::scenario::generate;

const LAMP: &str = "device: lamp
title: A lamp
identity: {register: KIND, value: 0x1a}
registers:
  KIND: 0x00
  LEVEL: {offset: 0x08, bits: 16, count: 2}
values:
  dark: 0
procedures:
  light:
    says: \"{device}: shine at {level}\"
    parameters: [level]
    steps:
      - {write: LEVEL, value: level}
      - {wait: KIND, mask: 1, value: dark}
";

/// The board of the suite with another device in the place of one and with one more.
const SMALL: &str = "machine: small
title: A small board
extends: virt
options: [secure=on]
windows: {window: 0x0c000000}
devices:
  rtc: {device: lamp, base: 0x09010000, size: 0x1000}
  lamp: {device: lamp, path: /lamp@9060000, base: 0x09060000, size: 0x1000, interrupts: [50]}
";

/// Makes a folder of requirements with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = sample::folder(&[]);
    for (name, text) in files {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    folder
}

/// Returns the errors of a folder with these files, without `folder/`.
fn problems(files: &[(&str, &str)]) -> Vec<String> {
    let folder = folder(files);
    let found = Library::of(folder.path()).err().unwrap_or_default();
    let place = format!("{}/", folder.path().display());
    let told = found
        .iter()
        .map(|problem| problem.to_string().replace(&place, ""));
    told.collect()
}

#[track_caller]
fn check(files: &[(&str, &str)], wanted: &[&str]) {
    let found = problems(files);
    assert_eq!(found.len(), 1, "{found:#?}");
    for part in wanted {
        assert!(found[0].contains(part), "wanted {part:?} in\n{}", found[0]);
    }
}

/// The suite's own files have no errors, and every device and machine of them is found by its name.
#[test]
fn the_suite_has_its_own_library() {
    let library = Library::shipped().unwrap();
    assert!(
        library
            .devices()
            .all(|one| library.device(&one.device) == Ok(one))
    );
    assert!(
        library
            .machines()
            .all(|one| library.machine(&one.machine) == Ok(one))
    );
    let told = library.device("edv").unwrap_err();
    assert_eq!(
        told,
        "`edv` is no device of the library; did you mean `edu`?"
    );
    let told = library.machine("vrit").unwrap_err();
    assert_eq!(
        told,
        "`vrit` is no machine of the library; did you mean `virt`?"
    );
}

/// What a device's file says of registers and values that it does not define is reported with file and line.
#[test]
fn errors_in_a_device_name_file_and_line() {
    let lamp = |from: &str, to: &str| LAMP.replacen(from, to, 1);
    let file = "devices/lamp.yaml";
    assert_eq!(problems(&[(file, LAMP)]), [""; 0]);
    for (text, wanted) in [
        (
            lamp("write: LEVEL", "write: LEVLE"),
            [
                "`LEVLE` is no register of the device; the nearest is `LEVEL`",
                "lamp.yaml:14:17\n",
            ],
        ),
        (
            lamp("write: LEVEL", "write: 'LEVEL[2]'"),
            ["`LEVEL[2]` is no register", "lamp.yaml:14"],
        ),
        (
            lamp("register: KIND", "register: KNID"),
            ["the nearest is `KIND`", "lamp.yaml:3:22\n"],
        ),
        (
            lamp("value: dark", "value: drak"),
            [
                "`drak` is neither a parameter nor one of the `values`",
                "lamp.yaml:15",
            ],
        ),
        (
            lamp("bits: 16", "bits: 12"),
            [
                "`LEVEL`: a register has 8, 16, 32 or 64 bits",
                "lamp.yaml:6",
            ],
        ),
        (
            lamp("device: lamp", "device: a lamp"),
            ["`a lamp` is no name", "lamp.yaml:1"],
        ),
        (
            lamp("parameters:", "paramters:"),
            ["did you mean `parameters`?", "lamp.yaml:12"],
        ),
    ] {
        check(&[(file, &text)], &wanted);
    }
}

/// A device that is defined twice is reported with both files, and so is one that the suite has.
#[test]
fn a_device_is_defined_once() {
    check(
        &[("devices/a.yaml", LAMP), ("devices/b.yaml", LAMP)],
        &[
            "`lamp` is defined in devices/a.yaml already",
            "devices/b.yaml",
        ],
    );
    let edu = LAMP.replace("device: lamp", "device: edu");
    check(
        &[("devices/a.yaml", &edu)],
        &[
            "`edu` is defined in",
            "requirements/devices/edu.yaml already",
            "devices/a.yaml",
        ],
    );
    check(
        &[("machines/a.yaml", "machine: virt\ntitle: Another\n")],
        &[
            "`virt` is defined in",
            "requirements/machines/virt.yaml already",
            "machines/a.yaml",
        ],
    );
}

/// A machine that extends another one has what it leaves out from there, device by device and name by name; the other
/// may itself extend one, in any order of files.
#[test]
fn a_machine_has_what_it_extends() {
    let tiny = "machine: tiny
title: A tiny board
extends: small
ram: 0x1000
options: [its=off]
";
    let folder = folder(&[
        ("devices/lamp.yaml", LAMP),
        ("machines/a.yaml", tiny),
        ("machines/small.yaml", SMALL),
    ]);
    let library = Library::of(folder.path()).unwrap();
    let virt = library.machine("virt").unwrap();
    let small = library.machine("small").unwrap();
    let model = |name: &str| small.device(name).map(|device| device.device.as_str());
    assert_eq!(model("rtc"), Some("lamp"));
    assert_eq!(model("lamp"), Some("lamp"));
    assert_eq!(small.device("gpio"), virt.device("gpio"));
    assert_eq!(
        (small.ram, small.title.as_str()),
        (virt.ram, "A small board")
    );
    assert_eq!(small.host_layout(), virt.host_layout());
    assert_eq!(
        (&small.iommu, small.pci_interrupt),
        (&virt.iommu, virt.pci_interrupt)
    );
    assert_eq!(small.windows["window"], 0x0c00_0000);
    assert_eq!(small.windows["window2"], virt.windows["window2"]);
    assert_eq!(
        (small.options.as_slice(), small.arch()),
        (&["secure=on".to_owned()][..], virt.arch())
    );
    let tiny = library.machine("tiny").unwrap();
    assert_eq!((tiny.ram, &tiny.devices), (Some(0x1000), &small.devices));
    assert_eq!(tiny.options, ["secure=on", "its=off"], "options are added");
}

/// A machine may name the architecture of what it extends, and no other one. That is one error, also if a third machine
/// extends it.
#[test]
fn a_machine_keeps_its_architecture() {
    let base = model::Arch::default();
    let other = model::Arch::ALL
        .into_iter()
        .find(|arch| *arch != base)
        .unwrap();
    let with =
        |arch: model::Arch| SMALL.replace("extends: virt", &format!("extends: virt\narch: {arch}"));
    let tiny = "machine: tiny\ntitle: A tiny board\nextends: small\n";
    let files = |small: &str| {
        problems(&[
            ("devices/lamp.yaml", LAMP),
            ("machines/small.yaml", small),
            ("machines/tiny.yaml", tiny),
        ])
    };
    assert_eq!(files(&with(base)), [""; 0]);
    let found = files(&with(other));
    let told = format!("`{other}`: `virt`, which it extends, is of {base}");
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(
        found[0].contains(&told) && found[0].contains("small.yaml:4:7"),
        "{}",
        found[0]
    );
    // A machine that extends none may be of any.
    let alone = format!("machine: alone\ntitle: A board\narch: {other}\n");
    assert_eq!(problems(&[("machines/alone.yaml", &alone)]), [""; 0]);
}

/// A folder of requirements adds machines and devices, which its cases name beside the suite's.
#[test]
fn a_folder_adds_to_the_suite() {
    let case = "requirement: XenSSR~demo~2
cases:
  - id: XenValTestCase~demo.lamp~1
    title: A lamp and a device of the suite
    class: positive
    domains:
      - {name: dA, devices: [lamp, gpio], script: [light lamp 7, read16 'lamp.LEVEL[1]', raise gpio]}
";
    let case = case.replace("'lamp.LEVEL[1]'", "lamp.LEVEL");
    let folder = folder(&[
        ("devices/lamp.yaml", LAMP),
        ("machines/small.yaml", SMALL),
        ("demo.yaml", &case),
    ]);
    let loaded = crate::case::load::load(folder.path()).unwrap();
    let names = |library: &Library| -> Vec<String> {
        library.devices().map(|one| one.device.clone()).collect()
    };
    let mut all = names(Library::shipped().unwrap());
    all.push("lamp".to_owned());
    all.sort();
    assert_eq!(names(&loaded.library), all);
    let mut profile = sample::profile();
    profile.board = Some("small".to_owned());
    let made = generate::scenarios(&loaded, &profile).unwrap();
    let ops: Vec<String> = made[0].domains[0]
        .lines
        .iter()
        .filter(|line| line.from == crate::scenario::From::Case)
        .map(|line| line.op.to_string())
        .collect();
    let wanted = [
        "w16 0x9060008 0x7",
        "wait32 0x9060000 0x1 0x0 5000",
        "r16 0x9060008",
        "w32 0x9030404 0x10",
        "w32 0x9030410 0x10",
    ];
    assert_eq!(ops, wanted);
    // On the suite's own machine there is no lamp.
    let told = generate::scenarios(&loaded, &sample::profile()).unwrap_err();
    assert!(
        told[0]
            .to_string()
            .contains("`lamp` is no device of the machine"),
        "{}",
        told[0]
    );
}

/// A machine that extends none, or itself, is reported, and so are its devices that do not exist.
#[test]
fn errors_in_a_machine_name_file_and_line() {
    let small = |from: &str, to: &str| SMALL.replacen(from, to, 1);
    for (text, wanted) in [
        (
            small("extends: virt", "extends: vitr"),
            [
                "`vitr` is no machine that could be extended",
                "small.yaml:3:10\n",
            ],
        ),
        (
            small("extends: virt", "extends: small"),
            [
                "`small` is no machine that could be extended",
                "small.yaml:",
            ],
        ),
        (
            small("lamp: {device: lamp", "lamp: {device: lmap"),
            [
                "`lamp`: `lmap` is no device of the library; did you mean `lamp`?",
                "small.yaml:8",
            ],
        ),
        (
            small(
                "base: 0x09060000, size: 0x1000",
                "base: 0x09060000, size: 0",
            ),
            ["`lamp`: its registers are none, or wrap", "small.yaml:"],
        ),
        (
            small("size: 0x1000}", "size: 0x1000, window: windw}"),
            ["`rtc`: `windw` is none of the windows", "small.yaml:7"],
        ),
        (
            small("title:", "iommu: lmap\ntitle:"),
            ["`lmap` is none of its devices", "small.yaml:2:8\n"],
        ),
    ] {
        check(
            &[("devices/lamp.yaml", LAMP), ("machines/small.yaml", &text)],
            &wanted,
        );
    }
}

/// All errors of all files are reported at once.
#[test]
fn all_errors_come_at_once() {
    let bad = LAMP.replace("write: LEVEL", "write: LEVLE");
    let found = problems(&[
        ("devices/a.yaml", "device: [\n"),
        ("devices/lamp.yaml", &bad),
        (
            "machines/small.yaml",
            &SMALL.replace("extends: virt", "extends: vitr"),
        ),
    ]);
    let files = [
        "devices/a.yaml:",
        "devices/lamp.yaml:14",
        "machines/small.yaml:3",
    ];
    assert_eq!(found.len(), files.len(), "{found:#?}");
    for (found, file) in found.iter().zip(files) {
        assert!(found.contains(file), "{found}");
    }
}
