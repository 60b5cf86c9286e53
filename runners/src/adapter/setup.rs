//! What an adapter answered to `prepare`, from claims to bytes: every file read, every name and argument checked.

use std::collections::BTreeSet;
use std::fs::File as OsFile;
use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::arguments;
use super::protocol::{Blob, Prepared};
use crate::iommu::trace::FILE as TRACE;
use crate::qemu::argv::{HOST_DTB, QTEST, SERIAL};
use crate::request::{File, Load, Request};

/// Bytes of all that an answer hands over.
const LIMIT: u64 = 1 << 30;
/// Serial lines that a machine may have in front of its console.
const SERIALS: u8 = 8;

/// What an image is called that lies in the scenario's folder, which does not outlive the scenario.
const KERNEL: &str = "kernel.img";

/// What QEMU is started with, as far as it is the adapter's to say.
#[derive(Clone, Debug)]
pub struct Setup {
    image: Option<(PathBuf, Vec<u8>)>,
    tree: Option<Vec<u8>>,
    loads: Vec<Load>,
    files: Vec<File>,
    arguments: Vec<String>,
    argv: Option<Vec<String>>,
    console: u8,
}

impl Setup {
    /// Reads everything that the answer names; relative paths begin at `folder`. `own` are files that the suite hands to
    /// QEMU itself.
    pub fn read(answer: &Prepared, folder: &Path, own: &[String]) -> Result<Self, String> {
        let mut left = LIMIT;
        let mut take = |what: String, blob: &Blob| {
            let bytes = bytes(blob, folder, left).map_err(|why| format!("{what}: {why}"))?;
            left = left.saturating_sub(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
            Ok::<Vec<u8>, String>(bytes)
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
        Ok(Self {
            image,
            tree,
            loads,
            files,
            arguments: answer.arguments.clone(),
            argv: answer.argv.clone(),
            console,
        })
    }

    /// Puts it in the place of what `request` says so far about what is booted; what a case asks of the machine stays.
    pub fn apply(self, request: &mut Request) {
        request.host_dtb = self.tree;
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
    }

    /// Returns what the first thing that QEMU starts consists of.
    pub fn image(&self) -> Option<&[u8]> {
        self.image.as_ref().map(|(_, bytes)| bytes.as_slice())
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

/// Reads a blob of up to `limit` bytes.
fn bytes(blob: &Blob, folder: &Path, limit: u64) -> Result<Vec<u8>, String> {
    match blob {
        Blob::Base64(text) => STANDARD.decode(text).map_err(|error| format!("{error}")),
        Blob::Path(path) => {
            let place = folder.join(path);
            let wrong = |why: String| format!("{path}: {why}");
            // Opening anything else might wait for ever, and a device may have no end.
            let meta = std::fs::metadata(&place).map_err(|error| wrong(error.to_string()))?;
            if !meta.is_file() {
                return Err(wrong("no regular file".to_owned()));
            }
            let file = OsFile::open(&place).map_err(|error| wrong(error.to_string()))?;
            let mut bytes = Vec::new();
            file.take(limit.saturating_add(1))
                .read_to_end(&mut bytes)
                .map_err(|error| wrong(error.to_string()))?;
            if u64::try_from(bytes.len()).is_ok_and(|size| size > limit) {
                return Err(wrong(format!("more than the {LIMIT} bytes of an answer")));
            }
            Ok(bytes)
        }
    }
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
    }
}
