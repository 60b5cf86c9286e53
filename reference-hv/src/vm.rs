//! The life of domains: from a plan to running virtual CPUs, exit by exit, to their end.
//!
//! Generic over [`Machine`], so that all of it runs on a host too.

use core::fmt;

use crate::assign::{DomainPlan, Refusal, ResourceTable};
use crate::fault::{self, Fault};
use crate::hal::{Event, Interrupt, Machine, VgicState};
use crate::ids::{IrqLine, VcpuId};
use crate::vdev::vgic::Vgic;

mod address_space;
mod cache_flush;
mod console;
mod create;
mod destroy;
mod device_assign;
mod domain;
mod domain_info;
mod exits;
mod extents;
mod hwdom_pci;
mod injected_mappings;
mod life_cycle;
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
pub use exits::Outcome;
pub use injected_mappings::with_injected_mappings;

use domain::refusal;
use life_cycle::CRASH;
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
            .zip(core::iter::once(", INTIDs ").chain(core::iter::repeat(" ")))
        {
            write!(f, "{between}{}", irq.line.intid())?;
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

/// Runs domains on a machine.
pub struct Hypervisor<M: Machine> {
    machine: M,
    domains: Slab<Domain<M>>,
    /// Who owns what.
    resources: ResourceTable<'static>,
    vmids: VmidAllocator,
    scheduler: Scheduler<VcpuRef>,
    /// Whose registers the CPU holds.
    loaded: Option<VcpuRef>,
    /// When the first timer of a blocked virtual CPU fires.
    wake: Option<u64>,
    /// An error that was laid at its author's door before it was reported.
    settled_error: bool,
}

impl<M: Machine> fmt::Debug for Hypervisor<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Hypervisor({} domains, {:?} loaded)",
            self.domains.iter().count(),
            self.loaded
        )
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
            scheduler: Scheduler::new(slice),
            loaded: None,
            wake: None,
            settled_error: false,
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
                self.scheduler.add(VcpuRef { domain, vcpu: 0 });
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
    pub fn step(&mut self) {
        let now = self.machine.now();
        match self.scheduler.pick(now) {
            Some(place) => self.turn(place),
            None => {
                self.machine.idle(self.wake);
                self.interrupts();
            }
        }
    }

    fn turn(&mut self, place: VcpuRef) {
        if !self.load(place) {
            return;
        }
        let until = [self.scheduler.deadline(), self.wake]
            .into_iter()
            .flatten()
            .min();
        let Self {
            machine, domains, ..
        } = self;
        let Some((vgic, vcpu, index)) = parts(domains, place) else {
            return;
        };
        let mut lists = vgic.load(machine, index);
        let used = lists.used.min(lists.lr.len());
        let (registers, _) = lists.lr.split_at_mut(used);
        let mut lines = VgicState {
            registers,
            control: lists.hcr,
            timer_active: lists.timer_active,
        };
        let (event, unlisted) = machine.enter(&mut vcpu.registers, &mut lines, until);
        vgic.fold(machine, index, &lists, unlisted);
        vgic.set_timer(index, machine.timer(&vcpu.registers).0);
        match event {
            Event::Exit(exit) => self.answer(place, &exit),
            Event::Interrupt => self.interrupts(),
            Event::Error if self.settled_error => self.settled_error = false,
            Event::Error => self.stop(place.domain, CRASH, format_args!("caused a system error")),
        }
    }

    /// Makes the virtual CPU's registers the machine's. Returns false when it must not run yet.
    fn load(&mut self, place: VcpuRef) -> bool {
        if self.loaded == Some(place) {
            return true;
        }
        if !self.unload() {
            return false;
        }
        let Some(domain) = self.domains.get(place.domain).map(|domain| domain.id) else {
            return false;
        };
        let Self {
            machine, domains, ..
        } = self;
        let Some((vgic, vcpu, index)) = parts(domains, place) else {
            return false;
        };
        machine.load(VcpuId { domain, index }, &mut vcpu.registers);
        vgic.set_timer(index, machine.timer(&vcpu.registers).0);
        self.loaded = Some(place);
        true
    }

    /// Takes the registers of whoever is loaded back. Returns false when that showed an error, which
    /// has stopped its author; whose turn it is has to be asked again.
    fn unload(&mut self) -> bool {
        let Some(place) = self.loaded.take() else {
            return true;
        };
        let Some((_, vcpu, _)) = parts(&mut self.domains, place) else {
            return true;
        };
        // An error still on its way would be reported in the next guest's time.
        if !self.machine.save(&mut vcpu.registers) || self.settled_error {
            return true;
        }
        self.settled_error = true;
        self.stop(place.domain, CRASH, format_args!("caused a system error"));
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
        let Self {
            machine, domains, ..
        } = self;
        let owner = domains.iter_mut().find(|(_, d)| {
            d.life == Life::Alive
                && (d.lines.contains(&line) || fault::on(Fault::LineToFirstDomain))
        });
        if owner.is_some_and(|(_, domain)| domain.vgic.physical(machine, line).is_ok()) {
            return;
        }
        // Nobody has enabled it, so it is firmware's or a fault's: it must not come again.
        machine.set_enabled(line, false);
        machine.deactivate(line);
        machine.line(format_args!("{line} came and belongs to nobody; disabled"));
    }

    /// Wakes every blocked virtual CPU that an interrupt waits for, timers included.
    fn wake_due(&mut self) {
        self.wake = None;
        let Self {
            machine,
            domains,
            scheduler,
            wake,
            ..
        } = self;
        for (at, domain) in domains.iter_mut().filter(|(_, domain)| domain.runs()) {
            let Domain { vcpus, vgic, .. } = domain;
            for ((vcpu, index), place) in vcpus.iter_mut().zip(0u32..).zip(0..) {
                if vcpu.state != State::Blocked {
                    continue;
                }
                let (high, due) = machine.timer(&vcpu.registers);
                vgic.set_timer(index, high);
                if vgic.pending(index) {
                    vcpu.state = State::Ready;
                    scheduler.add(VcpuRef {
                        domain: at,
                        vcpu: place,
                    });
                } else if let Some(due) = due.filter(|_| !high) {
                    // A line that is high and waits for nothing is one that the guest has disabled.
                    *wake = Some(wake.map_or(due, |first| first.min(due)));
                }
            }
        }
    }
}

/// Finds a virtual CPU, its interrupt controller and its number within the domain.
fn parts<M: Machine>(
    domains: &mut Slab<Domain<M>>,
    place: VcpuRef,
) -> Option<(&mut Vgic, &mut Vcpu<M::Vcpu>, u32)> {
    let Domain { vgic, vcpus, .. } = domains.get_mut(place.domain)?;
    Some((
        vgic,
        vcpus.get_mut(place.vcpu)?,
        u32::try_from(place.vcpu).ok()?,
    ))
}

#[cfg(test)]
pub(crate) mod tests;
