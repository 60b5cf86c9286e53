//! A domain, and how it comes into being.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::addr::{Address, Ipa, PAGE_SIZE, Span};
use crate::assign::{DomainPlan, Placed, Refusal};
use crate::config::Flaw;
use crate::fault::{self, Fault};
use crate::hal::Machine;
use crate::ids::{DomainId, IrqLine, VcpuId};
use crate::paging::{MapError, Memory, Space};
use crate::policy;
use crate::vdev::vgic::{Config, Vgic};
use crate::vdev::vpl011::Pl011;

/// What a virtual CPU is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Not switched on.
    Off,
    /// Running, or waiting for its turn.
    Ready,
    /// Waiting for an interrupt.
    Blocked,
}

/// A virtual CPU.
#[derive(Debug)]
pub struct Vcpu<V> {
    /// What it is doing.
    pub state: State,
    /// Its registers.
    pub registers: V,
}

/// A domain.
#[derive(Debug)]
pub struct Domain<M: Machine> {
    /// Its number.
    pub id: DomainId,
    /// The name of its node.
    pub name: String,
    /// Whether it was stopped. It keeps what it has; nothing of it runs.
    pub stopped: bool,
    /// What decisions need to know of it.
    pub policy: policy::Domain,
    /// Its interrupt controller.
    pub vgic: Vgic,
    /// Its console.
    pub uart: Option<Pl011>,
    /// Its virtual CPUs.
    pub vcpus: Vec<Vcpu<M::Vcpu>>,
    /// The host lines that are its own.
    pub lines: Vec<IrqLine>,
    /// Its address space.
    pub space: Space<M::Format>,
}

/// Why a domain that was proven sound could not be made all the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Failure {
    Map(MapError),
    NotRam(&'static str),
    Interrupts,
}

impl From<MapError> for Failure {
    fn from(error: MapError) -> Self {
        Self::Map(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Map(error) => write!(f, "cannot be mapped: {error}"),
            Self::NotRam(what) => write!(f, "cannot hold the {what}"),
            Self::Interrupts => f.write_str("has interrupts that its controller cannot have"),
        }
    }
}

impl<M: Machine> Domain<M> {
    /// Makes a domain as planned, ready to run its first instruction.
    ///
    /// # Errors
    /// Says why not; then nothing of it is left.
    pub fn create(machine: &mut M, plan: &DomainPlan, tree: &[u8]) -> Result<Self, Refusal> {
        let refuse = |failure| refusal(plan, failure);
        let (shape, format) = machine.layout();
        let mut space = Space::new(machine.tables(), shape, format)
            .ok_or(refuse(Failure::Map(MapError::NoFrame)))?;
        let filled = fill(machine, &mut space, plan, tree);
        machine.publish();
        match filled.and_then(|()| devices(machine, plan)) {
            Ok((vgic, policy)) => Ok(Self::assemble(machine, plan, space, vgic, policy)),
            Err(failure) => {
                // No VTTBR has ever pointed at these tables.
                space.release(machine.tables());
                Err(refuse(failure))
            }
        }
    }

    fn assemble(
        machine: &mut M,
        plan: &DomainPlan,
        space: Space<M::Format>,
        vgic: Vgic,
        policy: policy::Domain,
    ) -> Self {
        let since = machine.now();
        let mut vcpus: Vec<_> = (0..plan.cpus)
            .map(|index| {
                let id = VcpuId {
                    domain: plan.id,
                    index,
                };
                Vcpu {
                    state: State::Off,
                    registers: machine.create(id, space.root(), since),
                }
            })
            .collect();
        if let Some(first) = vcpus.first_mut() {
            let tree = plan.load.tree.first().raw();
            machine.reset(&mut first.registers, plan.load.kernel.to, tree);
            first.state = State::Ready;
        }
        for irq in &plan.irqs {
            machine.configure(irq.line, irq.trigger);
        }
        vgic.attach(machine);
        Self {
            id: plan.id,
            name: plan.name.clone(),
            stopped: false,
            policy,
            vgic,
            uart: plan.layout.uart.map(|_| Pl011::new()),
            vcpus,
            lines: plan.irqs.iter().map(|irq| irq.line).collect(),
            space,
        }
    }
}

