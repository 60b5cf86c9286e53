//! Groups of requirements, which a subject claims or leaves as optional.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, bail};
use oft::{Catalog, Id};
use text::nearest;

/// The file that defines the groups.
const FILE: &str = "groups.toml";

/// Returns the requirements of the groups `named`. A file in the tree of requirements defines the groups. A tree
/// without it has no groups, and everything in it counts as claimed.
pub fn optional(root: &Path, catalog: &Catalog, named: &BTreeSet<String>) -> Result<Vec<Id>> {
    let path = root.join(FILE);
    let shown = path.display();
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("{shown}: cannot be read")),
    };
    let groups: BTreeMap<String, Vec<String>> =
        toml::from_str(&text).with_context(|| format!("{shown}: no groups of requirements"))?;
    for text in groups.values().flatten() {
        let known = text.parse::<Id>().ok().and_then(|id| catalog.get(&id));
        if known.is_none() {
            let hint = catalog
                .nearest(text)
                .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            bail!("{shown}: nothing defines `{text}`{hint}");
        }
    }
    let mut found = Vec::new();
    for name in named {
        let Some(ids) = groups.get(name) else {
            let hint = nearest(name, groups.keys().map(String::as_str))
                .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            bail!("`optional`: {shown} has no group `{name}`{hint}");
        };
        found.extend(ids.iter().filter_map(|text| text.parse::<Id>().ok()));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::folder;

    fn asked(groups: Option<&str>, named: &str) -> Result<Vec<Id>> {
        let folder = folder(&[]);
        if let Some(text) = groups {
            std::fs::write(folder.path().join(FILE), text)?;
        }
        let catalog = Catalog::load(folder.path()).unwrap();
        optional(folder.path(), &catalog, &BTreeSet::from([named.to_owned()]))
    }

    /// A group stands for its requirements; a tree without groups has none.
    #[test]
    fn a_group_stands_for_its_requirements() {
        let groups = "few = ['XenSSR~other~1', 'XenSSR~demo~2']\nnone = []\n";
        let ids = asked(Some(groups), "few").unwrap();
        let ids: Vec<&str> = ids.iter().map(Id::as_str).collect();
        assert_eq!(ids, ["XenSSR~other~1", "XenSSR~demo~2"]);
        assert!(asked(None, "few").unwrap().is_empty());
    }

    /// An unknown group or requirement is reported with the nearest name.
    #[test]
    fn unknown_names_are_refused() {
        let told = |groups: &str, named| asked(Some(groups), named).unwrap_err().to_string();
        let text = told("few = []\n", "fwe");
        assert!(text.contains("did you mean `few`"), "{text}");
        let text = told("few = ['XenSSR~demo~1']\n", "few");
        assert!(text.contains("nothing defines `XenSSR~demo~1`"), "{text}");
    }
}
