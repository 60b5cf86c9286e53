//! A domain, and how it comes into being.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use super::address_space::AddressSpace;
use super::emulated::EmulatedDevices;
use super::extents::{Extent, Extents};
use super::load_images::load_images;
use super::pci_functions::Functions;
use crate::addr::{Ipa, Pa};
use crate::assign::layout::Layout;
use crate::assign::{DomainPlan, Refusal};
use crate::config::ConfigError;
use crate::hal::{Arch, Cpu, Machine, VirtualInterrupts};
use crate::ids::{DomainId, IrqLine, Privilege, Sbdf, SourceId, VcpuId, Vmid};
use crate::paging::{MapError, Space};
use crate::vdev::text_line::Line;
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

/// The interrupt controller that domains of a machine see.
pub type Interrupts<M> = <<M as Cpu>::Arch as Arch>::Interrupts;

/// A virtual CPU.
#[derive(Debug)]
pub struct Vcpu<V> {
    /// What it is doing.
    pub state: State,
    /// Its registers.
    pub registers: V,
}

/// How far a domain has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Life {
    /// It may run.
    Alive,
    /// It has ended by itself, and why as Xen numbers it. It keeps what it has; nothing of it runs.
    ShutDown(u8),
    /// It was destroyed, and what it had is being taken from it.
    Dying(TeardownStage),
}

/// What is still to be taken from a dying domain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TeardownStage {
    /// Its PCI functions, and all that follows.
    Functions,
    /// Its tables, and all that follows.
    Tables,
    /// What it has mapped of others' RAM, and all that follows.
    Foreign,
    /// Its RAM.
    Ram,
    /// Pages that another domain still maps.
    ForeignMapped,
}

/// A domain.
#[derive(Debug)]
pub struct Domain<M: Machine> {
    /// Its number.
    pub id: DomainId,
    /// What it is called in reports.
    pub name: String,
    /// How far it has come.
    pub life: Life,
    /// How often it was paused and not let go on since.
    pub pauses: u8,
    /// What it may do beyond running.
    pub privilege: Privilege,
    /// What whoever made it wants to know it by.
    pub handle: [u8; 16],
    /// Where its emulated devices lie.
    pub layout: Layout,
    /// How many virtual CPUs it is to have.
    pub cpus: u32,
    /// How many lines that it can own its interrupt controller has.
    pub shared_lines: u32,
    /// When its clock began.
    pub since: u64,
    /// Where its emulated devices lie.
    pub emulated: EmulatedDevices,
    /// Its interrupt controller.
    pub interrupts: Interrupts<M>,
    /// Its console.
    pub uart: Option<Pl011>,
    /// What it writes by hypercall.
    pub text: Line,
    /// Its virtual CPUs.
    pub vcpus: Vec<Vcpu<M::Vcpu>>,
    /// The host lines that are its own.
    pub lines: Vec<IrqLine>,
    /// Its address space.
    pub memory: AddressSpace<M::Format>,
    /// Its PCI functions.
    pub functions: Functions,
    /// How many pages of a dying domain another still maps.
    pub foreign_mapped: u64,
}

impl<M: Machine> Domain<M> {
    /// Tells whether what of it is ready may run.
    pub fn runs(&self) -> bool {
        self.life == Life::Alive && self.pauses == 0
    }

    /// Tells whether it was destroyed.
    pub fn is_dying(&self) -> bool {
        matches!(self.life, Life::Dying(_))
    }

    /// Tells how many pages of RAM it has.
    pub fn pages(&self) -> u64 {
        self.memory.ram.pages() + self.foreign_mapped
    }

    /// Makes the virtual CPUs that it is to have, switched off.
    pub fn add_vcpus(&mut self, machine: &mut M) {
        let domain = self.id;
        let (root, tag, since) = (self.memory.space.root(), self.memory.tag, self.since);
        self.vcpus = (0..self.cpus)
            .map(|index| Vcpu {
                state: State::Off,
                registers: machine.create(VcpuId { domain, index }, root, tag, since),
            })
            .collect();
    }
}

/// Why a domain that was proven sound could not be made all the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Failure {
    Map(MapError),
    NotRam(&'static str),
    Interrupts,
    Stream(SourceId),
    Function(Sbdf),
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
            Self::Stream(id) => write!(f, "has {id}, which cannot be translated"),
            Self::Function(at) => write!(f, "has {at}, for which there is no room"),
            Self::Interrupts => f.write_str("has interrupts that its controller cannot have"),
        }
    }
}

