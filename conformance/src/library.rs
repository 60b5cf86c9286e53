//! The machines and devices that cases may name: data files that say what lies where and how a device is operated, so
//! that no case has to.
//!
//! The suite's own files are always known. A folder of requirements may add files; it cannot replace one.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use oft::Diagnostic;
use serde::de::DeserializeOwned;

use crate::case::yaml;

pub mod device;
pub mod machine;
#[cfg(test)]
mod tests;

pub use device::{BarKind, Device, PciModel, Procedure, Register, Role, Step};
pub use machine::{Machine, MachineDevice};

/// The folders of a folder of requirements that hold the library's files.
pub const DEVICES: &str = "devices";
/// The other one, of machines.
pub const MACHINES: &str = "machines";

/// All devices and machines. They live as long as the program, like the suite's own files.
#[derive(Clone, Debug, Default)]
pub struct Library {
    devices: BTreeMap<String, Entry<Device>>,
    machines: BTreeMap<String, Entry<Machine>>,
}

#[derive(Debug)]
struct Entry<T: 'static> {
    is: &'static T,
    file: PathBuf,
}

impl<T> Clone for Entry<T> {
    fn clone(&self) -> Self {
        Self {
            is: self.is,
            file: self.file.clone(),
        }
    }
}

impl Library {
    /// Returns the suite's own library, or the errors in its files.
    pub fn shipped() -> Result<&'static Self, Vec<Diagnostic>> {
        static SHIPPED: OnceLock<Result<Library, Vec<Diagnostic>>> = OnceLock::new();
        SHIPPED
            .get_or_init(|| Self::default().with(&home()))
            .as_ref()
            .map_err(Clone::clone)
    }

    /// Returns the suite's own library with what a folder of requirements adds.
    pub fn of(root: &Path) -> Result<Self, Vec<Diagnostic>> {
        let shipped = Self::shipped()?;
        let same = |root: &Path| root.canonicalize().ok();
        if same(root).is_some() && same(root) == same(&home()) {
            return Ok(shipped.clone());
        }
        shipped.clone().with(root)
    }

    /// Adds the files of a folder; reports all errors of all of them.
    fn with(mut self, root: &Path) -> Result<Self, Vec<Diagnostic>> {
        let mut problems = Vec::new();
        let devices = read_all::<Device>(&root.join(DEVICES), &mut problems);
        for (file, text, device) in devices {
            let wrong = device.check();
            let name = device.device.clone();
            note(&file, &text, wrong, &mut problems);
            add(&mut self.devices, name, file, device, &mut problems);
        }
        let machines = read_all::<Machine>(&root.join(MACHINES), &mut problems);
        for (file, text, machine) in inherit(machines, &self.machines, &mut problems) {
            note(&file, &text, machine.check(&self), &mut problems);
            let name = machine.machine.clone();
            add(&mut self.machines, name, file, machine, &mut problems);
        }
        if problems.is_empty() {
            Ok(self)
        } else {
            Err(problems)
        }
    }

    /// Finds a device.
    pub fn device(&self, name: &str) -> Result<&'static Device, String> {
        let found = self.devices.get(name).map(|entry| entry.is);
        found.ok_or_else(|| unknown(name, "device", self.devices.keys()))
    }

    /// Lists the devices.
    pub fn devices(&self) -> impl Iterator<Item = &'static Device> {
        self.devices.values().map(|entry| entry.is)
    }

    /// Finds a machine.
    pub fn machine(&self, name: &str) -> Result<&'static Machine, String> {
        let found = self.machines.get(name).map(|entry| entry.is);
        found.ok_or_else(|| unknown(name, "machine", self.machines.keys()))
    }

    /// Lists the machines.
    pub fn machines(&self) -> impl Iterator<Item = &'static Machine> {
        self.machines.values().map(|entry| entry.is)
    }
}

/// Returns the folder with the suite's own requirements.
pub fn home() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).join("requirements")
}

fn unknown<'a>(name: &str, what: &str, known: impl Iterator<Item = &'a String> + Clone) -> String {
    let near = text::nearest(name, known.clone().map(String::as_str)).map(str::to_owned);
    let all = || known.clone().cloned().collect::<Vec<_>>().join("`, `");
    format!(
        "`{name}` is no {what} of the library; did you mean `{}`?",
        near.unwrap_or_else(all)
    )
}

fn read_all<T: DeserializeOwned>(
    folder: &Path,
    problems: &mut Vec<Diagnostic>,
) -> Vec<(PathBuf, String, T)> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "yaml"));
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        let shown = path.display().to_string();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => {
                let why = format!("cannot be read: {error}");
                problems.push(Diagnostic::error(shown, 0, why));
                continue;
            }
        };
        match yaml::read::<T>(&text) {
            Ok(made) => found.push((path, text, made)),
            Err(error) => problems.push(yaml::not_of_its_kind(&shown, &text, &error)),
        }
    }
    found
}

/// Reports errors of a file, each at the line that holds its text.
fn note(file: &Path, text: &str, wrong: Vec<(String, String)>, problems: &mut Vec<Diagnostic>) {
    for (place, why) in wrong {
        let found = text
            .lines()
            .enumerate()
            .find(|(_, line)| line.contains(&place));
        let (line, excerpt) = found.map_or((0, ""), |(line, text)| (line + 1, text));
        let line = u32::try_from(line).unwrap_or(0);
        let error = Diagnostic::error(file.display().to_string(), line, why);
        problems.push(error.highlight(excerpt, &place));
    }
}

fn add<T>(
    all: &mut BTreeMap<String, Entry<T>>,
    name: String,
    file: PathBuf,
    made: T,
    problems: &mut Vec<Diagnostic>,
) {
    if let Some(other) = all.get(&name) {
        let why = format!("`{name}` is defined in {} already", other.file.display());
        problems.push(Diagnostic::error(file.display().to_string(), 0, why));
        return;
    }
    // A library is read once for a run.
    let is: &'static T = Box::leak(Box::new(made));
    all.insert(name, Entry { is, file });
}

/// Completes the machines that extend others.
fn inherit(
    read: Vec<(PathBuf, String, Machine)>,
    known: &BTreeMap<String, Entry<Machine>>,
    problems: &mut Vec<Diagnostic>,
) -> Vec<(PathBuf, String, Machine)> {
    let mut done: Vec<(PathBuf, String, Machine)> = Vec::new();
    let mut waiting = read;
    loop {
        let before = waiting.len();
        let mut left = Vec::new();
        for (file, text, machine) in waiting {
            let Some(base) = machine.extends.clone() else {
                done.push((file, text, machine));
                continue;
            };
            let own = done
                .iter()
                .map(|(.., other)| other)
                .find(|other| other.machine == base);
            match own.or(known.get(&base).map(|entry| entry.is)) {
                Some(base) => {
                    let wrong = machine.cannot_be_over(base).into_iter().collect();
                    note(&file, &text, wrong, problems);
                    let whole = machine.over(base);
                    done.push((file, text, whole));
                }
                None => left.push((file, text, machine)),
            }
        }
        if left.len() == before || left.is_empty() {
            for (file, text, machine) in left {
                let base = machine.extends.unwrap_or_default();
                let why = format!("`{base}` is no machine that could be extended");
                note(&file, &text, vec![(base, why)], problems);
            }
            return done;
        }
        waiting = left;
    }
}
