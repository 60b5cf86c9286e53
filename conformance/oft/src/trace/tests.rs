use proptest::prelude::*;

use super::*;
use crate::Catalog;

/// Parses a catalog written as `id < covered covered > needed needed`, one item on each line.
fn catalog(text: &str) -> Catalog {
    let mut rst = String::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (head, needs) = line.split_once('>').unwrap_or((line, ""));
        let (id, covers) = head.split_once('<').unwrap_or((head, ""));
        let (id, status) = id.trim().split_once(' ').unwrap_or((id.trim(), "approved"));
        rst += &format!("{id}\nStatus: {status}\nCovers:\n");
        covers
            .split_whitespace()
            .for_each(|covered| rst += &format!("- {covered}\n"));
        rst += "Needs:\n";
        needs
            .split_whitespace()
            .for_each(|kind| rst += &format!("- {kind}\n"));
        rst += "\n";
    }
    Catalog::parse("a.rst", rst.as_bytes())
}

/// Shows the links of one item, as `out | in`.
fn links(trace: &Trace<'_>, id: &str) -> String {
    let traced = trace.get(&id.parse().expect("an id")).expect("an item");
    let side = |edges: &[Edge]| {
        let mut links: Vec<&str> = edges.iter().map(|edge| edge.link.as_str()).collect();
        links.sort_unstable();
        links.join(", ")
    };
    format!("{} | {}", side(&traced.out), side(&traced.into))
}

/// Every kind of link, seen from both ends.
#[test]
fn links_have_two_ends() {
    for (text, covering, covered) in [
        (
            "req~a~1 > dsn\n dsn~b~1 < req~a~1",
            "covers | ",
            " | covered by",
        ),
        (
            "req~a~1 > impl\n dsn~b~1 < req~a~1",
            "unwanted | ",
            " | unwanted coverage by",
        ),
        (
            "req~a~1 > dsn\n dsn~b~1 < req~a~0",
            "orphaned, outdated | ",
            " | outdated coverage by",
        ),
        (
            "req~a~1 > dsn\n dsn~b~1 < req~a~2",
            "orphaned, predated | ",
            " | predated coverage by",
        ),
        ("req~a~1 > dsn\n dsn~b~1 < req~x~1", "orphaned | ", " | "),
        (
            "req~a~1 > dsn\n req~a~1\n dsn~b~1 < req~a~1",
            "ambiguous | ",
            " | ",
        ),
        (
            "req~a~1\n req~a~1 > dsn\n dsn~b~1 < req~a~1",
            "unwanted | ",
            " | unwanted coverage by",
        ),
        (
            "req~a~1 > dsn\n dsn~b~1 < req~a~1 req~a~1",
            "covers, covers | ",
            " | covered by, covered by",
        ),
        (
            "req~a~1 > dsn\n req~a~3 > dsn\n dsn~b~1 < req~a~2",
            "orphaned, outdated, predated | ",
            " | predated coverage by",
        ),
    ] {
        let catalog = catalog(text);
        let trace = catalog.trace();
        assert_eq!(links(&trace, "dsn~b~1"), covering, "{text}");
        assert_eq!(links(&trace, "req~a~1"), covered, "{text}");
    }
}

/// Coverage is deep: an item is covered if all that it needs is covered, at every level.
#[test]
fn coverage_is_deep() {
    for (text, deep, defects) in [
        ("req~a~1", Deep::Covered, 0),
        ("req~a~1 > dsn", Deep::Uncovered, 1),
        ("req~a~1 > dsn\n dsn~b~1 < req~a~1", Deep::Covered, 0),
        ("req~a~1 > dsn impl\n dsn~b~1 < req~a~1", Deep::Uncovered, 1),
        (
            "req~a~1 > dsn\n dsn~b~1 < req~a~1 > impl",
            Deep::Uncovered,
            2,
        ),
        (
            "req~a~1 > dsn\n dsn~b~1 < req~a~1 > impl\n impl~c~1 < dsn~b~1",
            Deep::Covered,
            0,
        ),
        (
            "req~a~1 > dsn\n dsn~b~1 < req~a~1\n dsn~c~1 < req~a~1 > impl",
            Deep::Uncovered,
            2,
        ),
        // A rejected item is no defect for lack of coverage, but what it covers is not deeply covered.
        (
            "req~a~1 > dsn\n dsn~b~1 rejected < req~a~1 > impl",
            Deep::Uncovered,
            1,
        ),
        ("req~a~1 rejected > dsn", Deep::Uncovered, 0),
        ("req~a~1 rejected\n req~a~1 rejected", Deep::Covered, 2),
        ("req~a~1\n req~b~1 < req~a~1", Deep::Covered, 2),
        (
            "req~a~1 < req~b~1 > req\n req~b~1 < req~a~1 > req",
            Deep::Cycle,
            2,
        ),
        ("req~a~1 < req~a~1 > req", Deep::Cycle, 1),
        (
            "req~a~1 > req\n req~b~1 < req~a~1 req~c~1 > req\n req~c~1 < req~b~1 > req",
            Deep::Cycle,
            3,
        ),
    ] {
        let catalog = catalog(text);
        let trace = catalog.trace();
        let traced = trace
            .get(&"req~a~1".parse().expect("an id"))
            .expect("the item");
        assert_eq!((traced.deep, trace.defects()), (deep, defects), "{text}");
        assert_eq!(trace.is_clean(), defects == 0, "{text}");
    }
}

