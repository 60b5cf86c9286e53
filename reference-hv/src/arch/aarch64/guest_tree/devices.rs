//! What the hypervisor emulates for a domain, as the domain's tree describes it.

use alloc::format;
use alloc::vec::Vec;

use super::writer::Writer;
use crate::arch::aarch64::guest_layout::{self, LINES};
use crate::assign::DomainPlan;
use crate::assign::layout::{Layout, Uart};

/// Clock of the emulated UART, in hertz.
const UART_CLOCK: u32 = 24_000_000;

/// Describes what the hypervisor emulates, interrupt controller first.
pub(super) fn devices(
    tree: &mut Writer,
    plan: &DomainPlan,
    controller: &Controller,
    clock: (&str, u32),
) {
    controller.describe(tree, &plan.layout);
    timer(tree, controller);
    if let Some(device) = plan.layout.uart {
        uart(tree, &device, controller, clock);
    }
    if plan.privilege.control || plan.privilege.hardware {
        hypervisor(tree, plan, controller);
    }
}

/// The emulated interrupt controller, and how others name its lines.
pub(super) struct Controller {
    /// Its phandle.
    pub phandle: u32,
    /// Cells of an address, as the maps of interrupts elsewhere in the tree have it.
    pub address_cells: u32,
    /// Cells of an interrupt.
    pub interrupt_cells: u32,
    /// Whether those who use it have to name it, for the nodes around them may name another.
    pub named: bool,
}

impl Controller {
    fn describe(&self, tree: &mut Writer, layout: &Layout) {
        let base = layout.controller.shared.first().raw();
        tree.begin(&format!("interrupt-controller@{base:x}"));
        tree.text("compatible", &["arm,gic-v3"]);
        tree.cells("#interrupt-cells", &[self.interrupt_cells]);
        tree.cells("#address-cells", &[self.address_cells]);
        tree.empty("interrupt-controller");
        tree.ranges(
            "reg",
            &[layout.controller.shared, layout.controller.per_cpu],
        );
        tree.cells("phandle", &[self.phandle]);
        // For trees and readers of before 2009; Xen writes it as well.
        tree.cells("linux,phandle", &[self.phandle]);
        tree.end();
    }

    /// Adds lines, each by type, number and flags.
    fn lines(&self, tree: &mut Writer, lines: &[[u32; 3]]) {
        if self.named {
            tree.cells("interrupt-parent", &[self.phandle]);
        }
        let mut cells = Vec::with_capacity(lines.len() * 4);
        for line in lines {
            cells.extend_from_slice(line);
            if self.interrupt_cells > 3 {
                // Which CPUs a private line is for: all.
                cells.push(0);
            }
        }
        tree.cells("interrupts", &cells);
    }
}

const SHARED: u32 = 0;
const PRIVATE: u32 = 1;
const LEVEL_HIGH: u32 = 4;

fn timer(tree: &mut Writer, controller: &Controller) {
    let line = |number| [PRIVATE, number, LEVEL_HIGH];
    tree.begin("timer");
    tree.text("compatible", &["arm,armv8-timer"]);
    let lines = [
        guest_layout::SECURE_TIMER_PPI,
        guest_layout::PHYSICAL_TIMER_PPI,
        guest_layout::VIRTUAL_TIMER_PPI,
    ];
    controller.lines(tree, &lines.map(line));
    tree.empty("always-on");
    tree.end();
}

pub(super) fn uart_name(uart: &Uart) -> alloc::string::String {
    format!("pl011@{:x}", uart.registers.first().raw())
}

fn uart(tree: &mut Writer, uart: &Uart, controller: &Controller, (name, clock): (&str, u32)) {
    tree.begin(name);
    tree.text("compatible", &["fixed-clock"]);
    tree.cells("#clock-cells", &[0]);
    tree.cells("clock-frequency", &[UART_CLOCK]);
    tree.cells("phandle", &[clock]);
    tree.end();
    tree.begin(&uart_name(uart));
    tree.text("compatible", &["arm,pl011", "arm,primecell"]);
    tree.ranges("reg", &[uart.registers]);
    let number = LINES.index(uart.line).unwrap_or_default();
    controller.lines(tree, &[[SHARED, number, LEVEL_HIGH]]);
    tree.text("clock-names", &["uartclk", "apb_pclk"]);
    tree.cells("clocks", &[clock, clock]);
    tree.end();
}

/// Tells a domain that may issue hypercalls which ones, as Xen does (Linux,
/// Documentation/devicetree/bindings/arm/xen.txt). Nothing comes of the range for grant tables and
/// of the interrupt for events.
fn hypervisor(tree: &mut Writer, plan: &DomainPlan, controller: &Controller) {
    // All four of the first CPUs, low level: what Xen writes for its event channel interrupt.
    const LEVEL_LOW_ANYWHERE: u32 = 0xf08;
    tree.begin("hypervisor");
    tree.text("compatible", &["xen,xen-4.20", "xen,xen"]);
    tree.ranges("reg", &[plan.layout.grant]);
    controller.lines(
        tree,
        &[[PRIVATE, guest_layout::EVENT_PPI, LEVEL_LOW_ANYWHERE]],
    );
    tree.end();
}
