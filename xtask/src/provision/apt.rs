//! Writes the one file that adds the backports of the machine's own mirror (sources.list(5)).

use apt_sources::{Source, mirror};

/// The suite with a newer QEMU.
pub const BACKPORTS: &str = "bookworm-backports";
/// The file that we add. Its name is ours alone.
pub const OWN_FILE: &str = "/etc/apt/sources.list.d/passthrough-conformance-backports.sources";

/// The suites that identify a source of the release itself.
const RELEASE: [&str; 3] = ["bookworm", "stable", "oldstable"];
/// Why the source of backports cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// Our file exists but does not enable the suite.
    #[error(
        "{OWN_FILE} exists, but does not enable {BACKPORTS}: correct or remove it and try again"
    )]
    OwnFile,
    /// The release does not come from a mirror.
    #[error(
        "no package source under /etc/apt names a mirror of bookworm, so there is none to take {BACKPORTS} from"
    )]
    NoMirror,
}

/// Returns the content of our file that makes the backports known to apt, or nothing if they are known already. They
/// come from the release's own mirror and have its key.
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
