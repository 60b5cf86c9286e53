//! All the items of a tree of files.

use std::{
    borrow::Cow,
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    diagnostic::{Diagnostic, Severity},
    id::Id,
    item::Item,
    lines::lines,
    rst, tag,
    trace::Trace,
};

/// All items read so far, in the order of files and lines, and all diagnostics about them.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    items: Vec<Item>,
    /// The first item of each id.
    index: HashMap<Id, usize>,
    /// For each item the first one with its id, usually itself.
    first: Vec<usize>,
    diagnostics: Vec<Diagnostic>,
}

impl Catalog {
    /// Reads one file, or every file below a directory, in the order of their names.
    ///
    /// Fails if a file is missing, unreadable or not UTF-8, if a revision is out of range, or if there is no item at
    /// all. It then returns all diagnostics, warnings included. Wrong links are no failure: [`Catalog::trace`] finds
    /// them.
    pub fn load(path: &Path) -> Result<Self, Vec<Diagnostic>> {
        Self::load_all(&[path])
    }

    /// Does the same for several files and directories.
    pub fn load_all(paths: &[&Path]) -> Result<Self, Vec<Diagnostic>> {
        let mut catalog = Self::default();
        for path in paths {
            let before = (catalog.items.len(), catalog.errors());
            let read = catalog.read_tree(path);
            if (catalog.items.len(), catalog.errors()) == before {
                let files = if read == 1 { "file" } else { "files" };
                let message = format!("no item in {read} {files} that may hold items");
                let note = Diagnostic::error(show(path), 0, message);
                catalog
                    .diagnostics
                    .push(note.help("items are in `.rst` files, coverage tags in source files"));
            }
        }
        if catalog.errors() > 0 {
            return Err(catalog.diagnostics);
        }
        catalog.index();
        Ok(catalog)
    }

    /// Reads one file that is already in memory. Total: any input yields a catalog, possibly empty, with diagnostics.
    pub fn parse(file: &str, text: &[u8]) -> Self {
        let mut catalog = Self::default();
        catalog.read(file, text);
        catalog.index();
        catalog
    }

    /// Adds an item from another source, such as a test case from its YAML file.
    pub fn add(&mut self, item: Item) {
        self.items.push(item);
        self.index();
    }

    /// Returns all items, in the order of files and lines; added ones come last.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// Returns the item of this id and revision; the first if there are several.
    pub fn get(&self, id: &Id) -> Option<&Item> {
        self.items.get(*self.index.get(id)?)
    }

