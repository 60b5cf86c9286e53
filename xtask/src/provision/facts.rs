//! Looks at this machine. Changes nothing.

use std::collections::BTreeSet;
use std::env;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;

use crate::arch::TARGET;
use crate::provision::{Part, apt, somebody_there};

/// The oldest QEMU whose IOMMU model has a stage 2.
pub const OLDEST_QEMU: Version = Version { major: 8, minor: 1 };

/// The first two numbers of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    pub major: u32,
    pub minor: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl Version {
    /// Reads the first `N.M` in a line such as `QEMU emulator version 7.2.22 (Debian ...)`.
    fn first_in(text: &str) -> Option<Self> {
        text.split_whitespace().find_map(|word| {
            let mut numbers = word.split('.');
            Some(Self {
                major: numbers.next()?.parse().ok()?,
                minor: numbers.next()?.parse().ok()?,
            })
        })
    }
}

/// The toolchain that `rust-toolchain.toml` pins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Toolchain {
    pub channel: String,
    pub targets: Vec<String>,
    pub components: Vec<String>,
}

/// Reads the pinned toolchain.
pub fn pinned(root: &Path) -> anyhow::Result<Toolchain> {
    let path = root.join("rust-toolchain.toml");
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    pinned_in(&text).with_context(|| format!("{}", path.display()))
}

fn pinned_in(text: &str) -> anyhow::Result<Toolchain> {
    let table: toml::Table = text.parse()?;
    let pin = table.get("toolchain").context("no table `toolchain`")?;
    let strings = |key| {
        let list = pin
            .get(key)
            .and_then(toml::Value::as_array)
            .into_iter()
            .flatten();
        list.filter_map(toml::Value::as_str)
            .map(str::to_owned)
            .collect()
    };
    Ok(Toolchain {
        channel: pin
            .get("channel")
            .and_then(toml::Value::as_str)
            .context("`toolchain.channel` is no text")?
            .to_owned(),
        targets: strings("targets"),
        components: strings("components"),
    })
}

/// Something that is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Rust targets.
    Targets(Vec<String>),
    /// Components of the Rust toolchain.
    Components(Vec<String>),
    /// QEMU, and what is there instead.
    Qemu(Found),
    /// The device-tree compiler.
    Dtc,
    /// U-Boot for QEMU's board.
    UBoot,
    /// Python.
    Python,
}

/// What was found instead of a sufficient QEMU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// No program.
    Nothing,
    /// An older version.
    Old(PathBuf, Version),
    /// A program that does not print its version, for example because it lacks a library.
    Mute(PathBuf),
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Targets(names) => write!(f, "Rust targets {}", names.join(" ")),
            Self::Components(names) => write!(f, "Rust components {}", names.join(" ")),
            Self::Qemu(found) => {
                write!(f, "{} {OLDEST_QEMU} or newer", TARGET.qemu)?;
                match found {
                    Found::Nothing => Ok(()),
                    Found::Old(path, version) => write!(f, " ({} is {version})", path.display()),
                    Found::Mute(path) => write!(f, " ({} does not start)", path.display()),
                }
            }
            Self::Dtc => f.write_str("dtc"),
            Self::UBoot => f.write_str(TARGET.u_boot),
            Self::Python => f.write_str("python3"),
        }
    }
}

/// Returns those of `parts` that are missing. Runs before every task, so it starts at most one process and otherwise
/// looks at files.
pub fn missing(toolchain: &Toolchain, parts: &[Part]) -> Vec<Missing> {
    let qemu = program(TARGET.qemu);
    let version = match &qemu {
        Some(path) if parts.contains(&Part::Qemu) => said_by(path, &["--version"]),
        _ => String::new(),
    };
    let found = match (qemu, Version::first_in(&version)) {
        (None, _) => Some(Found::Nothing),
        (Some(path), None) => Some(Found::Mute(path)),
        (Some(path), Some(version)) => (version < OLDEST_QEMU).then_some(Found::Old(path, version)),
    };
    parts
        .iter()
        .filter_map(|part| match part {
            Part::Targets => absent(&toolchain.targets, |sysroot, target| {
                sysroot
                    .join("lib/rustlib")
                    .join(target)
                    .join("lib")
                    .is_dir()
            })
            .map(Missing::Targets),
            Part::Components => {
                absent(&toolchain.components, component_is_there).map(Missing::Components)
            }
            Part::Qemu => found.clone().map(Missing::Qemu),
            Part::Dtc => program("dtc").is_none().then_some(Missing::Dtc),
            Part::UBoot => (!Path::new(TARGET.u_boot).is_file()).then_some(Missing::UBoot),
            Part::Python => program("python3").is_none().then_some(Missing::Python),
        })
        .collect()
}

