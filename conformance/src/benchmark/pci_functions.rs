//! Costs of PCI functions: of finding them at boot, of reading their configuration space, and of accessing their
//! registers.

use anyhow::{Context, Result, anyhow};
use model::Capability;

use super::instruction_counts::{domain, first, instant, run, scenario, span};
use crate::arch::NOW;
use crate::case::Role;
use crate::library::Library;
use crate::pci::{Bridge, Firmware, Model, Topology, Wanted, place};
use crate::pipeline::Harness;
use crate::scenario::{Partial, Scenario};

/// Number of functions to find, without bridges.
pub const CROWD: usize = 256;
/// Functions of a device.
const OF_A_DEVICE: u8 = 8;
/// Devices of the first bus that have all their functions; the rest is behind two ports.
const DEVICES: u8 = 30;
/// Number of reads over which the cost of one is measured.
const READS: u64 = 1000;
/// Address of the function's BAR, set by the domain.
const BAR: u64 = 0x2300_0000;
/// Value of its register there.
const EDU_IS: u32 = 0x0100_00ed;
/// Address of the domain's memory.
const RAM: u64 = 0x4010_0000;

/// Costs of PCI functions, in instructions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Functions {
    /// Cost of finding [`CROWD`] functions while the machine boots.
    pub discovery: u64,
    /// Cost of a domain's read of its configuration space, for the slowest of a few registers.
    pub configuration: u64,
    /// Cost of a read of a function's own register, beyond one of memory.
    pub register: u64,
}

/// Measures; none if the subject does not find PCI functions, or does not assign them.
pub fn functions(harness: &Harness) -> Result<Option<Functions>> {
    let needs = [Capability::Pci, Capability::PciScan, Capability::Iommu];
    if !harness.profile().capabilities.missing(&needs).is_empty() {
        return Ok(None);
    }
    let (configuration, register) = reads(harness)?;
    Ok(Some(Functions {
        discovery: discovery(harness)?,
        configuration,
        register,
    }))
}

/// Returns how many instructions later a domain's first answer comes on a machine with [`CROWD`] functions.
fn discovery(harness: &Harness) -> Result<u64> {
    let booted = |wanted: &[Wanted]| {
        let lone = domain(harness, 1, Role::Guest, &[NOW.to_owned()])?;
        let scenario = with(harness, scenario(harness, vec![lone])?, wanted)?;
        let (said, _) = run(harness, &scenario, true)?;
        instant(first(&said)?, 0)
    };
    Ok(booted(&crowd(harness.library())?)?.saturating_sub(booted(&[])?))
}

/// Returns the cost of a read of configuration space, and of a register beyond one of memory.
fn reads(harness: &Harness) -> Result<(u64, u64)> {
    let guest = harness
        .profile()
        .guest
        .pci
        .context("the profile says where domains have PCI")?;
    let config = guest.ecam.base;
    let mut ops = vec![
        format!("w32 {:#x} {BAR:#x}", config + 0x10),
        format!("w16 {:#x} 6", config + 4),
        // The identification value of the device, so that the same number of digits is printed.
        format!("w32 {RAM:#x} {EDU_IS:#x}"),
    ];
    // Identity, status, a BAR, a capability, and two registers that do not exist.
    let registers = [0, 4, 0x10, 0x40, 0x100, 0x8000].map(|offset| config + offset);
    for at in [RAM, BAR].into_iter().chain(registers) {
        ops.extend([
            NOW.to_owned(),
            format!("loop {READS} 1"),
            format!("r32 {at:#x}"),
            NOW.to_owned(),
        ]);
    }
    let mut owner = domain(harness, 1, Role::Guest, &ops)?;
    owner.pci = vec![[0, 0, 1 << 3]];
    owner.partial = Some(Partial::default());
    let edu = Wanted::new("edu", model(harness.library(), "edu")?);
    let mut scenario = with(harness, scenario(harness, vec![owner])?, &[edu])?;
    scenario.machine.iommu = true;
    let (said, _) = run(harness, &scenario, true)?;
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
    // What is printed between the times differs by a few digits, which is less than one instruction a read.
    Ok((dearest / READS, register / READS))
}

/// Puts a scenario on a machine with these functions.
fn with(harness: &Harness, mut scenario: Scenario, wanted: &[Wanted]) -> Result<Scenario> {
    let windows = harness.board().pci;
    let windows = windows.context("the machine's file says where it has PCI")?;
    let bridge = Bridge {
        windows,
        first_interrupt: harness.board().pci_interrupt.unwrap_or_default(),
        taken: 0,
    };
    let topology: Topology = place(wanted, Firmware::Full, &bridge)?;
    scenario.pci = Some(topology);
    Ok(scenario)
}

/// Returns devices with all their functions, on the first bus and behind two ports.
fn crowd(library: &Library) -> Result<Vec<Wanted>> {
    let small = model(library, "pci-testdev")?;
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
            ..Wanted::new(format!("port-{name}"), model(library, "pcie-root-port")?)
        });
    }
    Ok(all)
}

fn model(library: &Library, name: &str) -> Result<Model> {
    Model::find(library, name).map_err(|why| anyhow!(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// There are [`CROWD`] functions.
    #[test]
    fn the_crowd_is_counted() {
        let crowd = crowd(Library::shipped().unwrap()).unwrap();
        let (ports, own): (Vec<_>, Vec<_>) = crowd.iter().partition(|one| !one.below.is_empty());
        let behind: usize = ports.iter().map(|port| port.below.len()).sum();
        assert_eq!((ports.len(), own.len() + behind), (2, CROWD));
    }
}
