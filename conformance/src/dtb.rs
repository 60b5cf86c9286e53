//! Turns a scenario into device trees and the memory image of its boot modules. The bytes of trees are laid out in
//! dtb-gen.

use std::sync::Arc;

use dtb_gen::corrupt::Corruption;
use dtb_gen::{Cells, Edit, Hardware, Module, Node, Platform, Tree, Value};
use wire::BootArgs;

use crate::arch::{self, CONTROLLER_PHANDLE};
use crate::scenario::{Added, DOMAIN_MEMORY_KIB, Device, Domain, Partial, Scenario};

pub mod host_bridge;
pub mod neutral;
mod run_time;
#[cfg(test)]
mod tests;

/// Everything that is loaded into memory for one run.
#[derive(Clone, Debug)]
pub struct Blobs {
    /// The host tree.
    pub host: Vec<u8>,
    /// Boot modules: name for people, address, contents.
    pub modules: Vec<(String, u64, Arc<[u8]>)>,
    /// What the kernels of the domains started at boot must receive.
    pub boots: Vec<Boot>,
    /// The partial trees by domain number, before a defect was put into the blob; for a domain created at run time, its
    /// whole tree.
    pub partials: Vec<(u8, Tree)>,
}

/// What the kernel of a domain must receive.
#[derive(Clone, Debug)]
pub struct Boot {
    /// Number of the domain.
    pub number: u8,
    /// Its arguments.
    pub args: String,
    /// Its ramdisk.
    pub ramdisk: Option<Arc<[u8]>>,
}

/// Inputs of the trees of a run, apart from the scenario.
pub struct BuildContext<'a> {
    /// The machine's own tree.
    pub base: &'a Tree,
    /// The probe's image.
    pub probe: &'a Arc<[u8]>,
    /// Arguments of the hypervisor.
    pub hypervisor_args: &'a str,
    /// Nonce of this run's frames.
    pub nonce: u32,
    /// Memory in which modules may be placed.
    pub modules: runners::Modules,
    /// The memory layout of its guests.
    pub guest: &'a runners::GuestLayout,
    /// The machine's own addresses of what is emulated for guests.
    pub host: Option<runners::HostLayout>,
}

/// Builds the trees and modules of `scenario`.
pub fn blobs(scenario: &Scenario, context: &BuildContext<'_>) -> Result<Blobs, String> {
    let mut allocator = ModuleAllocator {
        next: context.modules.base,
        align: context.modules.align,
        end: context.modules.base.saturating_add(context.modules.size),
        put: Vec::new(),
    };
    let base = machine(scenario, context.base);
    let probe = allocator.put("probe", context.probe.clone())?;
    let mut partials = Vec::new();
    let mut domains = Vec::new();
    let mut boots = Vec::new();
    let mut hardware = None;
    for domain in scenario
        .domains
        .iter()
        .filter(|domain| domain.child.is_none())
    {
        let script = run_time::script(domain, context.nonce);
        let entries = run_time::entries(scenario, domain.number, context, &base, &mut partials)?;
        let (args, ramdisk) = match script.boot_args() {
            _ if entries.len() > 1 => {
                let entries: Vec<&[u8]> = entries.iter().map(AsRef::as_ref).collect();
                let (args, ramdisk) = script.with_pack(&entries);
                (args, Some(ramdisk))
            }
            BootArgs::Inline(args) => (args, None),
            BootArgs::Ramdisk { args, ramdisk } => (args, Some(ramdisk.into_bytes())),
        };
        let ramdisk: Option<Arc<[u8]>> = ramdisk.map(Into::into);
        boots.push(Boot {
            number: domain.number,
            args: args.clone(),
            ramdisk: ramdisk.clone(),
        });
        let ramdisk = ramdisk
            .map(|bytes| allocator.put(&format!("{}-script", domain.name), bytes))
            .transpose()?;
        let kernel = Module {
            args: Some(args),
            ..probe.clone()
        };
        if domain.number == 0 {
            hardware = Some(Hardware { kernel, ramdisk });
            continue;
        }
        let tree = match &domain.partial {
            None => None,
            Some(partial) => {
                let (tree, blob) = partial_tree(partial, &domain.pci, &base)
                    .map_err(|why| format!("{}: {why}", domain.name))?;
                partials.push((domain.number, tree));
                Some(allocator.put(&format!("{}-tree", domain.name), blob)?)
            }
        };
        domains.push(domain_node(domain, kernel, ramdisk, tree)?);
    }
    let mut edits = marks(scenario, &base);
    edits.extend(
        scenario
            .host
            .iter()
            .map(|edit| with_modules(edit, &domains)),
    );
    let hypervisor_args = context.hypervisor_args.to_owned();
    let platform = Platform {
        base,
        hypervisor_args,
        hardware,
        domains,
        edits,
    };
    let host = dtb_gen::host(&platform).map_err(|error| error.to_string())?;
    Ok(Blobs {
        host: host.emit().map_err(|error| error.to_string())?,
        modules: allocator.put,
        boots,
        partials,
    })
}

