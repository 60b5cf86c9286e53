//! Any claims: a host tree with some properties changed, two domains, and partial trees that are
//! made of likely parts or of any bytes at all. Whatever is assigned must be what may be assigned.
//!
//! Run from `reference-hv` with `cargo +nightly fuzz run pipeline fuzz/corpus/pipeline`.
#![no_main]

#[path = "../../../tests/arch/trees/check.rs"]
mod check;
#[path = "../../../tests/arch/trees/rig.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod rig;
#[path = "../../../tests/arch/trees/tree.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod tree;

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

use rig::{GPIO, RTC, Rig, high, low};
use tree::Tree;

/// Names of properties that mean something to somebody.
const NAMES: [&str; 50] = [
    "reg",
    "ranges",
    "#address-cells",
    "#size-cells",
    "compatible",
    "status",
    "phandle",
    "linux,phandle",
    "interrupts",
    "interrupts-extended",
    "interrupt-parent",
    "interrupt-controller",
    "#interrupt-cells",
    "interrupt-map",
    "iommus",
    "iommu-map",
    "#iommu-cells",
    "dma-coherent",
    "dma-ranges",
    "dmas",
    "msi-parent",
    "device_type",
    "xen,passthrough",
    "xen,reg",
    "xen,path",
    "xen,force-assign-without-iommu",
    "xen,pci-assigned",
    "memory",
    "cpus",
    "vpl011",
    "nr_spis",
    "passthrough",
    "direct-map",
    "capabilities",
    "trap-unmapped-accesses",
    "xen,enhanced",
    "bootargs",
    "stdout-path",
    "xen,xen-bootargs",
    "#redistributor-regions",
    "method",
    "name",
    "label",
    "serial0",
    "xen,static-mem",
    "msi-map",
    "iommu-map-mask",
    "clocks",
    "xen,dom0-bootargs",
    "msi-map-mask",
];

/// Values that are likely to matter.
const TEXTS: [&str; 28] = [
    GPIO,
    RTC,
    "/pl011@9000000",
    "/smmuv3@9050000",
    "/intc@8000000",
    "/memory@40000000",
    "/block@b000000",
    "/alias@9030000",
    "/",
    "/nowhere",
    "simple-bus",
    "xen,domain",
    "multiboot,kernel",
    "multiboot,module",
    "multiboot,device-tree",
    "arm,gic-v3",
    "arm,smmu-v3",
    "virtio,mmio",
    "pci",
    "memory",
    "okay",
    "disabled",
    "enabled",
    "serial0",
    "qemu,edu",
    "multiboot,ramdisk",
    "xen,multiboot-module",
    "dom0_mem=8M dom0_max_vcpus=2",
];

const NUMBERS: [u64; 26] = [
    0,
    1,
    2,
    3,
    4,
    0x1000,
    0x2000,
    0x800,
    0x0800_0000,
    0x0900_0000,
    0x0901_0000,
    0x0903_0000,
    0x0905_0000,
    0x0b00_0000,
    0x0b00_1000,
    0x1000_0000,
    0x3a00_0000,
    0x3a00_1000,
    0x4000_0000,
    0x4a00_0000,
    0x4c00_0000,
    0x100_0000,
    0xffff_ffff,
    1 << 40,
    0xffff_ffff_ffff_f000,
    u64::MAX,
];

/// Nodes of the small host that may be changed.
const NODES: [&str; 16] = [
    "",
    GPIO,
    RTC,
    "/pl011@9000000",
    "/smmuv3@9050000",
    "/intc@8000000",
    "/intc@8000000/its@8080000",
    "/memory@40000000",
    "/timer",
    "/pcie@10000000",
    "/block@b000000",
    "/alias@9030000",
    "/chosen",
    "/chosen/one",
    "/chosen/two",
    "/aliases",
];

/// Takes choices from the front of the input; an input that is used up chooses zero.
struct Choices<'f>(&'f [u8]);

