//! From claims to a proven [`Assignment`].
//!
//! Every domain is judged as a whole against what the machine is and against what earlier domains
//! already own. What holds is committed, so that an earlier domain in the tree wins; what does not
//! hold leaves no trace, so that a refused domain takes nothing from the others.

use alloc::borrow::ToOwned;
use alloc::string::ToString;
use alloc::vec::Vec;

use crate::addr::{Pa, Span};
use crate::config::{self, Host, Modules, NodeId};
use crate::dt::Path;
use crate::fault::{self, Fault};
use crate::ids::Stream;
use crate::pci::Inventory;

mod claim_error;
mod device;
mod dma;
mod error;
mod guest_ranges;
mod host_ranges;
mod hwdom_view;
mod iommu_assign;
mod irq;
pub mod layout;
mod load;
mod module_claims;
mod owner_table;
mod pci_claims;
mod pci_ownership;
mod plan;
mod proof;
mod ram_plan;
mod resource_table;
mod static_mem;
mod streams;

use layout::GuestMap;
use owner_table::{Claimant, OwnerTable};
use proof::Proof;
use ram_plan::FreeRam;
use static_mem::StaticMemory;

pub use claim_error::{ClaimError, ClaimFlaw};
pub use error::AssignError;
pub use hwdom_view::View;
pub use load::{KernelError, KernelRoom};
pub use pci_claims::described;
pub use pci_ownership::PciAssignment;
pub use plan::{
    DomainPlan, FunctionPlan, IrqAssignment, Load, MmioMapping, Placed, RamMapping, Refusal,
    Warning,
};
pub use ram_plan::Block;
pub use resource_table::ResourceTable;

/// What the machine is, beyond what its tree says.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Host memory that nobody may get: the hypervisor itself, its heap, the host tree.
    pub taken: Vec<Taken>,
    /// Bits in a host-physical address.
    pub pa_bits: u32,
    /// Bits in a guest-physical address that this CPU can translate; more than
    /// [`GuestMap::address_bits`] are not offered.
    pub ipa_bits: u32,
    /// How many of the interrupts that domains can own the controller has.
    pub lines: u32,
    /// What the architecture fixes of the machines that domains see.
    pub guest: &'static GuestMap,
    /// How the architecture's kernels say where they want to lie.
    pub kernel: fn(&[u8], u64) -> Result<KernelRoom, KernelError>,
    /// How many streams each IOMMU of the host can tell apart, in the order of its tree; nothing for one
    /// that does not translate.
    pub streams: Vec<Option<u64>>,
    /// The PCI functions that are known.
    pub functions: Inventory,
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
        self.ipa_bits.min(self.guest.address_bits)
    }

    /// Returns what of a range nobody may get.
    fn taken(&self, span: Span<Pa>) -> Option<&Taken> {
        self.taken.iter().find(|taken| taken.span.overlaps(span))
    }
}

/// What a claim is judged against: the machine, and what others own.
#[derive(Clone, Copy)]
struct Ground<'a, 't> {
    host: &'a Host<'t>,
    machine: &'a Machine,
    owners: &'a OwnerTable,
    /// Who makes the claim.
    by: Claimant,
}

impl<'t> Ground<'_, 't> {
    /// Returns the path of a host node, for messages.
    fn path(self, id: NodeId) -> Path<'t> {
        self.host.node(id).path()
    }

    /// Returns the node of the IOMMU that knows a stream.
    fn iommu(self, stream: Stream) -> NodeId {
        let iommu = self.host.iommus.get(stream.iommu);
        iommu.map_or(NodeId::ROOT, |iommu| iommu.id)
    }
}

/// What every domain gets, proven disjoint, and why some domains get nothing. The only way to
/// make one is [`prove`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assignment {
    domains: Vec<DomainPlan>,
    refusals: Vec<Refusal>,
    warnings: Vec<Warning>,
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
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}

/// Judges everything that the trees claim. The second thing it returns is the record of who owns what, for
/// what is claimed and given up later.
pub fn prove<'h: 't, 't>(
    host: &'h Host<'h>,
    modules: &dyn Modules<'t>,
    machine: &Machine,
) -> (Assignment, ResourceTable<'h>) {
    let mut proof = Proof {
        host,
        modules,
        machine,
        owners: OwnerTable::default(),
        free: FreeRam::default(),
        static_mem: StaticMemory::default(),
        hardware: None,
        promised: Vec::new(),
        warnings: host
            .warnings
            .clone()
            .into_lines()
            .into_iter()
            .map(Warning)
            .collect(),
    };
    let mut domains = Vec::new();
    let mut refusals = Vec::new();
    let mut claims = Vec::new();
    let mut reserved = Vec::new();
    for asked in config::domain_requests(host) {
        reserved.extend(asked.reserved);
        match asked.claim {
            Ok(claim) => claims.push(claim),
            Err(flaw) => refusals.push(Refusal {
                number: asked.number,
                domain: asked.name.to_owned(),
                flaw: flaw.to_string(),
            }),
        }
    }
    let modules = claims.iter().flat_map(|claim| &claim.modules);
    proof.static_mem.modules = modules.map(|module| module.span).collect();
    // A module of a domain that is judged later must not be overwritten by an earlier one's RAM, and
    // what a domain names as its RAM is nobody else's, also while the domain is not there. What it
    // cannot have in any case it does not keep from others.
    reserved.retain(|span| static_mem::unfit(host, machine, &proof.static_mem, *span).is_none());
    proof.free = FreeRam::new(host, machine, &proof.static_mem.modules, &reserved);
    // The hardware domain comes first, and would have every line.
    if claims.iter().any(|claim| claim.privilege.hardware) {
        let lines = claims.iter().flat_map(|claim| proof.lines_asked_for(claim));
        proof.promised = lines.collect();
    }
    if fault::on(Fault::LaterDomainWins) {
        claims.reverse();
    }
    for claim in &claims {
        match proof.domain(claim) {
            Ok(plan) => domains.push(plan),
            Err(flaw) => refusals.push(Refusal {
                number: usize::from(claim.id.number()),
                domain: claim.name.to_owned(),
                flaw: flaw.to_string(),
            }),
        }
    }
    domains.sort_by_key(|plan: &DomainPlan| plan.id);
    refusals.sort_by_key(|refusal| refusal.number);
    let Proof {
        owners,
        free,
        warnings,
        hardware,
        ..
    } = proof;
    let assignment = Assignment {
        domains,
        refusals,
        warnings,
    };
    let resources = ResourceTable::new(host, machine.clone(), owners, free, hardware);
    (assignment, resources)
}
