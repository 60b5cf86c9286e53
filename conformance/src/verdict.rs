//! What a run says about the hypervisor: a pure function of what was wanted and what was seen.

use serde::Serialize;
use wire::Answer;

use crate::case::expect::Expect;
use crate::observe::{DomainSeen, End, OutsideAnswer, Seen};
use crate::scenario::{Domain, Fate, From, SENTINEL, Scenario};

/// Verdict on one scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Everything wanted was seen.
    Pass,
    /// The hypervisor did something else.
    Fail,
    /// Not judged: the subject does not claim what the case needs.
    Skip,
    /// The rig could not tell.
    Broken,
}

impl Verdict {
    /// Returns the name used in ledgers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Skip => "skip",
            Self::Broken => "broken",
        }
    }
}

/// One thing that was wanted, and what was seen of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Check {
    /// What was looked at.
    pub what: String,
    /// What the requirement asks for.
    pub wanted: String,
    /// What was there.
    pub seen: String,
    /// Whether they agree.
    pub ok: bool,
}

/// A verdict with its grounds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// Why, in a line; empty for a pass.
    pub reason: String,
    /// Everything that was compared.
    pub checks: Vec<Check>,
}

/// Trees of a run that checks need: the partial trees by domain number.
pub type Partials = [(u8, dtb_gen::Tree)];

/// Judges one run. `diagnostics` asks that a refusal is explained on the console.
pub fn judge(
    scenario: &Scenario,
    seen: &Seen,
    partials: &Partials,
    diagnostics: bool,
) -> Judgement {
    let mut checks = Vec::new();
    for domain in &scenario.domains {
        let given = partials
            .iter()
            .find(|(number, _)| *number == domain.number)
            .map(|(_, tree)| tree);
        match &domain.fate {
            Fate::Runs => judge_running(domain, seen, given, &mut checks),
            Fate::Refused(words) => judge_refused(domain, words, seen, diagnostics, &mut checks),
        }
    }
    judge_outside(scenario, seen, &mut checks);
    conclude(scenario, seen, checks)
}

/// Tells a sentinel that spoke its whole script.
pub fn sentinel_ran(scenario: &Scenario, seen: &Seen) -> bool {
    scenario
        .domain(SENTINEL)
        .and_then(|domain| seen.domains.get(&domain.number))
        .is_some_and(|domain| domain.ended)
}

fn conclude(scenario: &Scenario, seen: &Seen, checks: Vec<Check>) -> Judgement {
    let judgement = |verdict, reason: String, checks| Judgement {
        verdict,
        reason,
        checks,
    };
    if let End::Failed(why) = &seen.end {
        return judgement(Verdict::Broken, why.clone(), checks);
    }
    if scenario.domain(SENTINEL).is_some() && !sentinel_ran(scenario, seen) {
        let why =
            "the sentinel did not end its script: nothing shows that the machine ran".to_owned();
        return judgement(Verdict::Broken, why, checks);
    }
    if scenario.domain(SENTINEL).is_none() && seen.domains.is_empty() {
        return judgement(Verdict::Broken, "no domain spoke".to_owned(), checks);
    }
    // Answers that are there count although others were lost: a wrong one is wrong whatever the lost ones said.
    let wrong = checks
        .iter()
        .find(|check| !check.ok && check.seen != NOTHING);
    if let Some(gap) = seen.gaps.first()
        && wrong.is_none()
    {
        return judgement(Verdict::Broken, format!("lines were lost: {gap}"), checks);
    }
    match wrong.or_else(|| checks.iter().find(|check| !check.ok)) {
        Some(check) => {
            let reason = format!(
                "{}: wanted {}, saw {}",
                check.what, check.wanted, check.seen
            );
            judgement(Verdict::Fail, reason, checks)
        }
        None => judgement(Verdict::Pass, String::new(), checks),
    }
}

/// What stands for an answer that never came.
const NOTHING: &str = "nothing";

