//! Reads from the guest's tree what the probe needs to know about the machine.

use crate::tree::{self, HYPERVISOR, Node, Tree};

/// The address of Xen's emulated UART.
const XEN_UART: u64 = 0x2200_0000;

/// The highest number of RAM banks, and of redistributor regions, that the probe reads.
const LIMIT: usize = 8;

/// The machine that a tree describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Board<'a> {
    /// `bootargs` of `/chosen`; empty if missing.
    pub arguments: &'a [u8],
    /// The ramdisk: its first address, and the address after its last.
    pub ramdisk: Option<(u64, u64)>,
    /// The console; if there is none, the hypervisor prints.
    pub uart: Option<Uart>,
    /// The interrupt controller, if it is a GICv2 or GICv3.
    pub gic: Option<Gic>,
    /// Whether PSCI calls use SMC instead of HVC.
    pub smc: bool,
    /// RAM banks as address and size.
    pub banks: [(u64, u64); LIMIT],
}

/// A UART with the registers of a PL011.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uart {
    /// Address of its registers.
    pub base: u64,
    /// Whether it is a full PL011, with the control registers that an SBSA UART lacks.
    pub whole: bool,
}

/// An interrupt controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gic {
    /// Address of the distributor.
    pub distributor: u64,
    /// The CPU's interface to it.
    pub cpu: CpuSide,
}

/// The CPU's interface to an interrupt controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CpuSide {
    /// GICv3: system registers, and redistributor regions as address and size; unused ones have size 0.
    Redistributors([(u64, u64); LIMIT]),
    /// GICv2: the address of the CPU interface.
    Interface(u64),
}

impl<'a> Board<'a> {
    /// Reads the tree. Missing or malformed parts have their defaults.
    pub fn read(tree: &Tree<'a>) -> Self {
        let root = tree.root();
        let chosen = tree.find(b"/chosen");
        let address = |name| {
            let value = chosen?.property(name)?;
            tree::number(value, 0, value.len() / 4)
        };
        let psci = tree.find(b"/psci").and_then(|node| node.text(b"method"));
        Self {
            arguments: chosen
                .and_then(|node| node.text(b"bootargs"))
                .unwrap_or_default(),
            ramdisk: address(b"linux,initrd-start".as_slice())
                .zip(address(b"linux,initrd-end".as_slice())),
            uart: match root.and_then(|root| Uart::find(tree, root, chosen)) {
                None if tree.find(HYPERVISOR).is_some() => None,
                found => Some(found.unwrap_or_default()),
            },
            gic: root.and_then(Gic::find),
            smc: psci == Some(b"smc".as_slice()),
            banks: root.map(banks).unwrap_or_default(),
        }
    }
}

impl Default for Board<'_> {
    /// Returns the defaults for a machine without a tree.
    fn default() -> Self {
        Self {
            arguments: &[],
            ramdisk: None,
            uart: Some(Uart::default()),
            gic: None,
            smc: false,
            banks: [(0, 0); LIMIT],
        }
    }
}

impl Default for Uart {
    /// Returns the UART that is used if the tree names none.
    fn default() -> Self {
        Self {
            base: XEN_UART,
            whole: false,
        }
    }
}

impl Uart {
    /// Finds the console: the node that `stdout-path` names, or else the first UART. An SBSA UART comes
    /// before a PL011, because the latter may be a passthrough device. If the tree has the
    /// hypervisor's node, a PL011 that `stdout-path` does not name counts as such a device.
    fn find(tree: &Tree<'_>, root: Node<'_>, chosen: Option<Node<'_>>) -> Option<Self> {
        let named = chosen.and_then(|chosen| {
            let path = chosen.text(b"stdout-path")?;
            let path = path.split(|byte| *byte == b':').next()?;
            let path = if path.starts_with(b"/") {
                path
            } else {
                tree.find(b"/aliases")?.text(path)?
            };
            tree.find(path)
        });
        let first = |wanted: &[u8]| root.children().find(|node| node.is_compatible(wanted));
        let node =
            named
                .or_else(|| first(b"arm,sbsa-uart"))
                .or_else(|| match tree.find(HYPERVISOR) {
                    None => first(b"arm,pl011"),
                    Some(_) => None,
                })?;
        // A console's node is a child of the root; a bus in between is assumed to translate no addresses.
        let (base, _) = node.reg(root).next()?;
        Some(Self {
            base,
            whole: node.is_compatible(b"arm,pl011"),
        })
    }
}

impl Gic {
    fn find(root: Node<'_>) -> Option<Self> {
        const V2: [&[u8]; 4] = [
            b"arm,cortex-a15-gic",
            b"arm,gic-400",
            b"arm,cortex-a9-gic",
            b"arm,cortex-a7-gic",
        ];
        root.children().find_map(|node| {
            let mut reg = node.reg(root);
            if node.is_compatible(b"arm,gic-v3") {
                let (distributor, _) = reg.next()?;
                let regions = node
                    .cell(b"#redistributor-regions")
                    .and_then(|count| usize::try_from(count).ok())
                    .unwrap_or(1);
                Some(Self {
                    distributor,
                    cpu: CpuSide::Redistributors(first(reg.take(regions))),
                })
            } else if V2.iter().any(|wanted| node.is_compatible(wanted)) {
                let ((distributor, _), (interface, _)) = (reg.next()?, reg.next()?);
                Some(Self {
                    distributor,
                    cpu: CpuSide::Interface(interface),
                })
            } else {
                None
            }
        })
    }
}

fn banks(root: Node<'_>) -> [(u64, u64); LIMIT] {
    let memory = root
        .children()
        .filter(|node| node.text(b"device_type") == Some(b"memory".as_slice()));
    first(
        memory
            .flat_map(|node| node.reg(root))
            .filter(|(base, size)| *size > 0 && base.checked_add(*size).is_some()),
    )
}

fn first(entries: impl Iterator<Item = (u64, u64)>) -> [(u64, u64); LIMIT] {
    let mut array = [(0, 0); LIMIT];
    array
        .iter_mut()
        .zip(entries)
        .for_each(|(slot, entry)| *slot = entry);
    array
}
