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
use crate::ids::{DomainId, MAX_DOMAINS, MAX_VCPUS, Privilege};

mod device;
mod guest;
mod irq;
pub mod layout;
mod load;
mod memory;
mod mmio;
mod module;
mod owners;
mod plan;

use layout::Layout;
use memory::FreeRam;
use owners::{Draft, Owners};

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

/// Judges everything that the trees claim.
pub fn prove<'t>(host: &Host<'t>, modules: &dyn Modules<'t>, machine: &Machine) -> Assignment {
    let mut proof = Proof {
        host,
        modules,
        machine,
        owners: Owners::default(),
        free: FreeRam::default(),
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
    for (place, node) in config::domains(host).into_iter().enumerate() {
        let refuse = |flaw| Refusal {
            number: place + 1,
            domain: node.name().to_owned(),
            flaw,
        };
        let id = u16::try_from(place + 1)
            .ok()
            .and_then(DomainId::new)
            .ok_or_else(|| {
                let what = format_args!(
                    "is the node of one more domain than the {MAX_DOMAINS} there can be"
                );
                Flaw::new(node, "compatible", what)
            });
        match id.and_then(|id| DomainClaim::read(id, node)) {
            Ok(claim) => claims.push(claim),
            Err(flaw) => refusals.push(refuse(flaw)),
        }
    }
    // A module of a domain that is judged later must not be overwritten by an earlier one's RAM.
    proof.free = FreeRam::new(host, machine, &claims);
    if fault::on(Fault::LaterDomainWins) {
        claims.reverse();
    }
    for claim in &claims {
        match proof.domain(claim) {
            Ok(plan) => domains.push(plan),
            Err(flaw) => refusals.push(Refusal {
                number: usize::from(claim.id.number()),
                domain: claim.node.name().to_owned(),
                flaw,
            }),
        }
    }
    domains.sort_by_key(|plan: &DomainPlan| plan.id);
    refusals.sort_by_key(|refusal| refusal.number);
    Assignment {
        domains,
        refusals,
        notices: proof.notices,
    }
}

/// The judging, as far as it has come.
struct Proof<'p, 't> {
    host: &'p Host<'t>,
    modules: &'p dyn Modules<'t>,
    machine: &'p Machine,
    owners: Owners,
    free: FreeRam,
    notices: Vec<Notice>,
}

impl<'t> Proof<'_, 't> {
    /// Judges one domain and commits what it gets.
    fn domain(&mut self, claim: &DomainClaim<'t>) -> Result<DomainPlan, Flaw> {
        self.notice(claim.notices.clone());
        let mut draft = Draft::default();
        let mut free = self.free.clone();
        let planned = self.plan(claim, &mut draft, &mut free);
        if planned.is_ok() {
            self.free = free;
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
            return Err(Flaw::new(node, "cpus", what));
        }
        let layout = Layout::guest(claim.vpl011);
        let nr_spis = irq::nr_spis(claim, self.machine, &layout)?;
        for module in &claim.modules {
            module::judge(self.host, self.machine, &self.owners, draft, module)?;
        }
        let partial = self.partial(claim)?;
        let length = partial.as_ref().map_or(0, |partial| partial.length);
        let banks = memory::banks(claim, self.machine)?;
        if let Some(partial) = &partial {
            self.notice(partial.notices.clone());
            self.devices(
                claim,
                partial,
                &irq::Room {
                    layout: &layout,
                    spis: nr_spis,
                },
                draft,
            )?;
            guest::judge(draft, &banks, &layout, self.machine)?;
        }
        let load = load::place(claim, &banks, self.modules, length)?;
        let ram = free.take(claim, &banks)?;
        Ok(DomainPlan {
            id: claim.id,
            name: node.name().to_owned(),
            memory: banks.iter().map(|bank| bank.size()).sum(),
            banks,
            ram,
            cpus: claim.cpus,
            layout,
            privilege: Privilege::default(),
            static_memory: false,
            nr_spis,
            mmio: guest::mappings(draft, self.machine),
            irqs: draft.lines.clone(),
            load,
            kernel_args: claim
                .module(ModuleKind::Kernel)
                .and_then(|kernel| kernel.arguments)
                .map(ToOwned::to_owned),
            partial: claim.module(ModuleKind::Tree).map(|module| module.span),
        })
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
            let named = device::judge(self.host, device)?;
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
