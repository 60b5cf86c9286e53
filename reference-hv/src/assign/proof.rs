//! The judging of one domain after the other: what holds is committed, what does not leaves no trace.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::vec::Vec;

use super::layout::{Bridge, Layout};
use super::owner_table::{Claimant, OwnerTable, PendingClaims};
use super::ram_plan::FreeRam;
use super::static_mem::{Backed, StaticMemory};
use super::{ClaimError, ClaimFlaw, DomainPlan, Ground, Machine, Warning};
use super::{
    device, guest_ranges, host_ranges, hwdom_view, irq, load, module_claims, pci_claims, ram_plan,
    static_mem, streams,
};
use crate::addr::{Ipa, Span};
use crate::config::{
    ConfigError, DomainClaim, Host, ModuleKind, Modules, NodeId, Partial, Warnings, XEN_PCI,
    unreadable,
};
use crate::dt::Blob;
use crate::fault::{self, Fault};
use crate::ids::{DomainId, IrqLine, MAX_VCPUS};

/// The judging, as far as it has come.
pub(super) struct Proof<'p, 't> {
    /// The machine as its tree describes it.
    pub host: &'p Host<'t>,
    /// What the boot loader put into memory.
    pub modules: &'p dyn Modules<'t>,
    /// The machine besides.
    pub machine: &'p Machine,
    /// Who has what.
    pub owners: OwnerTable,
    /// RAM that nobody has.
    pub free: FreeRam,
    /// RAM that domains name.
    pub static_mem: StaticMemory,
    /// Who has the hardware.
    pub hardware: Option<DomainId>,
    /// Lines of the PCI functions that domains ask for.
    pub promised: Vec<IrqLine>,
    /// What is odd and no reason to refuse.
    pub warnings: Vec<Warning>,
}

