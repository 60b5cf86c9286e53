//! What the trees claim: the host's description of itself, what each domain's node asks for, and
//! what its partial tree wants of the host. Nothing here is believed yet; [`crate::assign`]
//! does the proving.

mod bridge;
mod chosen;
mod device;
mod domain;
mod domain_request;
mod error;
mod host;
mod index;
mod interrupt_map;
mod interrupts;
mod iommu;
mod module;
mod partial;
mod pci_assigned;
mod platform;
mod reg;

pub use bridge::{HostBridge, MAX_BRIDGES};
pub use device::{dma_indicator, is_iommu, is_okay};
pub use domain::{DomainClaim, STATIC_MEMORY};
pub use domain_request::{DomainRequest, domain_requests};
pub(crate) use error::{Brief, unreadable};
pub use error::{ConfigError, HostError, Warnings};
pub use host::{Host, MAX_REGIONS, Owner, Region};
pub use index::{Found, Index, MAX_NODES, Marks, NodeId};
pub use interrupts::{HostLine, Interrupts};
pub use iommu::Iommu;
pub use module::{Module, ModuleKind, Modules};
pub use partial::{
    DeviceClaim, MAX_DEVICES, MAX_TUPLES, Partial, Tuple, XEN_FORCE, XEN_PASSTHROUGH, XEN_PATH,
    XEN_REG, phandle,
};
pub use pci_assigned::{MAX_FUNCTIONS, XEN_PCI};
pub use platform::{Console, Gic, Timer};
pub use reg::Window;
