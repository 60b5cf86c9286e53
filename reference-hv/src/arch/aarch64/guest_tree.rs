//! The device tree that a domain boots with: a machine made for it, and what its partial tree says
//! about the devices that it got.
//!
//! The guest learns nothing about the host that it does not need: what the partial tree says to the
//! hypervisor is left out, and so is every reference to an IOMMU.
//!
//! A partial tree just under 2 MiB makes a tree just over it, which the arm64 boot protocol does
//! not allow; the guest gets it all the same, for not every guest is Linux.

use alloc::format;
use alloc::vec::Vec;
use core::fmt;

use super::bindings::BINDINGS;
use crate::assign::DomainPlan;
use crate::config::{
    ConfigError, Host, Modules, Partial, XEN_FORCE, XEN_PASSTHROUGH, XEN_PATH, XEN_REG,
};
use crate::dt::{Blob, CellCount, Cells, Event, Node, Prop};
use crate::fault::{self, Fault};

mod bridge;
mod devices;
mod hardware;
mod writer;

use devices::{Controller, devices, uart_name};
use writer::Writer;

/// The phandle of the guest's interrupt controller where its partial tree does not say otherwise;
/// trees written for Xen rely on it.
pub const GIC_PHANDLE: u32 = 65000;

/// How wide addresses and sizes are in a tree made for a domain.
const CELLS: Cells = Cells {
    address: CellCount::Two,
    size: CellCount::Two,
};

/// What of a partial tree is not the guest's business.
const STRIPPED: [&str; 9] = [
    XEN_REG,
    XEN_PATH,
    XEN_FORCE,
    XEN_PASSTHROUGH,
    "xen,pci-assigned",
    "iommus",
    "iommu-map",
    "iommu-map-mask",
    "msi-map",
];

/// A domain's tree that cannot be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TreeError {
    /// The partial tree is no longer what it was when it was judged.
    Changed,
    /// Something in the partial tree.
    ConfigError(ConfigError),
    /// The tree is longer than the room that the plan has for it.
    TooLong {
        /// Its length.
        length: usize,
        /// The room.
        room: u64,
    },
}

impl fmt::Display for TreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed => f.write_str("the partial tree changed while the domain was built"),
            Self::ConfigError(flaw) => flaw.fmt(f),
            Self::TooLong { length, room } => {
                write!(
                    f,
                    "the guest's device tree has {length} bytes, more than {room}"
                )
            }
        }
    }
}

impl core::error::Error for TreeError {}

impl From<ConfigError> for TreeError {
    fn from(flaw: ConfigError) -> Self {
        Self::ConfigError(flaw)
    }
}

/// Makes the tree of a domain, ready to be copied to `plan.load.tree`.
///
/// # Errors
/// Refuses a partial tree that is not the one the plan was made from.
pub fn build<'t>(
    plan: &DomainPlan,
    host: &Host<'_>,
    modules: &dyn Modules<'t>,
) -> Result<Vec<u8>, TreeError> {
    let bytes = match &plan.view {
        Some(view) => hardware::build(plan, host, view),
        None => own(plan, modules)?,
    };
    let room = plan.load.tree.size();
    match u64::try_from(bytes.len()) {
        Ok(length) if length <= room => Ok(bytes),
        _ => Err(TreeError::TooLong {
            length: bytes.len(),
            room,
        }),
    }
}

/// Describes a machine made for the domain.
fn own<'t>(plan: &DomainPlan, modules: &dyn Modules<'t>) -> Result<Vec<u8>, TreeError> {
    let partial = match plan.partial {
        None => None,
        Some(span) => {
            let bytes = modules.bytes(span).ok_or(TreeError::Changed)?;
            let blob = Blob::new(bytes).map_err(|_| TreeError::Changed)?;
            Some(Partial::read(blob, &BINDINGS)?)
        }
    };
    let phandles = Phandles::choose(partial.as_ref());
    let length = partial.as_ref().map_or(0, |partial| partial.length);
    let mut tree = Writer::new(length + 4096, CELLS);
    let controller = Controller {
        phandle: phandles.gic,
        address_cells: 0,
        interrupt_cells: 3,
        named: false,
    };

    tree.begin("");
    tree.cells("#address-cells", &[2]);
    tree.cells("#size-cells", &[2]);
    tree.cells("interrupt-parent", &[phandles.gic]);
    tree.text("model", &["refhv domain"]);
    tree.text("compatible", &["refhv,domain"]);
    chosen(&mut tree, plan);
    firmware(&mut tree);
    cpus(&mut tree, plan);
    memory(&mut tree, plan);
    if let Some(partial) = &partial {
        for node in [partial.aliases, partial.passthrough].into_iter().flatten() {
            copy(&mut tree, node);
        }
    }
    bridge::describe(&mut tree, plan, &controller);
    devices(&mut tree, plan, &controller, ("apb-pclk", phandles.clock));
    tree.end();
    Ok(tree.finish())
}

