//! Selects the scenarios that a command line asks for.

use std::path::Path;

use anyhow::{Result, bail};
use oft::Id;
use runners::Profile;
use text::nearest;

use crate::case::load::Loaded;
use crate::cli::{Choice, refused};
use crate::kinds::REQUIREMENT_KIND;
use crate::scenario::{Scenario, generate};

#[cfg(test)]
mod tests;

/// Part of a run: `index` (from 1) of `count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    count: usize,
}

impl Shard {
    /// Returns index and count.
    pub const fn parts(self) -> (usize, usize) {
        (self.index, self.count)
    }
}

/// Parses `I/N`.
pub fn shard(text: &str) -> Result<Shard> {
    let parts = text
        .split_once('/')
        .and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
    match parts {
        Some((index, count)) if (1..=count).contains(&index) => Ok(Shard { index, count }),
        _ => bail!("`{text}` is not I/N with I from 1 to N"),
    }
}

/// The selection of a command line.
pub struct Chosen {
    /// The scenarios, in order.
    pub scenarios: Vec<Scenario>,
    /// The requirements on which the overall verdict rests.
    pub scope: Vec<Id>,
}

/// Loads the profile of the subject. A user's own profile names its architecture; asking for another one is an error,
/// since the run would judge something else than what was asked for.
pub fn profile(choice: &Choice) -> Result<Profile> {
    let mut profile = described(choice)?;
    profile.level = choice.level.unwrap_or(profile.level);
    profile.board = choice.machine.clone().or(profile.board);
    Ok(profile)
}

fn described(choice: &Choice) -> Result<Profile> {
    if !choice.subject.ends_with(".toml") {
        let arch = choice.arch.unwrap_or_default();
        return Ok(Profile::shipped(&choice.subject, arch)?);
    }
    let profile = Profile::load(Path::new(&choice.subject))?;
    match choice.arch {
        Some(arch) if arch != profile.arch => bail!(
            "{}: is for {}, not for {}, which `--arch` asks for",
            choice.subject,
            profile.arch.name(),
            arch.name()
        ),
        Some(_) | None => Ok(profile),
    }
}

/// Selects scenarios; a name that matches nothing is an error, not an empty run.
pub fn choose(
    choice: &Choice,
    shard: Option<Shard>,
    loaded: &Loaded,
    profile: &Profile,
) -> Result<Chosen> {
    let mut scenarios =
        generate::scenarios(loaded, profile).map_err(|problems| refused(&problems))?;
    let every: Vec<Id> = loaded
        .catalog
        .of_kind(REQUIREMENT_KIND)
        .map(|item| item.id.clone())
        .collect();
    let mut scope = every.clone();
    if !choice.requirement.is_empty() {
        scope = choice
            .requirement
            .iter()
            .map(|text| requirement(text, &every))
            .collect::<Result<_>>()?;
        scenarios.retain(|scenario| scenario.covers.iter().any(|id| scope.contains(id)));
    }
    if !choice.case.is_empty() {
        for text in &choice.case {
            if !scenarios.iter().any(|scenario| is_named(scenario, text)) {
                bail!(
                    "no scenario is `{text}`{}",
                    hint(text, scenarios.iter().map(|scenario| scenario.id.as_str()))
                );
            }
        }
        scenarios.retain(|scenario| choice.case.iter().any(|text| is_named(scenario, text)));
    }
    if !choice.class.is_empty() {
        scenarios.retain(|scenario| choice.class.contains(&scenario.class));
    }
    if !choice.case.is_empty() || !choice.class.is_empty() {
        scope.retain(|id| {
            scenarios
                .iter()
                .any(|scenario| scenario.covers.contains(id))
        });
    }
    if let Some(shard) = shard {
        let part = |place: usize| place % shard.count == shard.index - 1;
        let mut place = 0..;
        let covered = |id: &Id, scenarios: &[Scenario]| {
            scenarios
                .iter()
                .any(|scenario| scenario.covers.contains(id))
        };
        // A requirement that no scenario verifies stays in the scope of every part: all parts together are not more
        // conformant than one run.
        let (unverified, _): (Vec<Id>, Vec<Id>) = scope
            .iter()
            .cloned()
            .partition(|id| !covered(id, &scenarios));
        scenarios.retain(|_| place.next().is_some_and(part));
        scope.retain(|id| covered(id, &scenarios) || unverified.contains(id));
    }
    Ok(Chosen { scenarios, scope })
}

fn requirement(text: &str, every: &[Id]) -> Result<Id> {
    match every
        .iter()
        .find(|id| id.as_str() == text || id.name() == text)
    {
        Some(id) => Ok(id.clone()),
        None => bail!(
            "no requirement is `{text}`{}",
            hint(text, every.iter().flat_map(|id| [id.as_str(), id.name()]))
        ),
    }
}

/// Tells whether the text names a scenario: by the id of its case, by the name in that id, or by its own id.
pub fn is_named(scenario: &Scenario, text: &str) -> bool {
    scenario.id == text || scenario.case.as_str() == text || scenario.case.name() == text
}

fn hint<'a>(text: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    // A part of a name is far from it by spelling, but just as likely meant.
    let near =
        nearest(text, known.clone()).or_else(|| known.clone().find(|name| name.contains(text)));
    near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}
