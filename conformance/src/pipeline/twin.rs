//! Judges runs with the help of twins, where a run alone does not tell. Many scenarios have the same twin, which is run
//! once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::{Result, anyhow};

use super::{Rig, hex};
use crate::observe::{End, Seen};
use crate::rig::twin::{alone, without};
use crate::scenario::{Domain, Fate, Scenario};
use crate::verdict::{self, Claims, Judgement, Partials};
use model::{Check, Verdict};

/// The verdicts on twins, by what they are made of.
pub type Twins = Mutex<HashMap<String, Arc<OnceLock<Result<Judgement, String>>>>>;

impl Rig {
    /// Judges what was seen, with the help of twins where the run alone does not tell.
    pub(super) fn judge(
        &self,
        scenario: &Scenario,
        seen: &Seen,
        partials: &Partials,
    ) -> Result<Judgement> {
        if let Some(name) = self.refused(scenario, seen) {
            return self.refusal(scenario, name);
        }
        let judgement = verdict::judge(scenario, seen, partials, Claims::of(self.profile()));
        // Where the rig itself failed, a twin that runs blames nobody.
        let told = judgement.verdict == Verdict::Broken && !matches!(seen.end, End::Failed(_));
        if told && !verdict::sentinel_ran(scenario, seen) {
            return self.blame(scenario, seen, judgement);
        }
        Ok(judgement)
    }

    /// Names the domain that is to be refused and over which the host stopped before anybody ran.
    fn refused<'s>(&self, scenario: &'s Scenario, seen: &Seen) -> Option<&'s str> {
        let (stop, form) = seen.stop.as_ref().zip(self.profile().last_words.as_ref())?;
        let refused = |domain: &&Domain| matches!(domain.fate, Fate::Refused(_));
        let mut domains = scenario.domains.iter().filter(refused);
        let named = domains.find(|domain| stop.refuses(form, &domain.name))?;
        Some(&named.name)
    }

    /// Judges a run that the host stopped over a domain that was to be refused. Nobody else ran either, so everybody else
    /// is judged on a twin, in which that domain has nothing to be refused for.
    fn refusal(&self, scenario: &Scenario, name: &str) -> Result<Judgement> {
        let there = self.twin(&without(scenario, name))?;
        let place = format!("with nothing to refuse to {name}");
        let mut checks = vec![Check {
            what: name.to_owned(),
            wanted: "never runs".to_owned(),
            seen: "the host stopped over it".to_owned(),
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
        Ok(Judgement {
            verdict: there.verdict,
            reason,
            checks,
        })
    }

    /// Finds out whose fault it is that not even the sentinel ran: where it runs without the other domains, they
    /// took it down, and the hypervisor let them.
    fn blame(&self, scenario: &Scenario, seen: &Seen, judgement: Judgement) -> Result<Judgement> {
        let Some(twin) = alone(scenario) else {
            return Ok(judgement);
        };
        if self.twin(&twin)?.verdict != Verdict::Pass {
            return Ok(judgement);
        }
        let what = match &seen.stop {
            Some(stop) => format!("the host stopped (\"{}\")", stop.shown()),
            None => "the other domains did not run on".to_owned(),
        };
        Ok(Judgement {
            verdict: Verdict::Fail,
            reason: format!("{what}: alone on the same machine, the sentinel runs"),
            ..judgement
        })
    }

    /// Judges a twin, once however many scenarios have it.
    fn twin(&self, twin: &Scenario) -> Result<Judgement> {
        let content = content(twin)?;
        let place = {
            let mut twins = self.twins.lock().unwrap_or_else(PoisonError::into_inner);
            twins.entry(content.clone()).or_default().clone()
        };
        let judged = place.get_or_init(|| {
            let twin = Scenario {
                id: format!("twin/{content}"),
                ..twin.clone()
            };
            let judged = self
                .attempt(&twin)
                .and_then(|ran| self.judge(&twin, &ran.seen, &ran.blobs.partials));
            judged.map_err(|error| format!("{error:#}"))
        });
        judged.clone().map_err(|why| anyhow!("{why}"))
    }
}

/// Names what a twin is made of: two of one name are run and judged alike.
fn content(twin: &Scenario) -> Result<String> {
    let mut value = serde_json::to_value(twin)?;
    if let Some(fields) = value.as_object_mut() {
        for name in ["id", "case", "title", "covers", "class", "needs", "note"] {
            fields.remove(name);
        }
    }
    Ok(hex(value.to_string().as_bytes()).chars().take(16).collect())
}
