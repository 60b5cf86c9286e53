//! `licence`: everything that we link may be distributed under our own terms. `deny.toml` has the same list for
//! cargo-deny.

use cargo_metadata::{Metadata, Package};
use spdx::{Expression, ParseMode};

use crate::tidy::Finding;

const RULE: &str = "licence";
/// Licences that a dependency may have; of alternatives, one is enough.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];
/// Packages that may have another licence. MPL-2.0 demands publication of changes to its own files only, not of the
/// code that links them: acceptable for an unmodified package.
const EXCEPTIONS: &[(&str, &str)] = &[("fdt", "MPL-2.0")];
/// The licence of our own packages.
const OURS: &str = "Apache-2.0 OR MIT";

/// Finds packages with a licence that is not allowed or without one. Our own packages must all have the same.
pub fn check(metadata: &Metadata) -> Vec<Finding> {
    metadata
        .packages
        .iter()
        .filter_map(|package| refused(package, metadata.workspace_members.contains(&package.id)))
        .collect()
}

fn refused(package: &Package, ours: bool) -> Option<Finding> {
    let text = if ours {
        not_ours(package.license.as_deref())
    } else {
        not_allowed(&package.name, package.license.as_deref())
    }?;
    Some(Finding {
        path: format!("{} {}", package.name, package.version),
        line: 0,
        rule: RULE,
        text,
    })
}

fn not_ours(licence: Option<&str>) -> Option<String> {
    (licence != Some(OURS)).then(|| {
        format!(
            "is under {}, not {OURS} like the rest",
            licence.unwrap_or("nothing")
        )
    })
}

/// Describes what is wrong with a licence expression.
fn not_allowed(package: &str, licence: Option<&str>) -> Option<String> {
    let Some(licence) = licence else {
        return Some("names no licence".to_owned());
    };
    // Lax, because older packages write `MIT/Apache-2.0`.
    let parsed = match Expression::parse_mode(licence, ParseMode::LAX) {
        Ok(parsed) => parsed,
        Err(error) => {
            return Some(format!(
                "`{licence}` is no licence expression: {}",
                error.reason
            ));
        }
    };
    let allowed = parsed.evaluate(|wanted| {
        let wanted = wanted.to_string();
        ALLOWED.contains(&wanted.as_str()) || EXCEPTIONS.contains(&(package, wanted.as_str()))
    });
    (!allowed).then(|| format!("`{licence}` is not among the licences allowed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One allowed alternative is enough, every part of a conjunction counts, and an unreadable expression is refused.
    #[test]
    fn licences_are_judged() {
        let table = [
            ("MIT", true),
            ("MIT/Apache-2.0", true),
            ("GPL-3.0-only OR MIT", true),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("MIT AND GPL-3.0-only", false),
            ("GPL-2.0-or-later", false),
            ("AGPL-3.0-only", false),
            ("Beer", false),
            ("", false),
        ];
        for (licence, allowed) in table {
            assert_eq!(
                not_allowed("some", Some(licence)).is_none(),
                allowed,
                "{licence}"
            );
        }
        assert!(not_allowed("some", None).is_some());
        assert!(
            not_ours(Some("MIT")).is_some()
                && not_ours(None).is_some()
                && not_ours(Some(OURS)).is_none()
        );
    }

    /// cargo-deny has the same list.
    #[test]
    fn deny_toml_agrees() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../deny.toml");
        let table: toml::Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
        let list: Vec<_> = table["licenses"]["allow"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(toml::Value::as_str)
            .collect();
        assert_eq!(list, ALLOWED);
        let exceptions: Vec<_> = table["licenses"]["exceptions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| {
                (
                    one["crate"].as_str().unwrap(),
                    one["allow"][0].as_str().unwrap(),
                )
            })
            .collect();
        assert_eq!(exceptions, EXCEPTIONS);
    }
}
