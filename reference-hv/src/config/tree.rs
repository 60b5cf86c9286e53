//! What a device tree says of the host.

mod bridge;
mod device;
mod host;
mod index;
mod interrupt_map;
mod interrupts;
mod iommu;
mod platform;
mod reg;

pub use device::{dma_indicator, is_iommu, is_okay};
pub use host::Host;
pub use index::Index;
pub use platform::one;
