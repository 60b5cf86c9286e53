//! Gets an image out of a distribution's package. apt fetches the package with its own separate state; the file is
//! checked against the digest that the profile pins, and unpacked without being installed.
//!
//! The mirror is the one in the machine's own package sources; profiles contain no host. The machine's package database
//! is neither read nor changed.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::{fs, io};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// The distribution's keys, at the path of its own keyring package.
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Prefix of the folders of work in progress; they are removed at its end.
const UNDER_WAY: &str = "under-way-";

/// Suites that identify a source as a mirror of the distribution's releases.
const RELEASES: [&str; 7] = [
    "bookworm",
    "trixie",
    "forky",
    "sid",
    "stable",
    "oldstable",
    "testing",
];

/// A package that holds the image of a subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its architecture, as the distribution names it.
    pub architecture: String,
    /// The release that contains it.
    pub suite: String,
    /// Its exact version.
    pub version: String,
    /// SHA-256 of the package's file.
    pub sha256: String,
    /// Path of the image inside.
    pub image: String,
}

/// Why there is no image.
#[derive(Debug, Error)]
pub enum FetchError {
    /// The file differs from the pinned one.
    #[error(
        "{file}: its SHA-256 is {found}, and the profile pins {pinned}: not the package that was tested before; \
         remove the file to fetch it again, or name an image of your own with --image"
    )]
    Digest {
        /// The package's file.
        file: String,
        /// Its digest.
        found: String,
        /// The pinned digest.
        pinned: String,
    },
    /// It is not here, and fetching is not allowed.
    #[error(
        "{package} is not here and nothing may be fetched; leave --no-provision out, put the package's file at {file}, \
         or name an image of your own with --image"
    )]
    Withheld {
        /// The package, with its version.
        package: String,
        /// Where its file is expected.
        file: String,
    },
    /// No source is a mirror of the distribution.
    #[error(
        "no package source under /etc/apt is a mirror of Debian's releases, so there is none to take {package} from; put \
         the package's file at {file}, or name an image of your own with --image"
    )]
    NoMirror {
        /// The package, with its version.
        package: String,
        /// Where its file is expected.
        file: String,
    },
    /// The mirror has only other versions.
    #[error(
        "the mirror has {name} in other versions only ({known}), not in {version}, which the profile pins; pin one of \
         them in a profile of your own, or name an image with --image"
    )]
    Gone {
        /// The package.
        name: String,
        /// The pinned version.
        version: String,
        /// The versions there are.
        known: String,
    },
    /// A program failed.
    #[error("{program}: {said}")]
    Failed {
        /// The program.
        program: String,
        /// Its output.
        said: String,
    },
    /// The package has no such file.
    #[error("{package} holds no {image}")]
    NoImage {
        /// The package's file.
        package: String,
        /// The path in the profile.
        image: String,
    },
    /// An operation of the suite failed.
    #[error("{place}: {source}")]
    Io {
        /// What was read or written.
        place: String,
        /// What went wrong.
        source: io::Error,
    },
}

impl Package {
    /// Returns the path of the image below `folder`, after fetching and unpacking what is missing. `fetch` allows
    /// fetching.
    pub fn image(&self, folder: &Path, fetch: bool) -> Result<PathBuf, FetchError> {
        fs::create_dir_all(folder).map_err(at(folder))?;
        // One process at a time. The kernel drops the lock when a process is killed, and the next one sweeps what it
        // left.
        let held = fs::File::open(folder).map_err(at(folder))?;
        held.lock().map_err(at(folder))?;
        sweep(folder);
        let file = folder.join(self.file_name());
        if !file.is_file() {
            if !fetch {
                return Err(FetchError::Withheld {
                    package: self.to_string(),
                    file: file.display().to_string(),
                });
            }
            self.fetch(folder, &file)?;
        }
        self.check(&file)?;
        let unpacked = folder.join(self.sha256.get(..16).unwrap_or(&self.sha256));
        let image = unpacked.join(&self.image);
        if !image.is_file() {
            unpack(&file, &unpacked)?;
        }
        if image.is_file() {
            Ok(image)
        } else {
            Err(FetchError::NoImage {
                package: file.display().to_string(),
                image: self.image.clone(),
            })
        }
    }

    /// Names the package's file as apt does.
    fn file_name(&self) -> String {
        let version = self.version.replace(':', "%3a");
        format!("{}_{version}_{}.deb", self.name, self.architecture)
    }

