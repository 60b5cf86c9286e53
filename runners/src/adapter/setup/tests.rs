use super::*;
use crate::adapter::protocol::{Console, NamedFile};

fn path(path: &str) -> Blob {
    Blob::Path(path.to_owned())
}

fn named(name: &str, blob: Blob) -> NamedFile {
    NamedFile {
        name: name.to_owned(),
        blob,
    }
}

fn load(address: u64, blob: Blob) -> crate::adapter::protocol::Load {
    crate::adapter::protocol::Load { address, blob }
}

/// Files are read from the folder, bytes from the answer.
#[test]
fn answers_become_bytes() {
    let folder = tempfile::tempdir().expect("folder");
    std::fs::write(folder.path().join("hv.bin"), b"hv").expect("file");
    let answer = Prepared {
        image: Some("hv.bin".to_owned()),
        tree: Some(Blob::Base64("0A3+7Q==".to_owned())),
        loads: vec![load(0x4a00_0000, path("hv.bin"))],
        files: vec![named("disk", path("hv.bin"))],
        arguments: ["-drive", "if=none,id=a,file=disk"]
            .map(str::to_owned)
            .to_vec(),
        ..Prepared::default()
    };
    let setup = Setup::read(&answer, folder.path(), &[]).expect("an answer");
    assert_eq!(setup.image(), Some(b"hv".as_slice()));
    assert_eq!(
        setup.tree.as_deref(),
        Some([0xd0, 0x0d, 0xfe, 0xed].as_slice())
    );
    assert_eq!(setup.loads, [Load::new(0x4a00_0000, *b"hv")]);
    assert_eq!(setup.files, [File::new("disk", *b"hv")]);
}

/// A missing file, a non-regular file, an endless one and a name of the suite's own are each refused with their place.
#[test]
fn lies_are_told_by_their_place() {
    let folder = tempfile::tempdir().expect("folder");
    std::fs::write(folder.path().join("ok"), b"x").expect("file");
    let say = |answer: Prepared| {
        Setup::read(&answer, folder.path(), &[])
            .map(|_| ())
            .expect_err("a lie")
    };
    let image = |name: &str| Prepared {
        image: Some(name.to_owned()),
        ..Prepared::default()
    };
    assert!(say(image("gone")).starts_with("image: gone: No such file"));
    assert_eq!(say(image(".")), "image: .: no regular file");
    assert_eq!(say(image("/dev/zero")), "image: /dev/zero: no regular file");
    let bad = Blob::Base64("?".to_owned());
    let tree = Prepared {
        tree: Some(bad),
        ..Prepared::default()
    };
    assert!(say(tree).starts_with("tree: Invalid"));
    let twice = Prepared {
        loads: vec![load(16, path("ok")), load(16, path("ok"))],
        ..Prepared::default()
    };
    assert_eq!(say(twice), "two loads at 0x10");
    for name in [
        "",
        "..",
        "a/b",
        "/abs",
        "serial",
        "host.dtb",
        "kernel.img",
        "load-1.bin",
        "a,b",
    ] {
        let files = Prepared {
            files: vec![named(name, path("ok"))],
            ..Prepared::default()
        };
        let why = say(files);
        assert!(why.contains(&format!("`{name}`")), "{why}");
    }
    let argv = Prepared {
        argv: Some(vec!["-cpu".to_owned(), "max".to_owned()]),
        ..Prepared::default()
    };
    assert_eq!(say(argv), "`argv` names no machine (-M)");
    let console = Prepared {
        console: Some(Console { serial: 200 }),
        ..Prepared::default()
    };
    assert_eq!(say(console), "console on serial line 200: 8 are the most");
    for asked in [0, 3_600_001] {
        let late = Prepared {
            deadline_ms: Some(asked),
            ..Prepared::default()
        };
        let told = format!("a deadline of {asked} ms: 1 to 3600000 are possible");
        assert_eq!(say(late), told);
    }
    let mut other = FileRef::of("ok", b"x");
    other.size = 2;
    let changed = Prepared {
        tree: Some(Blob::File(other)),
        ..Prepared::default()
    };
    let why = say(changed);
    assert!(
        why.starts_with("tree: ok: it holds 1 bytes with the SHA-256 2d71"),
        "{why}"
    );
}

/// A file with the expected digest is accepted, and one that is named twice is read once.
#[test]
fn files_are_named_and_not_copied() {
    let folder = tempfile::tempdir().expect("folder");
    std::fs::write(folder.path().join("hv.bin"), b"hv").expect("file");
    let named = || Blob::File(FileRef::of("hv.bin", b"hv"));
    let answer = Prepared {
        loads: vec![load(0x1000, named()), load(0x2000, path("hv.bin"))],
        ..Prepared::default()
    };
    let setup = Setup::read(&answer, folder.path(), &[]).expect("an answer");
    let [one, two] = setup.loads.as_slice() else {
        panic!("{:?}", setup.loads)
    };
    assert_eq!(&*one.bytes, b"hv");
    assert!(Arc::ptr_eq(&one.bytes, &two.bytes));
}

/// An adapter's own deadline and clock replace those of the suite.
#[test]
fn time_may_be_the_subjects() {
    let folder = tempfile::tempdir().expect("folder");
    let profile = crate::Profile::all_shipped().expect("shipped").remove(0);
    let clock = crate::request::Icount {
        shift: 8,
        sleep: false,
    };
    let after = |answer: Prepared| {
        let second = Duration::from_secs(1);
        let mut request = Request::new(profile.arch, profile.machine.clone(), "x", second);
        request.icount = Some(clock);
        let setup = Setup::read(&answer, folder.path(), &[]).expect("an answer");
        setup.apply(&mut request);
        (request.icount, request.deadline.as_millis())
    };
    assert_eq!(after(Prepared::default()), (Some(clock), 1000));
    let own = Prepared {
        icount: Some(Clock::None),
        deadline_ms: Some(90_000),
        ..Prepared::default()
    };
    assert_eq!(after(own), (None, 90_000));
}
