//! Compares two ledgers. It compares verdicts and makes none.

use std::collections::BTreeMap;

use model::{AggregateVerdict, Ledger};
use reports::comparison::{Change, Comparison, Kind, Side};

/// Compares two runs by scenario and by requirement.
///
/// Worse is: what passed and now does not, what was skipped and now fails or is broken, what is missing, and what is
/// new and fails or is broken. What the new run was not asked to run is neither missing nor worse.
pub fn compare(old: &Ledger, new: &Ledger) -> Comparison {
    let (requirements, _, _) = changes(&of_requirements(old), &of_requirements(new), |id| {
        asked(new, id)
    });
    let covers: BTreeMap<&str, &[String]> = old
        .rows
        .iter()
        .map(|row| (row.scenario.as_str(), row.covers.as_slice()))
        .collect();
    let (scenarios, same, left_out) = changes(&of_scenarios(old), &of_scenarios(new), |id| {
        // A run that selected scenarios by name has only those.
        !narrowed(new)
            && covers
                .get(id)
                .is_none_or(|ids| ids.iter().any(|id| asked(new, id)))
    });
    let worse = |change: &Change| match change.kind {
        Kind::Regressed | Kind::Gone => true,
        Kind::New => change.new.is_some_and(AggregateVerdict::is_red),
        Kind::Fixed | Kind::Changed => false,
    };
    Comparison {
        old: side(old),
        new: side(new),
        regression: scenarios.iter().any(worse),
        requirements,
        scenarios,
        same,
        left_out,
    }
}

/// Verdicts by id, with the reason for each.
type Verdicts<'l> = BTreeMap<&'l str, (AggregateVerdict, &'l str)>;

fn of_requirements(ledger: &Ledger) -> Verdicts<'_> {
    let judged = ledger.requirements.iter();
    judged
        .filter(|requirement| requirement.in_scope)
        .map(|requirement| (requirement.id.as_str(), (requirement.verdict, "")))
        .collect()
}

fn of_scenarios(ledger: &Ledger) -> Verdicts<'_> {
    ledger
        .rows
        .iter()
        .map(|row| {
            (
                row.scenario.as_str(),
                (row.verdict.into(), row.reason.as_str()),
            )
        })
        .collect()
}

/// Tells whether a run was to judge a requirement; an unknown requirement counts as asked for, so that it is reported
/// as gone.
fn asked(ledger: &Ledger, requirement: &str) -> bool {
    ledger
        .requirements
        .iter()
        .find(|known| known.id == requirement)
        .is_none_or(|known| known.in_scope)
}

/// Tells whether a run was asked for less than all scenarios of its requirements.
fn narrowed(ledger: &Ledger) -> bool {
    let parts = ["--case", "--class", "--shard"];
    ledger
        .selection
        .iter()
        .any(|word| parts.contains(&word.as_str()))
}

/// Lists the differences in the order of ids, with the numbers of unchanged rows and of those not asked for.
fn changes(
    old: &Verdicts<'_>,
    new: &Verdicts<'_>,
    asked: impl Fn(&str) -> bool,
) -> (Vec<Change>, usize, usize) {
    let (mut found, mut same, mut left_out) = (Vec::new(), 0, 0);
    for (id, (was, _)) in old {
        let now = new.get(id);
        match now {
            Some((is, _)) if is == was => same += 1,
            None if !asked(id) => left_out += 1,
            Some(_) | None => found.push(Change {
                id: (*id).to_owned(),
                kind: now.map_or(Kind::Gone, |(is, _)| kind(*was, *is)),
                old: Some(*was),
                new: now.map(|(is, _)| *is),
                reason: now.map_or("", |(_, reason)| reason).to_owned(),
            }),
        }
    }
    let fresh = new.iter().filter(|(id, _)| !old.contains_key(*id));
    found.extend(fresh.map(|(id, (is, reason))| Change {
        id: (*id).to_owned(),
        kind: Kind::New,
        old: None,
        new: Some(*is),
        reason: (*reason).to_owned(),
    }));
    found.sort_by(|a, b| (a.kind, &a.id).cmp(&(b.kind, &b.id)));
    (found, same, left_out)
}

fn kind(was: AggregateVerdict, is: AggregateVerdict) -> Kind {
    match rank(is).cmp(&rank(was)) {
        std::cmp::Ordering::Greater => Kind::Regressed,
        std::cmp::Ordering::Less => Kind::Fixed,
        std::cmp::Ordering::Equal => Kind::Changed,
    }
}

/// Ranks verdicts by distance from a pass. A failure and a broken harness rank equal, since neither shows that the
/// requirement holds.
const fn rank(verdict: AggregateVerdict) -> u8 {
    match verdict {
        AggregateVerdict::Pass => 0,
        AggregateVerdict::Waived => 1,
        AggregateVerdict::Skip | AggregateVerdict::NotVerified => 2,
        AggregateVerdict::Fail | AggregateVerdict::Broken => 3,
    }
}

fn side(ledger: &Ledger) -> Side {
    Side {
        subject: ledger.subject.clone(),
        suite: ledger.suite.clone(),
        scenarios: ledger.rows.len(),
        conformant: ledger.conformant,
    }
}

#[cfg(test)]
mod tests;
