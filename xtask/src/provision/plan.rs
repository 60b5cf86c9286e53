//! Decides how to install what is missing. Pure: it turns facts into steps and runs nothing.

use std::fmt;
use std::path::PathBuf;

use crate::arch::TARGET;
use crate::provision::Install;
use crate::provision::apt::{self, SourceError};
use crate::provision::facts::{Facts, Found, Missing, OLDEST_QEMU, System, Version};

/// The Debian release whose QEMU is too old, but whose backports have a newer one.
const BACKPORTED: u32 = 12;
/// The oldest Ubuntu release with a sufficient QEMU.
const OLDEST_UBUNTU: Version = Version {
    major: 24,
    minor: 4,
};

/// A step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Create a new file as root.
    Write {
        /// The command that gives root's rights, empty if we have them.
        rights: Vec<String>,
        /// The path.
        path: PathBuf,
        /// The content.
        text: String,
    },
    /// Run a command.
    Run {
        /// The command and its arguments.
        argv: Vec<String>,
        /// Whether to continue after a failure: a later step then shows whether it mattered.
        may_fail: bool,
    },
}

impl Step {
    /// Describes the step in a few words.
    pub fn label(&self) -> String {
        match self {
            Self::Write { path, .. } => format!("write {}", path.display()),
            Self::Run { argv, .. } => {
                let own = argv.iter().position(|word| word == "apt-get").unwrap_or(0);
                let words: Vec<_> = argv
                    .iter()
                    .skip(own)
                    .take_while(|word| !word.starts_with('-'))
                    .cloned()
                    .collect();
                words.join(" ")
            }
        }
    }

    /// Tells whether the step uses sudo.
    pub fn takes_sudo(&self) -> bool {
        match self {
            Self::Write { rights: words, .. } | Self::Run { argv: words, .. } => {
                words.first().is_some_and(|word| word == "sudo")
            }
        }
    }
}

/// Prints the step as a command line that can be pasted into a shell.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write { rights, path, text } => {
                f.write_str("printf '%s\\n'")?;
                for line in text.lines() {
                    write!(f, " {}", quoted(line))?;
                }
                f.write_str(" | ")?;
                for word in rights {
                    write!(f, "{word} ")?;
                }
                write!(f, "tee {}", quoted(&path.display().to_string()))
            }
            Self::Run { argv, .. } => {
                let words: Vec<_> = argv.iter().map(|word| quoted(word)).collect();
                f.write_str(&words.join(" "))
            }
        }
    }
}

/// Quotes a word for a POSIX shell if necessary.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=+,@".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Why nothing can be installed automatically.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Rust was installed without rustup.
    #[error(
        "rustup is not here to add {0} to the Rust toolchain; install it the way this Rust came"
    )]
    NoRustup(String),
    /// The package manager of the system is not known.
    #[error(
        "there is no apt-get on {system}: install {needs} with its own package manager and try again"
    )]
    UnknownSystem {
        /// Its name.
        system: String,
        /// What to install.
        needs: String,
    },
    /// The release of Debian or Ubuntu is too old.
    #[error(
        "the QEMU of {system} is older than {OLDEST_QEMU}; install a newer {} from elsewhere, in PATH in front of others, and try again",
        TARGET.qemu
    )]
    TooOld {
        /// The release.
        system: String,
    },
    /// There is no mirror with backports.
    #[error(transparent)]
    Source(#[from] SourceError),
}

