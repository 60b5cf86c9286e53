//! Checks the requirement files of this repository: their content and their style.

use std::fs;
use std::path::Path;

use conformance::kinds::{CASE_KIND, REQUIREMENT_KIND};
use oft::cli::{self, Format};
use oft::{Catalog, Deep, Item, Status, Trace};

/// The chapter: its groups and, indented below each, the names of its requirements, in order.
const CHAPTER: &str = include_str!("fixtures/chapter.txt");

/// Returns name and group of each requirement.
fn chapter_names() -> Vec<(&'static str, &'static str)> {
    let mut group = "";
    let lines = CHAPTER.lines().filter(|line| !line.is_empty());
    let named = lines.filter_map(|line| match line.strip_prefix("  ") {
        Some(name) => Some((name, group)),
        None => {
            group = line;
            None
        }
    });
    named.collect()
}

const PARENT: &str = "XenPRQ~device_passthrough~1";

fn top() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../requirements"))
}

fn catalog() -> Catalog {
    Catalog::load(top()).unwrap_or_else(|notes| panic!("{notes:#?}"))
}

/// Reads the upstream form of the chapter: the same ids with their titles, an empty rationale,
/// lists in a rationale, a blank line below `Needs:`, notes and references at the end.
fn chapter() -> Catalog {
    let mut text = "Device Passthrough\n==================\n\nSome words [1], [2].\n".to_owned();
    let mut group = "";
    for (name, here) in chapter_names() {
        if group != here {
            text += &format!("\n{here}\n{}\n", "=".repeat(here.len()));
            group = here;
        }
        text += &format!(
            "\nOn {name}\n---{}\n\n`XenSSR~{name}~1`\n\n",
            "-".repeat(name.len())
        );
        text += "Description:\nXen shall do this\n(and that).\n\nRationale:\n\n - A list (\"xen,reg\") of\n reasons\n\n";
        text += &format!("Covers:\n - `{PARENT}`\n\nNeeds:\n\n - XenValTestCase\n");
    }
    text += "\nNotes\n=====\n\nThe notes name no item.\n\n| [1] https://example.org/?p=xen.git;a=blob\n";
    Catalog::parse("passthrough.rst", text.as_bytes())
}

fn requirements(catalog: &Catalog) -> Vec<&Item> {
    catalog.of_kind(REQUIREMENT_KIND).collect()
}

/// A chapter in upstream's form is read as its 19 items, with titles, covers and needs.
#[test]
fn upstream_form_is_read() {
    let catalog = chapter();
    assert_eq!(catalog.diagnostics(), []);
    let items = requirements(&catalog);
    assert_eq!(items.len(), catalog.items().len());
    for (item, (name, group)) in items.iter().zip(chapter_names()) {
        assert_eq!(item.id.to_string(), format!("XenSSR~{name}~1"));
        assert_eq!(item.title, Some(format!("On {name}")));
        assert_eq!(item.group.as_deref(), Some(group));
        assert_eq!(item.description, "Xen shall do this\n(and that).");
        assert_eq!(item.rationale, "- A list (\"xen,reg\") of\n reasons");
        assert_eq!(
            item.covers
                .iter()
                .map(|covered| covered.id.as_str())
                .collect::<Vec<_>>(),
            [PARENT]
        );
        assert_eq!(item.needs, [CASE_KIND]);
    }
    assert_eq!(items.len(), chapter_names().len());
    assert_eq!(
        catalog.trace().defects(),
        19,
        "without parent and cases every item is a defect"
    );
}

