//! The answers as text for people.

use std::fmt::Write;

use text::one_line;

use crate::{Catalog, Deep, Id, Item, Link, Status, Trace, Traced};

/// Lists one item on each line under the headings of the files, with the number of cases (or, further up, of items)
/// that cover it.
pub(super) fn list(trace: &Trace<'_>, case_kind: &str) -> String {
    let shown: Vec<&Traced<'_>> = trace
        .items()
        .iter()
        .filter(|traced| traced.item.id.kind() != case_kind)
        .collect();
    let id_width = width(shown.iter().map(|traced| traced.item.id.as_str()));
    let title_width = width(shown.iter().map(|traced| title(traced.item)));
    let mut text = String::new();
    let mut group = None;
    for traced in &shown {
        let item = traced.item;
        let here = Some((&item.at.file, &item.group));
        if group != here {
            let gap = if group.is_some() { "\n" } else { "" };
            let name = item.group.as_deref().unwrap_or(&item.at.file);
            line(&mut text, format_args!("{gap}{}", one_line(name)));
            group = here;
        }
        let cases = if item.needs.iter().any(|kind| kind == case_kind) {
            count(trace.covering(traced, case_kind).count(), "case")
        } else {
            count(traced.shallow().count(), "item")
        };
        line(
            &mut text,
            format_args!(
                "  {:<id_width$}  {:<title_width$}  {cases:>9}  {}",
                item.id,
                title(item),
                item.at,
            ),
        );
    }
    let gap = if shown.is_empty() { "" } else { "\n" };
    line(
        &mut text,
        format_args!("{gap}{}", summary(trace, case_kind)),
    );
    text
}

/// Number of orphans that get a suggestion; each suggestion searches all items.
const ADVISED: usize = 20;

/// Shows one block for each item: its verdict, its cases, and all its defects.
pub(super) fn trace<'c>(catalog: &'c Catalog, trace: &Trace<'c>, case_kind: &str) -> String {
    let mut text = String::new();
    let mut advised = 0;
    for traced in trace.items() {
        let item = traced.item;
        // A case without defects is shown with its requirement and needs no block of its own.
        if item.id.kind() == case_kind && !traced.defect {
            continue;
        }
        let verdict = if traced.defect { "defect" } else { "ok" };
        let status = match item.status {
            Status::Approved => String::new(),
            other => format!(" ({other})"),
        };
        let title = title(item);
        line(
            &mut text,
            format_args!("{verdict:<6}  {}{status}  {title}  {}", item.id, item.at),
        );
        covers(&mut text, trace, traced, case_kind);
        let near = |wanted: &Id| {
            advised += 1;
            (advised <= ADVISED).then(|| catalog.nearest(wanted.as_str()))?
        };
        faults(&mut text, trace, traced, near);
        text.push('\n');
    }
    line(
        &mut text,
        format_args!(
            "{}, {}",
            summary(trace, case_kind),
            count(trace.defects(), "defect")
        ),
    );
    text
}

/// Shows what covers the item with a needed kind: every case, and the number of items of other kinds.
fn covers(text: &mut String, trace: &Trace<'_>, traced: &Traced<'_>, case_kind: &str) {
    for case in trace.covering(traced, case_kind) {
        line(
            text,
            format_args!("          {}  {}  {}", case.id, title(case), case.at),
        );
    }
    for kind in traced.item.needs.iter().filter(|kind| *kind != case_kind) {
        match trace.covering(traced, kind).count() {
            0 => {}
            some => line(text, format_args!("          covered by {some} x {kind}")),
        }
    }
}

/// Shows what makes the item a defect.
fn faults<'c>(
    text: &mut String,
    trace: &Trace<'c>,
    traced: &Traced<'c>,
    mut near: impl FnMut(&Id) -> Option<&'c Id>,
) {
    let mut fault = |args: std::fmt::Arguments<'_>| line(text, format_args!("        ! {args}"));
    for twin in trace.duplicates(traced) {
        fault(format_args!("the same id is at {}", twin.at));
    }
    for (edge, next) in traced
        .out
        .iter()
        .zip(traced.out.iter().skip(1).map(Some).chain([None]))
    {
        let (wanted, file, at) = (&edge.wanted, &traced.item.at.file, edge.line);
        // If other revisions of an orphan exist, the first of them is reported.
        let other_revision = next.is_some_and(|next| {
            next.wanted == *wanted && matches!(next.link, Link::Outdated | Link::Predated)
        });
        match (edge.link, trace.other(edge)) {
            (Link::Outdated, Some(other)) => {
                fault(format_args!(
                    "outdated: {wanted} is now {} ({file}:{at})",
                    other.id
                ));
            }
            (Link::Predated, Some(other)) => {
                fault(format_args!(
                    "predated: {wanted} is still {} ({file}:{at})",
                    other.id
                ));
            }
            (Link::Unwanted, Some(other)) => {
                let kind = traced.item.id.kind();
                fault(format_args!(
                    "unwanted: {} does not need {kind} ({file}:{at})",
                    other.id
                ));
            }
            (Link::Ambiguous, _) => {
                fault(format_args!(
                    "ambiguous: {wanted} exists more than once ({file}:{at})"
                ));
            }
            (Link::Orphaned, _) if !other_revision => {
                let near = near(wanted)
                    .map(|id| format!("; did you mean `{id}`?"))
                    .unwrap_or_default();
                fault(format_args!(
                    "orphaned: there is no {wanted} ({file}:{at}){near}"
                ));
            }
            _ => {}
        }
    }
    for edge in traced.into.iter().filter(|edge| edge.link.is_bad()) {
        if let Some(other) = trace.other(edge) {
            let (link, file, at) = (edge.link.as_str(), &other.at.file, edge.line);
            fault(format_args!("{link} {} ({file}:{at})", other.id));
        }
    }
    for kind in &traced.missing {
        fault(format_args!("no {kind} covers it"));
    }
    match traced.deep {
        Deep::Covered => {}
        Deep::Cycle => fault(format_args!("its coverage runs in a cycle")),
        Deep::Uncovered => {
            let below = traced
                .into
                .iter()
                .filter_map(|edge| trace.items().get(edge.other?));
            let open = below.filter(|traced| traced.deep != Deep::Covered).count();
            if open > 0 {
                fault(format_args!(
                    "{open} of the items that cover it are not covered themselves"
                ));
            }
        }
    }
}

fn summary(trace: &Trace<'_>, case_kind: &str) -> String {
    let cases = trace
        .items()
        .iter()
        .filter(|traced| traced.item.id.kind() == case_kind)
        .count();
    let others = count(trace.items().len() - cases, "item");
    format!("{others}, {}", count(cases, "case"))
}

/// Returns the heading of an item in a form that is safe for a terminal.
fn title(item: &Item) -> String {
    one_line(item.title.as_deref().unwrap_or_default())
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Returns the width of a column, up to a maximum.
fn width(entries: impl Iterator<Item = impl AsRef<str>>) -> usize {
    entries
        .map(|entry| entry.as_ref().chars().count())
        .max()
        .unwrap_or(0)
        .min(80)
}

fn line(text: &mut String, args: std::fmt::Arguments<'_>) {
    writeln!(text, "{args}").expect("a string takes whatever is written to it");
}