    /// Refuses a file that is not the pinned one.
    fn check(&self, file: &Path) -> Result<(), FetchError> {
        let bytes = fs::read(file).map_err(at(file))?;
        let found: String = Sha256::digest(&bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        if found.eq_ignore_ascii_case(&self.sha256) {
            return Ok(());
        }
        Err(FetchError::Digest {
            file: file.display().to_string(),
            found,
            pinned: self.sha256.clone(),
        })
    }

    /// Fetches the package with apt into a folder of its own, which is removed afterwards, and moves the file into
    /// place.
    fn fetch(&self, folder: &Path, file: &Path) -> Result<(), FetchError> {
        let sources = apt_sources::sources(Path::new(apt_sources::APT));
        let mirror =
            apt_sources::mirror(&sources, &RELEASES).ok_or_else(|| FetchError::NoMirror {
                package: self.to_string(),
                file: file.display().to_string(),
            })?;
        eprintln!("fetching {self}");
        let state = tempfile::Builder::new()
            .prefix(&format!("{UNDER_WAY}apt-"))
            .tempdir_in(folder)
            .map_err(at(folder))?;
        let state = fs::canonicalize(state.path())
            .map_err(at(state.path()))
            .map(|path| (path, state))?;
        let (root, _kept) = state;
        for part in ["lists/partial", "cache/archives/partial", "got"] {
            let part = root.join(part);
            fs::create_dir_all(&part).map_err(at(&part))?;
        }
        let put = |name: &str, text: &str| {
            let path = root.join(name);
            fs::write(&path, text).map_err(at(&path))
        };
        put("status", "")?;
        put(
            "own.sources",
            &self.source(mirror.uri, Path::new(KEYS).is_file()),
        )?;
        let apt = |program: &str, arguments: &[&str]| {
            let mut command = Command::new(program);
            command.args(options(&root, &self.architecture));
            command.args(arguments).current_dir(root.join("got"));
            output(command)
        };
        succeeded("apt-get update", &apt("apt-get", &["update"])?)?;
        let wanted = format!("{}={}", self.name, self.version);
        let download = apt("apt-get", &["download", &wanted])?;
        if !download.status.success() {
            let known = apt("apt-cache", &["madison", &self.name])?;
            let known = versions(&String::from_utf8_lossy(&known.stdout));
            if !known.is_empty() && !known.contains(&self.version) {
                return Err(FetchError::Gone {
                    name: self.name.clone(),
                    version: self.version.clone(),
                    known: known.join(", "),
                });
            }
        }
        succeeded("apt-get download", &download)?;
        let got = root.join("got").join(self.file_name());
        // Checked before a later run can find it.
        self.check(&got)?;
        fs::rename(&got, file).map_err(at(file))
    }

    /// Describes the package's source in apt's format.
    fn source(&self, mirror: &str, keys: bool) -> String {
        let (suite, architecture) = (&self.suite, &self.architecture);
        let mut text = format!(
            "Types: deb\nURIs: {mirror}\nSuites: {suite}\nComponents: main\nArchitectures: {architecture}\nTargets: Packages\n"
        );
        if keys {
            text.push_str(&format!("Signed-By: {KEYS}\n"));
        }
        text
    }
}

impl std::fmt::Display for Package {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} of {}", self.name, self.version, self.suite)
    }
}

/// Makes apt use its own state below `root`, and no source but ours.
fn options(root: &Path, architecture: &str) -> Vec<String> {
    let root = root.display();
    let pairs = [
        format!("Dir::State={root}"),
        format!("Dir::State::lists={root}/lists"),
        format!("Dir::State::status={root}/status"),
        format!("Dir::Cache={root}/cache"),
        format!("Dir::Etc::sourcelist={root}/own.sources"),
        "Dir::Etc::sourceparts=-".to_owned(),
        format!("APT::Architecture={architecture}"),
        format!("APT::Architectures={architecture}"),
        "Acquire::Languages=none".to_owned(),
        // apt's own user could not write to our folder.
        "APT::Sandbox::User=".to_owned(),
    ];
    let mut words = vec!["--quiet".to_owned()];
    words.extend(pairs.into_iter().flat_map(|pair| ["-o".to_owned(), pair]));
    words
}

/// Reads the versions out of `apt-cache madison`.
fn versions(told: &str) -> Vec<String> {
    let version = |line: &str| Some(line.split('|').nth(1)?.trim().to_owned());
    told.lines().filter_map(version).collect()
}

/// Unpacks a package into a folder, either completely or not at all.
fn unpack(file: &Path, folder: &Path) -> Result<(), FetchError> {
    let beside = folder.parent().unwrap_or(folder);
    let fresh = tempfile::Builder::new()
        .prefix(&format!("{UNDER_WAY}unpack-"))
        .tempdir_in(beside)
        .map_err(at(beside))?;
    let whole = fresh.path().join("whole");
    let mut command = Command::new("dpkg-deb");
    command.arg("-x").arg(file).arg(&whole);
    succeeded("dpkg-deb", &output(command)?)?;
    // This folder exists but lacks the image, so the image is not in the package.
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(at(folder))?;
    }
    fs::rename(&whole, folder).map_err(at(folder))
}

