//! Profiles of subjects: the machine they need, what they can do, and what their guests see.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use model::{Arch, Capabilities, Capability, Level};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::adapter::Adapter;
use crate::address::Modules;
use crate::arch::{self, GuestLayout};
use crate::request::{Firmware, Machine};
use crate::subject::Package;
use crate::waiver::Waiver;

/// The folder of the profiles that come with the suite.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/profiles");

/// How a subject refuses a domain at boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// The domain is absent; the others run.
    DomainAbsent,
    /// The whole host stops and names the domain.
    HostStops,
}

/// What a host prints when it stops. The texts are beginnings of whole lines. A guest cannot print such a line as long
/// as the hypervisor puts a prefix before guest output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PanicFormat {
    /// The line that says that the host stops.
    pub begins: String,
    /// Later lines that name the domain; `{domain}` stands for its name.
    pub names: Vec<String>,
    /// The last line; nothing happens after it.
    pub ends: String,
}

/// Where the name of a domain stands in [`PanicFormat::names`].
pub const DOMAIN: &str = "{domain}";

/// How a subject creates the control domain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Control {
    /// A domain node has the property `capabilities`.
    #[default]
    Capabilities,
    /// Only the hardware domain, whose modules are directly under /chosen, can be one.
    Dom0,
}

/// A subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The subject's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The architecture it runs on.
    pub arch: Arch,
    /// The package of its image, if it is not built here.
    #[serde(default)]
    pub package: Option<Package>,
    /// Whether it prints what it refuses and why, in console lines of its own. Reports show these lines beside a
    /// verdict; no verdict rests on them.
    #[serde(default)]
    pub diagnostics: bool,
    /// Width of guest-physical addresses.
    pub ipa_bits: u8,
    /// The property of `/chosen` that holds its arguments.
    pub boot_args_property: String,
    /// Arguments that it always gets.
    #[serde(default)]
    pub boot_args: String,
    /// Time limit of one run in milliseconds.
    pub deadline_ms: u64,
    /// How it refuses a domain at boot.
    pub refusal: Refusal,
    /// How to recognise that the whole host stops. Without it, a host that stops merely falls silent.
    #[serde(default)]
    pub panic_format: Option<PanicFormat>,
    /// Its capabilities.
    #[schemars(with = "BTreeSet<Capability>")]
    pub capabilities: Capabilities,
    /// The level it claims.
    #[serde(default)]
    pub level: Level,
    /// Groups of requirements that it does not claim to meet. Scenarios of them that run count as usual; a skipped or
    /// unverified one does not count against the subject.
    #[serde(default)]
    pub optional: BTreeSet<String>,
    /// Failures that are known and accepted until a date.
    #[serde(default, rename = "waiver")]
    pub waivers: Vec<Waiver>,
    /// The machine it runs on.
    pub machine: Machine,
    /// The file in the library of machines that says what lies where on it; the one of the machine's kind if left out.
    #[serde(default)]
    pub board: Option<String>,
    /// Where modules may be loaded.
    pub modules: Modules,
    /// How it creates a control domain.
    #[serde(default)]
    pub control: Control,
    /// The least memory in KiB in which it starts a domain that does nothing.
    #[serde(default = "least")]
    pub least_memory_kib: u64,
    /// What its guests see.
    pub guest: GuestLayout,
    /// Firmware for the scenarios that start with firmware.
    #[serde(default)]
    pub firmware: Option<Firmware>,
    /// The adapter, for a subject that the suite cannot start by itself.
    #[serde(default)]
    pub adapter: Option<Adapter>,
}

/// Why a profile cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProfileError {
    /// The file cannot be read.
    #[error("{file}: {error}")]
    Unreadable {
        /// The file.
        file: String,
        /// What went wrong.
        error: String,
    },
    /// The text is not a valid profile.
    #[error("{file}:{line}: {error}{}", nearest.as_ref().map(|name| format!(", did you mean `{name}`?")).unwrap_or_default())]
    Wrong {
        /// The file.
        file: String,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong.
        error: String,
        /// A similar valid name.
        nearest: Option<String>,
    },
    /// No shipped profile has the name and architecture.
    #[error("no profile `{name}` for {arch}{}; there are {known}", nearest.as_ref().map(|name| format!(", did you mean `{name}`?")).unwrap_or_default())]
    Unknown {
        /// The name.
        name: String,
        /// The architecture.
        arch: Arch,
        /// A similar valid name.
        nearest: Option<String>,
        /// The profiles there are.
        known: String,
    },
}

impl Profile {
    /// Returns the name of the machine's file in the library.
    pub fn board(&self) -> &str {
        self.board.as_ref().unwrap_or(&self.machine.kind)
    }

