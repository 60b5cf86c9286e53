//! A machine to prove assignments on: QEMU's virt board, some domains, and their modules.

use refhv::addr::{Pa, Span};
use refhv::arch::aarch64::bindings::BINDINGS;
use refhv::arch::aarch64::guest_layout::GUEST;
use refhv::arch::aarch64::guest_tree::{TreeError, build};
use refhv::arch::aarch64::linux_image;
use refhv::assign::{Assignment, DomainPlan, Machine, ResourceTable, Taken, prove};
use refhv::config::{Host, HostError, Modules};
use refhv::dt::Blob;
use refhv::pci::Inventory;

use super::tree::Tree;

/// The board's tree as QEMU describes it.
pub const VIRT: &[u8] = include_bytes!("../../../testdata/virt.dtb");

/// A device without DMA and with interrupt 7, level: a GPIO block of one page.
pub const GPIO: &str = "/pl061@9030000";
/// A device without DMA and with interrupt 2, level: a clock of one page.
pub const RTC: &str = "/pl031@9010000";
/// Where the GPIO block lies.
pub const GPIO_AT: u64 = 0x0903_0000;
/// Where the clock lies.
pub const RTC_AT: u64 = 0x0901_0000;

/// A machine with domains.
#[derive(Clone, Debug)]
pub struct Rig {
    /// The host tree.
    pub host: Tree,
    /// What the boot loader put where.
    pub memory: Vec<(u64, Vec<u8>)>,
    /// What is known about the machine besides.
    pub machine: Machine,
    next: u64,
}

impl Default for Rig {
    fn default() -> Self {
        let mut host = Tree::read(VIRT);
        for path in [GPIO, RTC] {
            host.at(path).set("xen,passthrough", &[]);
        }
        let chosen = host.at("/chosen");
        *chosen = chosen
            .clone()
            .cells("#address-cells", &[2])
            .cells("#size-cells", &[2]);
        Self::on(host)
    }
}

impl Rig {
    /// Makes a machine of this tree.
    pub fn on(host: Tree) -> Self {
        let taken = |base, size, what| Taken {
            span: span(base, size),
            what,
        };
        Self {
            host,
            memory: Vec::new(),
            machine: Machine {
                taken: vec![
                    taken(0x4020_0000, 0x60_0000, "hypervisor"),
                    taken(0x4800_0000, 0x10_0000, "host device tree"),
                ],
                pa_bits: 44,
                ipa_bits: 44,
                lines: 256,
                guest: &GUEST,
                kernel: linux_image::room,
                streams: vec![Some(0x1_0000)],
                functions: Inventory::default(),
            },
            next: 0x4a00_0000,
        }
    }

    /// Puts bytes into memory and returns where.
    pub fn load(&mut self, bytes: Vec<u8>) -> (u64, u64) {
        let at = self.next;
        let size = u64::try_from(bytes.len()).expect("a short module");
        self.next += size.max(1).next_multiple_of(0x1000);
        self.memory.push((at, bytes));
        (at, size)
    }

    /// Adds a domain with a kernel, an emulated UART and a partial tree.
    pub fn domain(&mut self, name: &str, partial: Option<Vec<u8>>) -> &mut Self {
        let kernel = self.load(kernel());
        let mut node = Tree::new(name)
            .text("compatible", "xen,domain")
            .cells("#address-cells", &[2])
            .cells("#size-cells", &[2])
            .cells("memory", &[0, 0x4000])
            .cells("cpus", &[1])
            .flag("vpl011")
            .child(module(kernel, "multiboot,kernel").text("bootargs", "say hello"));
        if let Some(partial) = partial {
            let tree = self.load(partial);
            node = node.child(module(tree, "multiboot,device-tree"));
        }
        self.host.at("/chosen").children.push(node);
        self
    }

    /// Adds a domain with a partial tree of these devices.
    pub fn with(&mut self, name: &str, devices: &[Tree]) -> &mut Self {
        self.domain(name, Some(partial(devices).blob()))
    }

    /// Judges it all.
    pub fn prove(&self) -> Assignment {
        self.try_prove().expect("a host tree that can be read")
    }

    /// Judges it all, the host tree included.
    pub fn try_prove(&self) -> Result<Assignment, HostError> {
        self.judge(|_, proven| proven.clone())
    }

