//! Detects what a subject can do before it is judged: a profile says what is claimed, the machine shows what is there.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Result, anyhow};
use model::{Capabilities, Capability, Verdict};
use oft::Catalog;
use runners::{Control, Profile};
use wire::{Answer, Hv, Op};

use crate::case::load::{Loaded, unbound};
use crate::library::Library;
use crate::observe::Observation;
use crate::pipeline::{Harness, in_parallel};
use crate::scenario::{Scenario, generate};

/// The cases that show capabilities.
const CASES: &str = include_str!("capability_detection/capabilities.yaml");

/// The result of the detection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Capabilities that were seen to work.
    pub shown: BTreeSet<Capability>,
    /// Those that were tried.
    pub tried: BTreeSet<Capability>,
    /// The versions of its interface, if they were asked for.
    pub interface: Option<Interface>,
}

/// The versions of a hypervisor's interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Version of the hypervisor.
    pub version: (u64, u64),
    /// Version of domctl.
    pub domctl: u64,
    /// Version of sysctl.
    pub sysctl: u64,
}

/// The part of the usual time for a capability that is not claimed: a host that stops without a message would otherwise
/// take the whole time.
const PART: u32 = 10;

/// Tries every capability that has a case; `known` tells whether the profile was written for this very image.
pub fn probe(harness: &Harness, jobs: usize, known: bool) -> Result<Found> {
    let mut scenarios = expanded(harness.profile(), harness.library())?;
    // A subject whose only control domain is the first one may still understand nodes that name control domains.
    let by_node = Profile {
        control: Control::Capabilities,
        ..harness.profile().clone()
    };
    let named = |scenario: &Scenario| scenario.needs.contains(&Capability::ControlNode);
    scenarios.retain(|scenario| !named(scenario));
    scenarios.extend(
        expanded(&by_node, harness.library())?
            .into_iter()
            .filter(named),
    );
    let ran = in_parallel(&scenarios, jobs, |scenario| {
        let missing = harness.profile().capabilities.missing(&scenario.needs);
        let part = if known && !missing.is_empty() {
            PART
        } else {
            1
        };
        harness.alone(scenario, part)
    });
    let mut found = Found::default();
    for (scenario, ran) in scenarios.iter().zip(ran) {
        let (outcome, seen) = ran?;
        found.tried.extend(&scenario.needs);
        if outcome.verdict == Verdict::Pass {
            found.shown.extend(&scenario.needs);
        }
        found.interface = found.interface.or_else(|| interface(scenario, &seen));
    }
    Ok(found)
}

fn expanded(profile: &Profile, library: &Library) -> Result<Vec<Scenario>> {
    let loaded = Loaded {
        root: PathBuf::new(),
        catalog: Catalog::default(),
        library: library.clone(),
        cases: unbound("capabilities.yaml", CASES).map_err(|why| anyhow!("{why}"))?,
    };
    generate::scenarios(&loaded, profile).map_err(|found| {
        let told: Vec<String> = found.iter().map(ToString::to_string).collect();
        anyhow!("{}", told.join("\n"))
    })
}

/// Reads the answer to `hv version`.
fn interface(scenario: &Scenario, seen: &Observation) -> Option<Interface> {
    scenario.domains.iter().find_map(|domain| {
        let asks = |line: &crate::scenario::Line| line.op == Op::Hv(Hv::Version);
        let place = u16::try_from(domain.lines.iter().position(asks)?).ok()?;
        match seen.domains.get(&domain.number)?.answers.get(&place)? {
            Answer::Value(value) => Some(Interface {
                version: (value >> 48, value >> 32 & 0xffff),
                sysctl: value >> 16 & 0xffff,
                domctl: value & 0xffff,
            }),
            _ => None,
        }
    })
}

impl Found {
    /// Returns the capabilities by which to judge an image that no profile was written for: for what was tried, the
    /// result counts, not the claim of the profile.
    pub fn capabilities(&self, claimed: &Capabilities) -> Capabilities {
        let untried = claimed.iter().filter(|one| !self.tried.contains(one));
        untried.chain(self.shown.iter().copied()).collect()
    }

    /// Returns what was seen but is not claimed.
    pub fn unclaimed(&self, claimed: &Capabilities) -> Vec<Capability> {
        let all = self.shown.iter().copied();
        all.filter(|one| !claimed.has(*one)).collect()
    }

    /// Returns what is claimed, was tried and was not seen.
    pub fn unseen(&self, claimed: &Capabilities) -> Vec<Capability> {
        let tried = claimed.iter().filter(|one| self.tried.contains(one));
        tried.filter(|one| !self.shown.contains(one)).collect()
    }
}

impl std::fmt::Display for Interface {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            version: (major, minor),
            domctl,
            sysctl,
        } = self;
        write!(
            f,
            "version {major}.{minor}, domctl interface {domctl:#x}, sysctl interface {sysctl:#x}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::profile;

    /// Each case is valid for either kind of control, and every capability of an Arm subject is tried. Excepted are
    /// those that only extend another one that is tried, and support for Xen's trees, without which nothing could be
    /// tried.
    #[test]
    fn every_capability_is_tried() {
        let mut tried = BTreeSet::new();
        for control in [Control::Capabilities, Control::Dom0] {
            let profile = Profile {
                control,
                ..profile()
            };
            for scenario in expanded(&profile, Library::shipped().unwrap()).unwrap() {
                tried.extend(scenario.needs);
            }
        }
        let untried: Vec<Capability> = Capability::ALL
            .into_iter()
            .filter(|one| !tried.contains(one))
            .collect();
        use Capability::{Dom0lessTrees, Firmware, IommuEvents, PciRuntime, PciScan};
        let added = [IommuEvents, PciScan, PciRuntime, Firmware, Dom0lessTrees];
        assert_eq!(untried, added);
    }

    /// The result decides for what was tried; the profile decides for the rest.
    #[test]
    fn what_was_seen_decides() {
        use Capability::{DirectMap, Iommu, Pci, PciScan};
        let claimed: Capabilities = [DirectMap, PciScan].into_iter().collect();
        let found = Found {
            shown: BTreeSet::from([Iommu]),
            tried: BTreeSet::from([Iommu, DirectMap, Pci]),
            interface: None,
        };
        let counts: Vec<Capability> = found.capabilities(&claimed).iter().collect();
        assert_eq!(counts, [Iommu, PciScan]);
        assert_eq!(found.unclaimed(&claimed), [Iommu]);
        assert_eq!(found.unseen(&claimed), [DirectMap]);
    }
}
