//! Judges what the IOMMU did, if a case asks for it.

use runners::{Access, AccessFate, Counted, Iommus};

use super::{Check, NOTHING, check};
use crate::iommu;
use crate::observe::Observation;
use crate::scenario::Scenario;
use crate::scenario::iommu_events::{About, EventRule, Wanted};

/// Prefix of the names of these checks.
const ABOUT: &str = "IOMMU: ";

/// Says why the record of the IOMMU is incomplete, if a check depends on what is missing.
pub(super) fn doubt(seen: &Observation, checks: &[Check]) -> Option<String> {
    let open = |check: &Check| !check.ok && check.seen == NOTHING && check.what.starts_with(ABOUT);
    if !checks.iter().any(open) {
        return None;
    }
    match &seen.iommus {
        None => Some("no IOMMU was observed".to_owned()),
        Some(iommus) => iommu::doubt(iommus),
    }
}

/// Judges each line of `events`.
pub(super) fn judge(scenario: &Scenario, seen: &Observation, checks: &mut Vec<Check>) {
    for rule in &scenario.iommu_events {
        let (told, ok) = match (&rule.wanted, &seen.iommus) {
            (Wanted::Whatever, _) => continue,
            (_, None) => (NOTHING.to_owned(), false),
            (Wanted::AtLeast(count), Some(iommus)) => wanted(rule, *count, iommus),
            (Wanted::Nothing, Some(iommus)) => absent(rule, &scenario.iommu_events, iommus),
        };
        let what = format!("{ABOUT}{}", rule.text);
        checks.push(check(&what, &rule.wanted.to_string(), &told, ok));
    }
}

/// Looks for accesses that must have occurred. One source is enough: the queue has limited room, and the trace does not
/// distinguish reads from writes. If the queue has one of them, the trace is not counted as the other.
fn wanted(rule: &EventRule, count: u64, iommus: &Iommus) -> (String, bool) {
    let queued = || iommus.queues.iter().map(|queue| &queue.accesses);
    let in_queue: u64 = queued()
        .map(|tally| tally.count(|access| rule.is(access)))
        .sum();
    let in_trace = iommus.trace.accesses.count(|access| {
        // The record of this very access decides what the trace leaves open.
        let same = |record: &&Counted| {
            let Access {
                stream,
                fate,
                address,
                ..
            } = record.access;
            (stream, fate, address) == (access.stream, access.fate, access.address)
        };
        let records = || queued().flat_map(|tally| &tally.seen).filter(same);
        let fits = |record: &Counted| rule.may_be(&record.access);
        rule.may_be(access) && (records().next().is_none() || records().any(fits))
    });
    let most = in_queue.max(in_trace);
    let told = match most {
        _ if most >= count => "so it is",
        // The missing access may be among those that were not kept.
        _ if iommu::doubt(iommus).is_some() => NOTHING,
        0 => "none",
        _ => "fewer",
    };
    (told.to_owned(), most >= count)
}

/// Looks for accesses that must not have occurred, in both sources.
fn absent(rule: &EventRule, rules: &[EventRule], iommus: &Iommus) -> (String, bool) {
    let is = |access: &Access| match rule.about {
        About::These { .. } => rule.is(access),
        About::Others => {
            matches!(access.fate, AccessFate::Recorded(_))
                && !rules.iter().any(|rule| rule.may_be(access))
        }
    };
    let queues = iommus.queues.iter().map(|queue| &queue.accesses);
    let tallies = queues.chain([&iommus.trace.accesses]);
    let found = tallies
        .flat_map(|tally| &tally.seen)
        .map(|counted| &counted.access);
    // Of several accesses every run shows the same one.
    let found = found
        .filter(|access| is(access))
        .map(ToString::to_string)
        .min();
    match found {
        Some(access) => (access, false),
        None if iommu::doubt(iommus).is_some() => (NOTHING.to_owned(), false),
        None => ("none".to_owned(), true),
    }
}
