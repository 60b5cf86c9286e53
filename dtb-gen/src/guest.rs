//! The complete tree of a domain that the hypervisor does not build: a control domain builds it at run time, or an
//! adapter's hypervisor gets it because it builds none itself.

use crate::{GuestArch, Node, Partial, PlanError, Tree, Value, arch, partial};

/// The content of a guest's tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    /// Memory: first byte and length.
    pub memory: Vec<(u64, u64)>,
    /// Virtual CPUs.
    pub cpus: u32,
    /// Its processors and its interrupt controller.
    pub arch: GuestArch,
    /// `bootargs`.
    pub args: String,
    /// Place of its ramdisk: first byte and length.
    pub ramdisk: Option<(u64, u64)>,
    /// Its emulated PL011: first byte, length and number of its shared interrupt.
    pub uart: Option<(u64, u64, u32)>,
    /// Whether the guest can make hypercalls.
    pub callable: bool,
    /// Its devices, without the properties that only a hypervisor reads.
    pub devices: Option<Partial>,
}

/// Properties of a partial tree that only the hypervisor reads.
const FOR_HYPERVISOR: [&str; 3] = ["xen,reg", "xen,path", "xen,force-assign-without-iommu"];

/// Phandle of the console's clock.
const CLOCK: u32 = 0xfde9;
/// Rate of that clock in Hz, as every virtual machine's PL011 has it.
const CLOCK_RATE: u32 = 24_000_000;

/// Plans a guest's tree.
pub fn guest(guest: &Guest) -> Result<Tree, PlanError> {
    let asked = guest
        .devices
        .as_ref()
        .and_then(|devices| devices.controller);
    let controller = asked.unwrap_or(arch::CONTROLLER_PHANDLE);
    let mut root = Node::new("")
        .with("#address-cells", 2_u32)
        .with("#size-cells", 2_u32)
        .with("interrupt-parent", controller)
        .with(
            "model",
            if guest.callable {
                "child domain"
            } else {
                "domain"
            },
        )
        .with("compatible", "linux,dummy-virt")
        .child(chosen(guest))
        .child(guest.arch.firmware());
    if guest.callable {
        let node = Node::new("hypervisor").with("compatible", ["xen,xen-4.20", "xen,xen"]);
        root.children.push(node);
    }
    root.children.push(cpus(guest));
    for (base, size) in &guest.memory {
        root.children.push(
            Node::new(format!("memory@{base:x}"))
                .with("device_type", "memory")
                .with("reg", Value::Cells64(vec![*base, *size])),
        );
    }
    root.children.push(guest.arch.controller(controller));
    root.children.push(guest.arch.timer());
    if let Some(uart) = guest.uart {
        root.children.extend(console(uart, &guest.arch));
    }
    if let Some(devices) = &guest.devices {
        let mut tree = partial(devices)?;
        if let Some(mut node) = tree.remove("/passthrough") {
            for device in &mut node.children {
                for name in FOR_HYPERVISOR {
                    device.remove(name);
                }
            }
            root.children.push(node);
        }
    }
    Ok(Tree {
        root,
        ..Tree::default()
    })
}

fn chosen(guest: &Guest) -> Node {
    let mut chosen = Node::new("chosen").with("bootargs", guest.args.as_str());
    if let Some((base, size)) = guest.ramdisk {
        chosen.set("linux,initrd-start", base);
        chosen.set("linux,initrd-end", base.saturating_add(size));
    }
    if let Some((base, ..)) = guest.uart {
        chosen.set("stdout-path", format!("/{}", uart_name(base)).as_str());
    }
    chosen
}

fn uart_name(base: u64) -> String {
    format!("pl011@{base:x}")
}

/// Makes the console, and the clock without which Linux does not use a PL011.
fn console((base, size, line): (u64, u64, u32), arch: &GuestArch) -> [Node; 2] {
    let clock = Node::new("apb-pclk")
        .with("compatible", "fixed-clock")
        .with("#clock-cells", 0_u32)
        .with("clock-frequency", CLOCK_RATE)
        .with("phandle", CLOCK);
    let uart = Node::new(uart_name(base))
        .with("compatible", ["arm,pl011", "arm,primecell"])
        .with("reg", Value::Cells64(vec![base, size]))
        .with("interrupts", arch.shared_line(line))
        .with("clock-names", ["uartclk", "apb_pclk"])
        .with("clocks", [CLOCK, CLOCK]);
    [clock, uart]
}

fn cpus(guest: &Guest) -> Node {
    let mut cpus = Node::new("cpus")
        .with("#address-cells", 1_u32)
        .with("#size-cells", 0_u32);
    let all = (0..guest.cpus).map(|number| guest.arch.cpu(number));
    cpus.children.extend(all);
    cpus
}
