//! The partial tree: what a domain wants of the host's devices, and what its own tree is to say
//! about them.

use alloc::vec::Vec;

use super::bindings::Bindings;
use super::error::{ConfigError, Origin, Warnings};
use super::flaw::Flaw;
use super::limits::{MAX_DEVICES, MAX_TUPLES};
use super::pci_assigned::{XEN_PCI, functions};
use super::tree::is_iommu;
use crate::dt::{Blob, Cells, Event, Node, Prop, Tuples};
use crate::fault::{self, Fault};
use crate::ids::Sbdf;

/// The property that names host and guest ranges.
pub const XEN_REG: &str = "xen,reg";
/// The property that names the host's node.
pub const XEN_PATH: &str = "xen,path";
/// The property that reserves a host device for another domain than the hardware domain.
pub const XEN_PASSTHROUGH: &str = "xen,passthrough";
/// The property that does without an IOMMU.
pub const XEN_FORCE: &str = "xen,force-assign-without-iommu";

/// One entry of `xen,reg`, unchecked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tuple {
    /// Where the range lies on the host.
    pub host: u64,
    /// How long it is.
    pub size: u64,
    /// Where the guest is to see it.
    pub guest: u64,
}

/// What one node of a partial tree asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeviceClaim<'t> {
    /// Where it is claimed: the node in the partial tree.
    pub origin: Origin<'t>,
    /// The host's node.
    pub path: Option<&'t str>,
    /// Whether it does without an IOMMU.
    pub forced: bool,
    /// The ranges, when it names any.
    pub tuples: Option<Vec<Tuple>>,
}

/// What a partial tree says.
#[derive(Clone, Debug)]
pub struct Partial<'t> {
    /// Bytes in the whole tree.
    pub length: usize,
    /// The subtree that the guest gets.
    pub passthrough: Option<Node<'t>>,
    /// The aliases that the guest gets.
    pub aliases: Option<Node<'t>>,
    /// The phandle by which its nodes name the guest's interrupt controller.
    pub controller: Option<u32>,
    /// The phandles of the nodes that the guest gets, sorted, each once.
    pub phandles: Vec<u32>,
    /// What its nodes ask for, in the order in which they stand.
    pub devices: Vec<DeviceClaim<'t>>,
    /// The PCI functions that it asks for, in the order in which they are named, each once.
    pub functions: Vec<Sbdf>,
    /// What in it has no effect.
    pub warnings: Warnings,
}

impl<'t> Partial<'t> {
    /// Reads a partial tree.
    ///
    /// # Errors
    /// Refuses what cannot be read, what is ambiguous, and every node that asks for something of
    /// the host where nothing would come of it.
    pub fn read(blob: Blob<'t>, bindings: &Bindings) -> Result<Self, ConfigError> {
        let mut partial = Self {
            length: blob.bytes().len(),
            passthrough: None,
            aliases: None,
            controller: None,
            phandles: Vec::new(),
            devices: Vec::new(),
            functions: Vec::new(),
            warnings: Warnings::default(),
        };
        let root = blob.root();
        refuse_requests(root)?;
        let mut controller = None;
        for child in root.children() {
            let name = child.name();
            let is = |wanted: &str| name.eq_ignore_ascii_case(wanted);
            let slot = if is("passthrough") {
                &mut partial.passthrough
            } else if is("aliases") {
                &mut partial.aliases
            } else if is(bindings.partial_controller) {
                &mut controller
            } else {
                refuse_all_requests(child)?;
                partial
                    .warnings
                    .add(format_args!("{}: node has no effect", child.path()));
                continue;
            };
            if slot.replace(child).is_some() {
                return Err(ConfigError::new(child, name, Flaw::NodeTwice));
            }
        }
        if let Some(aliases) = partial.aliases {
            refuse_all_requests(aliases)?;
            refuse_iommu(aliases, bindings)?;
            if let Some(child) = aliases.children().next() {
                return Err(ConfigError::new(
                    child,
                    child.name(),
                    Flaw::NodeAmongAliases,
                ));
            }
        }
        if let Some(node) = controller {
            refuse_all_requests(node)?;
            partial.controller = phandle(node)?;
        }
        if let Some(passthrough) = partial.passthrough {
            partial.scan(root, passthrough, bindings)?;
        }
        partial.check_phandles(controller)?;
        Ok(partial)
    }

    /// Reads every node that the guest gets.
    fn scan(
        &mut self,
        root: Node<'t>,
        passthrough: Node<'t>,
        bindings: &Bindings,
    ) -> Result<(), ConfigError> {
        if !passthrough.compatible(|model| model == "simple-bus") {
            return Err(ConfigError::new(passthrough, "compatible", Flaw::NoBus));
        }
        passthrough.required("ranges")?;
        self.functions = functions(passthrough)?.unwrap_or_default();
        refuse_iommu(passthrough, bindings)?;
        self.take(passthrough, root, root)?;
        let mut open: Vec<Node<'t>> = [root, passthrough].into();
        for event in passthrough.walk() {
            match event {
                Event::Begin(node) => {
                    let parent = open.last().copied().unwrap_or(root);
                    let above = open.iter().rev().nth(1).copied().unwrap_or(root);
                    refuse_iommu(node, bindings)?;
                    self.take(node, parent, above)?;
                    open.push(node);
                }
                Event::Prop(_) => {}
                Event::End => {
                    open.pop();
                }
            }
        }
        Ok(())
    }

