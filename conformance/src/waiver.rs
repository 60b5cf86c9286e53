//! Applies waivers to the rows of a run: which failures are excused, and which waivers are useless.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use model::{Row, Verdict};
use oft::Id;
use runners::{Day, Waiver};
use serde::Deserialize;
use text::nearest;

use crate::scenario::Scenario;

/// A file of waivers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    waiver: Vec<Waiver>,
}

/// Reads a file of waivers.
pub fn read(path: &Path) -> Result<Vec<Waiver>> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("{shown}: cannot be read"))?;
    let file: File =
        toml::from_str(&text).with_context(|| format!("{shown}: no file of waivers"))?;
    Ok(file.waiver)
}

/// Checks that each waiver is complete and names something that exists.
pub fn check(waivers: &[Waiver], scenarios: &[Scenario]) -> Result<()> {
    for waiver in waivers {
        let target = waiver.target();
        if let Some(defect) = waiver.defect() {
            bail!("waiver `{target}`: {defect}");
        }
        if scenarios.iter().any(|scenario| is_about(waiver, scenario)) {
            continue;
        }
        let known = scenarios.iter().flat_map(|scenario| {
            let covers = scenario.covers.iter().map(Id::as_str);
            covers.chain([scenario.case.as_str(), scenario.id.as_str()])
        });
        let hint = nearest(target, known)
            .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        bail!("waiver `{target}`: no scenario is about that{hint}");
    }
    Ok(())
}

/// Marks the failures that a waiver excuses as waived; returns the problems of the waivers. An expired one excuses
/// nothing, and one whose scenarios all ran without a failure is needless. `scenarios` are all scenarios of the suite.
pub fn apply(
    waivers: &[Waiver],
    scenarios: &[Scenario],
    rows: &mut [(Row, Duration)],
    today: Day,
) -> Vec<String> {
    let failed: Vec<bool> = rows
        .iter()
        .map(|(row, _)| row.verdict == Verdict::Fail)
        .collect();
    let mut problems = Vec::new();
    for waiver in waivers {
        let all = scenarios
            .iter()
            .filter(|scenario| is_about(waiver, scenario));
        let (mut ran, mut excused) = (0, 0);
        let over = waiver.expires < today;
        for scenario in all.clone() {
            let mut made = rows.iter_mut().zip(&failed);
            let Some(((row, _), failed)) = made.find(|((row, _), _)| row.scenario == scenario.id)
            else {
                continue;
            };
            ran += 1;
            if !failed {
                continue;
            }
            excused += 1;
            if !over && row.verdict == Verdict::Fail {
                row.verdict = Verdict::Waived;
                row.reason = format!(
                    "waived until {} ({}): {}; {}",
                    waiver.expires, waiver.reference, waiver.reason, row.reason
                );
            }
        }
        let target = waiver.target();
        if over && ran > 0 {
            problems.push(format!(
                "the waiver of {target} expired on {} ({}): {}",
                waiver.expires, waiver.reference, waiver.reason
            ));
        } else if excused == 0 && ran == all.count() {
            problems.push(format!(
                "the waiver of {target} is needless: none of its scenarios failed ({}): {}",
                waiver.reference, waiver.reason
            ));
        }
    }
    problems
}

fn is_about(waiver: &Waiver, scenario: &Scenario) -> bool {
    match (&waiver.requirement, &waiver.case) {
        (Some(id), _) => scenario.covers.iter().any(|covered| covered.as_str() == id),
        (None, Some(id)) => scenario.case.as_str() == id || scenario.id == *id,
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests;
