//! `layer`: which package may depend on which. If the suite shared code with the hypervisor, it would also share its
//! mistakes, so nothing on the host side depends on the hypervisor. The leaf packages do not depend on each other.

use cargo_metadata::Metadata;

use crate::tidy::Finding;

const RULE: &str = "layer";
/// Each of our packages, with those of our packages that it may depend on.
const ALLOWED: &[(&str, &[&str])] = &[
    ("apt-sources", &[]),
    (
        "conformance",
        &[
            "dtb-gen", "model", "oft", "reports", "runners", "text", "wire",
        ],
    ),
    ("dtb-gen", &["text"]),
    ("model", &["text"]),
    ("oft", &["text"]),
    ("probe", &["wire"]),
    ("refhv", &[]),
    ("reports", &["model", "text"]),
    ("runners", &["apt-sources", "model", "text"]),
    ("text", &[]),
    ("wire", &["text"]),
    ("xtask", &["apt-sources"]),
];

/// A dependency between two of our packages, including those for tests or builds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The dependent package.
    pub from: String,
    /// The package that it depends on.
    pub to: String,
}

/// Reads the dependencies between our own packages.
pub fn edges(metadata: &Metadata) -> Vec<Edge> {
    let ours = metadata.workspace_packages();
    let is_ours = |name: &str| ours.iter().any(|package| package.name.as_str() == name);
    // A package may depend on itself, to test itself with other features.
    ours.iter()
        .flat_map(|package| {
            let named = package
                .dependencies
                .iter()
                .filter(|one| is_ours(&one.name) && one.name != package.name.as_str());
            named.map(|one| Edge {
                from: package.name.to_string(),
                to: one.name.clone(),
            })
        })
        .collect()
}

/// Finds dependencies that are not allowed.
pub fn check(edges: &[Edge]) -> Vec<Finding> {
    let allowed = |edge: &Edge| {
        ALLOWED
            .iter()
            .any(|(from, to)| *from == edge.from && to.contains(&edge.to.as_str()))
    };
    let finding = |edge: &Edge| Finding {
        path: edge.from.clone(),
        line: 0,
        rule: RULE,
        text: format!("must not depend on {}", edge.to),
    };
    edges
        .iter()
        .filter(|edge| !allowed(edge))
        .map(finding)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Allowed dependencies pass and others do not, in either direction.
    #[test]
    fn edges_are_judged() {
        let table = [
            ("conformance", "wire", true),
            ("reports", "text", true),
            ("oft", "runners", false),
            ("text", "wire", false),
            ("probe", "wire", true),
            ("conformance", "refhv", false),
            ("refhv", "wire", false),
            ("dtb-gen", "runners", false),
            ("wire", "conformance", false),
            ("newcomer", "wire", false),
        ];
        for (from, to, allowed) in table {
            let edge = Edge {
                from: from.to_owned(),
                to: to.to_owned(),
            };
            assert_eq!(check(&[edge]).is_empty(), allowed, "{from} -> {to}");
        }
    }
}
