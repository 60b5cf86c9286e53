//! Costs of PCI functions: of finding them at boot, of looking at their configuration, and of using their registers.

use anyhow::{Context, Result, anyhow};
use model::Capability;

use super::counted::{domain, first, instant, run, scenario, span};
use crate::arch::NOW;
use crate::case::Role;
use crate::pci::{Firmware, Model, Topology, Wanted, place};
use crate::pipeline::Rig;
use crate::scenario::{Partial, Scenario};

/// Functions that are found, bridges aside.
pub const CROWD: usize = 256;
/// Functions of a device.
const OF_A_DEVICE: u8 = 8;
/// Devices of the first bus that are full of them; the rest is behind two ports.
const DEVICES: u8 = 30;
/// Reads that the cost of one is taken from.
const READS: u64 = 1000;
/// Where the domain puts the registers of its function.
const BAR: u64 = 0x2300_0000;
/// What its register there holds.
const EDU_IS: u32 = 0x0100_00ed;
/// Memory of the domain's.
const RAM: u64 = 0x4010_0000;

/// What PCI functions cost, in instructions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Functions {
    /// To find [`CROWD`] functions while the machine boots.
    pub discovery: u64,
    /// A read of a domain's in its configuration space, the dearest of a few registers.
    pub configuration: u64,
    /// A read of a function's own register, beyond one of memory, for [`READS`] of them.
    pub register: u64,
}

/// Measures; none where the subject does not find PCI functions, or gives them to nobody.
pub fn functions(rig: &Rig) -> Result<Option<Functions>> {
    let needs = [Capability::Pci, Capability::PciScan, Capability::Iommu];
    if !rig.profile().capabilities.missing(&needs).is_empty() {
        return Ok(None);
    }
    let (configuration, register) = reads(rig)?;
    Ok(Some(Functions {
        discovery: discovery(rig)?,
        configuration,
        register,
    }))
}

/// How many instructions later a domain's first answer comes on a machine with a crowd of functions.
fn discovery(rig: &Rig) -> Result<u64> {
    let booted = |wanted: &[Wanted]| {
        let lone = domain(rig, 1, Role::Guest, &[NOW.to_owned()])?;
        let scenario = with(rig, scenario(vec![lone])?, wanted)?;
        let (said, _) = run(rig, &scenario, true)?;
        instant(first(&said)?, 0)
    };
    Ok(booted(&crowd()?)?.saturating_sub(booted(&[])?))
}

/// What a read costs in configuration space, and one of registers beyond one of memory.
fn reads(rig: &Rig) -> Result<(u64, u64)> {
    let guest = rig
        .profile()
        .guest
        .pci
        .context("the profile says where domains have PCI")?;
    let config = guest.ecam.base;
    let mut ops = vec![
        format!("w32 {:#x} {BAR:#x}", config + 0x10),
        format!("w16 {:#x} 6", config + 4),
        // What the device says it is, so that as many digits are printed.
        format!("w32 {RAM:#x} {EDU_IS:#x}"),
    ];
    // Identity, status, a base address register, a capability, and what there is not.
    let registers = [0, 4, 0x10, 0x40, 0x100, 0x8000].map(|offset| config + offset);
    for at in [RAM, BAR].into_iter().chain(registers) {
        ops.extend([
            NOW.to_owned(),
            format!("loop {READS} 1"),
            format!("r32 {at:#x}"),
            NOW.to_owned(),
        ]);
    }
    let mut owner = domain(rig, 1, Role::Guest, &ops)?;
    owner.pci = vec![[0, 0, 1 << 3]];
    owner.partial = Some(Partial::default());
    let edu = Wanted::new("edu", model("edu")?);
    let mut scenario = with(rig, scenario(vec![owner])?, &[edu])?;
    scenario.machine.iommu = true;
    let (said, _) = run(rig, &scenario, true)?;
    let seen = first(&said)?;
    let took = |place: usize| {
        let before = u16::try_from(3 + place * 4).context("few operations")?;
        span(seen, before, before + 3)
    };
    let memory = took(0)?;
    let register = took(1)?.saturating_sub(memory);
    let mut dearest = 0;
    for place in 2..2 + registers.len() {
        dearest = dearest.max(took(place)?.saturating_sub(memory));
    }
    Ok((dearest / READS, register))
}

/// A scenario on a machine with these functions.
fn with(rig: &Rig, mut scenario: Scenario, wanted: &[Wanted]) -> Result<Scenario> {
    let host = rig
        .profile()
        .host
        .as_ref()
        .and_then(|host| host.pci.as_ref())
        .context("the profile says where the board has PCI")?;
    let topology: Topology = place(wanted, Firmware::Full, host, 0)?;
    scenario.pci = Some(topology);
    Ok(scenario)
}

/// Devices full of functions, on the first bus and behind two ports.
fn crowd() -> Result<Vec<Wanted>> {
    let small = model("pci-testdev")?;
    let device = |device: u8, name: &str| {
        let function = |function| Wanted {
            slot: Some((device, function)),
            ..Wanted::new(format!("{name}-{device}-{function}"), small)
        };
        (0..OF_A_DEVICE).map(function).collect::<Vec<_>>()
    };
    let mut all: Vec<Wanted> = (1..=DEVICES).flat_map(|at| device(at, "own")).collect();
    for (function, name) in [(0, "one"), (1, "two")] {
        all.push(Wanted {
            slot: Some((DEVICES + 1, function)),
            below: device(0, name),
            ..Wanted::new(format!("port-{name}"), model("pcie-root-port")?)
        });
    }
    Ok(all)
}

fn model(name: &str) -> Result<&'static Model> {
    Model::find(name).map_err(|why| anyhow!(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// There are as many functions as is said.
    #[test]
    fn the_crowd_is_counted() {
        let crowd = crowd().unwrap();
        let (ports, own): (Vec<_>, Vec<_>) = crowd.iter().partition(|one| !one.below.is_empty());
        let behind: usize = ports.iter().map(|port| port.below.len()).sum();
        assert_eq!((ports.len(), own.len() + behind), (2, CROWD));
    }
}