/// Returns the machine's tree with the devices that the harness adds to the machine.
fn machine(scenario: &Scenario, base: &Tree) -> Tree {
    let mut base = base.clone();
    base.root
        .children
        .extend(scenario.added.iter().filter_map(added_node));
    base
}

/// Returns the machine's tree without domains: with marks on what may be assigned, and with the edits that concern the
/// machine.
pub fn platform(scenario: &Scenario, base: &Tree) -> Result<Tree, String> {
    let mut tree = machine(scenario, base);
    let mut edits = marks(scenario, &tree);
    let machine = scenario.host.iter().filter(|edit| !about_domains(edit));
    edits.extend(machine.cloned());
    dtb_gen::apply_all(&edits, &mut tree).map_err(|error| error.to_string())?;
    Ok(tree)
}

/// Tells whether an edit concerns what only a dom0less tree has.
pub fn about_domains(edit: &Edit) -> bool {
    edit.paths().iter().any(|path| path.starts_with("/chosen"))
}

/// Replaces `{kernel}`, `{ramdisk}` and `{tree}` in paths by the names of the module nodes.
fn with_modules(edit: &Edit, domains: &[dtb_gen::Domain]) -> Edit {
    let place = |path: &str| {
        domains.iter().fold(path.to_owned(), |path, domain| {
            let parts = [
                ("kernel", Some(&domain.kernel)),
                ("ramdisk", domain.ramdisk.as_ref()),
                ("tree", domain.tree.as_ref()),
            ];
            let known = parts
                .into_iter()
                .filter_map(|(part, module)| Some((part, module?)));
            known.fold(path, |path, (part, module)| {
                let place = format!("/chosen/{}/{{{part}}}", domain.name);
                let node = format!("/chosen/{}/{}", domain.name, module.node_name());
                path.replace(&place, &node)
            })
        })
    };
    edit.clone().with_paths(place)
}

/// Places boot modules one after another.
struct ModuleAllocator {
    next: u64,
    align: u64,
    end: u64,
    put: Vec<(String, u64, Arc<[u8]>)>,
}

impl ModuleAllocator {
    fn put(&mut self, name: &str, bytes: impl Into<Arc<[u8]>>) -> Result<Module, String> {
        let bytes = bytes.into();
        let size = bytes.len() as u64;
        let address = self.next;
        let end = address
            .checked_add(size.max(1))
            .and_then(|end| end.checked_next_multiple_of(self.align));
        self.next = end.filter(|end| *end <= self.end).ok_or_else(|| {
            format!("module `{name}` of {size} bytes does not fit after {address:#x}")
        })?;
        self.put.push((name.to_owned(), address, bytes));
        Ok(Module {
            address,
            size,
            args: None,
        })
    }
}

fn domain_node(
    domain: &Domain,
    kernel: Module,
    ramdisk: Option<Module>,
    tree: Option<Module>,
) -> Result<dtb_gen::Domain, String> {
    let memory = domain.memory_kib.unwrap_or(DOMAIN_MEMORY_KIB);
    let mut extra = Vec::new();
    if !domain.banks.is_empty() {
        let banks = domain.banks.iter().flat_map(|(base, size)| [*base, *size]);
        extra.push(("xen,static-mem".to_owned(), Value::Cells64(banks.collect())));
    }
    if domain.direct {
        extra.push(("direct-map".to_owned(), Value::Empty));
    }
    extra.extend(domain.extra.clone());
    Ok(dtb_gen::Domain {
        cpus: domain.cpus,
        vpl011: domain.vpl011,
        guest_lines: domain.guest_lines,
        ramdisk,
        tree,
        extra,
        ..dtb_gen::Domain::new(&domain.name, memory, kernel)
    })
}

/// Marks the host nodes that are meant for passthrough.
fn marks(scenario: &Scenario, base: &Tree) -> Vec<Edit> {
    let paths = scenario
        .passthrough
        .clone()
        .unwrap_or_else(|| named_nodes(scenario, base));
    let mark = |path| Edit::Set {
        path,
        prop: "xen,passthrough".to_owned(),
        value: Value::Empty,
    };
    paths.into_iter().map(mark).collect()
}

/// Finds the host nodes that domains name by path or, without a path, by an address inside their `reg`.
fn named_nodes(scenario: &Scenario, base: &Tree) -> Vec<String> {
    let devices = scenario
        .domains
        .iter()
        .flat_map(|domain| &domain.partial)
        .flat_map(|partial| &partial.devices);
    let mut paths: Vec<String> = Vec::new();
    for device in devices {
        match &device.path {
            Some(path) => paths.extend(base.find(path).map(|_| path.clone())),
            None => paths.extend(
                device
                    .ranges
                    .iter()
                    .filter_map(|range| owner(base, range.host)),
            ),
        }
    }
    paths.sort();
    paths.dedup();
    paths
}