/// Removes what killed processes left. Best effort: what stays does no harm.
fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(UNDER_WAY) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn output(mut command: Command) -> Result<Output, FetchError> {
    let program = command.get_program().display().to_string();
    command
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| FetchError::Failed {
            program,
            said: error.to_string(),
        })
}

fn succeeded(program: &str, output: &Output) -> Result<(), FetchError> {
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(FetchError::Failed {
        program: program.to_owned(),
        said: format!("{}: {}", output.status, said.trim()),
    })
}

fn at(place: &Path) -> impl FnOnce(io::Error) -> FetchError {
    let place = place.display().to_string();
    move |source| FetchError::Io { place, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(sha256: &str) -> Package {
        Package {
            name: "thing".to_owned(),
            architecture: "riscv64".to_owned(),
            suite: "trixie".to_owned(),
            version: "1:2.0-1".to_owned(),
            sha256: sha256.to_owned(),
            image: "boot/thing".to_owned(),
        }
    }

    /// A file that differs from the pinned one is refused by name, and nothing is fetched instead.
    #[test]
    fn another_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("thing_1%3a2.0-1_riscv64.deb");
        fs::write(&file, b"abc").unwrap();
        let pinned = "0".repeat(64);
        let error = package(&pinned).image(folder.path(), true).unwrap_err();
        let told = error.to_string();
        // FIPS 180-2, B.1: the digest of "abc".
        assert!(told.contains("ba7816bf8f01cfea"), "{told}");
        assert!(told.contains(&pinned) && told.contains("thing_1%3a2.0-1_riscv64.deb"));
    }

    /// A missing package that may not be fetched is reported with its source.
    #[test]
    fn nothing_is_fetched_unasked() {
        let folder = tempfile::tempdir().unwrap();
        let error = package("00").image(folder.path(), false).unwrap_err();
        assert!(matches!(error, FetchError::Withheld { .. }), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    /// A package is unpacked once and found again; one without the image says so.
    #[test]
    fn a_package_is_unpacked() {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        fs::create_dir_all(tree.join("DEBIAN")).unwrap();
        fs::create_dir_all(tree.join("boot")).unwrap();
        let control = "Package: thing\nVersion: 1:2.0-1\nArchitecture: riscv64\nMaintainer: a <a@b.c>\nDescription: x\n";
        fs::write(tree.join("DEBIAN/control"), control).unwrap();
        fs::write(tree.join("boot/thing"), b"image").unwrap();
        let file = folder.path().join("thing_1%3a2.0-1_riscv64.deb");
        let mut command = Command::new("dpkg-deb");
        command
            .args(["--build", "--root-owner-group"])
            .arg(&tree)
            .arg(&file);
        let Ok(made) = output(command) else {
            // Without dpkg there is no package to unpack.
            return;
        };
        succeeded("dpkg-deb", &made).unwrap();
        let digest: String = Sha256::digest(fs::read(&file).unwrap())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let package = package(&digest);
        let image = package.image(folder.path(), false).unwrap();
        assert_eq!(fs::read(&image).unwrap(), b"image");
        assert_eq!(package.image(folder.path(), false).unwrap(), image);
        let other = Package {
            image: "boot/other".to_owned(),
            ..package
        };
        let error = other.image(folder.path(), false).unwrap_err();
        assert!(error.to_string().contains("holds no boot/other"), "{error}");
    }

    /// The next process sweeps what a killed one left.
    #[test]
    fn what_was_left_is_swept() {
        let folder = tempfile::tempdir().unwrap();
        let left = folder.path().join(format!("{UNDER_WAY}apt-x"));
        fs::create_dir_all(left.join("lists")).unwrap();
        package("00").image(folder.path(), false).unwrap_err();
        assert!(!left.exists());
    }

    /// The versions on a mirror are read in order.
    #[test]
    fn versions_are_listed() {
        let told = " thing | 2.1-1 | http://c/debian trixie/main riscv64 Packages\n thing |  2.2-1 | http://c x\n";
        assert_eq!(versions(told), ["2.1-1", "2.2-1"]);
    }

    /// The source contains no host of its own, and names the keyring only where it exists.
    #[test]
    fn the_source_is_the_machines_mirror() {
        let text = package("00").source("http://c/debian/", false);
        assert!(text.contains("URIs: http://c/debian/\nSuites: trixie\n"));
        assert!(!text.contains("Signed-By"));
        assert!(package("00").source("http://c", true).contains(KEYS));
    }
}
