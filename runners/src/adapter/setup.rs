//! What an adapter answered to `prepare`, from claims to bytes: every file read, every name and argument checked.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File as OsFile;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::arguments;
use super::protocol::{Blob, FileRef, Icount, Prepared};
use crate::iommu::trace::FILE as TRACE;
use crate::qemu::argv::{HOST_DTB, QTEST, SERIAL};
use crate::request::{File, Load, Request};

/// Bytes of all that an answer hands over.
const LIMIT: u64 = 1 << 30;
/// The longest that an adapter may have a run take, in milliseconds.
const LONGEST_MS: u64 = 3_600_000;
/// Serial lines that a machine may have in front of its console.
const SERIALS: u8 = 8;

/// What an image is called that lies in the scenario's folder, which does not outlive the scenario.
const KERNEL: &str = "kernel.img";

/// What QEMU is started with, as far as it is the adapter's to say.
#[derive(Clone, Debug)]
pub struct Setup {
    image: Option<(PathBuf, Arc<[u8]>)>,
    tree: Option<Arc<[u8]>>,
    loads: Vec<Load>,
    files: Vec<File>,
    arguments: Vec<String>,
    argv: Option<Vec<String>>,
    console: u8,
    icount: Option<Icount>,
    deadline: Option<Duration>,
}

impl Setup {
    /// Reads everything that the answer names; relative paths begin at `folder`. `own` are files that the suite hands to
    /// QEMU itself.
    pub fn read(answer: &Prepared, folder: &Path, own: &[String]) -> Result<Self, String> {
        let mut taken = Taken {
            folder,
            left: LIMIT,
            read: BTreeMap::new(),
        };
        let mut take = |what: String, blob: &Blob| {
            let bytes = taken.bytes(blob);
            bytes.map_err(|why| format!("{what}: {why}"))
        };
        let image = match &answer.image {
            Some(path) => {
                let bytes = take("image".to_owned(), &Blob::Path(path.clone()))?;
                Some((PathBuf::from(path), bytes))
            }
            None => None,
        };
        let tree = answer.tree.as_ref();
        let tree = tree.map(|blob| take("tree".to_owned(), blob)).transpose()?;
        let mut loads: Vec<Load> = Vec::new();
        for load in &answer.loads {
            let address = load.address;
            if loads.iter().any(|other| other.addr == address) {
                return Err(format!("two loads at {address:#x}"));
            }
            let bytes = take(format!("the load at {address:#x}"), &load.blob)?;
            loads.push(Load::new(address, bytes));
        }
        let mut files: Vec<File> = Vec::new();
        for file in &answer.files {
            let name = file.name.as_str();
            own_name(name)?;
            if own.iter().any(|own| own == name) {
                return Err(format!("a file called `{name}` is the suite's own"));
            }
            if files.iter().any(|other| other.name == name) {
                return Err(format!("two files are called `{name}`"));
            }
            let bytes = take(format!("file `{name}`"), &file.blob)?;
            files.push(File::new(name, bytes));
        }
        let given = files.iter().map(|file| file.name.as_str());
        let names: BTreeSet<&str> = given.chain(own.iter().map(String::as_str)).collect();
        arguments::check(&answer.arguments, &names)?;
        if let Some(argv) = &answer.argv {
            arguments::check(argv, &names)?;
            let names_machine =
                |word: &String| ["-M", "--M", "-machine", "--machine"].contains(&word.as_str());
            if !argv.iter().any(names_machine) {
                return Err("`argv` names no machine (-M)".to_owned());
            }
        }
        let console = answer.console.map_or(0, |console| console.serial);
        if console >= SERIALS {
            return Err(format!(
                "console on serial line {console}: {SERIALS} are the most"
            ));
        }
        let deadline = answer.deadline_ms.map(|asked| match asked {
            1..=LONGEST_MS => Ok(Duration::from_millis(asked)),
            _ => Err(format!(
                "a deadline of {asked} ms: 1 to {LONGEST_MS} are possible"
            )),
        });
        Ok(Self {
            image,
            tree,
            loads,
            files,
            arguments: answer.arguments.clone(),
            argv: answer.argv.clone(),
            console,
            icount: answer.icount,
            deadline: deadline.transpose()?,
        })
    }