/// Words a refusal of a plan that was proven sound.
pub fn refusal(plan: &DomainPlan, why: impl fmt::Display) -> Refusal {
    let node = format!("/chosen/{}", plan.name);
    let flaw = Flaw {
        node,
        property: "memory".to_string(),
        what: why.to_string(),
    };
    Refusal {
        number: usize::from(plan.id.number()),
        domain: plan.name.clone(),
        flaw,
    }
}

/// Maps all that the plan names and fills the RAM.
fn fill<M: Machine>(
    machine: &mut M,
    space: &mut Space<M::Format>,
    plan: &DomainPlan,
    tree: &[u8],
) -> Result<(), Failure> {
    for ram in &plan.ram {
        let span = Span::of_pages(ram.pa, ram.pages).ok_or(Failure::NotRam("domain's RAM"))?;
        if !machine.scrub(span) {
            return Err(Failure::NotRam("domain's RAM"));
        }
    }
    map(machine, space, plan)?;
    place(machine, space, &plan.load.kernel, "kernel")?;
    if let Some(ramdisk) = &plan.load.ramdisk {
        place(machine, space, ramdisk, "ramdisk")?;
    }
    write(machine, space, plan.load.tree.first(), tree)?;
    machine.publish_code();
    Ok(())
}

/// Faults after which ranges of a plan may overlap, which the tables would not have.
const OVERLAPPING: [Fault; 8] = [
    Fault::GuestRamOverlap,
    Fault::GuestRangesOverlap,
    Fault::ColumnsSwapped,
    Fault::IdentityToo,
    Fault::GicMapped,
    Fault::IommuMapped,
    Fault::DeviceInLaterDomains,
    Fault::BlockMapped,
];

/// Maps exactly what the plan names: device pages and RAM.
fn map<M: Machine>(
    machine: &mut M,
    space: &mut Space<M::Format>,
    plan: &DomainPlan,
) -> Result<(), Failure> {
    if OVERLAPPING.into_iter().any(fault::on) {
        return overlay(machine, space, plan);
    }
    for mmio in &plan.mmio {
        space.map(
            machine.tables(),
            mmio.ipa,
            mmio.pa,
            mmio.size(),
            Memory::Device,
        )?;
    }
    for ram in &plan.ram {
        let size = ram.pages * PAGE_SIZE;
        space.map(machine.tables(), ram.ipa, ram.pa, size, Memory::Ram)?;
    }
    Ok(())
}

/// Maps what the plan names page by page, a later range over an earlier one and devices over RAM: what
/// a seeded fault lets through must show in the guest, not here.
fn overlay<M: Machine>(
    machine: &mut M,
    space: &mut Space<M::Format>,
    plan: &DomainPlan,
) -> Result<(), Failure> {
    let devices = plan
        .mmio
        .iter()
        .rev()
        .map(|mmio| (mmio.ipa, mmio.pa, mmio.pages, Memory::Device));
    let ram = plan
        .ram
        .iter()
        .map(|ram| (ram.ipa, ram.pa, ram.pages, Memory::Ram));
    for (ipa, pa, pages, memory) in devices.chain(ram) {
        for offset in (0..pages).map(|page| page * PAGE_SIZE) {
            if let (Some(from), Some(to)) = (ipa.checked_add(offset), pa.checked_add(offset))
                && space.walk(machine.tables(), from).is_none()
            {
                space.map(machine.tables(), from, to, PAGE_SIZE, memory)?;
            }
        }
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

/// Makes the imitated interrupt controller, and says where the imitated devices lie.
fn devices<M: Machine>(machine: &M, plan: &DomainPlan) -> Result<(Vgic, policy::Domain), Failure> {
    let lines: Vec<_> = plan
        .irqs
        .iter()
        .map(|irq| (irq.line, irq.trigger))
        .collect();
    let (list_registers, priority_bits) = machine.virtual_interface();
    let config = Config {
        vcpus: plan.cpus,
        spis: plan.nr_spis,
        lines: &lines,
        list_registers,
        priority_bits,
    };
    let vgic = Vgic::new(&config).map_err(|_| Failure::Interrupts)?;
    let policy = policy::Domain::new(plan.cpus, &plan.layout).map_err(|_| Failure::Interrupts)?;
    Ok((vgic, policy))
}
