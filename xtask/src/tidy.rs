//! House rules as code. Each rule reads the tree of files, which is read once, and returns its findings. No rule
//! changes anything.

mod architecture;
mod circles;
mod layers;
mod licences;
mod order;
mod orphans;
mod parts;
mod req_ids;
mod size;
pub mod source;
mod unsafety;
mod unused;
mod vocabulary;
mod word_list;
mod words;

use std::fmt;

use crate::tidy::source::Tree;
use crate::workspace::Workspace;

/// One violation of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file, relative to the root of the repository.
    pub path: String,
    /// The line, from 1; 0 means the whole file.
    pub line: usize,
    /// The rule's name.
    pub rule: &'static str,
    /// What is wrong.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": {}: {}", self.rule, self.text)
    }
}

/// A rule over the files of the repository.
type Rule = fn(&Tree) -> Vec<Finding>;

const RULES: &[Rule] = &[
    architecture::check,
    unsafety::check,
    req_ids::check,
    order::check,
    orphans::check,
    size::check,
    circles::check,
    vocabulary::check,
    words::check,
];

/// Applies every rule and returns the findings, ordered by place.
pub fn run(workspace: &Workspace) -> anyhow::Result<Vec<Finding>> {
    let tree = Tree::read(&workspace.root)?;
    let mut findings = over(&tree);
    let metadata = workspace.metadata(&[])?;
    findings.extend(unused::check(&tree, &unused::packages(&metadata)));
    findings.extend(licences::check(&metadata));
    findings.extend(layers::check(&layers::edges(&metadata)));
    findings.sort();
    Ok(findings)
}

fn over(tree: &Tree) -> Vec<Finding> {
    let mut findings: Vec<_> = tree.unreadable().collect();
    findings.extend(RULES.iter().flat_map(|rule| rule(tree)));
    findings
}

/// Tells whether `path` is in one of `places`: a directory if it ends in a slash, else a file.
fn is_in(path: &str, places: &[&str]) -> bool {
    places.iter().any(|place| {
        if place.ends_with('/') {
            path.starts_with(place)
        } else {
            path == *place
        }
    })
}
