//! What is claimed: the host's description of itself, what each domain's node asks for, and what its partial tree
//! wants of the host. Nothing here is believed yet; [`crate::assign`] does the proving.

mod chosen;
mod domain;
mod domain_request;
mod error;
mod machine;
mod module;
mod partial;
mod pci_assigned;
mod tree;

pub use domain::{DomainClaim, STATIC_MEMORY};
pub use domain_request::{DomainRequest, domain_requests};
pub(crate) use error::{Brief, unreadable};
pub use error::{ConfigError, HostError, Warnings};
pub use machine::{
    Console, Found, Gic, Host, HostBridge, HostLine, Interrupts, Iommu, MAX_BRIDGES, MAX_REGIONS,
    Marks, NodeId, Owner, Region, Timer, Window,
};
pub use module::{Module, ModuleKind, Modules};
pub use partial::{
    DeviceClaim, MAX_DEVICES, MAX_TUPLES, Partial, Tuple, XEN_FORCE, XEN_PASSTHROUGH, XEN_PATH,
    XEN_REG, phandle,
};
pub use pci_assigned::{MAX_FUNCTIONS, XEN_PCI};
pub use tree::{Index, MAX_NODES, dma_indicator, is_iommu, is_okay};
