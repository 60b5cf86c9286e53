//! Writes the one file that adds the backports of the mirror the machine already uses (sources.list(5)).

use apt_sources::{Source, mirror};

/// The suite with a newer QEMU.
pub const BACKPORTS: &str = "bookworm-backports";
/// The file that we add, named so that nobody else's has the name.
pub const OWN_FILE: &str = "/etc/apt/sources.list.d/passthrough-conformance-backports.sources";

/// The suites by which a source of the release itself is known.
const RELEASE: [&str; 3] = ["bookworm", "stable", "oldstable"];
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

/// Says what our file must hold so that apt knows the backports, or that it knows them already.
/// They are taken from the mirror, and under the key, of the release itself.
pub fn backports(sources: &[Source], own_file_exists: bool) -> Result<Option<String>, SourceError> {
    if sources.iter().any(|source| source.has(BACKPORTS)) {
        return Ok(None);
    }
    if own_file_exists {
        return Err(SourceError::OwnFile);
    }
    let mirror = mirror(sources, &RELEASE).ok_or(SourceError::NoMirror)?;
    let uris = mirror.uris.join(" ");
    let mut text = format!("Types: deb\nURIs: {uris}\nSuites: {BACKPORTS}\nComponents: main\n");
    for (field, value) in &mirror.source.options {
        text.push_str(&format!("{field}: {value}\n"));
    }
    Ok(Some(text))
}

#[cfg(test)]
mod tests;