    /// Judges it all and shows what was read of the host with it.
    pub fn judge<T>(&self, look: impl FnOnce(&Host<'_>, &Assignment) -> T) -> Result<T, HostError> {
        let bytes = self.host.blob();
        let blob = Blob::new(&bytes).expect("a sound tree");
        let host = Host::read(blob, &BINDINGS)?;
        let (proven, _) = prove(&host, &self, &self.machine);
        Ok(look(&host, &proven))
    }

    /// Makes the tree of a domain.
    pub fn tree(&self, plan: &DomainPlan) -> Result<Vec<u8>, TreeError> {
        self.judge(|host, _| build(plan, host, &self))
            .expect("a host tree that can be read")
    }

    /// Judges it all and shows who owns what then.
    pub fn resources<T>(&self, look: impl FnOnce(&mut ResourceTable<'_>) -> T) -> T {
        let bytes = self.host.blob();
        let blob = Blob::new(&bytes).expect("a sound tree");
        let host = Host::read(blob, &BINDINGS).expect("a host tree that can be read");
        look(&mut prove(&host, &self, &self.machine).1)
    }

    /// Judges it all and returns the first refusal's words, or none.
    pub fn refusal(&self) -> Option<String> {
        self.prove().refusals().first().map(ToString::to_string)
    }
}

impl<'t> Modules<'t> for &'t Rig {
    fn bytes(&self, at: Span<Pa>) -> Option<&'t [u8]> {
        (**self).find(at)
    }
}

impl Rig {
    fn find(&self, at: Span<Pa>) -> Option<&[u8]> {
        self.memory.iter().find_map(|(base, bytes)| {
            let start = usize::try_from(at.first().raw().checked_sub(*base)?).ok()?;
            let size = usize::try_from(at.size()).ok()?;
            bytes.get(start..start.checked_add(size)?)
        })
    }
}

/// Returns a range of host memory.
pub fn span(base: u64, size: u64) -> Span<Pa> {
    Span::new(Pa::new(base), size).expect("a range of the test")
}

/// Returns the node of a module.
pub fn module((at, size): (u64, u64), kind: &str) -> Tree {
    Tree::new(&format!("module@{at:x}"))
        .text("compatible", &format!("{kind}\0multiboot,module"))
        .cells("reg", &[high(at), low(at), high(size), low(size)])
}

/// Returns an Image that says it needs 1 MiB.
pub fn kernel() -> Vec<u8> {
    let mut image = vec![0; 0x1000];
    image[16..24].copy_from_slice(&0x10_0000_u64.to_le_bytes());
    image[56..60].copy_from_slice(b"ARM\x64");
    image
}

/// Returns a partial tree with these devices on a bus of two cells each.
pub fn partial(devices: &[Tree]) -> Tree {
    let bus = devices.iter().cloned().fold(
        Tree::new("passthrough")
            .text("compatible", "simple-bus")
            .flag("ranges")
            .cells("#address-cells", &[2])
            .cells("#size-cells", &[2]),
        Tree::child,
    );
    Tree::new("")
        .cells("#address-cells", &[2])
        .cells("#size-cells", &[2])
        .child(
            Tree::new("gic")
                .flag("interrupt-controller")
                .cells("phandle", &[0xfde8]),
        )
        .child(bus)
}

/// Returns a device of ranges (host, size, guest), by path when there is one, forced.
pub fn device(name: &str, path: &str, ranges: &[(u64, u64, u64)]) -> Tree {
    let cells: Vec<u32> = ranges
        .iter()
        .flat_map(|(host, size, guest)| {
            [
                high(*host),
                low(*host),
                high(*size),
                low(*size),
                high(*guest),
                low(*guest),
            ]
        })
        .collect();
    let node = Tree::new(name)
        .text("compatible", "test,device")
        .cells("xen,reg", &cells)
        .flag("xen,force-assign-without-iommu");
    if path.is_empty() {
        node
    } else {
        node.text("xen,path", path)
    }
}

/// Returns the GPIO block at the guest address given.
pub fn gpio(guest: u64) -> Tree {
    device("gpio", GPIO, &[(GPIO_AT, 0x1000, guest)])
}

/// Returns the clock at the guest address given.
pub fn rtc(guest: u64) -> Tree {
    device("rtc", RTC, &[(RTC_AT, 0x1000, guest)])
}

/// Returns the upper cell of a number.
pub fn high(number: u64) -> u32 {
    u32::try_from(number >> 32).expect("32 bits")
}

/// Returns the lower cell of a number.
pub fn low(number: u64) -> u32 {
    u32::try_from(number & 0xffff_ffff).expect("32 bits")
}
