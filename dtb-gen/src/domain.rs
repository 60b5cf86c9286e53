//! A dom0less domain as a node of the host tree.

use crate::{Node, PlanError, Value};

/// Widths of addresses and sizes, in cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cells {
    /// `#address-cells`.
    pub address: u32,
    /// `#size-cells`.
    pub size: u32,
}

impl Default for Cells {
    fn default() -> Self {
        Self {
            address: 2,
            size: 2,
        }
    }
}

/// A boot module: the place where the loader puts a blob, and the arguments of a kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// First byte, in host-physical memory.
    pub address: u64,
    /// Length in bytes.
    pub size: u64,
    /// `bootargs`.
    pub args: Option<String>,
}

/// A domain that the hypervisor creates at boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// Node name under /chosen.
    pub name: String,
    /// Memory in KiB.
    pub memory_kib: u64,
    /// Virtual CPUs.
    pub cpus: u32,
    /// Whether the domain gets an emulated PL011.
    pub vpl011: bool,
    /// Shared lines of its interrupt controller; `None` leaves the choice to the hypervisor.
    pub guest_lines: Option<u32>,
    /// Widths in which the modules' `reg` is written.
    pub cells: Cells,
    /// The kernel image.
    pub kernel: Module,
    /// A ramdisk.
    pub ramdisk: Option<Module>,
    /// The partial device tree.
    pub tree: Option<Module>,
    /// Further properties; one with a generated name replaces the generated one.
    pub extra: Vec<(String, Value)>,
}

impl Domain {
    /// Makes a domain of one CPU with a console and nothing else.
    pub fn new(name: impl Into<String>, memory_kib: u64, kernel: Module) -> Self {
        Self {
            name: name.into(),
            memory_kib,
            cpus: 1,
            vpl011: true,
            guest_lines: None,
            cells: Cells::default(),
            kernel,
            ramdisk: None,
            tree: None,
            extra: Vec::new(),
        }
    }

    /// Renders the domain's node.
    pub(crate) fn node(&self) -> Result<Node, PlanError> {
        let mut node = Node::new(&self.name)
            .with("compatible", "xen,domain")
            .with("#address-cells", self.cells.address)
            .with("#size-cells", self.cells.size)
            .with("memory", self.memory_kib)
            .with("cpus", self.cpus);
        if self.vpl011 {
            node.set("vpl011", ());
        }
        if let Some(count) = self.guest_lines {
            node.set("nr_spis", count);
        }
        for (name, value) in &self.extra {
            node.set(name, value.clone());
        }
        let modules = [
            ("multiboot,kernel", Some(&self.kernel)),
            ("multiboot,ramdisk", self.ramdisk.as_ref()),
            ("multiboot,device-tree", self.tree.as_ref()),
        ];
        for (kind, module) in modules {
            if let Some(module) = module {
                let child = module.node(kind, self.cells, &format!("/chosen/{}", self.name))?;
                if node.children.iter().any(|other| other.name == child.name) {
                    let parent = format!("/chosen/{}", self.name);
                    return Err(PlanError::Taken {
                        parent,
                        name: child.name,
                    });
                }
                node.children.push(child);
            }
        }
        Ok(node)
    }
}

impl Module {
    /// Returns the name of the module's node, `module@<address>`.
    pub fn node_name(&self) -> String {
        format!("module@{:x}", self.address)
    }

    pub(crate) fn node(&self, kind: &str, cells: Cells, parent: &str) -> Result<Node, PlanError> {
        let path = format!("{parent}/{}", self.node_name());
        let mut reg = Vec::new();
        push(&mut reg, self.address, cells.address, &path, "reg")?;
        push(&mut reg, self.size, cells.size, &path, "reg")?;
        let mut node = Node::new(self.node_name())
            .with("compatible", [kind, "multiboot,module"])
            .with("reg", reg);
        if let Some(args) = &self.args {
            node.set("bootargs", args.as_str());
        }
        Ok(node)
    }
}

/// The greatest width that is written; a test may declare more, but writes no such number.
const WIDEST: u32 = 8;

/// Appends a number in so many cells, most significant first, or nothing for zero cells.
pub(crate) fn push(
    to: &mut Vec<u32>,
    value: u64,
    cells: u32,
    path: &str,
    prop: &'static str,
) -> Result<(), PlanError> {
    let path = || path.to_owned();
    if cells > WIDEST {
        return Err(PlanError::TooManyCells {
            path: path(),
            prop,
            cells,
            limit: WIDEST,
        });
    }
    for index in (0..cells).rev() {
        let cell = value.checked_shr(32 * index).unwrap_or(0) & 0xffff_ffff;
        to.push(u32::try_from(cell).unwrap_or(u32::MAX));
    }
    // Zero cells hold nothing on purpose: the tree then lacks the value.
    match cells {
        1 if value > u64::from(u32::MAX) => Err(PlanError::TooWide {
            path: path(),
            prop,
            value,
            cells,
        }),
        _ => Ok(()),
    }
}
