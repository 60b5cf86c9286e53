//! apt's package sources: reads both of their forms, and writes the one file that adds the
//! backports of the mirror the machine already uses (sources.list(5)).

use std::fs;
use std::path::{Path, PathBuf};

/// The suite with a newer QEMU.
pub const BACKPORTS: &str = "bookworm-backports";
/// The file that we add, named so that nobody else's has the name.
pub const OWN_FILE: &str = "/etc/apt/sources.list.d/passthrough-conformance-backports.sources";

/// The suites by which a source of the release itself is known.
const RELEASE: [&str; 3] = ["bookworm", "stable", "oldstable"];
/// Options that say how to reach and trust a mirror, so they hold for its backports as well: in
/// the one-line form and as a field.
const KEPT: [(&str, &str); 10] = [
    ("arch", "Architectures"),
    ("signed-by", "Signed-By"),
    ("trusted", "Trusted"),
    ("check-valid-until", "Check-Valid-Until"),
    ("valid-until-max", "Valid-Until-Max"),
    ("check-date", "Check-Date"),
    ("date-max-future", "Date-Max-Future"),
    ("allow-insecure", "Allow-Insecure"),
    ("allow-weak", "Allow-Weak"),
    ("by-hash", "By-Hash"),
];

/// One enabled source of binary packages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// Where from.
    pub uris: Vec<String>,
    /// Which suites.
    pub suites: Vec<String>,
    /// Which components.
    pub components: Vec<String>,
    /// The options kept, as fields with their values; a value may go on over several lines.
    pub options: Vec<(&'static str, String)>,
}

/// Why no source of backports can be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// Ours is there but does not give the suite.
    #[error("{OWN_FILE} exists, but does not enable {BACKPORTS}: mend or remove it and try again")]
    OwnFile,
    /// The release does not come from a mirror.
    #[error(
        "no package source under /etc/apt names a mirror of bookworm, so there is none to take {BACKPORTS} from"
    )]
    NoMirror,
}

/// Reads every source under `/etc/apt`. A file that cannot be read, or that apt would ignore, has
/// none.
pub fn sources(apt: &Path) -> Vec<Source> {
    let mut paths = vec![apt.join("sources.list")];
    let mut parts: Vec<PathBuf> = fs::read_dir(apt.join("sources.list.d"))
        .map(|entries| {
            entries
                .filter_map(|entry| Some(entry.ok()?.path()))
                .collect()
        })
        .unwrap_or_default();
    parts.sort();
    paths.append(&mut parts);
    paths
        .iter()
        .flat_map(|path| {
            let text = fs::read_to_string(path).unwrap_or_default();
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("list") => one_line_form(&text),
                Some("sources") => field_form(&text),
                _ => Vec::new(),
            }
        })
        .collect()
}

/// Reads the form `deb [option=value ...] uri suite component ...`.
pub fn one_line_form(text: &str) -> Vec<Source> {
    text.lines().filter_map(one_line).collect()
}

fn one_line(line: &str) -> Option<Source> {
    let line = line.split('#').next()?.trim();
    let rest = line.strip_prefix("deb")?;
    // Neither `deb-src` nor a word that only begins so.
    let rest = rest.strip_prefix([' ', '\t'])?.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => ("", rest),
    };
    let mut words = rest.split_whitespace().map(str::to_owned);
    let options = options.split_whitespace().filter_map(|option| {
        let (name, value) = option.split_once('=')?;
        let (_, field) = KEPT.iter().find(|(known, _)| *known == name)?;
        // Several values are joined by commas here and by spaces in a field.
        Some((*field, value.replace(',', " ")))
    });
    Some(Source {
        options: options.collect(),
        uris: vec![words.next()?],
        suites: vec![words.next()?],
        components: words.collect(),
    })
}

/// Reads the form of stanzas with fields (deb822).
pub fn field_form(text: &str) -> Vec<Source> {
    let mut stanzas: Vec<Vec<(String, String)>> = vec![Vec::new()];
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if line.trim().is_empty() {
            stanzas.push(Vec::new());
            continue;
        }
        let Some(stanza) = stanzas.last_mut() else {
            continue;
        };
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = stanza.last_mut() {
                value.push('\n');
                value.push_str(line);
            }
        } else if let Some((name, value)) = line.split_once(':') {
            stanza.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    stanzas
        .iter()
        .filter_map(|stanza| source_of(stanza))
        .collect()
}

fn source_of(stanza: &[(String, String)]) -> Option<Source> {
    let value = |name: &str| {
        stanza
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    };
    let words = |name| {
        value(name)
            .unwrap_or_default()
            .split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let off = value("enabled").is_some_and(|text| {
        matches!(
            text.to_ascii_lowercase().as_str(),
            "no" | "false" | "0" | "off" | "without" | "disable"
        )
    });
    if off || !words("types").iter().any(|kind| kind == "deb") {
        return None;
    }
    let options = KEPT
        .iter()
        .filter_map(|(_, field)| Some((*field, value(&field.to_ascii_lowercase())?.to_owned())));
    Some(Source {
        uris: words("uris"),
        suites: words("suites"),
        components: words("components"),
        options: options.collect(),
    })
}

/// Says what our file must hold so that apt knows the backports, or that it knows them already.
/// They are taken from the mirror, and under the key, of the release itself.
pub fn backports(sources: &[Source], own_file_exists: bool) -> Result<Option<String>, SourceError> {
    let has = |source: &Source, suite: &str| source.suites.iter().any(|one| one == suite);
    let has_main = |source: &&Source| source.components.iter().any(|one| one == "main");
    if sources
        .iter()
        .filter(has_main)
        .any(|source| has(source, BACKPORTS))
    {
        return Ok(None);
    }
    if own_file_exists {
        return Err(SourceError::OwnFile);
    }
    let mirrors = sources
        .iter()
        .filter(has_main)
        .filter(|source| RELEASE.iter().any(|suite| has(source, suite)));
    let found = mirrors.filter_map(|source| {
        // An installation medium has no backports.
        let uris: Vec<_> = source
            .uris
            .iter()
            .filter(|uri| !uri.starts_with("cdrom:"))
            .map(String::as_str)
            .collect();
        (!uris.is_empty()).then(|| (source, uris.join(" ")))
    });
    let (source, uris) = found.into_iter().next().ok_or(SourceError::NoMirror)?;
    let mut text = format!("Types: deb\nURIs: {uris}\nSuites: {BACKPORTS}\nComponents: main\n");
    for (field, value) in &source.options {
        text.push_str(&format!("{field}: {value}\n"));
    }
    Ok(Some(text))
}

#[cfg(test)]
mod tests;
