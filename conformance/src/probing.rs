//! What a subject can do, found out before it is judged: a profile says what is claimed, the machine shows what is there.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Result, anyhow};
use model::{Capabilities, Capability};
use runners::{Control, Profile};
use wire::{Answer, Hv, Op};

use crate::case::load::{Loaded, unbound};
use crate::observe::Seen;
use crate::pipeline::{Rig, in_parallel};
use crate::scenario::{Scenario, generate};
use model::Verdict;
use oft::Catalog;

/// The cases that show capabilities.
const CASES: &str = include_str!("probing/capabilities.yaml");

/// What was found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Capabilities that were seen at work.
    pub shown: BTreeSet<Capability>,
    /// Those that were tried.
    pub tried: BTreeSet<Capability>,
    /// The interface that it answers by, where it was asked.
    pub interface: Option<Interface>,
}

/// The versions of a hypervisor's interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its own version.
    pub version: (u64, u64),
    /// That of domctl.
    pub domctl: u64,
    /// That of sysctl.
    pub sysctl: u64,
}

/// The part of the usual time for something that nobody claims: a host that stops mutely over it would cost the whole.
const PART: u32 = 10;

/// Tries everything that there is a case for; `known` tells whether the profile speaks of this very image.
pub fn probe(rig: &Rig, jobs: usize, known: bool) -> Result<Found> {
    let mut scenarios = expanded(rig.profile())?;
    // A subject whose only control domain is the first one may know nodes that say so all the same.
    let by_node = Profile {
        control: Control::Capabilities,
        ..rig.profile().clone()
    };
    let named = |scenario: &Scenario| scenario.needs.contains(&Capability::ControlNode);
    scenarios.retain(|scenario| !named(scenario));
    scenarios.extend(expanded(&by_node)?.into_iter().filter(named));
    let ran = in_parallel(&scenarios, jobs, |scenario| {
        let missing = rig.profile().capabilities.missing(&scenario.needs);
        let part = if known && !missing.is_empty() {
            PART
        } else {
            1
        };
        rig.alone(scenario, part)
    });
    let mut found = Found::default();
    for (scenario, ran) in scenarios.iter().zip(ran) {
        let (judgement, seen) = ran?;
        found.tried.extend(&scenario.needs);
        if judgement.verdict == Verdict::Pass {
            found.shown.extend(&scenario.needs);
        }
        found.interface = found.interface.or_else(|| interface(scenario, &seen));
    }
    Ok(found)
}

fn expanded(profile: &Profile) -> Result<Vec<Scenario>> {
    let loaded = Loaded {
        root: PathBuf::new(),
        catalog: Catalog::default(),
        cases: unbound("capabilities.yaml", CASES).map_err(|why| anyhow!("{why}"))?,
    };
    generate::scenarios(&loaded, profile).map_err(|found| {
        let told: Vec<String> = found.iter().map(ToString::to_string).collect();
        anyhow!("{}", told.join("\n"))
    })
}

/// Reads the answer to `hv version`.
fn interface(scenario: &Scenario, seen: &Seen) -> Option<Interface> {
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
    /// Returns what to judge an image by that nobody knows: where something was tried, whether it was seen counts, and not
    /// what the profile claims.
    pub fn capabilities(&self, claimed: &Capabilities) -> Capabilities {
        let untried = claimed.iter().filter(|one| !self.tried.contains(one));
        untried.chain(self.shown.iter().copied()).collect()
    }

    /// Returns what was seen and is not claimed.
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

    /// Each case reads for either kind of control, and every capability of an Arm subject is tried, save those that add to
    /// another one which is, and that of being told by Xen's trees, without which nothing could be tried.
    #[test]
    fn every_capability_is_tried() {
        let mut tried = BTreeSet::new();
        for control in [Control::Capabilities, Control::Dom0] {
            let profile = Profile {
                control,
                ..profile()
            };
            for scenario in expanded(&profile).unwrap() {
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

    /// What was seen decides where it was tried; elsewhere the profile does.
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
