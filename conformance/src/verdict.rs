//! What a run says about the hypervisor: a pure function of what was wanted and what was observed.

use model::{Check, Verdict};
use serde::Serialize;
use wire::{Answer, Hv, Op};

use crate::case::errno;
use crate::case::expect::Expect;
use crate::iommu;
use crate::observe::{DomainObservation, End, Observation, OutsideAnswer};
use crate::scenario::{Domain, Expectation, From, Line, SENTINEL, Scenario};

mod claims;
mod iommu_events;
#[cfg(test)]
mod tests;

pub use claims::Claims;

/// A verdict with its reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The verdict.
    pub verdict: Verdict,
    /// The reason in one line; empty for a pass.
    pub reason: String,
    /// Everything that was compared.
    pub checks: Vec<Check>,
}

/// Partial trees that checks need, by domain number.
pub type Partials = [(u8, dtb_gen::Tree)];

/// Judges one run of a subject with these claims.
pub fn judge(
    scenario: &Scenario,
    seen: &Observation,
    partials: &Partials,
    claims: Claims,
) -> Outcome {
    let mut checks = Vec::new();
    for domain in &scenario.domains {
        let given = partials
            .iter()
            .find(|(number, _)| *number == domain.number)
            .map(|(_, tree)| tree);
        match &domain.expectation {
            Expectation::Runs => judge_running(domain, seen, given, &mut checks),
            Expectation::Destroyed { by, mark, .. } => {
                judge_running(domain, seen, given, &mut checks);
                judge_gone(scenario, domain, (*by, mark), seen, &mut checks);
            }
            Expectation::Refused(_) if claims.may_run(domain, seen) => {
                judge_running(domain, seen, given, &mut checks);
            }
            Expectation::Refused(words) => {
                judge_refused(domain, words, seen, claims.diagnostics, &mut checks);
            }
        }
    }
    judge_outside(scenario, seen, &mut checks);
    iommu_events::judge(scenario, seen, &mut checks);
    conclude(scenario, seen, checks)
}

/// Tells whether the sentinel completed its script.
pub fn sentinel_ran(scenario: &Scenario, seen: &Observation) -> bool {
    scenario
        .domain(SENTINEL)
        .and_then(|domain| seen.domains.get(&domain.number))
        .is_some_and(|domain| domain.ended)
}

fn conclude(scenario: &Scenario, seen: &Observation, checks: Vec<Check>) -> Outcome {
    let outcome = |verdict, reason: String, checks| Outcome {
        verdict,
        reason,
        checks,
    };
    if let End::Failed(why) = &seen.end {
        return outcome(Verdict::Broken, why.clone(), checks);
    }
    if scenario.domain(SENTINEL).is_some() && !sentinel_ran(scenario, seen) {
        let why =
            "the sentinel did not end its script: nothing shows that the machine ran".to_owned();
        return outcome(Verdict::Broken, why, checks);
    }
    if scenario.domain(SENTINEL).is_none() && seen.domains.is_empty() {
        return outcome(Verdict::Broken, "no domain spoke".to_owned(), checks);
    }
    // Answers that arrived count although others were lost: a wrong answer is wrong whatever the lost ones were.
    let wrong = checks
        .iter()
        .find(|check| !check.ok && check.seen != NOTHING);
    let gap = gap(scenario, seen).map(ToOwned::to_owned);
    if let Some(gap) = gap.or_else(|| iommu_events::doubt(seen, &checks))
        && wrong.is_none()
    {
        return outcome(
            Verdict::Broken,
            format!("the record has gaps: {gap}"),
            checks,
        );
    }
    match (
        wrong.or_else(|| checks.iter().find(|check| !check.ok)),
        &seen.end,
    ) {
        // The missing answer may have been in the part that the flood cut off.
        (_, End::Flooded(bytes)) if wrong.is_none() => {
            let why = format!(
                "the console was flooded: {bytes} bytes, only the start and the end are kept"
            );
            outcome(Verdict::Broken, why, checks)
        }
        (Some(check), _) => {
            let mut reason = format!(
                "{}: wanted {}, saw {}",
                check.what, check.wanted, check.seen
            );
            // The checks decided; what the IOMMU did explains why.
            if let Some(told) = seen.iommus.as_ref().and_then(iommu::explain) {
                reason = format!("{reason}; {told}");
            }
            outcome(Verdict::Fail, reason, checks)
        }
        (None, End::Deadline) => {
            let why = "the time ran out although every awaited line arrived".to_owned();
            outcome(Verdict::Broken, why, checks)
        }
        (None, _) => outcome(Verdict::Pass, String::new(), checks),
    }
}

