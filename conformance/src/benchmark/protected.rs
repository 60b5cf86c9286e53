//! Costs of a device behind an IOMMU: of giving it, and of bearing with one that does nothing but fault.

use crate::arch;
use anyhow::{Result, bail};
use model::Capability;
use wire::Answer;

use super::counted::{domain, first, run, scenario, span, succeeded};
use crate::arch::NOW;
use crate::case::Role;
use crate::dtb::EDU_BASE;
use crate::pipeline::Rig;
use crate::rig::CLOCK_SHIFT;
use crate::scenario::{Device, Domain, Partial, Range, Scenario};

/// Where the host's tree has the device.
const EDU: &str = "/edu@10000000";
/// What a transfer moves: all that the device holds. It takes a tenth of a second by the machine's clock.
const TRANSFER: u64 = 4096;
/// The device reports each of so many bytes that it may not move.
const EVENT: u64 = 4;
/// Faults that the storm has at least.
pub const STORM: u64 = 100_000;
/// Memory of the domain that has the device.
const OWN: u64 = 0x4030_0000;
/// Where no domain here has memory.
const FOREIGN: u64 = 0x5000_0000;
/// Words that the other domain looks at: at a few dozen instructions each, this lasts about as long as the storm.
const WORDS: u32 = 220_000;

/// What a device behind an IOMMU costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protected {
    /// Instructions to give a domain one device more, beyond those of a hypercall that does next to nothing.
    pub assign: u64,
    /// Instructions that a loop in another domain takes while the device does what it may.
    pub calm: u64,
    /// Instructions that it takes while the device faults all the time.
    pub storm: u64,
}

impl Protected {
    /// By what part the loop is slower in the storm.
    pub fn slowdown(&self) -> f64 {
        self.storm as f64 / self.calm as f64 - 1.0
    }
}

/// Measures; none where the subject drives no IOMMU.
pub fn protected(rig: &Rig) -> Result<Option<Protected>> {
    let needs = [
        Capability::Iommu,
        Capability::ControlDomain,
        Capability::RuntimeCreate,
    ];
    if !rig.profile().capabilities.missing(&needs).is_empty() {
        return Ok(None);
    }
    Ok(Some(Protected {
        assign: assign(rig)?,
        calm: beside(rig, OWN)?,
        storm: beside(rig, FOREIGN)?,
    }))
}

fn assign(rig: &Rig) -> Result<u64> {
    let ops = [
        "hv create 9 2048 1 32".to_owned(),
        NOW.to_owned(),
        "hv pause 9".to_owned(),
        NOW.to_owned(),
        format!("hv assign 9 {EDU}"),
        NOW.to_owned(),
    ];
    let control = domain(rig, 1, Role::Control, &ops)?;
    let (said, _) = run(rig, &with_edu(vec![control])?, false)?;
    let seen = first(&said)?;
    for op in [0, 2, 4] {
        succeeded(seen, op)?;
    }
    // The two differ in what the hypercall does: the same is printed, and the way in and out is the same.
    let (pause, assign) = (span(seen, 1, 3)?, span(seen, 3, 5)?);
    Ok(assign.saturating_sub(pause) >> CLOCK_SHIFT)
}

/// How many instructions a loop in one domain takes while the device of another moves data to an address.
fn beside(rig: &Rig, to: u64) -> Result<u64> {
    let transfers = STORM.div_ceil(TRANSFER / EVENT);
    let moves = [
        format!("loop {transfers} 5"),
        format!("w64 {:#x} 0x40000", EDU_BASE + 0x80),
        format!("w64 {:#x} {to:#x}", EDU_BASE + 0x88),
        format!("w64 {:#x} {TRANSFER}", EDU_BASE + 0x90),
        format!("w64 {:#x} 3", EDU_BASE + 0x98),
        format!("wait32 {:#x} 0xff 2 5000", EDU_BASE + 0x98),
    ];
    let mut owner = domain(rig, 1, Role::Guest, &moves)?;
    owner.partial = Some(Partial {
        devices: vec![edu()],
        ..Partial::default()
    });
    let look = [
        NOW.to_owned(),
        format!("same r32 {OWN:#x} {WORDS} 0 0 0"),
        NOW.to_owned(),
    ];
    let other = domain(rig, 2, Role::Guest, &look)?;
    let (said, _) = run(rig, &with_edu(vec![owner, other])?, false)?;
    let (Some(owner), Some(other)) = (said.get(&1), said.get(&2)) else {
        bail!("the two domains did not run")
    };
    match owner.answers.get(&0) {
        Some(Answer::Value(0)) => {}
        answer => bail!("transfers to {to:#x}: {answer:?}"),
    }
    let took = span(other, 0, 2)?;
    if took == 0 {
        bail!("the other domain's loop took no time");
    }
    Ok(took >> CLOCK_SHIFT)
}

fn edu() -> Device {
    let range = Range {
        host: EDU_BASE,
        size: 0x1000,
        guest: EDU_BASE,
    };
    Device {
        node: EDU.trim_start_matches('/').to_owned(),
        ranges: vec![range],
        path: Some(EDU.to_owned()),
        force: false,
        like: None,
        lines: Vec::new(),
        props: Vec::new(),
    }
}

fn with_edu(domains: Vec<Domain>) -> Result<Scenario> {
    let mut scenario = scenario(domains)?;
    scenario.machine.edu = true;
    scenario.machine.iommu = true;
    scenario.host = vec![format!("point {EDU} iommus {} 0x18", arch::IOMMU_NODE)];
    scenario.passthrough = Some(vec![EDU.to_owned()]);
    Ok(scenario)
}