/// Finds the child of the root whose `reg` (two cells each) contains `address`; memory and similar nodes are no
/// devices.
fn owner(base: &Tree, address: u64) -> Option<String> {
    let holds = |node: &&dtb_gen::Node| {
        let cells = node
            .get("reg")
            .and_then(|reg| reg.cells())
            .unwrap_or_default();
        let word = |pair: &[u32]| u64::from(pair[0]) << 32 | u64::from(pair[1]);
        node.get("device_type").is_none()
            && cells
                .chunks_exact(4)
                .any(|entry| address.wrapping_sub(word(&entry[..2])) < word(&entry[2..]))
    };
    base.root
        .children
        .iter()
        .find(holds)
        .map(|node| format!("/{}", node.name))
}

/// Returns the node of a device that stands for a PCI function, which QEMU does not describe: its registers where the
/// harness places them, and its interrupt where the host bridge routes its pin.
fn added_node(added: &Added) -> Option<Node> {
    added.place.optional.as_ref()?.pci?;
    let (place, path) = (added.place, added.place.path.as_ref()?);
    let name = path.trim_start_matches('/');
    let lines = place.interrupts.iter();
    let lines = lines.filter_map(|line| arch::interrupt_cells(*line, false));
    let compatible = Value::Texts(added.device.compatible.clone());
    Some(
        Node::new(name)
            .with("compatible", compatible)
            .with("reg", Value::Cells64(vec![place.base, place.size]))
            .with("interrupts", Value::Cells(lines.flatten().collect()))
            .with("dma-coherent", ()),
    )
}

/// Builds the content of a partial tree with these devices.
fn plan(partial: &Partial, base: &Tree) -> Result<dtb_gen::Partial, String> {
    let cells = |pair: Option<(u32, u32)>| pair.map(|(address, size)| Cells { address, size });
    let devices = partial
        .devices
        .iter()
        .map(|device| {
            device_node(
                device,
                partial.controller.unwrap_or(CONTROLLER_PHANDLE),
                base,
            )
        })
        .collect::<Result<_, String>>()?;
    Ok(dtb_gen::Partial {
        passthrough: cells(partial.cells),
        encoding: cells(partial.encoding),
        controller: partial.controller,
        devices,
        ..dtb_gen::Partial::default()
    })
}

fn partial_tree(
    partial: &Partial,
    pci: &[[u32; 3]],
    base: &Tree,
) -> Result<(Tree, Vec<u8>), String> {
    let mut plan = plan(partial, base)?;
    if !pci.is_empty() {
        let assigned = Value::Cells(pci.as_flattened().to_vec());
        plan.props.push(("xen,pci-assigned".to_owned(), assigned));
    }
    let mut tree = dtb_gen::partial(&plan).map_err(|error| error.to_string())?;
    dtb_gen::apply_all(&partial.edits, &mut tree).map_err(|error| error.to_string())?;
    if let Some(size) = partial.pad {
        let size = usize::try_from(size).map_err(|_| format!("{size} bytes of padding"))?;
        tree.pad("/passthrough", size)
            .map_err(|error| error.to_string())?;
    }
    let blob = tree.emit().map_err(|error| error.to_string())?;
    let blob = match &partial.corruption {
        None => blob,
        Some(name) => {
            let defect: Corruption = name.parse().map_err(|error| format!("{error}"))?;
            dtb_gen::corrupt::apply(&defect, &blob).map_err(|error| error.to_string())?
        }
    };
    Ok((tree, blob))
}

/// Describes a device to the guest as its host node does, unless the case says otherwise.
fn device_node(device: &Device, controller: u32, base: &Tree) -> Result<dtb_gen::Device, String> {
    let mut props: Vec<(String, Value)> = Vec::new();
    if let Some(node) = device.describe_as.as_ref().and_then(|path| base.find(path)) {
        for name in ["compatible", "interrupts"] {
            props.extend(
                node.get(name)
                    .map(|prop| (name.to_owned(), Value::Bytes(prop.value.clone()))),
            );
        }
    }
    if props.iter().any(|(name, _)| name == "interrupts") {
        props.push((
            "interrupt-parent".to_owned(),
            Value::Cells(vec![controller]),
        ));
    }
    for (name, value) in &device.props {
        props.retain(|(known, _)| known != name);
        props.push((name.clone(), value.clone()));
    }
    let ranges = device.ranges.iter().map(|range| dtb_gen::Range {
        host: range.host,
        size: range.size,
        guest: range.guest,
    });
    Ok(dtb_gen::Device {
        ranges: ranges.collect(),
        path: device.path.clone(),
        force: device.force,
        props,
        ..dtb_gen::Device::new(&device.node)
    })
}
