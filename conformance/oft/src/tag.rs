//! Reads coverage tags such as `[impl->dsn~x~1]` out of source files of any kind.

use std::sync::Arc;

use super::{
    chars::is_space,
    diagnostic::Diagnostic,
    id::{Id, IdError, MAX_REVISION, Span, name_length},
    item::{Item, Location, Reference},
    lines::lines,
};

/// The file name endings with which OFT looks for tags, sorted. Case matters.
const ENDINGS: [&str; 65] = [
    "C", "H", "adb", "ads", "bash", "bat", "c", "c#", "c++", "cc", "cfg", "cjs", "clj", "conf",
    "cpp", "cs", "ejs", "feature", "fxml", "go", "groovy", "h", "h++", "hh", "hpp", "htm", "html",
    "inc", "ini", "java", "js", "json", "kt", "kts", "lua", "m", "mjs", "mm", "php", "pl",
    "plantuml", "pls", "pm", "proto", "pu", "puml", "py", "r", "robot", "rs", "scala", "sh", "sql",
    "sv", "swift", "tf", "tfvars", "toml", "ts", "v", "xhtml", "xml", "yaml", "yml", "zsh",
];

const CRC: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);

/// Tells whether a file of this name may hold tags.
pub(super) fn may_hold_tags(file: &str) -> bool {
    file.rsplit_once('.')
        .is_some_and(|(stem, ending)| !stem.is_empty() && ENDINGS.binary_search(&ending).is_ok())
}

/// Reads all tags of `text`. Total: any text yields items and diagnostics.
pub(super) fn read(
    file: &Arc<str>,
    text: &str,
    items: &mut Vec<Item>,
    notes: &mut Vec<Diagnostic>,
) {
    if !text.contains("->") {
        return;
    }
    for (line, number) in lines(text).zip(1_u32..) {
        for (nth, tag) in tags(line).enumerate() {
            match tag.item(file, number, nth) {
                Ok(item) => items.push(item),
                Err(error) => {
                    let note = Diagnostic::error(&**file, number, error.to_string());
                    notes.push(note.highlight(line, error.highlight(line)));
                }
            }
        }
    }
}

/// `[kind~name~revision->covered>>needs]`; name, revision and needs are optional.
#[derive(Debug, PartialEq, Eq)]
struct Tag<'t> {
    kind: &'t str,
    name: Option<&'t str>,
    revision: &'t str,
    covered: Result<Id, IdError>,
    needs: Vec<&'t str>,
}

impl Tag<'_> {
    /// Creates the item of the `nth` tag of a line.
    fn item(self, file: &Arc<str>, line: u32, nth: usize) -> Result<Item, IdError> {
        let covered = self.covered?;
        let unique;
        let name = match self.name {
            Some(name) => name,
            None if !self.needs.is_empty() => covered.name(),
            None => {
                let place = format!("{file}{line}{nth}{covered}");
                unique = format!("{}-{}", covered.name(), CRC.checksum(place.as_bytes()));
                &unique
            }
        };
        let revision = match self.revision {
            "" => 0,
            digits => digits
                .parse()
                .ok()
                .filter(|&revision| revision <= MAX_REVISION)
                .ok_or_else(|| IdError::Revision(format!("{}~{name}~{digits}", self.kind)))?,
        };
        let id = Id::assemble(self.kind, name, revision);
        let at = Location {
            file: Arc::clone(file),
            line,
        };
        let needs = self.needs.into_iter().map(str::to_owned).collect();
        let covers = vec![Reference { id: covered, line }];
        Ok(Item {
            covers,
            needs,
            ..Item::new(id, at)
        })
    }
}

/// Finds the tags of one line, from left to right.
fn tags(line: &str) -> impl Iterator<Item = Tag<'_>> {
    let mut rest = line;
    std::iter::from_fn(move || {
        loop {
            let (_, text) = rest.split_once('[')?;
            rest = text;
            if let Some((tag, after)) = tag(text) {
                rest = after;
                return Some(tag);
            }
        }
    })
}

/// Reads a tag after its opening bracket, and returns what follows the closing one.
fn tag(text: &str) -> Option<(Tag<'_>, &str)> {
    let (kind, mut rest) = word(skip(text))?;
    let (mut name, mut revision) = (None, "");
    if let Some(own) = rest.strip_prefix('~') {
        let (own_name, after) = own.split_at_checked(name_length(own).unwrap_or(0))?;
        let after = after.strip_prefix('~')?;
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        (revision, rest) = after.split_at_checked(digits).filter(|_| digits > 0)?;
        name = Some(own_name).filter(|name| !name.is_empty());
    }
    let target = skip(skip(rest).strip_prefix("->")?);
    let span = Span::at_start(target)?;
    rest = skip(target.get(span.end..)?);
    let mut needs = Vec::new();
    if let Some(mut list) = rest.strip_prefix(">>") {
        rest = loop {
            let (kind, after) = word(skip(list))?;
            needs.push(kind);
            let after = skip(after);
            match after.strip_prefix(',') {
                Some(more) => list = more,
                None => break after,
            }
        };
    }
    let rest = rest.strip_prefix(']')?;
    Some((
        Tag {
            kind,
            name,
            revision,
            covered: span.id(target),
            needs,
        },
        rest,
    ))
}

fn skip(text: &str) -> &str {
    text.trim_start_matches(is_space)
}

/// Splits off the ASCII letters at the start of `text`, if there are any.
fn word(text: &str) -> Option<(&str, &str)> {
    let letters = text.bytes().take_while(u8::is_ascii_alphabetic).count();
    text.split_at_checked(letters).filter(|_| letters > 0)
}

#[cfg(test)]
mod tests;
