//! The tree of the hardware domain: the host's, but for what is the hypervisor's and for what is
//! reserved for other domains.

use alloc::vec::Vec;

use super::{Controller, Writer};
use super::{GIC_PHANDLE, chosen, cpus, devices, firmware, is_stripped, memory};
use crate::assign::{DomainPlan, View};
use crate::config::{Found, Host, NodeId, XEN_PASSTHROUGH};
use crate::dt::{CellCount, Cells, Event, Prop};

/// What names parts of the interrupt controller that the domain does not get.
const STRIPPED: [&str; 2] = ["msi-parent", "msi-map-mask"];

/// Makes the tree of the hardware domain. Whatever the host's says, it was read as it is read here.
pub(super) fn build(plan: &DomainPlan, host: &Host<'_>, view: &View) -> Vec<u8> {
    let root = host.node(NodeId::ROOT);
    let (address, size) = host.index.cells(NodeId::ROOT);
    let width = |cells| CellCount::new(cells).unwrap_or(CellCount::Two);
    let cells = Cells {
        address: width(address),
        size: width(size),
    };
    let controller = controller(host);
    let clock = free_phandle(host, controller.phandle);
    let mut tree = Writer::new(root.blob().bytes().len() + 4096, cells);
    copy(&mut tree, host, view);
    chosen(&mut tree, plan);
    firmware(&mut tree);
    cpus(&mut tree, plan);
    memory(&mut tree, plan);
    devices(&mut tree, plan, &controller, ("vpl011-clock", clock));
    tree.end();
    tree.finish()
}

/// Copies what the domain sees of the host's tree, and leaves the root open.
fn copy(tree: &mut Writer, host: &Host<'_>, view: &View) {
    let mut ids = host.index.ids().skip(1);
    let (mut at, mut open, mut hidden) = (NodeId::ROOT, 1_usize, 0_usize);
    tree.begin("");
    for event in host.node(NodeId::ROOT).walk() {
        match event {
            Event::Begin(node) => {
                at = ids.next().unwrap_or(at);
                if hidden != 0 || view.hidden.contains(&at) {
                    hidden += 1;
                    continue;
                }
                open += 1;
                tree.begin(node.name());
                if is_disabled(host, view, at) {
                    tree.text("status", &["disabled"]);
                }
            }
            Event::Prop(_) | Event::End if hidden != 0 => {
                hidden -= usize::from(event == Event::End);
            }
            Event::Prop(prop) if is_left_out(host, view, at, prop) => {}
            Event::Prop(prop) => tree.prop(prop.name(), prop.value()),
            Event::End => {
                open -= 1;
                if open != 0 {
                    tree.end();
                }
            }
        }
    }
}

fn is_disabled(host: &Host<'_>, view: &View, id: NodeId) -> bool {
    view.disabled.contains(&id) || host.node(id).has(XEN_PASSTHROUGH)
}

/// Tells whether the domain's tree says nothing, or something else, about this.
fn is_left_out(host: &Host<'_>, view: &View, id: NodeId, prop: Prop<'_>) -> bool {
    let aliases =
        || host.index.parent(id) == Some(NodeId::ROOT) && host.node(id).is_called("aliases");
    is_stripped(prop)
        || STRIPPED.into_iter().any(|name| prop.is(name))
        // Of nodes only the root can still be one that is an IOMMU.
        || id == NodeId::ROOT && prop.is("#iommu-cells")
        || prop.is("status") && is_disabled(host, view, id)
        || aliases()
            && prop
                .text()
                .is_ok_and(|path| leads_nowhere(host, view, path))
}

/// Tells whether a path of the host's tree leads to something that the domain does not see.
fn leads_nowhere(host: &Host<'_>, view: &View, path: &str) -> bool {
    let Found::One(id) = host.index.by_path(path) else {
        return false;
    };
    core::iter::successors(Some(id), |id| host.index.parent(*id))
        .any(|id| view.hidden.contains(&id))
}

/// Describes the interrupt controller as the rest of the tree refers to it.
fn controller(host: &Host<'_>) -> Controller {
    let gic = host.node(host.controller.id);
    let cells = |name, default| gic.read(name, Prop::u32).ok().flatten().unwrap_or(default);
    Controller {
        phandle: match host.index.phandle(host.controller.id) {
            Some(stated) => stated,
            None => free_phandle(host, 0),
        },
        address_cells: cells("#address-cells", 0),
        interrupt_cells: cells("#interrupt-cells", 3).clamp(3, 4),
        named: true,
    }
}

/// Finds a phandle that no node of the host has.
fn free_phandle(host: &Host<'_>, but: u32) -> u32 {
    let is_free =
        |phandle: &u32| *phandle != but && host.index.by_phandle(*phandle) == Found::Nothing;
    (GIC_PHANDLE..u32::MAX).find(is_free).unwrap_or(GIC_PHANDLE)
}
