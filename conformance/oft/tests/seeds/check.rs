//! Checks what must hold for every catalog, whatever bytes it was read from. The fuzz target runs it on new bytes, a
//! test on the seeds.

use oft::{
    Catalog, Id, Link, Status,
    cli::{self, Format},
    excerpt,
};

/// Reads bytes as a requirement file or a source file, traces and renders the result, and panics if something is
/// inconsistent. The first byte selects the kind of file and the output.
pub fn check(data: &[u8]) {
    let Some((&kind, text)) = data.split_first() else {
        return;
    };
    let file = if kind % 2 == 0 { "f.rst" } else { "f.rs" };
    let catalog = Catalog::parse(file, text);
    let lines = 1 + text
        .iter()
        .filter(|byte| matches!(byte, b'\n' | b'\r'))
        .count();
    for note in catalog.diagnostics() {
        assert!((1..=lines).contains(&(note.line as usize)), "{note}");
        let shown = excerpt::render(note, false);
        assert!(
            !shown.chars().any(|c| c.is_control() && !"\n\t".contains(c)),
            "{shown:?}"
        );
    }
    for item in catalog.items() {
        assert_eq!(item.id.as_str().parse::<Id>().as_ref(), Ok(&item.id));
        assert!(
            (1..=lines).contains(&(item.at.line as usize)),
            "{}",
            item.at
        );
        for reference in item.covers.iter().chain(&item.depends) {
            assert!(
                (item.at.line..=lines as u32).contains(&reference.line),
                "{item:?}"
            );
        }
        assert!(catalog.get(&item.id).is_some());
    }

    let trace = catalog.trace();
    assert_eq!(trace.items().len(), catalog.items().len());
    for (at, traced) in trace.items().iter().enumerate() {
        for edge in &traced.out {
            assert_eq!(edge.link == Link::Orphaned, edge.other.is_none());
            if let Some(other) = edge.other.filter(|_| edge.link != Link::Ambiguous) {
                assert!(
                    trace.items()[other]
                        .into
                        .iter()
                        .any(|back| back.other == Some(at))
                );
            }
        }
        let bad = traced
            .out
            .iter()
            .chain(&traced.into)
            .any(|edge| edge.link.is_bad());
        let rejected = traced.item.status == Status::Rejected;
        assert!(!bad || rejected || traced.defect, "{}", traced.item.id);
    }

    let format = if kind & 2 == 0 {
        Format::Text
    } else {
        Format::Json
    };
    if kind & 4 == 0 {
        assert_eq!(cli::list(&catalog, "dsn", format).code, 0);
    } else {
        assert_eq!(
            cli::trace(&catalog, "dsn", format).code,
            u8::from(!trace.is_clean())
        );
    }
}