    /// Reads one node that the guest gets.
    fn take(
        &mut self,
        node: Node<'t>,
        parent: Node<'t>,
        above: Node<'t>,
    ) -> Result<(), ConfigError> {
        if let Some(phandle) = phandle(node)? {
            self.phandles.push(phandle);
        }
        let is_whole = self
            .passthrough
            .is_some_and(|all| all.offset() == node.offset());
        if !is_whole && node.has(XEN_PCI) {
            return Err(ConfigError::new(node, XEN_PCI, Flaw::NotInPassthrough));
        }
        let reg = node.optional(XEN_REG)?;
        let path = node.read(XEN_PATH, Prop::text)?;
        let forced = node.read(XEN_FORCE, Prop::flag)?.unwrap_or(false);
        // That PCI functions do without an IOMMU where there is none needs no saying.
        let forced = forced && !(is_whole && reg.is_none() && !self.functions.is_empty());
        if reg.is_none() && path.is_none() && !forced {
            return Ok(());
        }
        if self.devices.len() >= MAX_DEVICES {
            return Err(ConfigError::new(node, node.name(), Flaw::Devices));
        }
        let bus = if fault::on(Fault::CellsWrongLevel) {
            above
        } else {
            parent
        };
        let tuples = reg.map(|reg| tuples(node, reg, bus)).transpose()?;
        let device = DeviceClaim {
            origin: node.into(),
            path,
            forced,
            tuples,
        };
        let count = self
            .devices
            .iter()
            .chain([&device])
            .map(DeviceClaim::len)
            .sum::<usize>();
        if count > MAX_TUPLES {
            return Err(ConfigError::new(node, XEN_REG, Flaw::Tuples(count)));
        }
        self.devices.push(device);
        Ok(())
    }

    /// Refuses phandles that name two nodes: which of them a reference means is a guess.
    fn check_phandles(&mut self, controller: Option<Node<'t>>) -> Result<(), ConfigError> {
        self.phandles.sort_unstable();
        let twice = |pair: &[u32]| match pair {
            [one, other] if one == other => Some(*one),
            _ => None,
        };
        if let Some(phandle) = self.phandles.windows(2).find_map(twice)
            && let Some(node) = self.passthrough
        {
            let flaw = Flaw::PhandleTwice(phandle);
            return Err(ConfigError::new(node, "phandle", flaw));
        }
        if let (Some(phandle), Some(node)) = (self.controller, controller)
            && self.phandles.binary_search(&phandle).is_ok()
        {
            let flaw = Flaw::PhandleShared(phandle);
            return Err(ConfigError::new(node, "phandle", flaw));
        }
        Ok(())
    }
}

impl DeviceClaim<'_> {
    /// Returns the number of ranges.
    fn len(&self) -> usize {
        self.tuples.as_ref().map_or(0, Vec::len)
    }
}

/// Splits a `xen,reg` by the widths that the bus around its node states.
fn tuples<'t>(node: Node<'t>, reg: Prop<'t>, bus: Node<'t>) -> Result<Vec<Tuple>, ConfigError> {
    let mut default = Cells::DEFAULT;
    if fault::on(Fault::CellsDefaultWrong) {
        default.size = default.address;
    }
    let Cells { address, size } = Cells::of(bus, default)?;
    let widths = [address, size, address];
    let list = if fault::on(Fault::TupleTruncated) {
        Tuples::truncated(reg.value(), widths)
    } else {
        Tuples::new(reg.value(), widths).map_err(|flaw| node.flaw(XEN_REG, flaw))?
    };
    Ok(list
        .map(|[host, size, guest]| Tuple { host, size, guest })
        .collect())
}

/// Returns the phandle of a node, by either of its names.
///
/// # Errors
/// Refuses two that differ and the two numbers that no node can have.
pub fn phandle(node: Node<'_>) -> Result<Option<u32>, ConfigError> {
    let new = node.read("phandle", Prop::u32)?;
    let old = node.read("linux,phandle", Prop::u32)?;
    if let (Some(new), Some(old)) = (new, old)
        && new != old
    {
        let flaw = Flaw::PhandlesDiffer(old, new);
        return Err(ConfigError::new(node, "linux,phandle", flaw));
    }
    let stated = new.or(old);
    match stated {
        Some(value @ (0 | u32::MAX)) => {
            Err(ConfigError::new(node, "phandle", Flaw::NoPhandle(value)))
        }
        _ => Ok(stated),
    }
}

/// Refuses to show an IOMMU to the guest.
fn refuse_iommu(node: Node<'_>, bindings: &Bindings) -> Result<(), ConfigError> {
    if is_iommu(node, bindings) && !fault::on(Fault::IommuNodeShown) {
        return Err(ConfigError::new(node, "compatible", Flaw::IommuShown));
    }
    Ok(())
}

/// Refuses a request of the host in a node that the guest does not get.
fn refuse_requests(node: Node<'_>) -> Result<(), ConfigError> {
    let asks = |prop: &Prop<'_>| {
        [XEN_REG, XEN_PATH, XEN_FORCE, XEN_PCI]
            .into_iter()
            .find(|name| prop.is(name))
    };
    match node.props().find_map(|prop| asks(&prop)) {
        Some(name) => Err(ConfigError::new(node, name, Flaw::OutsidePassthrough)),
        None => Ok(()),
    }
}

/// Refuses requests of the host in a node and in everything below it.
fn refuse_all_requests(node: Node<'_>) -> Result<(), ConfigError> {
    refuse_requests(node)?;
    for event in node.walk() {
        if let Event::Begin(node) = event {
            refuse_requests(node)?;
        }
    }
    Ok(())
}
