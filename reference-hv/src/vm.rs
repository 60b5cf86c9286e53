//! The life of domains: from a plan to running virtual CPUs, exit by exit, to their end.
//!
//! Generic over [`Machine`], so that all of it runs on a host too.

use core::fmt;

use crate::assign::{DomainPlan, Refusal, ResourceTable};
use crate::fault::{self, Fault};
use crate::hal::{Event, Interrupt, Machine, VirtualInterrupts};
use crate::ids::{IrqLine, VcpuId};

mod address_space;
mod cache_flush;
mod console;
mod create;
mod destroy;
mod device_assign;
mod domain;
mod domain_info;
mod emulated;
mod exits;
mod extents;
mod guest;
mod hwdom_pci;
mod injected_mappings;
mod life_cycle;
mod lines;
mod load_images;
mod page_bitmap;
mod pci_assign;
mod pci_functions;
mod power;
mod ram;
mod scheduler;
mod slab;
mod vmid_allocator;

pub use create::NewDomain;
pub use destroy::Progress;
pub use domain::{Domain, Life, State, Vcpu};
pub use domain_info::DomainInfo;
pub use emulated::{Device, EmulatedDevices};
pub use exits::Outcome;
pub use guest::Guest;
pub use injected_mappings::with_injected_mappings;
pub use life_cycle::{CRASH, POWER_OFF, REBOOT};
pub use power::StartError;

use domain::refusal;
use scheduler::Scheduler;
use slab::Slab;
use vmid_allocator::VmidAllocator;

/// Slices of time a second has.
const SLICES: u64 = 500;

/// Describes a domain that was just made.
struct CreatedMessage<'a>(&'a DomainPlan);

impl fmt::Display for CreatedMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DomainPlan {
            name,
            id,
            memory,
            cpus,
            mmio,
            irqs,
            ..
        } = self.0;
        let pages: u64 = mmio.iter().map(|range| range.pages).sum();
        write!(
            f,
            "domain {name} is {id}: {} KiB, {cpus} CPUs, {pages} device pages",
            memory / 1024
        )?;
        for (irq, between) in irqs
            .iter()
            .zip(core::iter::once(", interrupts ").chain(core::iter::repeat(" ")))
        {
            write!(f, "{between}{}", irq.line.number())?;
        }
        Ok(())
    }
}

/// Where a virtual CPU is found: its domain among the domains, its place among that domain's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VcpuRef {
    domain: usize,
    vcpu: usize,
}

impl VcpuRef {
    /// Returns the place of its domain among the domains.
    pub const fn domain(self) -> usize {
        self.domain
    }
}

/// What one physical CPU is doing; no other one knows.
#[derive(Debug)]
struct PhysicalCpu {
    scheduler: Scheduler<VcpuRef>,
    /// Whose registers it holds.
    loaded: Option<VcpuRef>,
    /// When the first timer of a blocked virtual CPU fires.
    wake: Option<u64>,
    /// An error that was laid at its author's door before it was reported.
    settled_error: bool,
}

impl PhysicalCpu {
    /// Has it look again at what waits when this timer fires, if there is one.
    fn wake_by(&mut self, due: Option<u64>) {
        self.wake = self.wake.into_iter().chain(due).min();
    }

    /// Gives no turn to anything of a domain any more.
    fn drop_domain(&mut self, domain: usize) {
        self.scheduler.remove(|vcpu| vcpu.domain == domain);
    }

    /// Tells whether it holds the registers of a domain's virtual CPU.
    fn holds(&self, domain: usize) -> bool {
        self.loaded.is_some_and(|vcpu| vcpu.domain == domain)
    }
}

/// Runs domains on a machine: what all its CPUs share, and the one that is in use.
pub struct Hypervisor<M: Machine> {
    machine: M,
    domains: Slab<Domain<M>>,
    /// Who owns what.
    resources: ResourceTable<'static>,
    vmids: VmidAllocator,
    cpu: PhysicalCpu,
}

impl<M: Machine> fmt::Debug for Hypervisor<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hypervisor")
            .field("cpu", &self.cpu)
            .finish_non_exhaustive()
    }
}

impl<M: Machine> Hypervisor<M> {
    /// Makes a hypervisor without domains. `resources` says what there is for them.
    pub fn new(machine: M, resources: ResourceTable<'static>) -> Self {
        let slice = machine.frequency() / SLICES;
        Self {
            machine,
            domains: Slab::new(),
            resources,
            vmids: VmidAllocator::new(),
            cpu: PhysicalCpu {
                scheduler: Scheduler::new(slice),
                loaded: None,
                wake: None,
                settled_error: false,
            },
        }
    }

    /// Returns the machine.
    pub fn machine(&mut self) -> &mut M {
        &mut self.machine
    }

    /// Makes a domain as planned; it runs as soon as [`Self::step`] is called.
    ///
    /// # Errors
    /// Says why not; then nothing of it is left.
    pub fn create(&mut self, plan: &DomainPlan, tree: &[u8]) -> Result<(), Refusal> {
        let tag = self.vmids.take();
        let made = tag.map(|tag| Domain::create(&mut self.machine, plan, tree, tag));
        match made {
            Some(Ok(mut domain)) => {
                domain.show_buses(plan, self.resources.bridges());
                let domain = self.domains.put(domain);
                self.cpu.scheduler.add(VcpuRef { domain, vcpu: 0 });
                self.machine.line(format_args!("{}", CreatedMessage(plan)));
                Ok(())
            }
            Some(Err(refusal)) => {
                tag.into_iter().for_each(|tag| self.vmids.give_back(tag));
                self.release_plan(plan);
                Err(refusal)
            }
            None => Err(self.give_up(plan, "is that of one more domain than can run at once")),
        }
    }

