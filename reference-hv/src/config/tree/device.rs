//! What a node says about its device, beyond where it lies.

use crate::config::bindings::Bindings;
use crate::config::machine::Marks;
use crate::dt::Node;

/// Properties that only a device which reads or writes memory by itself has.
const DMA_PROPERTIES: [&str; 9] = [
    "iommus",
    "iommu-map",
    "dma-coherent",
    "dma-noncoherent",
    "dma-ranges",
    "dmas",
    "#dma-cells",
    // A device that signals by messages writes them to memory.
    "msi-parent",
    "msi-map",
];

/// Names what shows that the device of a host node reads or writes memory by itself; `None` where
/// nothing does.
pub fn dma_indicator(node: Node<'_>) -> Option<&'static str> {
    for prop in node.props() {
        if let Some(name) = DMA_PROPERTIES.iter().find(|name| prop.is(name)) {
            return Some(name);
        }
        let shows = |name| match name {
            "device_type" => prop.strings().any(|kind| kind == "pci"),
            _ => prop.strings().any(is_dma_model),
        };
        if let Some(name) = ["device_type", "compatible"]
            .into_iter()
            .find(|name| prop.is(name))
            && shows(name)
        {
            return Some(name);
        }
    }
    None
}

/// Tells whether devices of this model read or write memory although their nodes need not say so.
fn is_dma_model(model: &str) -> bool {
    matches!(model, "virtio,mmio" | "qemu,fw-cfg-mmio" | "qemu,edu")
        || model.starts_with("pci-host-")
}

/// Tells whether the node describes an IOMMU.
pub fn is_iommu(node: Node<'_>, bindings: &Bindings) -> bool {
    let is_model = |model: &str| bindings.marks(model).contains(Marks::IOMMU);
    node.has("#iommu-cells") || node.compatible(is_model)
}

/// Tells whether the node is usable: its status says so or says nothing.
pub fn is_okay(node: Node<'_>) -> bool {
    match node.prop("status") {
        None => true,
        Some(status) => matches!(status.text(), Ok("ok" | "okay")),
    }
}