/// Returns the steps that install everything in `missing`.
pub fn steps(facts: &Facts, missing: &[Missing]) -> Result<Vec<Step>, PlanError> {
    let mut steps = Vec::new();
    let mut packages = Vec::new();
    let mut needs = Vec::new();
    let mut backports = false;
    for one in missing {
        match one {
            Missing::Targets(names) => steps.push(rustup(facts, "target", names)?),
            Missing::Components(names) => steps.push(rustup(facts, "component", names)?),
            Missing::Qemu(found) => {
                backports = qemu_from_backports(&facts.system, found)?;
                // With the ROMs of its network cards: the suite's machines have no network card, but without the ROMs
                // QEMU does not start a machine with default devices.
                packages.extend([TARGET.qemu_package, "ipxe-qemu"]);
                needs.push(format!(
                    "{} ({OLDEST_QEMU} or newer) with its ROMs",
                    TARGET.qemu
                ));
            }
            Missing::Dtc => {
                packages.push("device-tree-compiler");
                needs.push("dtc".to_owned());
            }
            Missing::UBoot => {
                packages.push("u-boot-qemu");
                needs.push(format!(
                    "U-Boot for QEMU's {} board as {}",
                    TARGET.board, TARGET.u_boot
                ));
            }
            Missing::Python => {
                packages.push("python3");
                needs.push("python3".to_owned());
            }
        }
    }
    if packages.is_empty() {
        return Ok(steps);
    }
    if !facts.programs.contains("apt-get") {
        let system = match &facts.system {
            System::Debian(_) | System::Ubuntu(_) => "this system".to_owned(),
            System::DebianLike(name) | System::Other(name) => name.clone(),
        };
        return Err(PlanError::UnknownSystem {
            system,
            needs: needs.join(", "),
        });
    }

    if backports && let Some(text) = apt::backports(&facts.sources, facts.own_source_exists)? {
        steps.push(Step::Write {
            rights: rights(facts),
            path: apt::OWN_FILE.into(),
            text,
        });
    }
    // May fail: one broken third-party source fails the whole update, even if everything needed was fetched. The
    // installation shows it.
    steps.push(apt_get(facts, ["update"], true));
    let mut install = vec![
        "install",
        "--yes",
        "--no-install-recommends",
        "-o",
        "DPkg::Lock::Timeout=300",
    ];
    if backports {
        install.extend(["-t", apt::BACKPORTS]);
    }
    install.extend(packages);
    steps.push(apt_get(facts, install, false));
    Ok(steps)
}

/// Tells whether QEMU comes from the backports. Fails if this release has no sufficient one.
fn qemu_from_backports(system: &System, found: &Found) -> Result<bool, PlanError> {
    let too_old = |system: String| Err(PlanError::TooOld { system });
    match system {
        System::Debian(Some(release)) if *release == BACKPORTED => Ok(true),
        System::Debian(Some(release)) if *release < BACKPORTED => {
            too_old(format!("Debian {release}"))
        }
        System::Ubuntu(release) if *release < OLDEST_UBUNTU => {
            too_old(format!("Ubuntu {}.{:02}", release.major, release.minor))
        }
        // Its packages gave the old version, and would give it again.
        System::DebianLike(name) if matches!(found, Found::Old(..)) => too_old(name.clone()),
        System::Debian(_) | System::Ubuntu(_) | System::DebianLike(_) | System::Other(_) => {
            Ok(false)
        }
    }
}

fn rustup(facts: &Facts, what: &str, names: &[String]) -> Result<Step, PlanError> {
    if !facts.programs.contains("rustup") {
        return Err(PlanError::NoRustup(names.join(" ")));
    }
    let words = ["rustup", what, "add", "--toolchain", &facts.toolchain];
    let argv = words
        .into_iter()
        .map(str::to_owned)
        .chain(names.iter().cloned())
        .collect();
    Ok(Step::Run {
        argv,
        may_fail: false,
    })
}

fn apt_get<'w>(facts: &Facts, words: impl IntoIterator<Item = &'w str>, may_fail: bool) -> Step {
    let mut argv = rights(facts);
    // Through `env`, because sudo passes no variables on.
    argv.extend(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"].map(str::to_owned));
    argv.extend(words.into_iter().map(str::to_owned));
    Step::Run { argv, may_fail }
}

/// Returns the prefix of a command that only root may run.
fn rights(facts: &Facts) -> Vec<String> {
    let words: &[&str] = match facts.root {
        true => &[],
        // Without a person, sudo must not wait for a password.
        false if facts.ci && !facts.somebody => &["sudo", "--non-interactive"],
        false => &["sudo"],
    };
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Whether the steps may be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Consent {
    /// Without asking.
    Given,
    /// After a yes.
    Ask,
    /// No, for this reason.
    Withheld(&'static str),
}

/// Decides whether the steps may be carried out.
pub fn consent(facts: &Facts, install: Install, steps: &[Step]) -> Consent {
    let no_rights = !facts.programs.contains("sudo") && steps.iter().any(Step::takes_sudo);
    match install {
        Install::Allowed if no_rights => Consent::Withheld("this needs root, and sudo is missing"),
        Install::Never => Consent::Withheld("--no-provision says to install nothing"),
        Install::Allowed if facts.root || facts.ci => Consent::Given,
        Install::Allowed if facts.somebody => Consent::Ask,
        Install::Allowed => Consent::Withheld("neither root nor CI, and no terminal to ask on"),
    }
}

#[cfg(test)]
mod tests;