impl<M: Machine> Domain<M> {
    /// Makes a domain as planned, ready to run its first instruction. Its translations are tagged with
    /// `tag`.
    ///
    /// # Errors
    /// Says why not; then nothing of it is left.
    pub fn create(
        machine: &mut M,
        plan: &DomainPlan,
        tree: &[u8],
        tag: Vmid,
    ) -> Result<Self, Refusal> {
        let refuse = |failure| refusal(plan, failure);
        let frame = Frame {
            id: plan.id,
            name: plan.name.clone(),
            privilege: plan.privilege,
            layout: plan.layout,
            cpus: plan.cpus,
            shared_lines: plan.shared_lines,
        };
        let space = new_space(machine).ok_or(refuse(Failure::Map(MapError::NoFrame)))?;
        let mut memory = AddressSpace {
            frame_limit: u64::MAX,
            ram: extents(plan.ram.iter().map(|ram| (ram.ipa, ram.pa, ram.pages))),
            max_pages: plan.ram.iter().map(|ram| ram.pages).sum(),
            devices: extents(plan.mmio.iter().map(|mmio| (mmio.ipa, mmio.pa, mmio.pages))),
            ..AddressSpace::new(space, tag)
        };
        let filled = load_images(machine, &mut memory, plan, tree);
        machine.publish();
        let made = filled.and_then(|()| frame.devices(machine));
        let (interrupts, emulated) = match made {
            Ok(made) => made,
            Err(failure) => {
                // No CPU was ever told of these tables.
                memory.space.release(machine.tables());
                return Err(refuse(failure));
            }
        };
        let mut domain = Self::assemble(machine, frame, memory, interrupts, emulated);
        domain.add_vcpus(machine);
        if let Some(first) = domain.vcpus.first_mut() {
            let tree = plan.load.tree.first().raw();
            machine.reset(&mut first.registers, plan.load.kernel.to, tree);
            first.state = State::Ready;
        }
        if let Err(failure) = domain.give(machine, plan) {
            domain.end_lines(machine);
            machine.release(tag.iommu_domain());
            domain.memory.space.release(machine.tables());
            return Err(refuse(failure));
        }
        Ok(domain)
    }

    /// Gives a domain the lines, functions and streams that are planned for it.
    fn give(&mut self, machine: &mut M, plan: &DomainPlan) -> Result<(), Failure> {
        for irq in &plan.irqs {
            let begun = self.begin_line(machine, irq.line, irq.trigger);
            begun.map_err(|_| Failure::Interrupts)?;
        }
        for function in &plan.functions {
            let shown = self.show(machine, function);
            shown.map_err(|_| Failure::Function(function.function.at))?;
        }
        let (root, tag) = (self.memory.space.root(), self.memory.tag);
        for stream in &plan.streams {
            if !machine.attach(*stream, plan.id, root, tag.iommu_domain()) {
                return Err(Failure::Stream(stream.id));
            }
        }
        Ok(())
    }

    /// Makes a domain without memory, virtual CPUs and lines, for somebody else to fill.
    ///
    /// # Errors
    /// Says why not; then nothing of it is left.
    pub(super) fn bare(machine: &mut M, frame: Frame, tag: Vmid) -> Result<Self, Failure> {
        let (interrupts, emulated) = frame.devices(machine)?;
        let space = new_space(machine).ok_or(Failure::Map(MapError::NoFrame))?;
        let memory = AddressSpace::new(space, tag);
        Ok(Self::assemble(machine, frame, memory, interrupts, emulated))
    }

    fn assemble(
        machine: &M,
        frame: Frame,
        memory: AddressSpace<M::Format>,
        interrupts: Interrupts<M>,
        emulated: EmulatedDevices,
    ) -> Self {
        let Frame {
            id,
            name,
            privilege,
            layout,
            cpus,
            shared_lines,
        } = frame;
        Self {
            id,
            name,
            life: Life::Alive,
            pauses: 0,
            privilege,
            handle: [0; 16],
            layout,
            cpus,
            shared_lines,
            since: machine.now(),
            emulated,
            interrupts,
            uart: layout.uart.map(|_| Pl011::new()),
            text: Line::new(),
            vcpus: Vec::new(),
            lines: Vec::new(),
            memory,
            functions: Functions::default(),
            foreign_mapped: 0,
        }
    }
}

/// What a domain is, whatever it has.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Its number.
    pub id: DomainId,
    /// What it is called in reports.
    pub name: String,
    /// What it may do beyond running.
    pub privilege: Privilege,
    /// Where its emulated devices lie.
    pub layout: Layout,
    /// How many virtual CPUs it is to have.
    pub cpus: u32,
    /// How many lines that it can own its interrupt controller has.
    pub shared_lines: u32,
}

impl Frame {
    /// Makes the emulated interrupt controller, and says where the emulated devices lie.
    fn devices<M: Machine>(
        &self,
        machine: &M,
    ) -> Result<(Interrupts<M>, EmulatedDevices), Failure> {
        let features = machine.interrupt_features();
        let interrupts = Interrupts::<M>::new(self.cpus, self.shared_lines, &features);
        let emulated = EmulatedDevices::new(self.cpus, &self.layout).ok();
        interrupts.zip(emulated).ok_or(Failure::Interrupts)
    }
}

fn new_space<M: Machine>(machine: &mut M) -> Option<Space<M::Format>> {
    let (shape, format) = machine.layout();
    Space::new(machine.tables(), shape, format)
}

fn extents(ranges: impl Iterator<Item = (Ipa, Pa, u64)>) -> Extents<()> {
    let mut all = Extents::new();
    for (ipa, pa, pages) in ranges {
        let of = ();
        all.add(Extent { ipa, pa, pages, of });
    }
    all
}

/// Words a refusal of a plan that was proven sound.
pub(super) fn refusal(plan: &DomainPlan, why: impl fmt::Display) -> Refusal {
    let flaw = ConfigError {
        origin: format!("/chosen/{}", plan.name),
        property: "memory".into(),
        flaw: why,
    };
    Refusal {
        number: usize::from(plan.id.number()),
        domain: plan.name.clone(),
        flaw: flaw.to_string(),
    }
}