    /// Returns the time limit of one run.
    pub fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }

    /// Reads a profile from a file.
    pub fn load(path: &Path) -> Result<Self, ProfileError> {
        let file = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(Self::parse(&text, &file)?.lying_in(path.parent())),
            Err(error) => Err(ProfileError::Unreadable {
                file,
                error: error.to_string(),
            }),
        }
    }

    /// Returns all profiles that come with the suite.
    pub fn all_shipped() -> Result<Vec<Self>, ProfileError> {
        arch::shipped()
            .map(|(file, text)| Self::parse(text, file))
            .collect()
    }

    /// Returns a profile that comes with the suite.
    pub fn shipped(name: &str, arch: Arch) -> Result<Self, ProfileError> {
        let mut known = BTreeSet::new();
        for (file, text) in arch::shipped() {
            let profile = Self::parse(text, file)?;
            if profile.name == name && profile.arch == arch {
                return Ok(profile.lying_in(Some(Path::new(FOLDER))));
            }
            known.insert((profile.name, profile.arch));
        }
        Err(ProfileError::Unknown {
            name: name.to_owned(),
            arch,
            nearest: text::nearest(name, known.iter().map(|(name, _)| name.clone()))
                .filter(|near| near != name),
            known: known
                .iter()
                .map(|(name, arch)| format!("{name} ({arch})"))
                .collect::<Vec<_>>()
                .join(", "),
        })
    }

    /// Sets the folder in which its adapter starts.
    fn lying_in(mut self, folder: Option<&Path>) -> Self {
        if let Some(adapter) = &mut self.adapter {
            // A bare file name has an empty parent, which cannot be a working directory.
            let folder = folder.filter(|folder| *folder != Path::new(""));
            adapter.folder = folder.map_or_else(|| PathBuf::from("."), Path::to_owned);
        }
        self
    }

    /// Reads a profile from text; `file` is how errors name it.
    pub fn parse(text: &str, file: &str) -> Result<Self, ProfileError> {
        let wrong = |span: Option<Range<usize>>, error: String, nearest| {
            let before = span
                .and_then(|span| text.get(..span.start))
                .unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            ProfileError::Wrong {
                file: file.to_owned(),
                line,
                error,
                nearest,
            }
        };
        let profile: Self = toml::from_str(text).map_err(|error| {
            // The first line says what is wrong; later lines list all valid names.
            let message = error.message().lines().next().unwrap_or_default();
            let (said, choices) = message.split_once(", expected").unwrap_or((message, ""));
            let choices = choices.split('`').skip(1).step_by(2);
            let near = said
                .split('`')
                .nth(1)
                .and_then(|name| text::nearest(name, choices));
            wrong(error.span(), said.to_owned(), near.map(str::to_owned))
        })?;
        let check = |holds: bool, key: &str, error: String| match holds {
            true => Ok(()),
            false => Err(wrong(place(text, key), error, None)),
        };
        check(
            arch::platform(profile.arch).is_ok(),
            "arch",
            arch::NotAvailable(profile.arch).to_string(),
        )?;
        let bits = profile.ipa_bits;
        // Arm ARM D8.1.8: the smallest and the largest output size of a stage 2 that the suite handles.
        check(
            (32..=52).contains(&bits),
            "ipa_bits",
            format!("`ipa_bits` is {bits}, not 32 to 52"),
        )?;
        check(
            profile.deadline_ms > 0,
            "deadline_ms",
            "`deadline_ms` is 0".to_owned(),
        )?;
        if let Some(adapter) = &profile.adapter {
            check(
                adapter.command.first().is_some_and(|word| !word.is_empty()),
                "command",
                "`command` names no program".to_owned(),
            )?;
            check(
                adapter.deadline_ms > 0,
                "[adapter]",
                "`deadline_ms` of the adapter is 0".to_owned(),
            )?;
        }
        let names = profile.panic_format.iter().flat_map(|words| &words.names);
        check(
            names.clone().all(|name| name.matches(DOMAIN).count() == 1),
            "names",
            format!("each of `names` has one `{DOMAIN}`"),
        )?;
        check(
            profile.refusal == Refusal::DomainAbsent || names.count() > 0,
            "refusal",
            "a host that stops needs `panic_format` with `names`: only what names a domain refuses it"
                .to_owned(),
        )?;
        check(
            profile.firmware.is_some() || !profile.capabilities.has(Capability::Firmware),
            "\"firmware\"",
            "`firmware` is claimed, but the table `firmware` is missing".to_owned(),
        )?;
        let align = profile.modules.align;
        check(
            align.is_power_of_two() && align >= 0x1000,
            "align",
            format!("`align` is {align:#x}, not a power of two from a page up"),
        )?;
        Ok(profile)
    }
}

/// The memory that the suite's probe needs for itself, in KiB.
fn least() -> u64 {
    2 * 1024
}

/// Finds the first occurrence of a word.
fn place(text: &str, word: &str) -> Option<Range<usize>> {
    text.find(word).map(|at| at..at + word.len())
}

#[cfg(test)]
mod tests;