/// Missing and unneeded kinds are named.
#[test]
fn missing_and_unneeded_kinds_are_named() {
    let catalog = catalog(
        "req~a~1 > dsn impl\n dsn~b~1 < req~a~1\n utest~b~1 < req~a~1\n arch~b~1 < req~a~1",
    );
    let trace = catalog.trace();
    let traced = trace.items().first().expect("the item");
    assert_eq!(traced.missing, ["impl"]);
    assert_eq!(traced.unneeded, ["arch", "utest"]);
}

/// The first of several items with one id counts, and all of them are defects.
#[test]
fn duplicates_are_defects() {
    let catalog = catalog("req~a~1\n req~a~1\n req~a~1");
    let trace = catalog.trace();
    let twins: Vec<usize> = trace
        .items()
        .iter()
        .map(|traced| traced.duplicates.len())
        .collect();
    assert_eq!((twins, trace.defects()), (vec![2, 1, 1], 3));
}

/// The items of a kind that cover an item are found through the links, including those of added items.
#[test]
fn covering_items_are_found() {
    let mut catalog = catalog("XenSSR~a~1 > XenValTestCase");
    let id: Id = "XenSSR~a~1".parse().expect("an id");
    let cases = |catalog: &Catalog| -> Vec<String> {
        let trace = catalog.trace();
        let above = trace.get(&id).expect("an item");
        let cases = trace.covering(above, "XenValTestCase");
        cases.map(|case| case.id.to_string()).collect()
    };
    assert_eq!(cases(&catalog), [""; 0]);
    assert!(!catalog.trace().is_clean());
    let at = crate::Location {
        file: "a.yaml".into(),
        line: 3,
    };
    let case = Item::new("XenValTestCase~a.works~1".parse().expect("an id"), at);
    catalog.add(Item {
        covers: vec![Reference {
            id: id.clone(),
            line: 4,
        }],
        ..case
    });
    assert!(catalog.trace().is_clean());
    assert_eq!(cases(&catalog), ["XenValTestCase~a.works~1"]);
}

/// A chain deeper than any stack is traced like a short one.
#[test]
fn depth_is_no_limit() {
    let mut text = "req~n0~1 > req\n".to_owned();
    for n in 1..50_000 {
        text += &format!("req~n{n}~1 < req~n{}~1 > req\n", n - 1);
    }
    let open = catalog(&text);
    assert_eq!(open.trace().defects(), 50_000);
    let closed = catalog(&format!("{text}req~end~1 < req~n49999~1"));
    assert_eq!(closed.trace().defects(), 0);
}

proptest! {
    /// For any links, both ends agree, and coverage is the same as found by a walk along them.
    #[test]
    fn trace_is_consistent(
        items in prop::collection::vec((0..3_u32, 0..6_u32, prop::collection::vec((0..3_u32, 0..6_u32), 0..4), 0..4_u32), 0..12)
    ) {
        let text: String = items.iter().map(|(revision, name, covers, needs)| {
            let covers: String = covers.iter().map(|(revision, name)| format!("k~n{name}~{revision} ")).collect();
            format!("k~n{name}~{revision} < {covers} {}\n", ["", "> k", "> other", "> k other"][*needs as usize])
        }).collect();
        let catalog = catalog(&text);
        let trace = catalog.trace();
        prop_assert_eq!(trace.items().len(), items.len());
        for (at, traced) in trace.items().iter().enumerate() {
            for edge in &traced.into {
                let other = &trace.items()[edge.other.expect("what covers exists")];
                prop_assert!(other.out.iter().any(|back| back.other == Some(at) && back.wanted == edge.wanted));
            }
            // Walk down; the longest path without a repetition has as many items as there are.
            let mut level = vec![at];
            let (mut open, mut length) = (!traced.missing.is_empty(), 0);
            while !level.is_empty() && length <= items.len() {
                level = level.iter().flat_map(|&at| &trace.items()[at].into).filter_map(|edge| edge.other).collect();
                level.sort_unstable();
                level.dedup();
                open |= level.iter().any(|&at| !trace.items()[at].missing.is_empty());
                length += 1;
            }
            let walked = match (level.is_empty(), open) {
                (false, _) => Deep::Cycle,
                (true, true) => Deep::Uncovered,
                (true, false) => Deep::Covered,
            };
            // A path to a duplicate counts as a cycle, though it ends.
            prop_assert!(traced.deep == walked || !traced.duplicates.is_empty() && traced.deep == Deep::Cycle);
        }
    }
}