    /// Puts it in the place of what `request` says so far about what is booted; what a case asks of the machine stays.
    pub fn apply(self, request: &mut Request) {
        request.host_dtb = self.tree.map(|tree| tree.to_vec());
        request.loads = self.loads;
        request.files.extend(self.files);
        if let Some(argv) = self.argv {
            request.machine_args = Some(argv);
            // What the case adds to the machine was among what the adapter was told.
            request.extra.clear();
        }
        match self.image {
            Some((path, bytes)) if path.is_relative() => {
                request.image = None;
                request.files.push(File::new(KERNEL, bytes));
                request.extra.extend(["-kernel", KERNEL].map(str::to_owned));
            }
            image => request.image = image.map(|(path, _)| path),
        }
        request.extra.extend(self.arguments);
        request.console = self.console;
        if self.icount == Some(Icount::None) {
            request.icount = None;
        }
        request.deadline = self.deadline.unwrap_or(request.deadline);
    }

    /// Returns what the first thing that QEMU starts consists of.
    pub fn image(&self) -> Option<&[u8]> {
        self.image.as_ref().map(|(_, bytes)| &**bytes)
    }
}

/// Checks a name that the folder of a run is to have.
fn own_name(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-+".contains(c);
    if name.is_empty() || name.starts_with('.') || name.len() > 128 || !name.chars().all(plain) {
        return Err(format!(
            "`{name}` is no name for a file: letters, digits and `._-+` only, no folders"
        ));
    }
    if [SERIAL, QTEST, HOST_DTB, KERNEL, TRACE].contains(&name) || name.starts_with("load-") {
        return Err(format!("a file called `{name}` is the suite's own"));
    }
    Ok(())
}

/// What an answer hands over, as far as it was read. A file that it names several times is read once.
struct Taken<'f> {
    folder: &'f Path,
    /// Bytes that the rest of the answer may have.
    left: u64,
    read: BTreeMap<String, Arc<[u8]>>,
}

impl Taken<'_> {
    fn bytes(&mut self, blob: &Blob) -> Result<Arc<[u8]>, String> {
        match blob {
            Blob::Base64(text) => {
                let bytes = STANDARD.decode(text).map_err(|error| error.to_string())?;
                self.keep(bytes)
            }
            Blob::Path(path) => self.file(path),
            Blob::File(file) => {
                let bytes = self.file(&file.path)?;
                let found = FileRef::of(&file.path, &bytes);
                if found == *file {
                    Ok(bytes)
                } else {
                    let FileRef { path, size, sha256 } = found;
                    let what = format!("it holds {size} bytes with the SHA-256 {sha256}");
                    Err(format!("{path}: {what}, which is not what was said"))
                }
            }
        }
    }

    fn file(&mut self, path: &str) -> Result<Arc<[u8]>, String> {
        if let Some(bytes) = self.read.get(path) {
            return Ok(bytes.clone());
        }
        let wrong = |why: String| format!("{path}: {why}");
        let bytes = regular(&self.folder.join(path), self.left).map_err(wrong)?;
        let bytes = self.keep(bytes).map_err(wrong)?;
        self.read.insert(path.to_owned(), bytes.clone());
        Ok(bytes)
    }

    /// Counts bytes and keeps them.
    fn keep(&mut self, bytes: Vec<u8>) -> Result<Arc<[u8]>, String> {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let left = self.left.checked_sub(size);
        self.left = left.ok_or_else(|| format!("more than the {LIMIT} bytes of an answer"))?;
        Ok(bytes.into())
    }
}

/// Reads a regular file, of one larger than `limit` the first byte too many as well.
fn regular(place: &Path, limit: u64) -> Result<Vec<u8>, String> {
    // Opening anything else might wait for ever, and a device may have no end.
    let meta = std::fs::metadata(place).map_err(|error| error.to_string())?;
    if !meta.is_file() {
        return Err("no regular file".to_owned());
    }
    let file = OsFile::open(place).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
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

    /// What is not there, is no file, has no end or has a name of ours is said by its place.
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

    /// A file that is named by what it holds is taken, and one that is named twice is read once.
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

    /// A subject has its own deadline and its own clock where it says so, and those of the suite elsewhere.
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
            icount: Some(Icount::None),
            deadline_ms: Some(90_000),
            ..Prepared::default()
        };
        assert_eq!(after(own), (None, 90_000));
    }
}
