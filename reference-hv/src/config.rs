//! What is claimed: the host's description of itself, what each domain's node asks for, and what its partial tree
//! wants of the host. Nothing here is believed yet; [`crate::assign`] does the proving.

mod bindings;
mod chosen;
mod domain;
mod domain_request;
mod error;
mod flaw;
mod limits;
mod machine;
mod module;
mod partial;
mod pci_assigned;
mod tree;

pub use bindings::{Bindings, Specifier};
pub use domain::{DomainClaim, STATIC_MEMORY};
pub use domain_request::{DomainRequest, domain_requests};
pub(crate) use error::{Brief, unreadable};
pub use error::{ConfigError, HostError, Origin, Warnings};
pub use flaw::Flaw;
pub use limits::{MAX_BRIDGES, MAX_DEVICES, MAX_FUNCTIONS, MAX_NODES, MAX_REGIONS, MAX_TUPLES};
pub use machine::{
    Console, Controller, Found, HostBridge, HostLine, HostMachine, Interrupts, Iommu, Marks,
    NodeId, Owner, Region, Timer, Window,
};
pub use module::{Module, ModuleKind, Modules};
pub use partial::{
    DeviceClaim, Partial, Tuple, XEN_FORCE, XEN_PASSTHROUGH, XEN_PATH, XEN_REG, phandle,
};
pub use pci_assigned::XEN_PCI;
pub use tree::{Host, Index, dma_indicator, is_iommu, is_okay};
