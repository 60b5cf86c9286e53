//! Judges runs with the help of control runs, if a run alone does not show whose fault a failure is. Many scenarios
//! have the same control run, which runs only once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::{Result, anyhow};
use model::{Check, Verdict};

use super::{Harness, hex};
use crate::observe::{End, Observation};
use crate::run_request::control_run::{alone, without};
use crate::scenario::{Domain, Expectation, Scenario};
use crate::verdict::{self, Claims, Outcome, Partials};

/// The verdicts of control runs, by their content.
pub type ControlRuns = Mutex<HashMap<String, Arc<OnceLock<Result<Outcome, String>>>>>;

impl Harness {
    /// Judges an observation, with the help of control runs if the run alone cannot tell.
    pub(super) fn judge(
        &self,
        scenario: &Scenario,
        seen: &Observation,
        partials: &Partials,
    ) -> Result<Outcome> {
        if let Some(name) = self.refused(scenario, seen) {
            return self.refusal(scenario, name);
        }
        let outcome = verdict::judge(scenario, seen, partials, Claims::of(self.profile()));
        // If the harness itself failed, a control run that runs proves nothing against the subject.
        let told = outcome.verdict == Verdict::Broken && !matches!(seen.end, End::Failed(_));
        if told && !verdict::sentinel_ran(scenario, seen) {
            return self.attribute(scenario, seen, outcome);
        }
        Ok(outcome)
    }

    /// Returns the domain that should be refused and because of which the host stopped before any domain ran.
    fn refused<'s>(&self, scenario: &'s Scenario, seen: &Observation) -> Option<&'s str> {
        let (stop, form) = seen
            .stop
            .as_ref()
            .zip(self.profile().panic_format.as_ref())?;
        let refused = |domain: &&Domain| matches!(domain.expectation, Expectation::Refused(_));
        let mut domains = scenario.domains.iter().filter(refused);
        let named = domains.find(|domain| stop.refuses(form, &domain.name))?;
        Some(&named.name)
    }

    /// Judges a run in which the host stopped because of a domain that should be refused. No other domain ran either,
    /// so the others are judged on a control run, in which that domain has nothing to be refused for.
    fn refusal(&self, scenario: &Scenario, name: &str) -> Result<Outcome> {
        let there = self.control_run(&without(scenario, name))?;
        let place = format!("with nothing to refuse to {name}");
        let mut checks = vec![Check {
            what: name.to_owned(),
            wanted: "never runs".to_owned(),
            seen: "the host stopped because of it".to_owned(),
            ok: true,
        }];
        checks.extend(there.checks.into_iter().map(|check| Check {
            what: format!("{place}: {}", check.what),
            ..check
        }));
        let reason = match there.verdict {
            Verdict::Pass => String::new(),
            _ => format!("{place}: {}", there.reason),
        };
        Ok(Outcome {
            verdict: there.verdict,
            reason,
            checks,
        })
    }

    /// Finds out why not even the sentinel ran. If it runs without the other domains, they took it down, and the
    /// hypervisor did not prevent that.
    fn attribute(
        &self,
        scenario: &Scenario,
        seen: &Observation,
        outcome: Outcome,
    ) -> Result<Outcome> {
        let Some(control) = alone(scenario) else {
            return Ok(outcome);
        };
        if self.control_run(&control)?.verdict != Verdict::Pass {
            return Ok(outcome);
        }
        let what = match &seen.stop {
            Some(stop) => format!("the host stopped (\"{}\")", stop.shown()),
            None => "the other domains stopped".to_owned(),
        };
        Ok(Outcome {
            verdict: Verdict::Fail,
            reason: format!("{what}: alone on the same machine, the sentinel runs"),
            ..outcome
        })
    }

    /// Judges a control run, only once even if many scenarios have it.
    fn control_run(&self, control: &Scenario) -> Result<Outcome> {
        let content = content(control)?;
        let place = {
            let mut control_runs = self
                .control_runs
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            control_runs.entry(content.clone()).or_default().clone()
        };
        let judged = place.get_or_init(|| {
            let control = Scenario {
                id: format!("control/{content}"),
                ..control.clone()
            };
            let judged = self
                .attempt(&control)
                .and_then(|ran| self.judge(&control, &ran.seen, &ran.blobs.partials));
            judged.map_err(|error| format!("{error:#}"))
        });
        judged.clone().map_err(|why| anyhow!("{why}"))
    }
}

/// Returns the content of a control run as its key: control runs with the same content are run and judged alike.
fn content(control: &Scenario) -> Result<String> {
    let mut value = serde_json::to_value(control)?;
    if let Some(fields) = value.as_object_mut() {
        // What a case says about itself: no part of the machine or of what must be seen.
        let about = [
            "id", "case", "title", "covers", "clause", "place", "class", "needs", "note",
        ];
        for name in about {
            fields.remove(name);
        }
    }
    Ok(hex(value.to_string().as_bytes()).chars().take(16).collect())
}

#[cfg(test)]
mod tests {
    use model::Place;

    use super::content;
    use crate::sample::scenario;

    /// What a case says about itself and where it stands is nothing to its control run; what runs is.
    #[test]
    fn cases_share_control_runs() {
        let one = scenario("    domains: [{name: dA, script: [read32 0x10]}]\n");
        let mut other = one.clone();
        other.id = "demo.other".to_owned();
        other.title = "Other".to_owned();
        other.note = Some("for another reason".to_owned());
        other.clause = Some("2".to_owned());
        other.place = Place {
            file: "other.yaml".to_owned(),
            line: 7,
        };
        assert_eq!(content(&one).unwrap(), content(&other).unwrap());
        other.domains[0].cpus += 1;
        assert_ne!(content(&one).unwrap(), content(&other).unwrap());
    }
}
