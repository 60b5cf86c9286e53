//! Compares with OpenFastTrace's own answers: the same items, links and defects on the same files.
//!
//! `openfasttrace/golden.json` holds small files, made at random from the elements of the format (ids, keywords,
//! bullets, headings, forwards, switches, tags, unusual line ends and characters), and for each what OpenFastTrace
//! (4.x, as of July 2026) printed of its items and their trace. The files avoid the points in which this reader differs
//! on purpose.

use oft::{Catalog, Deep, Link, Reference, Trace, Traced};
use serde::Deserialize;

/// One file, and the items that OpenFastTrace finds in it.
#[derive(Deserialize)]
struct Golden {
    file: String,
    text: String,
    items: Vec<Expected>,
}

/// One item in OpenFastTrace's output. A missing title is an empty one there.
#[derive(Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct Expected {
    id: String,
    title: String,
    description: String,
    rationale: String,
    comment: String,
    covers: Vec<String>,
    depends: Vec<String>,
    needs: Vec<String>,
    tags: Vec<String>,
    status: String,
    line: u32,
    forwards: bool,
    links: Vec<String>,
    coverage: String,
    defect: bool,
    missing: Vec<String>,
    unneeded: Vec<String>,
}

/// Every file gives the items, the links and the verdicts of OpenFastTrace.
#[test]
fn answers_are_those_of_oft() {
    let golden: Vec<Golden> =
        serde_json::from_str(include_str!("openfasttrace/golden.json")).expect("the golden file");
    assert!(golden.len() > 50, "the golden file has its cases");
    for mut case in golden {
        let catalog = Catalog::parse(&case.file, case.text.as_bytes());
        let trace = catalog.trace();
        let mut found: Vec<Expected> = trace
            .items()
            .iter()
            .map(|traced| seen(&trace, traced))
            .collect();
        found.sort();
        case.items.iter_mut().for_each(|item| item.links.sort());
        case.items.sort();
        assert_eq!(found, case.items, "{}:\n{}", case.file, case.text);
    }
}

fn seen(trace: &Trace<'_>, traced: &Traced<'_>) -> Expected {
    let item = traced.item;
    let ids = |references: &[Reference]| {
        references
            .iter()
            .map(|reference| reference.id.to_string())
            .collect()
    };
    let mut links: Vec<String> = traced
        .out
        .iter()
        .chain(&traced.into)
        .map(|edge| {
            let other = trace.other(edge).map_or(&edge.wanted, |item| &item.id);
            format!("{} {other}", name(edge.link))
        })
        .collect();
    links.extend(
        trace
            .duplicates(traced)
            .map(|item| format!("DUPLICATE {}", item.id)),
    );
    links.sort();
    // The tool that wrote the golden file lists each kind once, in alphabetical order.
    let mut missing = traced.missing.clone();
    missing.sort();
    missing.dedup();
    Expected {
        id: item.id.to_string(),
        title: item.title.clone().unwrap_or_default(),
        description: item.description.clone(),
        rationale: item.rationale.clone(),
        comment: item.comment.clone(),
        covers: ids(&item.covers),
        depends: ids(&item.depends),
        needs: item.needs.clone(),
        tags: item.tags.clone(),
        status: item.status.to_string(),
        line: item.at.line,
        forwards: item.forwards,
        links,
        coverage: match traced.deep {
            Deep::Covered => "covered",
            Deep::Uncovered => "uncovered",
            Deep::Cycle => "cycle",
        }
        .to_owned(),
        defect: traced.defect,
        missing,
        unneeded: traced.unneeded.clone(),
    }
}

fn name(link: Link) -> &'static str {
    match link {
        Link::Covers => "COVERS",
        Link::Predated => "PREDATED",
        Link::Outdated => "OUTDATED",
        Link::Ambiguous => "AMBIGUOUS",
        Link::Unwanted => "UNWANTED",
        Link::Orphaned => "ORPHANED",
        Link::CoveredShallow => "COVERED_SHALLOW",
        Link::CoveredUnwanted => "COVERED_UNWANTED",
        Link::CoveredPredated => "COVERED_PREDATED",
        Link::CoveredOutdated => "COVERED_OUTDATED",
    }
}
