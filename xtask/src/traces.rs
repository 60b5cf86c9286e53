//! Checks that a released image contains neither names nor texts of seeded faults.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};
use memchr::memmem;

use crate::tidy::source::Source;
use crate::workspace::Workspace;

/// The file that names the faults.
const REGISTRY: &str = "reference-hv/src/fault.rs";
/// Shorter texts occur by chance.
const SHORTEST: usize = 8;
/// If the seeded image contains fewer than this, the search itself is wrong.
const FEWEST: usize = 25;

/// Fails if the image `released` contains a text from the registry of faults that the image `seeded` contains.
pub fn check(workspace: &Workspace, released: &Path, seeded: &Path) -> anyhow::Result<()> {
    let read =
        |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let registry = String::from_utf8(read(&workspace.root.join(REGISTRY))?).context(REGISTRY)?;
    let marks = literals(&registry);
    let marks = held(&marks, &read(seeded)?);
    ensure!(
        marks.len() >= FEWEST,
        "{} holds only {} of the texts in {REGISTRY}",
        seeded.display(),
        marks.len()
    );
    let traces = held(&marks, &read(released)?);
    ensure!(
        traces.is_empty(),
        "{} holds what only the seeded image may: {}",
        released.display(),
        traces.join(", ")
    );
    Ok(())
}

/// Returns every string literal of a Rust source that is long enough.
fn literals(text: &str) -> Vec<String> {
    let source = Source::new(REGISTRY.to_owned(), text.to_owned());
    let strings = source.tokens().iter().filter_map(|token| {
        let inner = token.text.strip_prefix('"')?.strip_suffix('"')?;
        (inner.len() >= SHORTEST).then(|| inner.to_owned())
    });
    strings.collect()
}

/// Returns those of `marks` that occur in `image`.
fn held(marks: &[String], image: &[u8]) -> Vec<String> {
    let occurs = |mark: &&String| memmem::find(image, mark.as_bytes()).is_some();
    marks.iter().filter(occurs).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A trace is found, and an image without faults is not mistaken for a seeded one.
    #[test]
    fn traces_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_path_buf();
        let names: Vec<_> = (0..FEWEST)
            .map(|number| format!("fault-number-{number}"))
            .collect();
        let registry = names
            .iter()
            .map(|name| format!("const A: &str = \"{name}\"; // \"only a comment\"\n"))
            .collect::<String>();
        fs::create_dir_all(root.join("reference-hv/src")).unwrap();
        fs::write(root.join(REGISTRY), registry).unwrap();
        let image = |name: &str, text: String| {
            fs::write(root.join(name), text).unwrap();
            root.join(name)
        };
        let seeded = image("seeded", names.join("\0"));
        let clean = image("clean", "only a comment".to_owned());
        let traced = image("traced", names[3].clone());
        let workspace = Workspace {
            root: root.clone(),
            target: root.clone(),
        };
        check(&workspace, &clean, &seeded).unwrap();
        let error = check(&workspace, &traced, &seeded).unwrap_err().to_string();
        assert!(error.contains("fault-number-3"), "{error}");
        assert!(check(&workspace, &clean, &clean).is_err());
    }
}
