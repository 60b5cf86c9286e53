//! Costs of a device behind an IOMMU: of assigning it, and of one that does nothing but cause faults.

use anyhow::{Context, Result, anyhow, bail};
use dtb_gen::Edit;
use model::Capability;
use wire::Answer;

use super::instruction_counts::{domain, first, run, scenario, span, succeeded};
use crate::arch::NOW;
use crate::case::Role;
use crate::pipeline::Harness;
use crate::run_request::CLOCK_SHIFT;
use crate::scenario::{Added, Device, Domain, Partial, Range, Scenario};

/// The device.
const DEVICE: &str = "edu";
/// Bytes of a transfer: the whole buffer of the device. It takes a tenth of a second of the machine's clock.
const TRANSFER: u64 = 4096;
/// Bytes of a forbidden transfer per recorded event.
const EVENT: u64 = 4;
/// Minimum number of faults in the storm.
pub const STORM: u64 = 100_000;
/// Address of the memory of the domain that has the device.
const OWN: u64 = 0x4030_0000;
/// Address at which no domain here has memory.
const FOREIGN: u64 = 0x5000_0000;
/// Number of words that the other domain reads: at a few dozen instructions each, this takes about as long as the
/// storm.
const WORDS: u32 = 220_000;

/// Costs of a device behind an IOMMU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protected {
    /// Instructions to assign one more device to a domain, beyond those of a hypercall that does almost nothing.
    pub assign: u64,
    /// Instructions of a loop in another domain while the device makes only permitted accesses.
    pub calm: u64,
    /// Instructions of the same loop while the device faults all the time.
    pub storm: u64,
}

impl Protected {
    /// Returns the fraction by which the loop is slower in the storm.
    pub fn slowdown(&self) -> f64 {
        self.storm as f64 / self.calm as f64 - 1.0
    }
}

/// Measures; none if the subject drives no IOMMU.
pub fn protected(harness: &Harness) -> Result<Option<Protected>> {
    let needs = [
        Capability::Iommu,
        Capability::ControlDomain,
        Capability::RuntimeCreate,
    ];
    if !harness.profile().capabilities.missing(&needs).is_empty() {
        return Ok(None);
    }
    Ok(Some(Protected {
        assign: assign(harness)?,
        calm: beside(harness, OWN)?,
        storm: beside(harness, FOREIGN)?,
    }))
}

fn assign(harness: &Harness) -> Result<u64> {
    let edu = Edu::of(harness)?;
    let ops = [
        "hv create 9 2048 1 32".to_owned(),
        NOW.to_owned(),
        "hv pause 9".to_owned(),
        NOW.to_owned(),
        format!("hv assign 9 {}", edu.path),
        NOW.to_owned(),
    ];
    let control = domain(harness, 1, Role::Control, &ops)?;
    let (said, _) = run(harness, &edu.scenario(harness, vec![control])?, false)?;
    let seen = first(&said)?;
    for op in [0, 2, 4] {
        succeeded(seen, op)?;
    }
    // The two spans differ only in what the hypercall does: the output and the way in and out are the same.
    let (pause, assign) = (span(seen, 1, 3)?, span(seen, 3, 5)?);
    Ok(assign.saturating_sub(pause) >> CLOCK_SHIFT)
}

/// Returns how many instructions a loop in one domain takes while the device of another moves data to an address.
fn beside(harness: &Harness, to: u64) -> Result<u64> {
    let edu = Edu::of(harness)?;
    let transfers = STORM.div_ceil(TRANSFER / EVENT);
    let moves = [
        format!("loop {transfers} 5"),
        format!("w64 {:#x} 0x40000", edu.register("DMA_SOURCE")?),
        format!("w64 {:#x} {to:#x}", edu.register("DMA_TARGET")?),
        format!("w64 {:#x} {TRANSFER}", edu.register("DMA_COUNT")?),
        format!("w64 {:#x} 3", edu.register("DMA_COMMAND")?),
        format!("wait32 {:#x} 0xff 2 5000", edu.register("DMA_COMMAND")?),
    ];
    let mut owner = domain(harness, 1, Role::Guest, &moves)?;
    owner.partial = Some(Partial {
        devices: vec![edu.given()],
        ..Partial::default()
    });
    let look = [
        NOW.to_owned(),
        format!("same r32 {OWN:#x} {WORDS} 0 0 0"),
        NOW.to_owned(),
    ];
    let other = domain(harness, 2, Role::Guest, &look)?;
    let (said, _) = run(harness, &edu.scenario(harness, vec![owner, other])?, false)?;
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

/// The device that these measurements use, as the machine has it.
struct Edu {
    added: Added,
    path: String,
}

impl Edu {
    fn of(harness: &Harness) -> Result<Self> {
        let place = harness.board().device(DEVICE);
        let place = place.with_context(|| format!("the machine has no `{DEVICE}`"))?;
        let device = place.model(harness.library()).map_err(|why| anyhow!(why))?;
        let path = place.path.clone();
        Ok(Self {
            added: Added { device, place },
            path: path.with_context(|| format!("`{DEVICE}` has no node"))?,
        })
    }

    /// Returns the address of a register.
    fn register(&self, name: &str) -> Result<u64> {
        let register = self.added.device.register(name);
        let register = register.with_context(|| format!("`{DEVICE}` has no register {name}"))?;
        Ok(self.added.place.base + register.offset)
    }

    /// Assigns it to a domain.
    fn given(&self) -> Device {
        let base = self.added.place.base;
        let range = Range {
            host: base,
            size: 0x1000,
            guest: base,
        };
        Device {
            node: self.path.trim_start_matches('/').to_owned(),
            ranges: vec![range],
            path: Some(self.path.clone()),
            force: false,
            describe_as: None,
            interrupts: Vec::new(),
            props: Vec::new(),
        }
    }

    /// Returns a scenario on a machine with the device behind the IOMMU.
    fn scenario(&self, harness: &Harness, domains: Vec<Domain>) -> Result<Scenario> {
        let mut scenario = scenario(harness, domains)?;
        scenario.machine.devices = vec![DEVICE.to_owned()];
        scenario.machine.iommu = true;
        scenario.added = vec![self.added];
        let iommu = harness.board().iommu().and_then(|iommu| iommu.path.clone());
        scenario.host = vec![Edit::Point {
            path: self.path.clone(),
            prop: "iommus".to_owned(),
            target: iommu.context("the machine has no IOMMU")?,
            before: Vec::new(),
            after: self.added.place.stream.into_iter().collect(),
        }];
        scenario.passthrough = Some(vec![self.path.clone()]);
        Ok(scenario)
    }
}