fn judge_running(
    domain: &Domain,
    seen: &Seen,
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
    for trouble in &spoke.troubles {
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
            From::Guard => format!(
                "{} [{place}] {} (guard: nothing is mapped here)",
                domain.name, line.op
            ),
        };
        let place = u16::try_from(place).unwrap_or(u16::MAX);
        let answer = spoke.answers.get(&place);
        let ok = answer.is_some_and(|answer| {
            line.expect
                .met_by(&line.op, answer, first(domain, spoke, place))
        });
        checks.push(Check {
            what,
            wanted: line.expect.to_string(),
            seen: answer.map_or_else(|| NOTHING.to_owned(), Answer::to_string),
            ok,
        });
    }
    judge_tree(domain, spoke, given, checks);
}

/// Finds the first answer to the same operation.
fn first<'s>(domain: &Domain, spoke: &'s DomainSeen, place: u16) -> Option<&'s Answer> {
    let op = domain.lines.get(usize::from(place))?.op;
    let earliest = domain.lines.iter().position(|line| line.op == op)?;
    spoke.answers.get(&u16::try_from(earliest).ok()?)
}

fn judge_tree(
    domain: &Domain,
    spoke: &DomainSeen,
    given: Option<&dtb_gen::Tree>,
    checks: &mut Vec<Check>,
) {
    if domain.tree.is_empty() {
        return;
    }
    let what = |rule: &str| format!("{} tree: {rule}", domain.name);
    match dtb_gen::Tree::read(&spoke.tree) {
        Err(error) => checks.push(check(
            &what("readable"),
            "a device tree",
            &error.to_string(),
            false,
        )),
        Ok(tree) => checks.extend(domain.tree.iter().map(|rule| {
            let wrong = rule.broken_by(&tree, given);
            check(
                &what(""),
                &rule.to_string(),
                wrong.as_deref().unwrap_or("so it is"),
                wrong.is_none(),
            )
        })),
    }
}

fn judge_refused(
    domain: &Domain,
    words: &[String],
    seen: &Seen,
    diagnostics: bool,
    checks: &mut Vec<Check>,
) {
    let spoke = seen
        .domains
        .get(&domain.number)
        .is_some_and(|spoke| spoke.hellos > 0 || !spoke.answers.is_empty());
    let told = if spoke {
        "its probe spoke"
    } else {
        "it never ran"
    };
    checks.push(check(&domain.name, "never runs", told, !spoke));
    if !diagnostics {
        return;
    }
    // A subject that promises diagnostics names the domain and the culprit in one line. The line alone proves nothing;
    // that the domain never ran was checked above.
    let console = String::from_utf8_lossy(&seen.console);
    let about = |line: &&str| line.contains("refuse") && line.contains(&domain.name);
    let lines: Vec<&str> = console.lines().filter(about).collect();
    let names_all = lines
        .iter()
        .any(|line| words.iter().all(|word| line.contains(word.as_str())));
    let wanted = format!(
        "a line that refuses {} and names `{}`",
        domain.name,
        words.join("`, `")
    );
    let shown = lines.first().copied().unwrap_or(NOTHING);
    checks.push(check(
        &format!("{} reason given", domain.name),
        &wanted,
        shown,
        names_all,
    ));
}

fn judge_outside(scenario: &Scenario, seen: &Seen, checks: &mut Vec<Check>) {
    let mut earlier: Vec<(&str, &OutsideAnswer)> = Vec::new();
    for (place, step) in scenario.outside.iter().enumerate() {
        for (turn, act) in step.acts.iter().enumerate() {
            let answer = seen.outside.get(&crate::rig::label(place, turn));
            let before = earlier
                .iter()
                .find(|(text, _)| *text == act.text)
                .map(|(_, answer)| *answer);
            let ok = answer.is_some_and(|answer| outside_met(&act.expect, answer, before));
            let shown = match answer {
                None => NOTHING.to_owned(),
                Some(OutsideAnswer::Done) => "done".to_owned(),
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
        (Expect::Works, OutsideAnswer::Done | OutsideAnswer::Value(_)) => true,
        (Expect::Value { value, mask }, OutsideAnswer::Value(seen)) => seen & mask == value & mask,
        (Expect::Not(value), OutsideAnswer::Value(seen)) => seen != value,
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