impl<'t> Proof<'_, 't> {
    /// Judges one domain and commits what it gets.
    pub fn domain(&mut self, claim: &DomainClaim<'t>) -> Result<DomainPlan, ClaimError<'t>> {
        self.warning(claim.warnings.clone());
        let mut pending = PendingClaims {
            direct_mapped: claim.direct_map,
            ..PendingClaims::default()
        };
        let mut free = self.free.clone();
        let planned = self.plan(claim, &mut pending, &mut free);
        if let Ok(plan) = &planned {
            self.free = free;
            let named = claim.static_memory.iter().flatten();
            self.static_mem
                .owned
                .extend(named.map(|span| (*span, claim.id)));
            if plan.privilege.hardware {
                self.hardware = Some(claim.id);
            }
        }
        if planned.is_ok() || fault::on(Fault::RefusedKeepsClaims) {
            self.owners.commit(claim.id, pending);
        }
        planned
    }

    fn plan(
        &mut self,
        claim: &DomainClaim<'t>,
        pending: &mut PendingClaims<'t>,
        free: &mut FreeRam,
    ) -> Result<DomainPlan, ClaimError<'t>> {
        let origin = claim.origin;
        if claim.cpus == 0 || claim.cpus > MAX_VCPUS {
            return Err(ClaimFlaw::Cpus(claim.cpus).at(origin, claim.names.cpus));
        }
        if let (true, Some(owner)) = (claim.privilege.hardware, self.hardware) {
            return Err(ClaimFlaw::Hardware(owner).at(origin, "capabilities"));
        }
        let mut layout = Layout::of(claim, self.host, self.machine)?;
        let shared_lines = irq::shared_lines(claim, self.machine, &layout)?;
        for module in &claim.modules {
            module_claims::judge(self.host, self.machine, &self.owners, pending, module)?;
        }
        let partial = self.partial(claim)?;
        let memory = self.named_memory(claim, free)?;
        let banks = match &memory {
            Some((banks, _)) => banks.clone(),
            None => ram_plan::banks(claim, self.machine)?,
        };
        if let Some(partial) = &partial {
            self.warning(partial.warnings.clone());
            layout.bridge = self.bridge(claim, partial, &banks)?;
            let room = irq::Room {
                layout: &layout,
                lines: shared_lines,
            };
            self.devices(claim, partial, &room, pending)?;
        }
        let view = claim.privilege.hardware.then(|| {
            let promised = &self.promised;
            hwdom_view::judge(
                self.host,
                self.machine,
                &self.owners,
                pending,
                origin,
                promised,
            )
        });
        guest_ranges::judge(pending, &banks, &layout, self.machine)?;
        let described = match (&partial, &view) {
            (Some(partial), _) => partial.length,
            (None, Some(_)) => self.host.node(NodeId::ROOT).blob().bytes().len(),
            (None, None) => 0,
        };
        let load = load::place(claim, &banks, self.modules, self.machine, described)?;
        let ram = match memory {
            Some((_, ram)) => ram,
            None => free.take(claim, &banks)?,
        };
        let mmio = guest_ranges::mappings(pending, self.machine);
        Ok(DomainPlan {
            id: claim.id,
            name: claim.name.to_owned(),
            memory: banks.iter().map(|bank| bank.size()).sum(),
            banks,
            ram,
            cpus: claim.cpus,
            layout,
            privilege: claim.privilege,
            static_memory: claim.static_memory.is_some(),
            shared_lines,
            mmio,
            irqs: pending.lines.clone(),
            streams: pending.streams.clone(),
            functions: pending.functions.clone(),
            load,
            kernel_args: claim
                .module(ModuleKind::Kernel)
                .and_then(|kernel| kernel.arguments)
                .map(ToOwned::to_owned),
            partial: claim.module(ModuleKind::Tree).map(|module| module.span),
            view,
        })
    }

    /// Lays out the RAM of a domain that does not take whatever is free; `None` for one that does.
    fn named_memory(
        &self,
        claim: &DomainClaim<'t>,
        free: &mut FreeRam,
    ) -> Result<Option<Backed>, ClaimError<'t>> {
        if let Some(named) = &claim.static_memory {
            let (host, machine) = (self.host, self.machine);
            return static_mem::judge(host, machine, &self.static_mem, claim, named).map(Some);
        }
        if !claim.direct_map {
            return Ok(None);
        }
        let mut backed = Backed::default();
        let bits = self.machine.guest_bits();
        static_mem::add(&mut backed, free.take_direct(claim, bits)?);
        Ok(Some(backed))
    }

    /// Returns the lines of the PCI functions that a domain asks for, as far as that can be understood.
    pub fn lines_asked_for(&self, claim: &DomainClaim<'t>) -> Vec<IrqLine> {
        let partial = self.partial(claim).ok().flatten();
        let functions = partial.map(|partial| partial.functions).unwrap_or_default();
        let lines = functions.iter().filter_map(|at| {
            let bridge = self.host.bridge(at.segment)?;
            let function = self.machine.functions.get(*at)?;
            Some(pci_claims::line_of(self.host, function, bridge).ok()??.line)
        });
        lines.collect()
    }

    /// Reads the partial tree of a domain that has one.
    fn partial(&self, claim: &DomainClaim<'t>) -> Result<Option<Partial<'t>>, ClaimError<'t>> {
        let Some(module) = claim.module(ModuleKind::Tree) else {
            return Ok(None);
        };
        let bytes = self
            .modules
            .bytes(module.span)
            .ok_or_else(|| module_claims::unreachable(module))?;
        let blob = Blob::new(bytes).map_err(|error| unreadable(module.origin, error))?;
        Ok(Some(Partial::read(blob, self.host.index.bindings)?))
    }

    /// Judges what the nodes of a partial tree ask for.
    fn devices(
        &mut self,
        claim: &DomainClaim<'t>,
        partial: &Partial<'t>,
        room: &irq::Room<'_>,
        pending: &mut PendingClaims<'t>,
    ) -> Result<(), ClaimError<'t>> {
        if let (true, Some(device)) = (claim.no_passthrough, partial.devices.first()) {
            return Err(ClaimFlaw::DisabledDevice(device.origin).at(claim.origin, "passthrough"));
        }
        let ground = Ground {
            host: self.host,
            machine: self.machine,
            owners: &self.owners,
            by: Claimant::default(),
        };
        for device in &partial.devices {
            let named = device::judge(ground, device, pending.direct_mapped)?;
            if let Some(id) = named {
                pending.name(id);
            }
            host_ranges::judge(ground, pending, device, named)?;
            if let Some(id) = named
                && let Some(line) = irq::judge(ground, pending, claim, id, room)?
            {
                self.warnings.push(Warning(line));
            }
        }
        device::judge_neighbours(self.host, pending)?;
        streams::judge(ground, pending)?;
        let asker = pci_claims::Asker {
            direct_mapped: pending.direct_mapped,
            room: *room,
            all: &partial.functions,
        };
        let judged = pci_claims::judge(ground, &asker, pending);
        judged.map_err(|error| pci_flaw(partial, ClaimFlaw::Assign(error)))
    }

    /// Says where the domain finds the host bridge of its PCI functions, if it has any.
    fn bridge(
        &self,
        claim: &DomainClaim<'t>,
        partial: &Partial<'t>,
        banks: &[Span<Ipa>],
    ) -> Result<Option<Bridge>, ClaimError<'t>> {
        let Some(first) = partial.functions.first() else {
            return Ok(None);
        };
        if claim.no_passthrough {
            return Err(ClaimFlaw::DisabledFunction(*first).at(claim.origin, "passthrough"));
        }
        if !claim.direct_map || fault::on(Fault::PciBridgeMoved) {
            return Ok(Some(self.machine.guest.bridge));
        }
        let mut functions = partial.functions.iter();
        if let Some(other) = functions.find(|other| other.segment != first.segment) {
            return Err(pci_flaw(partial, ClaimFlaw::TwoBridges(*first, *other)));
        }
        let Some(host) = self.host.bridge(first.segment) else {
            // The proof of the function says so.
            return Ok(None);
        };
        let (node, bits) = (self.host.node(host.id).path(), self.machine.guest_bits());
        let bridge = Bridge::of_host(host, bits, *first, node);
        let bridge = bridge.map_err(|flaw| pci_flaw(partial, flaw))?;
        let over = |span: &Span<Ipa>| banks.iter().any(|bank| bank.overlaps(*span));
        match bridge.spans().find(over) {
            Some(span) => Err(pci_flaw(partial, ClaimFlaw::BridgeOverRam(span))),
            None => Ok(Some(bridge)),
        }
    }

    fn warning(&mut self, warnings: Warnings) {
        self.warnings
            .extend(warnings.into_lines().into_iter().map(Warning));
    }
}

/// Reports what is wrong with the PCI functions that a partial tree asks for.
fn pci_flaw<'t>(partial: &Partial<'_>, flaw: ClaimFlaw<'t>) -> ClaimError<'t> {
    match partial.passthrough {
        Some(node) => flaw.at(node, XEN_PCI),
        None => ConfigError {
            origin: "/passthrough".to_owned(),
            property: XEN_PCI.into(),
            flaw: Box::new(flaw),
        },
    }
}