impl<'f> Choices<'f> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound
    }

    fn bytes(&mut self, most: usize) -> &'f [u8] {
        let length = usize::from(self.byte()).min(most).min(self.0.len());
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    fn number(&mut self) -> u64 {
        let place = self.below(NUMBERS.len() + 2);
        match NUMBERS.get(place) {
            Some(number) => *number,
            None => u64::from_le_bytes(std::array::from_fn(|_| self.byte())),
        }
    }

    fn value(&mut self) -> Vec<u8> {
        match self.below(6) {
            0 => Vec::new(),
            1 => [TEXTS[self.below(TEXTS.len())].as_bytes(), &[0]].concat(),
            2 => low(self.number()).to_be_bytes().to_vec(),
            3 => (0..self.below(5))
                .flat_map(|_| self.number().to_be_bytes())
                .collect(),
            4 => (0..self.below(7))
                .flat_map(|_| low(self.number()).to_be_bytes())
                .collect(),
            _ => self.bytes(24).to_vec(),
        }
    }

    fn changes(&mut self, node: &mut Tree) {
        for _ in 0..self.below(3) {
            let name = NAMES[self.below(NAMES.len())];
            match self.below(8) {
                0 => node.cut(name),
                1 => node.props.push((name.to_owned(), self.value())),
                _ => node.put(name, &self.value()),
            }
        }
    }

    /// Makes a request that may well be granted.
    fn request(&mut self) -> Tree {
        let mut cells = Vec::new();
        for _ in 0..=self.below(2) {
            for number in [
                self.number(),
                if self.byte() < 200 {
                    0x1000
                } else {
                    self.number()
                },
                self.number(),
            ] {
                cells.extend([high(number), low(number)]);
            }
        }
        let mut node = Tree::new(["a", "b", "c"][self.below(3)]).cells("xen,reg", &cells);
        if self.byte() < 160 {
            node = node.text("xen,path", TEXTS[self.below(9)]);
        }
        if self.byte() < 240 {
            node = node.flag("xen,force-assign-without-iommu");
        }
        if self.byte() < 64 {
            self.changes(&mut node);
        }
        if self.byte() < 16 {
            node.children.push(Tree::new("inner"));
            self.changes(&mut node.children[0]);
        }
        node
    }

    /// Makes a domain's node ask for memory, addresses or a role of its own.
    fn role(&mut self, node: &mut Tree) {
        let chosen = self.byte();
        if chosen & 3 == 3 {
            let base = 0x4c00_0000 + 0x80_0000 * u32::from(chosen >> 6);
            let banks = [0, base, 0, 0x80_0000, 0, base + 0x100_0000, 0, 0x80_0000];
            node.put("xen,static-mem", &tree::be(&banks));
        }
        if chosen & 4 != 0 {
            node.put("direct-map", &[]);
        }
        if chosen & 8 != 0 {
            node.put("capabilities", &tree::be(&[u32::from(chosen >> 4 & 3)]));
        }
    }

    fn partial(&mut self) -> Option<Vec<u8>> {
        match self.below(8) {
            0 => None,
            1 => Some(self.bytes(255).to_vec()),
            kind => {
                let devices: Vec<Tree> = (0..self.below(4)).map(|_| self.request()).collect();
                let mut tree = rig::partial(&devices);
                if kind > 5 {
                    self.changes(tree.at("/passthrough"));
                    let place = self.below(2);
                    self.changes(&mut tree.children[place]);
                    if self.byte() < 64 {
                        tree.children
                            .push(Tree::new(["aliases", "passthrough", "soc"][self.below(3)]));
                    }
                }
                let mut bytes = tree.blob();
                if kind == 7 {
                    for _ in 0..self.below(4) {
                        let at = (self.below(256) * 256 + self.below(256)) % bytes.len();
                        bytes[at] = self.byte();
                    }
                }
                Some(bytes)
            }
        }
    }
}

/// The board with only the nodes that differ in kind, so that a run is short.
fn small_host() -> Tree {
    let mut host = Rig::default().host;
    let dropped = [
        "gpio-keys",
        "pmu",
        "platform-bus@c000000",
        "cpus",
        "psci",
        "apb-pclk",
    ];
    host.children.retain(|node| {
        let name = node.name.as_str();
        !dropped.contains(&name)
            && (!name.starts_with("virtio_mmio") || name == "virtio_mmio@a000000")
    });
    let block = |name: &str, at: u32, spi: u32| {
        Tree::new(name)
            .text("compatible", "test,block")
            .cells("reg", &[0, at, 0, 0x1000])
            .cells("interrupts", &[0, spi, 4])
            .flag("xen,passthrough")
    };
    host.children.push(block("block@b000000", 0x0b00_0000, 100));
    host.children.push(block("alias@9030000", 0x0903_0000, 7));
    host
}

fuzz_target!(|bytes: &[u8]| {
    static HOST: OnceLock<Tree> = OnceLock::new();
    let mut choices = Choices(bytes);
    let mut rig = Rig::on(HOST.get_or_init(small_host).clone());
    for name in ["one", "two"] {
        let partial = choices.partial();
        rig.domain(name, partial);
        choices.role(rig.host.at(&format!("/chosen/{name}")));
    }
    if choices.byte() & 3 == 3 {
        let kernel = rig.load(rig::kernel());
        let zero = rig::module(kernel, "multiboot,kernel");
        rig.host.at("/chosen").children.push(zero);
    }
    for _ in 0..choices.below(4) {
        let path = NODES[choices.below(NODES.len())];
        choices.changes(rig.host.at(path));
    }
    // A host that cannot be read is an answer as well.
    let _ = rig.judge(|host, proven| {
        assert!(proven.domains().len() + proven.refusals().len() <= 3);
        for refusal in proven.refusals() {
            let line = refusal.to_string();
            let whole = line.starts_with("refuse domain ") && line.is_ascii() && line.len() < 1000;
            assert!(whole, "{line}");
        }
        check::check(&rig, host, proven);
    });
});