    /// Gives up a domain that was proven sound and for which something else cannot be made. What it was to
    /// have is nobody's then.
    pub fn give_up(&mut self, plan: &DomainPlan, why: impl fmt::Display) -> Refusal {
        self.release_plan(plan);
        refusal(plan, why)
    }

    /// Takes what was proven to be a domain's back, when that could not be made.
    fn release_plan(&mut self, plan: &DomainPlan) {
        self.resources.release_lines(plan.id);
        self.resources.release_devices(plan.id);
        for function in &plan.functions {
            self.resources.release_function(plan.id, function);
        }
        for span in plan.ram.iter().filter_map(|ram| ram.host()) {
            self.resources.give_back(span, false);
        }
    }

    /// Runs the next virtual CPU until it is left once, or waits until one can run.
    pub fn step(&mut self)
    where
        M::Arch: Guest,
    {
        let now = self.machine.now();
        match self.cpu.scheduler.pick(now) {
            Some(at) => self.turn(at),
            None => {
                self.machine.idle(self.cpu.wake);
                self.interrupts();
            }
        }
    }

    fn turn(&mut self, at: VcpuRef)
    where
        M::Arch: Guest,
    {
        if !self.load(at) {
            return;
        }
        let deadline = self.cpu.scheduler.deadline();
        let until = deadline.into_iter().chain(self.cpu.wake).min();
        let Some((machine, interrupts, vcpu, index)) = self.vcpu_parts(at) else {
            return;
        };
        let mut state = interrupts.load(machine, index);
        let event = machine.enter(&mut vcpu.registers, &mut state, until);
        interrupts.fold(machine, index, &state);
        interrupts.set_timer(index, machine.timer(&vcpu.registers).0);
        match event {
            Event::Exit(exit) => M::Arch::answer(self, at, &exit),
            Event::Interrupt => self.interrupts(),
            Event::Error if self.cpu.settled_error => self.cpu.settled_error = false,
            Event::Error => self.stop(at.domain, CRASH, format_args!("caused a system error")),
        }
    }

    /// Makes the virtual CPU's registers the machine's. Returns false when it must not run yet.
    fn load(&mut self, at: VcpuRef) -> bool {
        if self.cpu.loaded == Some(at) {
            return true;
        }
        if !self.unload() {
            return false;
        }
        let domain = self.id_of(at);
        let Some((machine, interrupts, vcpu, index)) = self.vcpu_parts(at) else {
            return false;
        };
        machine.load(VcpuId { domain, index }, &mut vcpu.registers);
        interrupts.set_timer(index, machine.timer(&vcpu.registers).0);
        self.cpu.loaded = Some(at);
        true
    }

    /// Takes the registers of whoever is loaded back. Returns false when that showed an error, which
    /// has stopped its author; whose turn it is has to be asked again.
    fn unload(&mut self) -> bool {
        let Some(at) = self.cpu.loaded.take() else {
            return true;
        };
        let Some((machine, _, vcpu, _)) = self.vcpu_parts(at) else {
            return true;
        };
        // An error still on its way would be reported in the next guest's time.
        if !machine.save(&mut vcpu.registers) || self.cpu.settled_error {
            return true;
        }
        self.cpu.settled_error = true;
        self.stop(at.domain, CRASH, format_args!("caused a system error"));
        false
    }

    /// Deals with all interrupts that are there.
    fn interrupts(&mut self) {
        while let Some(interrupt) = self.machine.acknowledge() {
            match interrupt {
                Interrupt::Line(line) => self.deliver(line),
                Interrupt::Own => {}
            }
        }
        self.wake_due();
    }

    /// Hands a host line to its owner.
    fn deliver(&mut self, line: IrqLine) {
        let owner = self.domains.iter_mut().find(|(_, d)| {
            d.life == Life::Alive
                && (d.lines.contains(&line) || fault::on(Fault::LineToFirstDomain))
        });
        if owner.is_some_and(|(_, domain)| domain.interrupts.raise(&mut self.machine, line).is_ok())
        {
            return;
        }
        // Nobody has enabled it, so it is firmware's or a fault's: it must not come again.
        self.machine.set_enabled(line, false);
        self.machine.deactivate(line);
        self.machine
            .line(format_args!("{line} came and belongs to nobody; disabled"));
    }

    /// Wakes every blocked virtual CPU that an interrupt waits for, timers included.
    fn wake_due(&mut self) {
        self.cpu.wake = None;
        for (domain, found) in self.domains.iter_mut().filter(|(_, domain)| domain.runs()) {
            let (vcpus, interrupts) = (&mut found.vcpus, &mut found.interrupts);
            for ((sibling, index), vcpu) in vcpus.iter_mut().zip(0u32..).zip(0..) {
                if sibling.state != State::Blocked {
                    continue;
                }
                let (high, due) = self.machine.timer(&sibling.registers);
                interrupts.set_timer(index, high);
                if interrupts.pending(index) {
                    sibling.state = State::Ready;
                    self.cpu.scheduler.add(VcpuRef { domain, vcpu });
                } else {
                    // A line that is high and waits for nothing is one that the guest has disabled.
                    self.cpu.wake_by(due.filter(|_| !high));
                }
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
