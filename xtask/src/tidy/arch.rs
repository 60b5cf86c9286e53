//! `arch`: which processor we run on is asked in one place. Elsewhere, knowledge of an
//! architecture compiles everywhere, so that it can be tested on the host.

use crate::tidy::source::Tree;
use crate::tidy::{Finding, is_in};

const RULE: &str = "arch";
/// Where an architecture may be picked.
const ALLOWED: &[&str] = &[
    "reference-hv/src/arch.rs",
    "reference-hv/src/arch/",
    "reference-hv/src/main.rs",
    "conformance/probes/src/arch.rs",
    "conformance/probes/src/arch/",
];

/// Finds `target_arch` where it does not belong.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, tokens) in tree.rust().filter(|(file, _)| !is_in(&file.path, ALLOWED)) {
        for token in tokens.iter().filter(|token| token.text == "target_arch") {
            findings.push(file.finding(
                token.line,
                RULE,
                "`target_arch` outside of the places that pick an architecture",
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The question is found in attributes and macros, and only outside its places.
    #[test]
    fn only_arch_asks_for_the_processor() {
        let asks = "#[cfg(target_arch = \"aarch64\")]\nmod x;\n";
        let tree = Tree::of(&[
            ("reference-hv/src/arch.rs", asks),
            ("reference-hv/src/arch/aarch64/gic.rs", asks),
            ("conformance/probes/src/arch/aarch64.rs", asks),
            ("reference-hv/src/policy.rs", asks),
            (
                "runners/src/lib.rs",
                "fn a() { if cfg!(target_arch = \"x\") {} }",
            ),
            (
                "wire/src/lib.rs",
                "// target_arch\nconst A: &str = \"target_arch\";",
            ),
        ]);
        let found: Vec<_> = check(&tree)
            .into_iter()
            .map(|finding| (finding.path, finding.line))
            .collect();
        assert_eq!(
            found,
            [
                ("reference-hv/src/policy.rs".to_owned(), 1),
                ("runners/src/lib.rs".to_owned(), 1)
            ]
        );
    }
}