/// The repository has the same 19 items under the same ids, in the same order and groups.
#[test]
fn repository_has_the_same_items() {
    let catalog = catalog();
    assert_eq!(catalog.diagnostics(), []);
    let found: Vec<_> = requirements(&catalog)
        .iter()
        .map(|item| (item.id.to_string(), item.group.clone().unwrap_or_default()))
        .collect();
    let wanted: Vec<_> = chapter_names()
        .into_iter()
        .map(|(name, group)| (format!("XenSSR~{name}~1"), group.to_owned()))
        .collect();
    assert_eq!(found, wanted);
    for item in requirements(&catalog) {
        assert_eq!(
            item.covers
                .iter()
                .map(|covered| covered.id.as_str())
                .collect::<Vec<_>>(),
            [PARENT]
        );
        assert_eq!(
            (item.needs.as_slice(), item.status),
            (&[CASE_KIND.to_owned()][..], Status::Approved)
        );
    }
    let parent = catalog
        .get(&PARENT.parse().expect("an id"))
        .expect("the parent");
    assert_eq!(parent.needs, [REQUIREMENT_KIND]);
}

/// Each item has a title and a reason, says "Xen shall" and nothing weaker, and keeps the style.
#[test]
fn items_keep_the_style() {
    let catalog = catalog();
    for item in requirements(&catalog) {
        let text = format!("{}\n", item.description);
        assert!(text.starts_with("Xen shall "), "{}: {text}", item.id);
        assert!(text.ends_with(".\n"), "{}: {text}", item.id);
        assert!(!text.contains("should"), "{}: {text}", item.id);
        assert!(!item.rationale.is_empty(), "{}", item.id);
        assert!(
            item.title.as_ref().is_some_and(|title| !title.is_empty()),
            "{}",
            item.id
        );
    }
    for item in catalog
        .items()
        .iter()
        .filter(|item| item.at.file.ends_with(".rst"))
    {
        let text = fs::read_to_string(&*item.at.file).expect("the file that was just read");
        assert!(
            text.starts_with(".. SPDX-License-Identifier: CC-BY-4.0\n"),
            "{}",
            item.at.file
        );
        for (number, line) in text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.contains("://"))
        {
            assert!(
                line.chars().count() <= 80,
                "{}:{}: {line}",
                item.at.file,
                number + 1
            );
        }
    }
}

/// The corrections of the review are in: only direct-mapped domains, stated where it applies, and boot time domains in
/// both notes.
#[test]
fn review_is_heeded() {
    let catalog = catalog();
    for name in [
        "assign_pci_device_without_iommu",
        "assign_dma_platform_device_without_iommu",
    ] {
        let item = catalog.find(REQUIREMENT_KIND, name).next().expect(name);
        let text = item.description.replace('\n', " ");
        assert!(text.contains("for direct-mapped domains only"), "{text}");
        assert!(text.contains("trusted") && text.contains("XMPU"), "{text}");
    }
    let text =
        fs::read_to_string(top().join("physical_resources/passthrough.rst")).expect("the chapter");
    let notes = text
        .split("\nNotes\n")
        .nth(1)
        .expect("the notes")
        .replace('\n', " ");
    assert_eq!(notes.matches("to boot time domains").count(), 2, "{notes}");
    assert!(!notes.contains("to started"), "{notes}");
}

/// With a case for every requirement, the chain from the product requirement down is closed.
#[test]
fn chain_closes_with_cases() {
    let mut catalog = catalog();
    assert_eq!(deep(&catalog.trace()), Deep::Uncovered);
    assert_eq!(cli::trace(&catalog, CASE_KIND, Format::Text).code, 1);
    for (name, _) in chapter_names() {
        let requirement = catalog.find(REQUIREMENT_KIND, name).next().expect(name);
        let reference = oft::Reference {
            id: requirement.id.clone(),
            line: 2,
        };
        let at = oft::Location {
            file: format!("{name}.yaml").into(),
            line: 1,
        };
        let case = Item::new(
            format!("{CASE_KIND}~{name}.works~1")
                .parse()
                .expect("an id"),
            at,
        );
        catalog.add(Item {
            covers: vec![reference],
            ..case
        });
    }
    let trace = catalog.trace();
    assert_eq!((trace.defects(), deep(&trace)), (0, Deep::Covered));
    assert_eq!(cli::trace(&catalog, CASE_KIND, Format::Text).code, 0);
}

fn deep(trace: &Trace<'_>) -> Deep {
    trace
        .get(&PARENT.parse().expect("an id"))
        .expect("the parent")
        .deep
}