/// Returns those of `wanted` that the toolchain lacks, or `None` if it has all.
fn absent(wanted: &[String], is_there: impl Fn(&Path, &str) -> bool) -> Option<Vec<String>> {
    let sysroot = sysroot()?;
    let names: Vec<_> = wanted
        .iter()
        .filter(|name| !is_there(&sysroot, name))
        .cloned()
        .collect();
    (!names.is_empty()).then_some(names)
}

/// Finds the toolchain that runs us. cargo passes its own path on, which saves a call of rustc. If that fails, the
/// build will report what it lacks.
fn sysroot() -> Option<PathBuf> {
    let cargo = PathBuf::from(env::var_os("CARGO")?);
    let sysroot = cargo.parent()?.parent()?;
    sysroot
        .join("lib/rustlib")
        .is_dir()
        .then(|| sysroot.to_path_buf())
}

fn component_is_there(sysroot: &Path, component: &str) -> bool {
    // Only these two have programs of their own in addition to cargo and rustc.
    let program = match component {
        "clippy" => "cargo-clippy",
        "rustfmt" => "cargo-fmt",
        _ => return true,
    };
    sysroot.join("bin").join(program).is_file()
}

/// Returns a program's output, or nothing if it fails.
fn said_by(program: &Path, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    match output {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).into_owned()
        }
        _ => String::new(),
    }
}

/// Finds a program in `PATH`.
fn program(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// The operating system, as far as it decides how to install.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum System {
    /// Debian with its release number; `None` for testing and unstable.
    Debian(Option<u32>),
    /// Ubuntu with its release.
    Ubuntu(Version),
    /// A derivative of either.
    DebianLike(String),
    /// Any other system, by its name.
    Other(String),
}

impl System {
    /// Reads `/etc/os-release`.
    pub fn read(os_release: &str) -> Self {
        let value = |key: &str| {
            os_release
                .lines()
                .filter_map(|line| line.split_once('='))
                .find(|(name, _)| name.trim() == key)
                .map(|(_, value)| value.trim().trim_matches(['"', '\'']).to_owned())
        };
        let id = value("ID").unwrap_or_default();
        let version = value("VERSION_ID");
        let like = value("ID_LIKE").unwrap_or_default();
        let name = || value("PRETTY_NAME").unwrap_or_else(|| "this system".to_owned());
        match id.as_str() {
            "debian" => Self::Debian(version.and_then(|text| text.split('.').next()?.parse().ok())),
            "ubuntu" => match version.as_deref().and_then(Version::first_in) {
                Some(version) => Self::Ubuntu(version),
                None => Self::DebianLike(name()),
            },
            _ if like
                .split_whitespace()
                .any(|one| one == "debian" || one == "ubuntu") =>
            {
                Self::DebianLike(name())
            }
            _ => Self::Other(name()),
        }
    }
}

/// Everything that decides how to install.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The operating system.
    pub system: System,
    /// Whether we are root.
    pub root: bool,
    /// Whether `CI` is set.
    pub ci: bool,
    /// Whether a person can be asked.
    pub somebody: bool,
    /// Which of `sudo`, `apt-get` and `rustup` exist.
    pub programs: BTreeSet<&'static str>,
    /// The toolchain, by rustup's name.
    pub toolchain: String,
    /// apt's package sources.
    pub sources: Vec<apt_sources::Source>,
    /// Whether our own source file exists already.
    pub own_source_exists: bool,
}

