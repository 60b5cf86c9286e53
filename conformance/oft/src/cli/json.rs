//! The answers as JSON. An incompatible change raises the number in `schema`.

use serde::Serialize;

use crate::{Deep, Diagnostic, Edge, Id, Link, Status, Trace, Traced};

#[derive(Serialize)]
struct Listed<'t> {
    id: &'t Id,
    title: Option<&'t str>,
    group: Option<&'t str>,
    status: Status,
    file: &'t str,
    line: u32,
    needs: &'t [String],
    cases: Vec<&'t Id>,
}

#[derive(Serialize)]
struct Judged<'t> {
    #[serde(flatten)]
    listed: Listed<'t>,
    defect: bool,
    coverage: Deep,
    missing: &'t [String],
    unneeded: &'t [String],
    duplicates: Vec<String>,
    out: Vec<Linked<'t>>,
    into: Vec<Linked<'t>>,
}

#[derive(Serialize)]
struct Linked<'t> {
    link: Link,
    wanted: &'t Id,
    other: Option<&'t Id>,
    line: u32,
}

#[derive(Serialize)]
struct Answer<'t, T> {
    schema: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    defects: Option<usize>,
    items: Vec<T>,
    diagnostics: &'t [Diagnostic],
}

pub(super) fn list(trace: &Trace<'_>, cases: &str, diagnostics: &[Diagnostic]) -> String {
    let items = trace
        .items()
        .iter()
        .filter(|traced| traced.item.id.kind() != cases)
        .map(|traced| listed(trace, traced, cases))
        .collect();
    render(&Answer {
        schema: "requirements-list/2",
        defects: None,
        items,
        diagnostics,
    })
}

pub(super) fn trace(trace: &Trace<'_>, cases: &str, diagnostics: &[Diagnostic]) -> String {
    let items = trace
        .items()
        .iter()
        .map(|traced| judged(trace, traced, cases))
        .collect();
    let defects = Some(trace.defects());
    render(&Answer {
        schema: "requirements-trace/2",
        defects,
        items,
        diagnostics,
    })
}

pub(super) fn refused(diagnostics: &[Diagnostic]) -> String {
    let items = Vec::<()>::new();
    render(&Answer {
        schema: "requirements-refused/2",
        defects: None,
        items,
        diagnostics,
    })
}

fn listed<'t>(trace: &Trace<'t>, traced: &Traced<'t>, cases: &str) -> Listed<'t> {
    let item = traced.item;
    Listed {
        id: &item.id,
        title: item.title.as_deref(),
        group: item.group.as_deref(),
        status: item.status,
        file: &item.at.file,
        line: item.at.line,
        needs: &item.needs,
        cases: trace.covering(traced, cases).map(|case| &case.id).collect(),
    }
}

fn judged<'t>(trace: &'t Trace<'_>, traced: &'t Traced<'_>, cases: &str) -> Judged<'t> {
    let linked = |edge: &'t Edge| Linked {
        link: edge.link,
        wanted: &edge.wanted,
        other: trace.other(edge).map(|item| &item.id),
        line: edge.line,
    };
    Judged {
        listed: listed(trace, traced, cases),
        defect: traced.defect,
        coverage: traced.deep,
        missing: &traced.missing,
        unneeded: &traced.unneeded,
        duplicates: trace
            .duplicates(traced)
            .map(|item| item.at.to_string())
            .collect(),
        out: traced.out.iter().map(linked).collect(),
        into: traced.into.iter().map(linked).collect(),
    }
}

fn render<T: Serialize>(answer: &Answer<'_, T>) -> String {
    let mut text = serde_json::to_string_pretty(answer)
        .expect("strings, numbers and lists of them are always JSON");
    text.push('\n');
    text
}
