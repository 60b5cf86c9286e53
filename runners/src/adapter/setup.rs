//! Reads an adapter's answer to `prepare`: checks every name and argument, and reads every file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File as OsFile;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::arguments;
use super::protocol::{Blob, Clock, FileRef, Prepared};
use crate::iommu::trace::FILE as TRACE;
use crate::qemu::argv::{HOST_DTB, QTEST, SERIAL};
use crate::request::{File, Load, Request};

#[cfg(test)]
mod tests;

/// The limit for everything that one answer hands over, in bytes.
const LIMIT: u64 = 1 << 30;
/// The longest time limit that an adapter may ask for, in milliseconds.
const LONGEST_MS: u64 = 3_600_000;
/// How many serial lines a machine may have before its console.
const SERIALS: u8 = 8;

/// Name of the image in the scenario's folder, which does not outlive the scenario.
const KERNEL: &str = "kernel.img";

/// The part of QEMU's start that the adapter decides.
#[derive(Clone, Debug)]
pub struct Setup {
    image: Option<(PathBuf, Arc<[u8]>)>,
    tree: Option<Arc<[u8]>>,
    loads: Vec<Load>,
    files: Vec<File>,
    arguments: Vec<String>,
    argv: Option<Vec<String>>,
    console: u8,
    icount: Option<Clock>,
    deadline: Option<Duration>,
}

impl Setup {
    /// Reads everything that the answer names; relative paths start at `folder`. `own` are files that the suite itself
    /// gives to QEMU.
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

    /// Replaces what `request` boots. What a case asks of the machine stays.
    pub fn apply(self, request: &mut Request) {
        request.host_dtb = self.tree.map(|tree| tree.to_vec());
        request.loads = self.loads;
        request.files.extend(self.files);
        if let Some(argv) = self.argv {
            request.machine_args = Some(argv);
            // The adapter's answer already contains what the case adds to the machine.
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
        if self.icount == Some(Clock::None) {
            request.icount = None;
        }
        request.deadline = self.deadline.unwrap_or(request.deadline);
    }

    /// Returns the first image that QEMU starts.
    pub fn image(&self) -> Option<&[u8]> {
        self.image.as_ref().map(|(_, bytes)| &**bytes)
    }
}

/// Checks a file name that the run's folder is to have.
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

/// The files of an answer read so far. A file that it names several times is read once.
struct Taken<'f> {
    folder: &'f Path,
    /// How many bytes the rest of the answer may have.
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

/// Reads a regular file; of a file larger than `limit`, one byte more than that.
fn regular(place: &Path, limit: u64) -> Result<Vec<u8>, String> {
    // Opening anything else could block for ever, and a device may have no end.
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