/// Looks at the machine. Only called when something is missing.
pub fn look(toolchain: &Toolchain) -> Facts {
    let os_release = fs::read_to_string("/etc/os-release")
        .or_else(|_| fs::read_to_string("/usr/lib/os-release"));
    Facts {
        system: System::read(&os_release.unwrap_or_default()),
        root: said_by(Path::new("id"), &["-u"]).trim() == "0",
        ci: env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false")),
        somebody: somebody_there(),
        programs: ["sudo", "apt-get", "rustup"]
            .into_iter()
            .filter(|name| program(name).is_some())
            .collect(),
        toolchain: env::var("RUSTUP_TOOLCHAIN").unwrap_or_else(|_| toolchain.channel.clone()),
        sources: apt_sources::sources(Path::new(apt_sources::APT)),
        own_source_exists: Path::new(apt::OWN_FILE).exists(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The version is found in QEMU's real output, and in nothing else.
    #[test]
    fn version_is_read() {
        let version = |major, minor| Some(Version { major, minor });
        let table = [
            (
                "QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2+deb13u1~bpo12+1)\nCopyright (c) 2003-2025",
                version(10, 0),
            ),
            (
                "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)",
                version(7, 2),
            ),
            ("QEMU emulator version 8.1.0", version(8, 1)),
            (
                "QEMU emulator version 9.2.50 (v9.2.0-1-gabc-dirty)",
                version(9, 2),
            ),
            ("", None),
            ("error while loading shared libraries: libfdt.so.1", None),
        ];
        for (text, wanted) in table {
            assert_eq!(Version::first_in(text), wanted, "{text}");
        }
        assert!(
            Version {
                major: 10,
                minor: 0
            } > OLDEST_QEMU
                && Version { major: 8, minor: 0 } < OLDEST_QEMU
        );
    }

    /// The system is recognised by its identifier, not by words that also occur elsewhere.
    #[test]
    fn system_is_read() {
        let table = [
            (
                "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nID=debian\n",
                System::Debian(Some(12)),
            ),
            (
                "PRETTY_NAME=\"Debian GNU/Linux forky/sid\"\nID=debian\n",
                System::Debian(None),
            ),
            (
                "ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"24.04\"\n",
                System::Ubuntu(Version {
                    major: 24,
                    minor: 4,
                }),
            ),
            (
                "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\nPRETTY_NAME='Linux Mint 22'\nVERSION_ID=\"22\"",
                System::DebianLike("Linux Mint 22".into()),
            ),
            (
                "NAME=Fedora\nID=fedora\nVERSION_ID=42\nPRETTY_NAME=\"Fedora Linux 42\"\n",
                System::Other("Fedora Linux 42".into()),
            ),
            ("", System::Other("this system".into())),
        ];
        for (text, wanted) in table {
            assert_eq!(System::read(text), wanted, "{text}");
        }
    }

    /// The pinned toolchain is read completely, and a file without one is an error.
    #[test]
    fn pin_is_read() {
        let pin =
            pinned_in("[toolchain]\nchannel = \"1.95.0\"\ntargets = [\"a\", \"b\"]\n").unwrap();
        assert_eq!(
            pin,
            Toolchain {
                channel: "1.95.0".into(),
                targets: vec!["a".into(), "b".into()],
                components: vec![]
            }
        );
        for text in [
            "",
            "[toolchain]\n",
            "[toolchain]\nchannel = 1\n",
            "toolchain",
        ] {
            assert!(pinned_in(text).is_err(), "{text}");
        }
    }

    /// A toolchain that lacks a target or a component is reported, and a complete one is not.
    #[test]
    fn absent_names_only_what_is_absent() {
        let wanted = ["here".to_owned(), "gone".to_owned()];
        // This works because every cargo passes its own path on.
        assert_eq!(
            absent(&wanted, |_, name| name == "here"),
            Some(vec!["gone".to_owned()])
        );
        assert_eq!(absent(&wanted, |_, _| true), None);
    }
}
