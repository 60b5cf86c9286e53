//! `layer`: who may know whom. An oracle that shares the subject's code passes the subject's
//! mistakes, so nothing on the host side depends on the hypervisor; the leaves do not know one
//! another.

use cargo_metadata::Metadata;

use crate::tidy::Finding;

const RULE: &str = "layer";
/// Each of our packages, and those of ours that it may depend on.
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

/// One package of ours that depends on another, also if only for tests or builds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Who depends.
    pub from: String,
    /// On whom.
    pub to: String,
}

/// Reads the edges between our own packages.
pub fn edges(metadata: &Metadata) -> Vec<Edge> {
    let ours = metadata.workspace_packages();
    let is_ours = |name: &str| ours.iter().any(|package| package.name.as_str() == name);
    // A package may name itself, to test itself with other features.
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

/// Finds edges that may not be.
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

    /// The allowed edges pass and others do not, in whichever direction.
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