/// Finds a gap in the record. A domain that is destroyed may be in the middle of a frame then, so one truncated frame
/// of it is no gap.
fn gap<'s>(scenario: &Scenario, seen: &'s Observation) -> Option<&'s str> {
    let destroyed = |domain: &&Domain| matches!(domain.expectation, Expectation::Destroyed { .. });
    let mut forgiven: Vec<u8> = scenario
        .domains
        .iter()
        .filter(destroyed)
        .map(|domain| domain.number)
        .collect();
    let mut cut = seen.cut.iter().filter(|(sender, _)| {
        let place = match sender {
            Some(sender) => forgiven.iter().position(|number| number == sender),
            None => forgiven.len().checked_sub(1),
        };
        place.map(|place| forgiven.remove(place)).is_none()
    });
    let gaps = seen.gaps.iter().map(String::as_str);
    gaps.chain(cut.next().map(|(_, told)| told.as_str())).next()
}

/// Shown in the place of an answer that never came.
const NOTHING: &str = "nothing";

/// Replaces the expectation `listed` by the functions that QEMU listed outside.
fn in_numbers(line: &Line, listed: Option<&[u16]>) -> Expect {
    match (&line.expect, line.op, listed) {
        (Expect::Listed, Op::Hv(Hv::PciList { at }), Some(listed)) => {
            let bit = |function: &u16| match u32::from(*function).wrapping_sub(at) {
                bit @ 0..64 => 1 << bit,
                _ => 0,
            };
            Expect::Value {
                value: listed
                    .iter()
                    .map(bit)
                    .fold(0, |all: u64, bit: u64| all | bit),
                mask: u64::MAX,
            }
        }
        (expect, ..) => expect.clone(),
    }
}

fn judge_running(
    domain: &Domain,
    seen: &Observation,
    given: Option<&dtb_gen::Tree>,
    checks: &mut Vec<Check>,
) {
    if !domain.vpl011 {
        return;
    }
    let Some(spoke) = seen.domains.get(&domain.number) else {
        checks.push(check(&domain.name, "runs", NOTHING, false));
        return;
    };
    let listed = seen.outside.values().find_map(|answer| match answer {
        OutsideAnswer::Functions(listed) => Some(listed.as_slice()),
        _ => None,
    });
    for trouble in &spoke.errors {
        checks.push(check(
            &domain.name,
            "runs its script undisturbed",
            trouble,
            false,
        ));
    }
    for (place, line) in domain.lines.iter().enumerate().take(domain.awaited()) {
        let what = match line.from {
            From::Case => format!("{} [{place}] {}", domain.name, line.op),
            From::Isolation => format!(
                "{} [{place}] {} (isolation: nothing is mapped here)",
                domain.name, line.op
            ),
        };
        let place = u16::try_from(place).unwrap_or(u16::MAX);
        let earlier = first(domain, spoke, place);
        // An answer without a value to compare with counts as missing.
        let wanted = in_numbers(line, listed);
        let comparable = match line.expect {
            Expect::Unchanged => earlier.is_some(),
            Expect::Listed => wanted != Expect::Listed,
            _ => true,
        };
        let answer = spoke.answers.get(&place).filter(|_| comparable);
        let ok = answer.is_some_and(|answer| wanted.met_by(&line.op, answer, earlier));
        let shown = answer.map(|answer| {
            match (ok, answer) {
                (true, answer) => settled(&wanted, answer),
                // A hypercall's result is shown by the name of its error.
                (false, Answer::Value(value)) if is_call(&line.op) => {
                    errno::of(*value).map_or_else(|| answer.to_string(), errno::shown)
                }
                (false, answer) => answer.to_string(),
            }
        });
        checks.push(check(
            &what,
            &wanted.to_string(),
            shown.as_deref().unwrap_or(NOTHING),
            ok,
        ));
    }
    if !matches!(domain.expectation, Expectation::Destroyed { .. })
        && !domain.falls_silent()
        && !spoke.ended
    {
        checks.push(check(
            &domain.name,
            "runs its script to the end",
            NOTHING,
            false,
        ));
    }
    judge_tree(domain, spoke, given, checks);
}

