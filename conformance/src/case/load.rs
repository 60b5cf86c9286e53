//! Loads the YAML files beside the requirements, and reports all errors of all files at once.

use std::fs;
use std::path::{Path, PathBuf};

use model::Place;
use oft::{Catalog, Diagnostic, Id, Item, Location, Reference};

use crate::case::yaml::{self, not_of_its_kind};
use crate::case::{Case, CaseFile};
use crate::kinds::CASE_KIND;
use crate::library::{self, Library};

#[cfg(test)]
mod tests;

/// The requirements with their cases.
#[derive(Debug)]
pub struct Loaded {
    /// The folder that both were read from.
    pub root: PathBuf,
    /// All items, the cases among them.
    pub catalog: Catalog,
    /// The cases in the order of their files and, within a file, as written.
    pub cases: Vec<LoadedCase>,
    /// The machines and devices that cases may name.
    pub library: Library,
}

impl Loaded {
    /// Returns a place in a file by its path inside the folder of requirements, which is the same on every machine.
    pub fn place(&self, file: &str, line: u32) -> Place {
        let inside = Path::new(file).strip_prefix(&self.root).ok();
        Place {
            file: inside.map_or_else(|| file.to_owned(), |path| path.display().to_string()),
            line,
        }
    }

    /// Returns the place of a case.
    pub fn place_of(&self, case: &LoadedCase) -> Place {
        self.place(&case.file, case.line)
    }
}

/// A case whose id fits its file and whose requirements exist.
#[derive(Debug)]
pub struct LoadedCase {
    /// The case as written.
    pub case: Case,
    /// Its id.
    pub id: Id,
    /// What it covers.
    pub covers: Vec<Id>,
    file: String,
    text: std::sync::Arc<str>,
    line: u32,
}

/// A text of a case and its error.
#[derive(Debug)]
pub struct SourceError {
    text: String,
    why: String,
}

impl SourceError {
    /// Creates the error of `text`.
    pub fn new(text: &str, why: impl Into<String>) -> Self {
        Self {
            text: text.to_owned(),
            why: why.into(),
        }
    }

    /// Returns the message.
    pub fn why(&self) -> &str {
        &self.why
    }
}

impl LoadedCase {
    /// Locates the error at the line of the case that holds the text.
    pub fn diagnostic(&self, wrong: &SourceError) -> Diagnostic {
        let from = usize::try_from(self.line).unwrap_or(0).saturating_sub(1);
        let found = self
            .text
            .lines()
            .enumerate()
            .skip(from)
            .find(|(_, line)| line.contains(&wrong.text));
        let (line, excerpt) = match found {
            Some((line, text)) => (u32::try_from(line + 1).unwrap_or(0), text),
            None => (self.line, self.text.lines().nth(from).unwrap_or("")),
        };
        Diagnostic::error(&self.file, line, format!("{}: {}", self.id, wrong.why))
            .highlight(excerpt, &wrong.text)
    }
}

/// Reads the requirements below `root` and the cases beside them.
pub fn load(root: &Path) -> Result<Loaded, Vec<Diagnostic>> {
    let (loaded, problems) = read(root);
    if problems.is_empty() {
        Ok(loaded)
    } else {
        Err(problems)
    }
}

/// Reads as much as possible of the requirements below `root` and the cases beside them, and returns the errors as
/// well, so that a caller that checks further shows all errors of all files at once.
pub fn read(root: &Path) -> (Loaded, Vec<Diagnostic>) {
    let mut problems = Vec::new();
    let library = Library::of(root).unwrap_or_else(|found| {
        problems.extend(found);
        Library::default()
    });
    let mut catalog = Catalog::load(root).unwrap_or_else(|found| {
        problems.extend(found);
        Catalog::default()
    });
    // Without all requirements, a reference to a missing one would be a false error.
    let complete = problems.is_empty();
    let mut cases: Vec<LoadedCase> = Vec::new();
    for path in yaml_files(root) {
        let shown = path.display().to_string();
        let text: std::sync::Arc<str> = match fs::read_to_string(&path) {
            Ok(text) => text.into(),
            Err(error) => {
                problems.push(Diagnostic::error(
                    shown,
                    0,
                    format!("cannot be read: {error}"),
                ));
                continue;
            }
        };
        match yaml::read::<CaseFile>(&text) {
            Ok(file) if complete => {
                accept(&shown, &text, file, &catalog, &mut cases, &mut problems);
            }
            Ok(_) => {}
            Err(error) => problems.push(not_of_its_kind(&shown, &text, &error)),
        }
    }
    for case in &cases {
        let covers = case
            .covers
            .iter()
            .map(|id| Reference {
                id: id.clone(),
                line: case.line,
            })
            .collect();
        let at = Location {
            file: case.file.as_str().into(),
            line: case.line,
        };
        catalog.add(Item {
            title: Some(case.case.title.clone()),
            covers,
            ..Item::new(case.id.clone(), at)
        });
    }
    let root = root.to_path_buf();
    (
        Loaded {
            root,
            catalog,
            cases,
            library,
        },
        problems,
    )
}

