//! What a domain's memory holds when it starts.

use super::address_space::AddressSpace;
use super::domain::Failure;
use crate::addr::{Address, Ipa, Span};
use crate::assign::{DomainPlan, Placed};
use crate::fault::{self, Fault};
use crate::hal::Machine;
use crate::paging::{MapError, Memory, Space};

/// Maps all that the plan names and fills the RAM.
pub(super) fn load_images<M: Machine>(
    machine: &mut M,
    memory: &mut AddressSpace<M::Format>,
    plan: &DomainPlan,
    tree: &[u8],
) -> Result<(), Failure> {
    for ram in &plan.ram {
        let span = Span::of_pages(ram.pa, ram.pages).ok_or(Failure::NotRam("domain's RAM"))?;
        // Where the guest's addresses are the host's, a device may look past the caches.
        let direct = ram.ipa.raw() == ram.pa.raw();
        if !machine.scrub(span) || direct && !machine.write_back(span) {
            return Err(Failure::NotRam("domain's RAM"));
        }
    }
    map(machine, memory, plan)?;
    let space = &memory.space;
    place(machine, space, &plan.load.kernel, "kernel")?;
    if let Some(ramdisk) = &plan.load.ramdisk {
        place(machine, space, ramdisk, "ramdisk")?;
    }
    write(machine, space, plan.load.tree.first(), tree)?;
    machine.publish_code();
    Ok(())
}

/// Faults after which ranges of a plan may overlap: what one of them lets through must show in the guest, so a later
/// range takes the place of an earlier one, which the tables would refuse.
const OVERLAPPING: [Fault; 10] = [
    Fault::GuestRamOverlap,
    Fault::GuestRangesOverlap,
    Fault::ColumnsSwapped,
    Fault::IdentityToo,
    Fault::ControllerMapped,
    Fault::IommuMapped,
    Fault::ReservedToHardware,
    Fault::IommuMappedToHardware,
    Fault::DeviceInLaterDomains,
    Fault::BlockMapped,
];

/// Maps exactly what the plan names: RAM and device pages.
fn map<M: Machine>(
    machine: &mut M,
    memory: &mut AddressSpace<M::Format>,
    plan: &DomainPlan,
) -> Result<(), Failure> {
    let ram = plan
        .ram
        .iter()
        .map(|ram| (ram.guest(), ram.pa, Memory::Ram));
    let devices = plan.mmio.iter();
    let devices = devices.map(|mmio| (mmio.guest(), mmio.pa, Memory::Device));
    for (guest, pa, kind) in ram.chain(devices) {
        let guest = guest.ok_or(Failure::NotRam("domain's RAM"))?;
        if OVERLAPPING.into_iter().any(fault::on) && memory.remove(machine, guest).is_err() {
            return Err(MapError::NoFrame.into());
        }
        memory.fill(machine, guest, pa, kind)?;
    }
    Ok(())
}

/// Copies a module to where the guest finds it, through the guest's own translation: what the tables
/// say and what was filled cannot disagree.
fn place<M: Machine>(
    machine: &mut M,
    space: &Space<M::Format>,
    placed: &Placed,
    what: &'static str,
) -> Result<(), Failure> {
    let mut done = 0;
    while done < placed.from.size() {
        let failure = Failure::NotRam(what);
        let from = placed.from.first().checked_add(done).ok_or(failure)?;
        let to = placed.to.checked_add(done).ok_or(failure)?;
        let there = space
            .walk(machine.tables(), to)
            .filter(|t| t.attributes == Memory::Ram);
        let there = there.ok_or(failure)?;
        let size = there.rest.min(placed.from.size() - done);
        if !machine.copy(from, there.to, size) {
            return Err(failure);
        }
        done += size;
    }
    Ok(())
}

/// Writes bytes to where the guest finds them.
fn write<M: Machine>(
    machine: &mut M,
    space: &Space<M::Format>,
    to: Ipa,
    bytes: &[u8],
) -> Result<(), Failure> {
    let failure = Failure::NotRam("device tree");
    let mut left = bytes;
    let mut at = to;
    while !left.is_empty() {
        let there = space
            .walk(machine.tables(), at)
            .filter(|t| t.attributes == Memory::Ram);
        let there = there.ok_or(failure)?;
        let size = usize::try_from(there.rest).map_or(left.len(), |rest| rest.min(left.len()));
        let (now, later) = left.split_at(size);
        if !machine.write(there.to, now) {
            return Err(failure);
        }
        left = later;
        at = at.checked_add(there.rest).ok_or(failure)?;
    }
    Ok(())
}
