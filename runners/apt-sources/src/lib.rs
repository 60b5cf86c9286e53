//! Reads apt's package sources (sources.list(5)) in both of their forms, and finds the mirror of a release.
//!
//! This small crate stands alone because `xtask` reads sources before anything else is built, and `runners` reads them
//! when it fetches a subject's package.

use std::fs;
use std::path::{Path, PathBuf};

/// The folder in which apt looks for sources.
pub const APT: &str = "/etc/apt";

/// Options about how to reach and trust a mirror, which therefore apply to its backports as well: their names in the
/// one-line form and as a field.
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
    /// Addresses to fetch from.
    pub uris: Vec<String>,
    /// The suites.
    pub suites: Vec<String>,
    /// The components.
    pub components: Vec<String>,
    /// The options kept, as fields with their values; a value may span several lines.
    pub options: Vec<(&'static str, String)>,
}

/// A source of a release that is not an installation medium.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror<'s> {
    /// The source.
    pub source: &'s Source,
    /// Its first address that is not an installation medium.
    pub uri: &'s str,
    /// All its addresses that are not installation media.
    pub uris: Vec<&'s str>,
}

/// Reads every source under `apt`, usually [`APT`]. A file that is unreadable or that apt would ignore adds none.
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
    // Excludes `deb-src` and other words that begin with `deb`.
    let rest = rest.strip_prefix([' ', '\t'])?.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => ("", rest),
    };
    let mut words = rest.split_whitespace().map(str::to_owned);
    let options = options.split_whitespace().filter_map(|option| {
        let (name, value) = option.split_once('=')?;
        let (_, field) = KEPT.iter().find(|(known, _)| *known == name)?;
        // Several values are separated by commas here and by spaces in a field.
        Some((*field, value.replace(',', " ")))
    });
    Some(Source {
        options: options.collect(),
        uris: vec![words.next()?],
        suites: vec![words.next()?],
        components: words.collect(),
    })
}

/// Reads the form with stanzas of fields (deb822).
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

impl Source {
    /// Tells whether the source contains the main component of this suite.
    pub fn has(&self, suite: &str) -> bool {
        let one_is = |all: &[String], wanted: &str| all.iter().any(|one| one == wanted);
        one_is(&self.suites, suite) && one_is(&self.components, "main")
    }
}

/// Finds the first source, other than installation media, that contains the main component of one of these suites.
/// Media hold neither backports nor other architectures.
pub fn mirror<'s>(sources: &'s [Source], suites: &[&str]) -> Option<Mirror<'s>> {
    let releases = sources
        .iter()
        .filter(|source| suites.iter().any(|suite| source.has(suite)));
    let mut mirrors = releases.filter_map(|source| {
        let uris = source.uris.iter().map(String::as_str);
        let uris: Vec<_> = uris.filter(|uri| !uri.starts_with("cdrom:")).collect();
        let uri = uris.first().copied()?;
        Some(Mirror { source, uri, uris })
    });
    mirrors.next()
}

#[cfg(test)]
mod tests;
