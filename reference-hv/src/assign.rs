//! From claims to a proven [`Assignment`].
//!
//! Every domain is judged as a whole against what the machine is and against what earlier domains
//! already own. What holds is committed, so that an earlier domain in the tree wins; what does not
//! hold leaves no trace, so that a refused domain takes nothing from the others.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::addr::{Pa, Span};
use crate::config::{
    self, DomainClaim, Flaw, Host, ModuleKind, Modules, Notices, Partial, unreadable,
};
use crate::dt::Blob;
use crate::fault::{self, Fault};
use crate::ids::{DomainId, MAX_VCPUS};

mod device;
mod dma;
mod estate;
mod guest;
mod hardware;
mod irq;
pub mod layout;
mod load;
mod memory;
mod mmio;
mod module;
mod owners;
mod plan;
mod statics;

use layout::Layout;
use memory::FreeRam;
use owners::{Draft, Owners};
use statics::{Backed, Statics};

pub use estate::{Denied, Estate};
pub use hardware::View;
pub use memory::Block;
pub use plan::{DomainPlan, IrqAssignment, Load, MmioMapping, Notice, Placed, RamMapping, Refusal};

/// What the machine is, beyond what its tree says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Machine {
    /// Host memory that nobody may get: the hypervisor itself, its heap, the host tree.
    pub taken: Vec<Taken>,
    /// Bits in a host-physical address.
    pub pa_bits: u32,
    /// Bits in a guest-physical address that this CPU can translate; more than
    /// [`layout::MAX_IPA_BITS`] are not offered.
    pub ipa_bits: u32,
    /// Shared lines of the interrupt controller.
    pub spis: u32,
}

/// A range of host memory that nobody may get.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Taken {
    /// The range.
    pub span: Span<Pa>,
    /// What it is, for messages.
    pub what: &'static str,
}

impl Machine {
    /// Returns the bits of a guest-physical address that domains get.
    pub fn guest_bits(&self) -> u32 {
        self.ipa_bits.min(layout::MAX_IPA_BITS)
    }
}

/// What every domain gets, proven disjoint, and why some domains get nothing. The only way to
/// make one is [`prove`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assignment {
    domains: Vec<DomainPlan>,
    refusals: Vec<Refusal>,
    notices: Vec<Notice>,
}

impl Assignment {
    /// Returns the domains to create, in the order of the tree.
    pub fn domains(&self) -> &[DomainPlan] {
        &self.domains
    }
    /// Returns the domains not to create and why, in the order of the tree.
    pub fn refusals(&self) -> &[Refusal] {
        &self.refusals
    }
    /// Returns what the owner of the machine should know although nothing is refused for it.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }
}

/// Judges everything that the trees claim. The second thing it returns is the record of who owns what, for
/// what is claimed and given up later.
pub fn prove<'h: 't, 't>(
    host: &'h Host<'h>,
    modules: &dyn Modules<'t>,
    machine: &Machine,
) -> (Assignment, Estate<'h>) {
    let mut proof = Proof {
        host,
        modules,
        machine,
        owners: Owners::default(),
        free: FreeRam::default(),
        statics: Statics::default(),
        hardware: None,
        notices: host
            .notices
            .clone()
            .into_lines()
            .into_iter()
            .map(Notice)
            .collect(),
    };
    let mut domains = Vec::new();
    let mut refusals = Vec::new();
    let mut claims = Vec::new();
    let mut reserved = Vec::new();
    for asked in config::asked(host) {
        reserved.extend(asked.reserved);
        match asked.claim {
            Ok(claim) => claims.push(claim),
            Err(flaw) => refusals.push(Refusal {
                number: asked.number,
                domain: asked.name.to_owned(),
                flaw,
            }),
        }
    }
    let modules = claims.iter().flat_map(|claim| &claim.modules);
    proof.statics.modules = modules.map(|module| module.span).collect();
    // A module of a domain that is judged later must not be overwritten by an earlier one's RAM, and
    // what a domain names as its RAM is nobody else's, also while the domain is not there.
    proof.free = FreeRam::new(host, machine, &proof.statics.modules, &reserved);
    if fault::on(Fault::LaterDomainWins) {
        claims.reverse();
    }
    for claim in &claims {
        match proof.domain(claim) {
            Ok(plan) => domains.push(plan),
            Err(flaw) => refusals.push(Refusal {
                number: usize::from(claim.id.number()),
                domain: claim.name.to_owned(),
                flaw,
            }),
        }
    }
    domains.sort_by_key(|plan: &DomainPlan| plan.id);
    refusals.sort_by_key(|refusal| refusal.number);
    let Proof {
        owners,
        free,
        notices,
        ..
    } = proof;
    let assignment = Assignment {
        domains,
        refusals,
        notices,
    };
    let estate = Estate::new(host, machine.clone(), owners, free);
    (assignment, estate)
}

/// The judging, as far as it has come.
struct Proof<'p, 't> {
    host: &'p Host<'t>,
    modules: &'p dyn Modules<'t>,
    machine: &'p Machine,
    owners: Owners,
    free: FreeRam,
    statics: Statics,
    /// Who has the hardware.
    hardware: Option<DomainId>,
    notices: Vec<Notice>,
}