    /// Returns the items of this kind and name, in every revision.
    pub fn find<'c>(&'c self, kind: &'c str, name: &'c str) -> impl Iterator<Item = &'c Item> {
        self.of_kind(kind)
            .filter(move |item| item.id.name() == name)
    }

    /// Returns the items of one kind.
    pub fn of_kind<'c>(&'c self, kind: &'c str) -> impl Iterator<Item = &'c Item> {
        self.items.iter().filter(move |item| item.id.kind() == kind)
    }

    /// Returns the id that `wanted` was most likely meant to be, if any is near.
    pub fn nearest(&self, wanted: &str) -> Option<&Id> {
        // The same name in another revision is nearer than anything else.
        let other_revision = wanted.parse::<Id>().ok().and_then(|id| {
            self.items
                .iter()
                .map(|item| &item.id)
                .filter(|known| known.same_name(&id))
                .max()
        });
        other_revision.or_else(|| {
            let near = text::nearest(wanted, self.items.iter().map(|item| item.id.as_str()))?;
            self.items
                .iter()
                .map(|item| &item.id)
                .find(|id| id.as_str() == near)
        })
    }

    /// Returns the diagnostics that did not prevent the use of the files.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// Links all items and judges each one.
    pub fn trace(&self) -> Trace<'_> {
        Trace::of(&self.items, &self.index, &self.first)
    }

    /// Indexes the items that were added since the last time.
    fn index(&mut self) {
        let new = self.items.get(self.first.len()..).unwrap_or_default();
        self.index.reserve(new.len());
        for item in new {
            let at = self.first.len();
            self.first
                .push(*self.index.entry(item.id.clone()).or_insert(at));
        }
    }

    fn errors(&self) -> usize {
        self.diagnostics
            .iter()
            .filter(|note| note.severity == Severity::Error)
            .count()
    }

    /// Reads what `path` names, and returns the number of files.
    fn read_tree(&mut self, path: &Path) -> usize {
        let files = match fs::metadata(path) {
            Err(error) => {
                self.fail(path, &error);
                return 0;
            }
            Ok(metadata) if metadata.is_dir() => self.walk(path),
            Ok(_) => vec![path.to_owned()],
        };
        let mut read = 0;
        for path in files {
            let file = show(&path);
            if !is_rst(&file) && !tag::may_hold_tags(&file) {
                continue;
            }
            read += 1;
            match fs::read(&path) {
                Ok(text) => self.read(&file, &text),
                Err(error) => self.fail(&path, &error),
            }
        }
        read
    }

    /// Lists the files below a directory, sorted. Symbolic links to directories are not followed.
    fn walk(&mut self, top: &Path) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut directories = vec![top.to_owned()];
        while let Some(directory) = directories.pop() {
            let entries = match fs::read_dir(&directory) {
                Ok(entries) => entries,
                Err(error) => {
                    self.fail(&directory, &error);
                    continue;
                }
            };
            for entry in entries {
                let path = match entry {
                    Ok(entry) => entry.path(),
                    Err(error) => {
                        self.fail(&directory, &error);
                        continue;
                    }
                };
                match fs::symlink_metadata(&path) {
                    Ok(metadata) if metadata.is_dir() => directories.push(path),
                    Ok(_) if path.is_dir() => {}
                    Ok(_) => files.push(path),
                    Err(error) => self.fail(&path, &error),
                }
            }
        }
        files.sort();
        files
    }

    fn fail(&mut self, path: &Path, error: &std::io::Error) {
        self.diagnostics.push(Diagnostic::error(
            show(path),
            0,
            format!("cannot be read: {error}"),
        ));
    }

    fn read(&mut self, file: &str, text: &[u8]) {
        let name: Arc<str> = file.into();
        let rst = is_rst(file);
        let decoded = match str::from_utf8(text) {
            Ok(text) => Cow::Borrowed(text),
            Err(error) => {
                if rst {
                    self.diagnostics
                        .push(not_utf8(file, text, error.valid_up_to()));
                }
                String::from_utf8_lossy(text)
            }
        };
        let read = if rst { rst::read } else { tag::read };
        read(&name, &decoded, &mut self.items, &mut self.diagnostics);
    }
}

/// Reports the first byte that is not UTF-8. (In a source file such a byte is ignored: tags are found around it.)
fn not_utf8(file: &str, text: &[u8], valid: usize) -> Diagnostic {
    let before = text
        .get(..valid)
        .map(String::from_utf8_lossy)
        .unwrap_or_default();
    let line = lines(&before).count().max(1) + usize::from(before.ends_with(['\n', '\r']));
    let byte = text.get(valid).copied().unwrap_or_default();
    let start = match lines(&before).last() {
        Some(start) if !before.ends_with(['\n', '\r']) => start,
        _ => "",
    };
    let line = u32::try_from(line).unwrap_or(u32::MAX);
    let note = Diagnostic::error(file, line, format!("byte {byte:#04x} is not UTF-8"));
    let shown = format!("{start}\u{fffd}");
    note.highlight(&shown, shown.get(start.len()..).unwrap_or_default())
        .help("save the file as UTF-8")
}

fn is_rst(file: &str) -> bool {
    file.rsplit_once('.')
        .is_some_and(|(_, ending)| ending.eq_ignore_ascii_case("rst"))
}

/// Returns a path for diagnostics and locations, with `/` as the separator.
fn show(path: &Path) -> String {
    path.to_string_lossy()
        .replace(std::path::MAIN_SEPARATOR, "/")
}

#[cfg(test)]
mod tests;
