//! What the IOMMU did, where a case wants something of it.

use runners::{Access, Counted, Fate, Iommus};

use super::{Check, NOTHING, check};
use crate::iommu;
use crate::observe::Seen;
use crate::scenario::Scenario;
use crate::scenario::events::{About, EventRule, Wanted};

/// What is looked at begins with this.
const ABOUT: &str = "IOMMU: ";

/// Says why it cannot be told what the IOMMU did, where a check hangs on that.
pub(super) fn doubt(seen: &Seen, checks: &[Check]) -> Option<String> {
    let open = |check: &Check| !check.ok && check.seen == NOTHING && check.what.starts_with(ABOUT);
    if !checks.iter().any(open) {
        return None;
    }
    match &seen.iommus {
        None => Some("nobody followed an IOMMU".to_owned()),
        Some(iommus) => iommu::doubt(iommus),
    }
}

/// Judges each line of `events`.
pub(super) fn judge(scenario: &Scenario, seen: &Seen, checks: &mut Vec<Check>) {
    for rule in &scenario.events {
        let (told, ok) = match (&rule.wanted, &seen.iommus) {
            (Wanted::Whatever, _) => continue,
            (_, None) => (NOTHING.to_owned(), false),
            (Wanted::AtLeast(count), Some(iommus)) => wanted(rule, *count, iommus),
            (Wanted::Nothing, Some(iommus)) => absent(rule, &scenario.events, iommus),
        };
        let what = format!("{ABOUT}{}", rule.text);
        checks.push(check(&what, &rule.wanted.to_string(), &told, ok));
    }
}

/// Looks for accesses that must be there. One source suffices: the queue has room for so many only, and the trace does not
/// tell reads from writes. Where the queue tells the one, the trace is not taken for the other.
fn wanted(rule: &EventRule, count: u64, iommus: &Iommus) -> (String, bool) {
    let queued = || iommus.queues.iter().map(|queue| &queue.accesses);
    let in_queue: u64 = queued()
        .map(|tally| tally.count(|access| rule.is(access)))
        .sum();
    let in_trace = iommus.trace.accesses.count(|access| {
        // What the records say of this very access goes before what the trace leaves open.
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
        // What was not kept may be what is missing.
        _ if iommu::doubt(iommus).is_some() => NOTHING,
        0 => "none",
        _ => "fewer",
    };
    (told.to_owned(), most >= count)
}

/// Looks for accesses that must not be there, in both sources.
fn absent(rule: &EventRule, rules: &[EventRule], iommus: &Iommus) -> (String, bool) {
    let is = |access: &Access| match rule.about {
        About::These { .. } => rule.is(access),
        About::Others => {
            matches!(access.fate, Fate::Recorded(_))
                && !rules.iter().any(|rule| rule.may_be(access))
        }
    };
    let queues = iommus.queues.iter().map(|queue| &queue.accesses);
    let tallies = queues.chain([&iommus.trace.accesses]);
    let found = tallies
        .flat_map(|tally| &tally.seen)
        .map(|counted| &counted.access);
    // Of several the same one is shown in every run.
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
