//! Runs scenarios on a subject behind an adapter: what the adapter is asked, and the result of a run whose adapter
//! failed.

use std::path::Path;

use anyhow::{Result, anyhow};
use model::Capability;
use runners::adapter::{AdapterError, Adapters};
use runners::{Profile, Request};

use crate::dtb::neutral::AdapterScenario;
use crate::observe::{End, Observation};
use crate::scenario::Scenario;

#[cfg(test)]
mod tests;

/// The adapter of a subject, or why there is none.
#[derive(Debug)]
pub struct AdapterRun(Result<Adapters, AdapterError>);

/// The result of one run.
pub struct Ran {
    /// The observation.
    pub seen: Observation,
    /// The request, if the adapter got that far.
    pub request: Option<Request>,
    /// The image that QEMU started, if the adapter named it.
    pub image: Option<Vec<u8>>,
    /// The dialogue of suite and adapter.
    pub said: Option<String>,
}

impl AdapterRun {
    /// Starts the adapter that `profile` names, if it names one, and takes the version from it.
    pub fn start(profile: &mut Profile, image: Option<&Path>) -> Option<Self> {
        let adapter = profile.adapter.as_ref()?;
        let started = Adapters::new(adapter, profile.arch, image);
        if let Ok(adapters) = &started {
            profile.version.clone_from(&adapters.description().version);
        }
        Some(Self(started))
    }

    /// Returns the bytes of the file that identifies the hypervisor.
    pub fn identity(&self) -> Option<Vec<u8>> {
        std::fs::read(self.0.as_ref().ok()?.identity()?).ok()
    }

    /// Says why a scenario cannot be run at all: the adapter failed, or it claims less than the profile.
    pub fn unusable(&self, scenario: &Scenario) -> Option<String> {
        let adapters = match &self.0 {
            Ok(adapters) => adapters,
            Err(error) => return Some(error.to_string()),
        };
        let missing = adapters.description().capabilities.missing(&scenario.needs);
        let names: Vec<&str> = missing.into_iter().map(Capability::name).collect();
        let why = || {
            format!(
                "the profile claims {}, but its adapter does not",
                names.join(", ")
            )
        };
        (!names.is_empty()).then(why)
    }

    /// Returns the capabilities that the adapter claims beyond the profile.
    pub fn beyond(&self, profile: &Profile) -> Vec<Capability> {
        let all = self
            .0
            .iter()
            .flat_map(|adapters| adapters.description().capabilities.iter());
        all.filter(|one| !profile.capabilities.has(*one)).collect()
    }

    /// Has the adapter prepare one scenario, runs it by `observe`, and has the adapter clean up.
    pub fn run(
        &self,
        told: AdapterScenario,
        mut request: Request,
        observe: impl FnOnce(&Request) -> Observation,
    ) -> Result<Ran> {
        let adapters = self.0.as_ref().map_err(|error| anyhow!("{error}"))?;
        let own: Vec<String> = request.files.iter().map(|file| file.name.clone()).collect();
        let stage = match adapters.prepare(told.scenario, &told.files, &own) {
            Ok(stage) => stage,
            Err(error) => {
                return Ok(Ran {
                    seen: failed(&error),
                    request: None,
                    image: None,
                    said: None,
                });
            }
        };
        let image = stage.setup.image().map(<[u8]>::to_vec);
        stage.setup.clone().apply(&mut request);
        let seen = observe(&request);
        // If the adapter fails afterwards, the observation counts for nothing: the state of the adapter during the run
        // is unknown.
        let (seen, said) = match adapters.teardown(stage) {
            Ok(said) => (seen, Some(said)),
            Err(error) => (
                Observation {
                    console: seen.console,
                    ..failed(&error)
                },
                None,
            ),
        };
        Ok(Ran {
            seen,
            request: Some(request),
            image,
            said,
        })
    }
}

fn failed(error: &AdapterError) -> Observation {
    Observation {
        end: End::Failed(error.to_string()),
        ..Observation::default()
    }
}
