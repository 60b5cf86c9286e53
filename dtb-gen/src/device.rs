//! Partial trees: the devices that a domain gets, in the form of the device-tree contract.

use crate::domain::push;
use crate::{Cells, Node, PlanError, Tree, Value, arch};

/// The specification's default where a parent declares no widths.
const DEFAULT_CELLS: Cells = Cells {
    address: 2,
    size: 1,
};

/// The content of a domain's partial tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partial {
    /// Widths that the root declares; `None` leaves both properties out.
    pub root: Option<Cells>,
    /// Widths that /passthrough declares; `None` leaves both properties out.
    pub passthrough: Option<Cells>,
    /// Widths in which `reg` and `xen,reg` are written; `None` takes those that /passthrough declares, or the default 2
    /// and 1. A field of its own, because a case may declare nonsense.
    pub encoding: Option<Cells>,
    /// Phandle of the node for the guest's interrupt controller; `None` leaves the node out.
    pub controller: Option<u32>,
    /// Devices, in order.
    pub devices: Vec<Device>,
    /// Further children of the root.
    pub extra: Vec<Node>,
    /// Entries of /aliases; the node is left out if there are none.
    pub aliases: Vec<(String, String)>,
    /// Further properties of /passthrough; one with a generated name replaces the generated one.
    pub props: Vec<(String, Value)>,
}

impl Default for Partial {
    fn default() -> Self {
        Self {
            root: Some(Cells::default()),
            passthrough: Some(Cells::default()),
            encoding: None,
            controller: Some(arch::CONTROLLER_PHANDLE),
            devices: Vec::new(),
            extra: Vec::new(),
            aliases: Vec::new(),
            props: Vec::new(),
        }
    }
}

/// A device node below /passthrough.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// Node name.
    pub name: String,
    /// Its register ranges: `reg` for the guest and `xen,reg` for the hypervisor.
    pub ranges: Vec<Range>,
    /// `xen,path`: the host node this device is.
    pub path: Option<String>,
    /// `xen,force-assign-without-iommu`.
    pub force: bool,
    /// Further properties; one with a generated name replaces the generated one.
    pub props: Vec<(String, Value)>,
    /// Nodes below it.
    pub children: Vec<Node>,
}

impl Device {
    /// Makes a device without ranges, path or force.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }
}

/// One tuple of `xen,reg`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Host-physical address.
    pub host: u64,
    /// Length in bytes.
    pub size: u64,
    /// Guest-physical address.
    pub guest: u64,
}

/// Plans a partial tree. Checks only that each number fits its cells.
pub fn partial(partial: &Partial) -> Result<Tree, PlanError> {
    let mut tree = Tree::default();
    declare(&mut tree.root, partial.root);
    if let Some(phandle) = partial.controller {
        tree.root.children.push(arch::placeholder(phandle));
    }
    if !partial.aliases.is_empty() {
        let mut aliases = Node::new("aliases");
        for (name, path) in &partial.aliases {
            aliases.set(name, path.as_str());
        }
        tree.root.children.push(aliases);
    }
    let mut passthrough = Node::new("passthrough")
        .with("compatible", "simple-bus")
        .with("ranges", ());
    declare(&mut passthrough, partial.passthrough);
    for (name, value) in &partial.props {
        passthrough.set(name, value.clone());
    }
    let cells = partial
        .encoding
        .or(partial.passthrough)
        .unwrap_or(DEFAULT_CELLS);
    for device in &partial.devices {
        passthrough.children.push(device.node(cells)?);
    }
    tree.root.children.push(passthrough);
    tree.root.children.extend(partial.extra.iter().cloned());
    Ok(tree)
}

fn declare(node: &mut Node, cells: Option<Cells>) {
    if let Some(cells) = cells {
        node.set("#address-cells", cells.address);
        node.set("#size-cells", cells.size);
    }
}

impl Device {
    fn node(&self, cells: Cells) -> Result<Node, PlanError> {
        let path = format!("/passthrough/{}", self.name);
        let mut node = Node::new(&self.name);
        if !self.ranges.is_empty() {
            let (mut reg, mut claim) = (Vec::new(), Vec::new());
            for range in &self.ranges {
                push(&mut reg, range.guest, cells.address, &path, "reg")?;
                push(&mut reg, range.size, cells.size, &path, "reg")?;
                push(&mut claim, range.host, cells.address, &path, "xen,reg")?;
                push(&mut claim, range.size, cells.size, &path, "xen,reg")?;
                push(&mut claim, range.guest, cells.address, &path, "xen,reg")?;
            }
            node.set("reg", reg);
            node.set("xen,reg", claim);
        }
        if let Some(host) = &self.path {
            node.set("xen,path", host.as_str());
        }
        if self.force {
            node.set("xen,force-assign-without-iommu", ());
        }
        for (name, value) in &self.props {
            node.set(name, value.clone());
        }
        node.children.clone_from(&self.children);
        Ok(node)
    }
}