impl<'t> Proof<'_, 't> {
    /// Judges one domain and commits what it gets.
    fn domain(&mut self, claim: &DomainClaim<'t>) -> Result<DomainPlan, Flaw> {
        self.notice(claim.notices.clone());
        let mut draft = Draft {
            direct_mapped: claim.direct_map,
            ..Draft::default()
        };
        let mut free = self.free.clone();
        let planned = self.plan(claim, &mut draft, &mut free);
        if let Ok(plan) = &planned {
            self.free = free;
            let named = claim.static_memory.iter().flatten();
            self.statics
                .owned
                .extend(named.map(|span| (*span, claim.id)));
            if plan.privilege.hardware {
                self.hardware = Some(claim.id);
            }
        }
        if planned.is_ok() || fault::on(Fault::RefusedKeepsClaims) {
            self.owners.commit(claim.id, draft);
        }
        planned
    }

    fn plan(
        &mut self,
        claim: &DomainClaim<'t>,
        draft: &mut Draft<'t>,
        free: &mut FreeRam,
    ) -> Result<DomainPlan, Flaw> {
        let node = claim.node;
        if claim.cpus == 0 || claim.cpus > MAX_VCPUS {
            let what = format_args!("is {}, not 1 to {MAX_VCPUS}", claim.cpus);
            return Err(Flaw::new(node, claim.names.cpus, what));
        }
        if let (true, Some(owner)) = (claim.privilege.hardware, self.hardware) {
            let what = taken_by(format_args!("asks for the hardware"), owner);
            return Err(Flaw::new(node, "capabilities", what));
        }
        let layout = Layout::of(claim, self.host, self.machine)?;
        let nr_spis = irq::nr_spis(claim, self.machine, &layout)?;
        for module in &claim.modules {
            module::judge(self.host, self.machine, &self.owners, draft, module)?;
        }
        let partial = self.partial(claim)?;
        let memory = self.named_memory(claim, free)?;
        let banks = match &memory {
            Some((banks, _)) => banks.clone(),
            None => memory::banks(claim, self.machine)?,
        };
        if let Some(partial) = &partial {
            self.notice(partial.notices.clone());
            let room = irq::Room {
                layout: &layout,
                spis: nr_spis,
            };
            self.devices(claim, partial, &room, draft)?;
        }
        let view = claim
            .privilege
            .hardware
            .then(|| hardware::judge(self.host, self.machine, &self.owners, draft, node));
        guest::judge(draft, &banks, &layout, self.machine)?;
        let described = match (&partial, &view) {
            (Some(partial), _) => partial.length,
            (None, Some(_)) => node.blob().bytes().len(),
            (None, None) => 0,
        };
        let load = load::place(claim, &banks, self.modules, described)?;
        let ram = match memory {
            Some((_, ram)) => ram,
            None => free.take(claim, &banks)?,
        };
        let mut mmio = guest::mappings(draft, self.machine);
        if view.is_some() {
            hardware::add_strays(self.host, &mut mmio);
        }
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
            nr_spis,
            mmio,
            irqs: draft.lines.clone(),
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
    ) -> Result<Option<Backed>, Flaw> {
        if let Some(named) = &claim.static_memory {
            let (host, machine) = (self.host, self.machine);
            return statics::judge(host, machine, &self.statics, claim, named).map(Some);
        }
        if !claim.direct_map {
            return Ok(None);
        }
        let mut backed = Backed::default();
        let bits = self.machine.guest_bits();
        statics::add(&mut backed, free.take_direct(claim, bits)?);
        Ok(Some(backed))
    }

    /// Reads the partial tree of a domain that has one.
    fn partial(&self, claim: &DomainClaim<'t>) -> Result<Option<Partial<'t>>, Flaw> {
        let Some(module) = claim.module(ModuleKind::Tree) else {
            return Ok(None);
        };
        let bytes = self
            .modules
            .bytes(module.span)
            .ok_or_else(|| module::unreachable(module))?;
        let blob = Blob::new(bytes).map_err(|error| unreadable(module.node, error))?;
        Partial::read(blob).map(Some)
    }

    /// Judges what the nodes of a partial tree ask for.
    fn devices(
        &mut self,
        claim: &DomainClaim<'t>,
        partial: &Partial<'t>,
        room: &irq::Room<'_>,
        draft: &mut Draft<'t>,
    ) -> Result<(), Flaw> {
        if let (true, Some(device)) = (claim.no_passthrough, partial.devices.first()) {
            let what = format_args!(
                "is \"disabled\", yet {} asks for a device",
                device.node.path()
            );
            return Err(Flaw::new(claim.node, "passthrough", what));
        }
        for device in &partial.devices {
            let named = device::judge(self.host, device, draft.direct_mapped)?;
            if let Some(id) = named {
                draft.name(id);
            }
            mmio::judge(self.host, self.machine, &self.owners, draft, device, named)?;
            if let Some(id) = named
                && let Some(line) = irq::judge(
                    self.host,
                    self.machine,
                    &self.owners,
                    draft,
                    claim,
                    id,
                    room,
                )?
            {
                self.notices.push(Notice(line));
            }
        }
        device::judge_neighbours(self.host, draft)
    }

    fn notice(&mut self, notices: Notices) {
        self.notices
            .extend(notices.into_lines().into_iter().map(Notice));
    }
}

/// Says that somebody else has something already.
fn taken_by(what: fmt::Arguments<'_>, owner: DomainId) -> String {
    format!("{what}, which {owner} has already")
}