/// Shows an answer that is as wanted, without what may differ between two equal runs (clocks, how often a line rang
/// before it was read): ledgers are compared byte by byte. The evidence keeps every answer unchanged.
fn settled(expect: &Expect, answer: &Answer) -> String {
    match (expect, answer) {
        (Expect::Value { value, mask }, Answer::Value(_)) if *mask != u64::MAX => {
            format!("{:#x} under the mask", value & mask)
        }
        (Expect::Value { .. }, _) => answer.to_string(),
        (Expect::Errno(number), _) => errno::shown(*number),
        (Expect::Refused, _) => "an error".to_owned(),
        (_, Answer::Value(_)) => A_VALUE.to_owned(),
        (Expect::Works | Expect::Any, Answer::Irqs { irq, .. }) => format!("interrupts {irq}"),
        (_, Answer::Timeout(_)) => "timeout".to_owned(),
        _ => answer.to_string(),
    }
}

/// Tells whether the operation is a hypercall.
const fn is_call(op: &Op) -> bool {
    matches!(op, Op::Hv(_) | Op::Hypercall { .. })
}

/// Shown in the place of a value for which any value is right.
const A_VALUE: &str = "a value";

/// Finds the first answer to the same operation. It must be an earlier one, so that no answer is compared with itself.
fn first<'s>(domain: &Domain, spoke: &'s DomainObservation, place: u16) -> Option<&'s Answer> {
    let place = usize::from(place);
    let op = domain.lines.get(place)?.op;
    let earliest = domain
        .lines
        .iter()
        .take(place)
        .position(|line| line.op == op)?;
    spoke.answers.get(&u16::try_from(earliest).ok()?)
}

fn judge_tree(
    domain: &Domain,
    spoke: &DomainObservation,
    given: Option<&dtb_gen::Tree>,
    checks: &mut Vec<Check>,
) {
    if domain.tree.is_empty() {
        return;
    }
    let what = format!("{} tree", domain.name);
    let whole = |answer: &Answer| match answer {
        Answer::Tree(bytes) => usize::try_from(*bytes) == Ok(spoke.tree.len()),
        _ => false,
    };
    if !spoke.answers.values().any(whole) {
        // A part of a tree says nothing about the whole.
        checks.push(check(&what, "is sent whole", NOTHING, false));
        return;
    }
    match dtb_gen::Tree::read(&spoke.tree) {
        Err(error) => checks.push(check(&what, "is a device tree", &error.to_string(), false)),
        Ok(tree) => checks.extend(domain.tree.iter().map(|rule| {
            let wrong = rule.broken_by(&tree, given);
            check(
                &what,
                &rule.to_string(),
                wrong.as_deref().unwrap_or("so it is"),
                wrong.is_none(),
            )
        })),
    }
}

/// Judges the end of a domain that ran: it sends nothing after its end was announced.
fn judge_gone(
    scenario: &Scenario,
    domain: &Domain,
    (by, mark): (u8, &str),
    seen: &Observation,
    checks: &mut Vec<Check>,
) {
    let other = scenario.domains.iter().find(|other| other.number == by);
    let announced = seen.domains.get(&by).and_then(|by| by.marks.get(mark));
    let last = seen.domains.get(&domain.number).map(|domain| domain.last);
    let silent = announced
        .zip(last)
        .map(|(announced, last)| last < *announced);
    let told = match silent {
        None => NOTHING,
        Some(true) => "silence",
        Some(false) => "its probe spoke",
    };
    let other = other.map_or("?", |other| other.name.as_str());
    let wanted = format!("silence after mark `{mark}` of {other}");
    checks.push(check(&domain.name, &wanted, told, silent == Some(true)));
}

