//! A subject behind an adapter: what it is asked, and what becomes of a run whose adapter did not do its part.

use std::path::Path;

use anyhow::{Result, anyhow};
use model::Capability;
use runners::adapter::{AdapterError, Adapters};
use runners::{Profile, Request};

use crate::dtb::neutral::Told;
use crate::observe::{End, Seen};
use crate::scenario::Scenario;

#[cfg(test)]
mod tests;

/// The adapter of a subject, or why there is none.
#[derive(Debug)]
pub struct Adapted(Result<Adapters, AdapterError>);

/// What became of one run.
pub struct Ran {
    /// What was seen.
    pub seen: Seen,
    /// The request, where the adapter got that far.
    pub request: Option<Request>,
    /// What QEMU was given to start, as far as the adapter named it.
    pub image: Option<Vec<u8>>,
    /// What suite and adapter said to each other.
    pub said: Option<String>,
}

impl Adapted {
    /// Starts the adapter that `profile` names, if it names one, and takes its word for its version.
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

    /// Says why a scenario cannot be run at all: the adapter is dead, or its word is less than the profile's.
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

    /// Says what the adapter claims beyond the profile.
    pub fn beyond(&self, profile: &Profile) -> Vec<Capability> {
        let all = self
            .0
            .iter()
            .flat_map(|adapters| adapters.description().capabilities.iter());
        all.filter(|one| !profile.capabilities.has(*one)).collect()
    }

    /// Has one scenario prepared, runs it by `observe`, and has it taken down.
    pub fn run(
        &self,
        told: Told,
        mut request: Request,
        observe: impl FnOnce(&Request) -> Seen,
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
        // What was seen counts for nothing where the adapter breaks down afterwards: nobody knows what state it was in.
        let (seen, said) = match adapters.teardown(stage) {
            Ok(said) => (seen, Some(said)),
            Err(error) => (
                Seen {
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

fn failed(error: &AdapterError) -> Seen {
    Seen {
        end: End::Failed(error.to_string()),
        ..Seen::default()
    }
}