/// The phandles of what the hypervisor adds.
struct Phandles {
    gic: u32,
    clock: u32,
}

impl Phandles {
    /// Takes what the partial tree says about the interrupt controller's, and otherwise the first
    /// ones from [`GIC_PHANDLE`] on that nobody has.
    fn choose(partial: Option<&Partial<'_>>) -> Self {
        let used = partial
            .map(|partial| partial.phandles.as_slice())
            .unwrap_or_default();
        let free = |but: u32| {
            (GIC_PHANDLE..u32::MAX)
                .chain(1..GIC_PHANDLE)
                .find(|phandle| *phandle != but && used.binary_search(phandle).is_err())
                .unwrap_or(GIC_PHANDLE)
        };
        let gic = match partial.and_then(|partial| partial.controller) {
            _ if fault::on(Fault::PhandleClash) => GIC_PHANDLE,
            Some(stated) => stated,
            None => free(0),
        };
        Self {
            gic,
            clock: free(gic),
        }
    }
}

fn chosen(tree: &mut Writer, plan: &DomainPlan) {
    tree.begin("chosen");
    if let Some(arguments) = &plan.kernel_args {
        tree.text("bootargs", &[arguments]);
    }
    if let Some(ramdisk) = plan.load.ramdisk {
        let end = ramdisk.to.raw().saturating_add(ramdisk.from.size());
        tree.numbers("linux,initrd-start", &[ramdisk.to.raw()]);
        tree.numbers("linux,initrd-end", &[end]);
    }
    if let Some(uart) = &plan.layout.uart {
        tree.text("stdout-path", &[&format!("/{}", uart_name(uart))]);
    }
    tree.end();
}

fn firmware(tree: &mut Writer) {
    tree.begin("psci");
    tree.text("compatible", &["arm,psci-1.0", "arm,psci-0.2"]);
    tree.text("method", &["hvc"]);
    tree.end();
}

fn cpus(tree: &mut Writer, plan: &DomainPlan) {
    tree.begin("cpus");
    tree.cells("#address-cells", &[1]);
    tree.cells("#size-cells", &[0]);
    // With at most eight virtual CPUs the affinity of each is its number.
    for number in 0..plan.cpus {
        tree.begin(&format!("cpu@{number:x}"));
        tree.text("device_type", &["cpu"]);
        tree.text("compatible", &["arm,armv8"]);
        tree.cells("reg", &[number]);
        tree.text("enable-method", &["psci"]);
        tree.end();
    }
    tree.end();
}

fn memory(tree: &mut Writer, plan: &DomainPlan) {
    for bank in &plan.banks {
        tree.begin(&format!("memory@{:x}", bank.first().raw()));
        tree.text("device_type", &["memory"]);
        tree.ranges("reg", &[*bank]);
        tree.end();
    }
}

/// Copies a node of the partial tree and all below it, as it is but for [`STRIPPED`].
fn copy(tree: &mut Writer, node: Node<'_>) {
    tree.begin(node.name());
    for event in node.walk() {
        match event {
            Event::Begin(child) => tree.begin(child.name()),
            Event::Prop(prop) if is_stripped(prop) => {}
            Event::Prop(prop) => tree.prop(prop.name(), prop.value()),
            // The walk ends with the end of the node itself.
            Event::End => tree.end(),
        }
    }
}

fn is_stripped(prop: Prop<'_>) -> bool {
    let left = |fault, name| fault::on(fault) && prop.is(name);
    STRIPPED.into_iter().any(|name| prop.is(name))
        && !left(Fault::XenPropertyLeft, XEN_PATH)
        && !left(Fault::IommusLeft, "iommus")
        && !left(Fault::IommuMapLeft, "iommu-map")
        && !left(Fault::IommuMapMaskLeft, "iommu-map-mask")
        && !left(Fault::MsiMapLeft, "msi-map")
}