fn judge_refused(
    domain: &Domain,
    words: &[String],
    seen: &Observation,
    diagnostics: bool,
    checks: &mut Vec<Check>,
) {
    // Any frame of it shows that it ran, even if its hello was lost.
    let spoke = seen.domains.contains_key(&domain.number);
    let told = if spoke {
        "its probe spoke"
    } else {
        "it never ran"
    };
    checks.push(check(&domain.name, "never runs", told, !spoke));
    // A refusal to a control domain is an error number, not a console line.
    if !diagnostics || domain.child.is_some() {
        return;
    }
    // A subject that promises diagnostics names the domain and each cause in one line. It alone proves nothing;
    // the check above shows that the domain never ran.
    let console = String::from_utf8_lossy(&seen.console);
    let about = |line: &&str| line.contains("refuse") && has_word(line, &domain.name);
    let lines: Vec<&str> = console.lines().filter(about).collect();
    let names_all = |line: &&&str| words.iter().all(|word| line.contains(word.as_str()));
    let named = lines.iter().find(names_all);
    let wanted = match words {
        [] => format!("a line that refuses {}", domain.name),
        words => format!(
            "a line that refuses {} and names `{}`",
            domain.name,
            words.join("`, `")
        ),
    };
    let first = named.or(lines.first());
    let shown = first.map(|line| text::visible_line(line.trim_end()));
    let what = format!("{} reason given", domain.name);
    checks.push(check(
        &what,
        &wanted,
        shown.as_deref().unwrap_or(NOTHING),
        named.is_some(),
    ));
}

/// Tells whether `word` occurs in `line` as a whole word: a line about `d12` does not refuse domain `d1`.
fn has_word(line: &str, word: &str) -> bool {
    let joins = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (
            line.get(..at).unwrap_or(""),
            line.get(at + word.len()..).unwrap_or(""),
        );
        !before.ends_with(joins) && !after.starts_with(joins)
    })
}

fn judge_outside(scenario: &Scenario, seen: &Observation, checks: &mut Vec<Check>) {
    let mut earlier: Vec<(&str, &OutsideAnswer)> = Vec::new();
    for (place, step) in scenario.outside.iter().enumerate() {
        for (turn, act) in step.acts.iter().enumerate() {
            let before = earlier
                .iter()
                .find(|(text, _)| *text == act.text)
                .map(|(_, answer)| *answer);
            let comparable = act.expect != Expect::Unchanged || before.is_some();
            let answer = seen
                .outside
                .get(&crate::run_request::label(place, turn))
                .filter(|_| comparable);
            let ok = answer.is_some_and(|answer| outside_met(&act.expect, answer, before));
            let shown = match answer {
                None => NOTHING.to_owned(),
                Some(OutsideAnswer::Done) => "done".to_owned(),
                Some(OutsideAnswer::Functions(listed)) => format!("{} functions", listed.len()),
                Some(OutsideAnswer::Value(_))
                    if ok && !matches!(act.expect, Expect::Value { .. }) =>
                {
                    A_VALUE.to_owned()
                }
                Some(OutsideAnswer::Value(value)) => format!("{value:#x}"),
                Some(OutsideAnswer::Refused(why)) => format!("refused: {why}"),
            };
            checks.push(check(
                &format!("outside: {}", act.text),
                &act.expect.to_string(),
                &shown,
                ok,
            ));
            earlier.extend(answer.map(|answer| (act.text.as_str(), answer)));
        }
    }
}

fn outside_met(expect: &Expect, answer: &OutsideAnswer, before: Option<&OutsideAnswer>) -> bool {
    match (expect, answer) {
        (Expect::Any, _) => true,
        (Expect::Works, OutsideAnswer::Refused(_)) => false,
        (Expect::Works, _) => true,
        (Expect::Value { value, mask }, OutsideAnswer::Value(seen)) => seen & mask == value & mask,
        (Expect::Not(value), OutsideAnswer::Value(seen)) => seen != value,
        (Expect::Range { from, to }, OutsideAnswer::Value(seen)) => (from..=to).contains(&seen),
        (Expect::Unchanged, seen @ OutsideAnswer::Value(_)) => before == Some(seen),
        _ => false,
    }
}

fn check(what: &str, wanted: &str, seen: &str, ok: bool) -> Check {
    Check {
        what: what.to_owned(),
        wanted: wanted.to_owned(),
        seen: seen.to_owned(),
        ok,
    }
}
