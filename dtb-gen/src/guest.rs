//! The tree of a domain that somebody other than the hypervisor builds: a control domain, at run time, or whoever brings
//! a hypervisor that builds none.

use crate::{Node, Partial, PlanError, Tree, Value, partial};

/// What a guest's tree should say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    /// Memory: first byte and length.
    pub memory: Vec<(u64, u64)>,
    /// Virtual CPUs.
    pub cpus: u32,
    /// Registers of the interrupt controller's distributor: first byte and length.
    pub gicd: (u64, u64),
    /// Registers of its redistributors.
    pub gicr: (u64, u64),
    /// Number of the virtual timer's interrupt among the private ones.
    pub timer: u32,
    /// `bootargs`.
    pub args: String,
    /// Where its ramdisk lies: first byte and length.
    pub ramdisk: Option<(u64, u64)>,
    /// Its emulated PL011: first byte, length and number of its interrupt among the shared ones.
    pub uart: Option<(u64, u64, u32)>,
    /// Whether its hypervisor is one that can be called.
    pub callable: bool,
    /// Its devices; what only a hypervisor reads of them is left out.
    pub devices: Option<Partial>,
}

/// Phandle of the interrupt controller where the devices ask for none.
const GIC: u32 = 0xfde8;

/// What a partial tree says to the hypervisor alone.
const FOR_HYPERVISOR: [&str; 3] = ["xen,reg", "xen,path", "xen,force-assign-without-iommu"];

/// Phandle of the console's clock.
const CLOCK: u32 = 0xfde9;
/// Its rate in Hz, as every PL011 of a virtual machine has it.
const CLOCK_RATE: u32 = 24_000_000;

/// Plans a guest's tree.
pub fn guest(guest: &Guest) -> Result<Tree, PlanError> {
    let phandle = guest.devices.as_ref().and_then(|devices| devices.gic);
    let gic = phandle.unwrap_or(GIC);
    let mut root = Node::new("")
        .with("#address-cells", 2_u32)
        .with("#size-cells", 2_u32)
        .with("interrupt-parent", gic)
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
        .child(
            Node::new("psci")
                .with("compatible", ["arm,psci-1.0", "arm,psci-0.2"])
                .with("method", "hvc"),
        );
    if guest.callable {
        let node = Node::new("hypervisor").with("compatible", ["xen,xen-4.20", "xen,xen"]);
        root.children.push(node);
    }
    root.children.push(cpus(guest.cpus));
    for (base, size) in &guest.memory {
        root.children.push(
            Node::new(format!("memory@{base:x}"))
                .with("device_type", "memory")
                .with("reg", Value::Cells64(vec![*base, *size])),
        );
    }
    root.children.push(controller(guest, gic));
    root.children.push(timer(guest.timer));
    if let Some(uart) = guest.uart {
        root.children.extend(console(uart));
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

/// The console, and the clock without which Linux takes no PL011.
fn console((base, size, line): (u64, u64, u32)) -> [Node; 2] {
    let clock = Node::new("apb-pclk")
        .with("compatible", "fixed-clock")
        .with("#clock-cells", 0_u32)
        .with("clock-frequency", CLOCK_RATE)
        .with("phandle", CLOCK);
    let uart = Node::new(uart_name(base))
        .with("compatible", ["arm,pl011", "arm,primecell"])
        .with("reg", Value::Cells64(vec![base, size]))
        .with("interrupts", [0, line, 4])
        .with("clock-names", ["uartclk", "apb_pclk"])
        .with("clocks", [CLOCK, CLOCK]);
    [clock, uart]
}

fn cpus(count: u32) -> Node {
    let mut cpus = Node::new("cpus")
        .with("#address-cells", 1_u32)
        .with("#size-cells", 0_u32);
    for number in 0..count {
        cpus.children.push(
            Node::new(format!("cpu@{number:x}"))
                .with("device_type", "cpu")
                .with("compatible", "arm,armv8")
                .with("reg", number)
                .with("enable-method", "psci"),
        );
    }
    cpus
}

fn controller(guest: &Guest, phandle: u32) -> Node {
    let frames = vec![guest.gicd.0, guest.gicd.1, guest.gicr.0, guest.gicr.1];
    Node::new(format!("interrupt-controller@{:x}", guest.gicd.0))
        .with("compatible", "arm,gic-v3")
        .with("#interrupt-cells", 3_u32)
        .with("#address-cells", 0_u32)
        .with("interrupt-controller", ())
        .with("reg", Value::Cells64(frames))
        .with("phandle", phandle)
}

fn timer(line: u32) -> Node {
    // arm,armv8-timer: secure, non-secure, virtual; 13 and 14 are the usual numbers of the two that nobody uses here.
    let lines = [13, 14, line].map(|line| [1, line, 4]);
    Node::new("timer")
        .with("compatible", "arm,armv8-timer")
        .with("interrupts", lines.as_flattened())
        .with("always-on", ())
}
