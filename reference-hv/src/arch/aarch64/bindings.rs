//! The device tree bindings that AArch64 machines use (Linux, Documentation/devicetree/bindings:
//! interrupt-controller/arm,gic-v3.yaml, timer/arm,arch_timer.yaml, iommu/arm,smmu-v3.yaml).

use super::gic::{ppi, spi};
use crate::config::{Bindings, Flaw, HostLine, Marks, Specifier, Timer};
use crate::fault::{self, Fault};
use crate::ids::{IrqLine, Trigger};

/// The bindings.
pub static BINDINGS: Bindings = Bindings {
    controller: "an arm,gic-v3",
    per_cpu_regions: "#redistributor-regions",
    cells: 3,
    line,
    shared: |[kind, number, _]| spi(number).filter(|_| kind == SHARED),
    private: |[kind, number, _]| ppi(number).filter(|_| kind == PRIVATE),
    timer: "an arm,armv8-timer",
    timers,
    models,
    partial_controller: "gic",
    firmware: "psci",
};

/// Types of interrupts.
const SHARED: u32 = 0;
const PRIVATE: u32 = 1;

fn models(model: &str) -> Marks {
    let Some(part) = model.strip_prefix("arm,") else {
        return Marks::empty();
    };
    match part {
        "gic-v3" => Marks::CONTROLLER | Marks::CONTROLLER_PART,
        "armv8-timer" => Marks::TIMER,
        "pl011" => Marks::UART,
        "smmu-v3" => Marks::IOMMU | Marks::DRIVEN,
        "mmu-400" | "mmu-401" | "mmu-500" => Marks::IOMMU,
        _ if part.starts_with("gic-v3") => Marks::CONTROLLER_PART,
        _ if part.starts_with("smmu") => Marks::IOMMU,
        _ if part.starts_with("psci") => Marks::FIRMWARE,
        _ => Marks::empty(),
    }
}

/// Picks the two timers in use. In this order by the binding: secure, non-secure, virtual, hypervisor.
fn timers(lines: &[IrqLine]) -> Result<Timer, Flaw> {
    match lines {
        [_, _, virtual_, hypervisor, ..] => Ok(Timer {
            virtual_: *virtual_,
            hypervisor: *hypervisor,
        }),
        _ => Err(Flaw::Timers(lines.len())),
    }
}

/// Reads one interrupt: type, number, flags. Nothing comes of one only where a seeded fault lets it pass.
fn line([kind, number, flags]: Specifier) -> Result<Option<HostLine>, Flaw> {
    let line = match kind {
        SHARED if fault::on(Fault::LineOffByOne) => spi(number.saturating_add(1)),
        SHARED => spi(number),
        PRIVATE if fault::on(Fault::PrivateLineAccepted) => return Ok(None),
        PRIVATE => return Err(Flaw::PrivateLine(number)),
        _ => return Err(Flaw::LineType(number, kind)),
    };
    let line = line.ok_or(Flaw::NoLine(number, "GIC"))?;
    // The low nibble is the trigger (1 rising, 2 falling, 4 high, 8 low); a shared line knows only the first and the
    // third.
    let trigger = match flags & 0xf {
        1 => Trigger::Edge,
        4 => Trigger::Level,
        other => return Err(Flaw::LineTrigger(number, other)),
    };
    Ok(Some(HostLine { line, trigger }))
}
