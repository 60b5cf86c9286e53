//! The PCI host bridge that a domain finds its functions behind (Linux,
//! Documentation/devicetree/bindings/pci/host-generic-pci.yaml).

use alloc::format;
use alloc::vec::Vec;

use super::devices::Controller;
use super::writer::Writer;
use crate::addr::{Ipa, Span};
use crate::arch::aarch64::guest_layout::LINES;
use crate::assign::DomainPlan;
use crate::assign::layout::Bridge;
use crate::ids::Trigger;

/// Memory with addresses of 32 bits, in the first cell of an address (PCI Bus Binding to Open Firmware, 2.2.1.1).
const MEMORY_32: u32 = 0x0200_0000;
/// Memory with addresses of 64 bits that may be read ahead.
const PREFETCHABLE_64: u32 = 0x4300_0000;
/// Bits of an address that name a device, and those of a pin.
const MAP_MASK: [u32; 4] = [0xf800, 0, 0, 7];
/// A shared line, in the binding of the GIC.
const SHARED: u32 = 0;

/// Describes the bridge of a domain that has functions.
pub(super) fn describe(tree: &mut Writer, plan: &DomainPlan, controller: &Controller) {
    let Some(bridge) = plan.layout.bridge else {
        return;
    };
    tree.begin(&format!("pcie@{:x}", bridge.ecam.first().raw()));
    tree.text("compatible", &["pci-host-ecam-generic"]);
    tree.text("device_type", &["pci"]);
    tree.cells("#address-cells", &[3]);
    tree.cells("#size-cells", &[2]);
    tree.cells("#interrupt-cells", &[1]);
    tree.cells("bus-range", &[0, last_bus(&bridge)]);
    tree.cells("linux,pci-domain", &[0]);
    tree.ranges("reg", &[bridge.ecam]);
    let mut ranges = window(MEMORY_32, bridge.low);
    ranges.extend(
        bridge
            .high
            .iter()
            .flat_map(|high| window(PREFETCHABLE_64, *high)),
    );
    tree.cells("ranges", &ranges);
    if plan.functions.iter().all(|function| function.coherent) {
        tree.empty("dma-coherent");
    }
    tree.cells("interrupt-map-mask", &MAP_MASK);
    tree.cells("interrupt-map", &lines(plan, controller));
    tree.end();
}

fn last_bus(bridge: &Bridge) -> u32 {
    u32::try_from((bridge.ecam.size() >> 20).saturating_sub(1)).map_or(0xff, |last| last.min(0xff))
}

/// Says that a window has the same addresses on the bus as for the CPU.
fn window(kind: u32, span: Span<Ipa>) -> Vec<u32> {
    let [base, size] = [span.first().raw(), span.size()].map(halves);
    [&[kind][..], &base, &base, &size].concat()
}

fn halves(number: u64) -> [u32; 2] {
    let half = |number: u64| u32::try_from(number & 0xffff_ffff).unwrap_or(0);
    [half(number >> 32), half(number)]
}

/// Says which line each function raises. Functions stand in the slots in their order.
fn lines(plan: &DomainPlan, controller: &Controller) -> Vec<u32> {
    let mut map = Vec::new();
    for (function, slot) in plan.functions.iter().zip(0_u32..) {
        let (Some(pin), Some(line)) = (function.function.pin, function.line) else {
            continue;
        };
        map.extend([slot << 11, 0, 0, u32::from(pin), controller.phandle]);
        map.extend((0..controller.address_cells).map(|_| 0));
        let flags = match line.trigger {
            Trigger::Edge => 1,
            Trigger::Level => 4,
        };
        let number = LINES.index(line.line).unwrap_or_default();
        map.extend([SHARED, number, flags]);
    }
    map
}
