//! `order`: the modules of the hypervisor depend on one another in one direction only, so that each can be read and
//! tested with only those before it.

use std::collections::BTreeSet;

use crate::tidy::Finding;
use crate::tidy::source::{Token, Tree};

const RULE: &str = "order";
const FOLDER: &str = "reference-hv/src/";
/// Each module, and the modules that it may use. What belongs to one architecture is `arch`, which comes last and which
/// nothing else knows; of it, code that touches the machine is [`HARDWARE`].
const ALLOWED: &[(&str, &[&str])] = &[
    ("addr", &[]),
    ("ids", &["addr"]),
    ("fault", &[]),
    ("errno", &[]),
    ("access", &["addr"]),
    ("span_set", &["addr"]),
    ("dt", &["fault"]),
    ("paging", &["addr", "fault"]),
    ("hal", &["access", "addr", "ids", "paging"]),
    ("pci", &["access", "addr", "fault", "hal", "ids"]),
    ("config", &["addr", "dt", "fault", "ids", "pci"]),
    (
        "assign",
        &[
            "addr", "config", "dt", "errno", "fault", "ids", "pci", "span_set",
        ],
    ),
    ("vdev", &["access", "addr", "fault", "hal", "ids", "pci"]),
    (
        "vm",
        &[
            "access", "addr", "assign", "config", "errno", "fault", "hal", "ids", "paging", "pci",
            "span_set", "vdev",
        ],
    ),
    (
        "hypercall",
        &[
            "access", "addr", "errno", "fault", "hal", "ids", "pci", "vm",
        ],
    ),
    (
        "arch",
        &[
            "access",
            "addr",
            "assign",
            "config",
            "dt",
            "errno",
            "fault",
            "hal",
            "hypercall",
            "ids",
            "paging",
            "pci",
            "vdev",
            "vm",
        ],
    ),
    (
        "boot",
        &[
            "addr", "assign", "span_set", "config", "dt", "fault", "hal", "paging", "pci", "vm",
        ],
    ),
];
/// Code that touches the machine may use every module, and only `arch.rs` and `main.rs` may use it.
const HARDWARE: &str = "hw";

/// Finds modules that use what they may not.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, tokens) in tree.rust() {
        let Some(rest) = file.path.strip_prefix(FOLDER) else {
            continue;
        };
        let module = rest
            .split('/')
            .next()
            .unwrap_or_default()
            .trim_end_matches(".rs");
        // Tests of a module, and the machine that they run on, may use any module.
        let tests = rest.contains("/tests") || rest.starts_with("hal/fake");
        let free = matches!(rest, "lib.rs" | "main.rs") || is_hardware(rest) || tests;
        if free {
            continue;
        }
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == module) else {
            findings.push(file.finding(
                0,
                RULE,
                format!("the order of modules does not name `{module}`"),
            ));
            continue;
        };
        let mut told = BTreeSet::new();
        for known in known_by(tokens) {
            let fine = known.module == module || allowed.contains(&known.module.as_str());
            if !fine && told.insert(known.module.clone()) {
                let text = format!("`{module}` must not know `{}`", known.module);
                findings.push(file.finding(known.line, RULE, text));
            }
            if known.hardware && rest != "arch.rs" {
                findings.push(file.finding(
                    known.line,
                    RULE,
                    format!("`{module}` must not know `{HARDWARE}`"),
                ));
            }
        }
    }
    findings
}

/// Tells whether a file touches the machine.
fn is_hardware(rest: &str) -> bool {
    let mut parts = rest.split('/');
    let hw = |part: &str| part.trim_end_matches(".rs") == HARDWARE;
    parts.next() == Some("arch") && parts.nth(1).is_some_and(hw)
}

/// A module of the crate in a path.
struct Known {
    module: String,
    /// Whether the path leads to code that touches the machine.
    hardware: bool,
    line: usize,
}

/// Returns every path that begins with `crate::`, with those in braces one by one. Code after the first `#[cfg(test)]`
/// belongs to tests.
fn known_by(tokens: &[Token]) -> Vec<Known> {
    let text = |index: usize| tokens.get(index).map_or("", |token| token.text.as_str());
    let is = |index: usize, wanted: &[&str]| {
        wanted
            .iter()
            .enumerate()
            .all(|(offset, word)| text(index + offset) == *word)
    };
    let mut known = Vec::new();
    let mut name = |index: usize| {
        let line = tokens.get(index).map_or(0, |token| token.line);
        // `arch::<name>::hw`; each colon is a token.
        let hardware = text(index) == "arch" && text(index + 6) == HARDWARE;
        known.push(Known {
            module: text(index).to_owned(),
            hardware,
            line,
        });
    };
    for index in 0..tokens.len() {
        if is(index, &["#", "[", "cfg", "(", "test", ")", "]"]) {
            break;
        }
        if !is(index, &["crate", ":", ":"]) {
            continue;
        }
        if text(index + 3) != "{" {
            name(index + 3);
            continue;
        }
        let mut depth = 0_usize;
        for inner in index + 3..tokens.len() {
            match text(inner) {
                "{" => depth += 1,
                "}" => depth = depth.saturating_sub(1),
                _ if depth == 1 && matches!(text(inner - 1), "{" | ",") => name(inner),
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        check(&Tree::of(&[(path, text)]))
            .iter()
            .map(Finding::to_string)
            .collect()
    }

    /// Using an earlier module is allowed everywhere. So is anything in tests, comments and the hardware's own files.
    #[test]
    fn looking_back_is_fine() {
        for (path, text) in [
            (
                "reference-hv/src/assign/memory.rs",
                "use crate::addr::Pa;\nuse crate::{config::Host, dt};\nuse crate::assign::Plan;",
            ),
            (
                "reference-hv/src/addr.rs",
                "//! See [`crate::vm`].\n/// [`crate::dt`]\nfn a() {}\n#[cfg(test)]\nmod tests { use crate::vm::A; }",
            ),
            ("reference-hv/src/dt/tests.rs", "use crate::vm::A;"),
            ("reference-hv/src/arch/any/hw/start.rs", "use crate::vm::A;"),
            ("reference-hv/src/arch/any/hw.rs", "use crate::vm::A;"),
            ("reference-hv/src/arch.rs", "pub use crate::arch::any::hw;"),
            ("runners/src/addr.rs", "use crate::vm::A;"),
        ] {
            assert_eq!(found(path, text), [""; 0], "{path}");
        }
    }

    /// Using a later module is found wherever a path can occur, once for each module and file.
    #[test]
    fn looking_ahead_is_found() {
        assert_eq!(
            found(
                "reference-hv/src/config/host.rs",
                "use crate::addr::Pa;\nuse crate::assign::A;\nfn f() -> crate::assign::B {}"
            ),
            ["reference-hv/src/config/host.rs:2: order: `config` must not know `assign`"]
        );
        assert_eq!(
            found(
                "reference-hv/src/dt.rs",
                "use crate::{fault::{self, A}, vm, config::{assign::X}};"
            ),
            [
                "reference-hv/src/dt.rs:1: order: `dt` must not know `vm`",
                "reference-hv/src/dt.rs:1: order: `dt` must not know `config`",
            ]
        );
        assert_eq!(
            found(
                "reference-hv/src/arch/any/policy.rs",
                "fn f() { crate::arch::any::hw::level::g() }"
            ),
            ["reference-hv/src/arch/any/policy.rs:1: order: `arch` must not know `hw`"]
        );
        assert_eq!(
            found("reference-hv/src/novel.rs", ""),
            ["reference-hv/src/novel.rs: order: the order of modules does not name `novel`"]
        );
    }
}