/// Loads cases that belong to no requirement: they show what a subject can do before it is judged.
pub fn unbound(shown: &str, text: &str) -> Result<Vec<LoadedCase>, Diagnostic> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        cases: Vec<Case>,
    }
    let file: File = yaml::read(text).map_err(|error| not_of_its_kind(shown, text, &error))?;
    let whole: std::sync::Arc<str> = text.into();
    let bound = file.cases.into_iter().map(|case| {
        let line = line_of(text, &case.id, 0);
        let id = case.id.parse::<Id>().map_err(|error| {
            let line = u32::try_from(line).unwrap_or(0);
            Diagnostic::error(shown, line, format!("`{}`: {error}", case.id))
        })?;
        let line = u32::try_from(line).unwrap_or(0);
        Ok(LoadedCase {
            case,
            id,
            covers: Vec::new(),
            file: shown.to_owned(),
            text: whole.clone(),
            line,
        })
    });
    bound.collect()
}

fn yaml_files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            let of_library = [library::DEVICES, library::MACHINES].map(|name| root.join(name));
            if of_library.contains(&path) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|end| end == "yaml" || end == "yml")
            {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn accept(
    shown: &str,
    text: &std::sync::Arc<str>,
    file: CaseFile,
    catalog: &Catalog,
    cases: &mut Vec<LoadedCase>,
    problems: &mut Vec<Diagnostic>,
) {
    let report = |wrong: &str, message: String| {
        let found = text
            .lines()
            .enumerate()
            .find(|(_, line)| line.contains(wrong));
        let (line, excerpt) = found.map_or((0, ""), |(line, text)| (line + 1, text));
        let note = Diagnostic::error(shown, u32::try_from(line).unwrap_or(0), message);
        note.highlight(excerpt, wrong)
    };
    let requirement = match known(&file.requirement, catalog) {
        Ok(id) => Some(id),
        Err(why) => {
            problems.push(report(&file.requirement, why));
            None
        }
    };
    if file.cases.is_empty() {
        problems.push(report("cases", format!("{} has no case", file.requirement)));
    }
    for mut case in file.cases {
        case.complete(&file.defaults);
        let earlier = cases
            .iter()
            .filter(|other| other.file == shown && other.case.id == case.id);
        let line = line_of(text, &case.id, earlier.count());
        let report_case = |message: String| {
            let excerpt = text.lines().nth(line.saturating_sub(1)).unwrap_or("");
            let note = Diagnostic::error(shown, u32::try_from(line).unwrap_or(0), message);
            note.highlight(excerpt, &case.id)
        };
        let id = match case.id.parse::<Id>() {
            Ok(id) if id.kind() == CASE_KIND => id,
            Ok(id) => {
                problems.push(report_case(format!(
                    "`{id}` should begin with `{CASE_KIND}~`"
                )));
                continue;
            }
            Err(error) => {
                problems.push(report_case(format!("`{}`: {error}", case.id)));
                continue;
            }
        };
        let suffix = |requirement: &Id| {
            let rest = id.name().strip_prefix(requirement.name());
            rest.and_then(|rest| rest.strip_prefix('.'))
                .is_some_and(|suffix| !suffix.is_empty())
        };
        if let Some(requirement) = requirement
            .as_ref()
            .filter(|requirement| !suffix(requirement))
        {
            let wanted = format!("{CASE_KIND}~{}.<suffix>~<revision>", requirement.name());
            problems.push(report_case(format!(
                "`{id}` stands under {requirement}: it should read `{wanted}`"
            )));
        }
        if let Some(other) = cases.iter().find(|other| other.id == id) {
            problems.push(report_case(format!(
                "`{id}` is defined twice, first in {}:{}",
                other.file, other.line
            )));
            continue;
        }
        let mut covers = Vec::new();
        if case.covers.is_empty() {
            covers.extend(requirement.clone());
        }
        for text in &case.covers {
            match known(text, catalog) {
                Ok(id) => covers.push(id),
                Err(why) => problems.push(report(text, format!("{id}: {why}"))),
            }
        }
        let line = u32::try_from(line).unwrap_or(0);
        cases.push(LoadedCase {
            case,
            id,
            covers,
            file: shown.to_owned(),
            text: text.clone(),
            line,
        });
    }
}

/// Finds the line of the `id:` with this value, after `skip` others; zero if it is written in another way.
fn line_of(text: &str, id: &str, skip: usize) -> usize {
    let is = |line: &str| {
        let line = line.trim_start_matches(|c: char| c.is_whitespace() || c == '-' || c == '{');
        let value = line.strip_prefix("id:").map(str::trim_start);
        let value = value.map(|value| value.trim_start_matches(['\'', '"']));
        value
            .and_then(|value| value.strip_prefix(id))
            .is_some_and(|rest| {
                !rest.starts_with(|c: char| c.is_alphanumeric() || "~._-".contains(c))
            })
    };
    text.lines()
        .enumerate()
        .filter(|(_, line)| is(line))
        .nth(skip)
        .map_or(0, |(place, _)| place + 1)
}

/// Finds a requirement by its full id, revision included.
fn known(text: &str, catalog: &Catalog) -> Result<Id, String> {
    let id = text
        .parse::<Id>()
        .map_err(|error| format!("`{text}`: {error}"))?;
    if catalog.get(&id).is_some() {
        return Ok(id);
    }
    if let Some(item) = catalog.find(id.kind(), id.name()).next() {
        return Err(format!(
            "`{id}`: the requirement is at revision {}, `{}`",
            item.id.revision(),
            item.id
        ));
    }
    match catalog.nearest(text) {
        Some(near) => Err(format!("nothing defines `{id}`; did you mean `{near}`?")),
        None => Err(format!("nothing defines `{id}`")),
    }
}
