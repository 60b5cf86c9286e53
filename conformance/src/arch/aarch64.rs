//! AArch64: the state of interrupts in the GIC, and operations that make calls or read registers.

use std::fmt;

pub use dtb_gen::arch::aarch64::CONTROLLER_PHANDLE;
use dtb_gen::{GuestArch, Node};
use runners::{GuestLayout, HostLayout};
use serde::{Deserialize, Serialize};
use wire::arch::aarch64::{Answer, Op};

pub const EXPECTATIONS: &[&str] = &["gic"];

/// A shared interrupt (SPI), numbered from 0.
pub const LINE: &str = "spi";

pub const GUEST_LINES: u32 = 256;

/// The virtual counter has an offset in each guest; the physical one is the same for all.
pub const NOW: &str = "mrs cntpct_el0";

/// INTID of the first shared interrupt (SPI) (Arm IHI 0069, 2.2.1).
pub const FIRST_SHARED: u32 = 32;

/// QEMU's `virt` takes the pins of the first PCI bus to four lines, one after the other, from this one on.
pub const PCI_LINE: u32 = 3;

/// INTID of the first private interrupt (PPI).
const FIRST_PRIVATE: u32 = 16;

/// Size of one redistributor's registers (Arm IHI 0069, 12.10), and of the part of the distributor that guests use.
const REDISTRIBUTOR: u64 = 0x2_0000;
const DISTRIBUTOR: u64 = 0x1_0000;

/// Size of the console's registers.
const CONSOLE: u64 = 0x1000;

/// The node of the IOMMU in the tree of QEMU's `virt`.
pub const IOMMU_NODE: &str = "/smmuv3@9050000";

/// `compatible` values of IOMMU nodes.
pub const IOMMUS: &[&str] = &["arm,smmu-v3", "arm,mmu-500", "virtio,pci-iommu"];

/// Tells whether `compatible` is that of the interrupt controller.
pub fn is_controller(compatible: &str) -> bool {
    compatible.starts_with("arm,gic") || compatible.starts_with("arm,cortex-a15-gic")
}

/// Returns the cells that describe a shared interrupt: its type, its number among the shared ones, and level-sensitive,
/// active high (`arm,gic-v3.yaml`).
pub const fn shared_line(number: u32) -> [u32; 3] {
    [0, number.saturating_sub(FIRST_SHARED), 4]
}

/// Returns the numbers of the shared interrupts of a node.
pub fn shared_interrupts(node: &Node) -> Vec<u32> {
    let cells = node
        .get("interrupts")
        .and_then(|prop| prop.cells())
        .unwrap_or_default();
    let shared = cells
        .as_chunks::<3>()
        .0
        .iter()
        .filter(|[kind, ..]| *kind == 0);
    shared
        .map(|[_, number, _]| number.saturating_add(FIRST_SHARED))
        .collect()
}

/// Returns named addresses of what the hypervisor emulates, for the texts of cases.
pub fn constants(guest: &GuestLayout, host: Option<&HostLayout>) -> Vec<(&'static str, u64)> {
    let mut all = vec![("gicd", guest.gicd.base), ("gicr", guest.gicr.base)];
    if let Some(host) = host {
        all.extend([("host_gicd", host.gicd.base), ("host_gicr", host.gicr.base)]);
    }
    all
}

/// Lists what the hypervisor emulates for a guest with this many processors, as first byte and length: at the host's
/// addresses if they are given, else at the guest's own.
pub fn emulated(guest: &GuestLayout, host: Option<&HostLayout>, cpus: u32) -> [(u64, u64); 3] {
    let (gicd, gicr, uart) = host.map_or((guest.gicd, guest.gicr, guest.uart), |host| {
        (host.gicd, host.gicr, host.uart)
    });
    [
        (gicd.base, DISTRIBUTOR),
        (gicr.base, redistributors(cpus)),
        (uart.base, CONSOLE),
    ]
}

/// Describes the processors and the interrupt controller of a guest; the addresses are chosen in the same way.
pub fn guest(guest: &GuestLayout, host: Option<&HostLayout>, cpus: u32) -> GuestArch {
    let (gicd, gicr) = host.map_or((guest.gicd, guest.gicr), |host| (host.gicd, host.gicr));
    GuestArch::Aarch64(dtb_gen::arch::aarch64::Guest {
        distributor: (gicd.base, gicd.size),
        redistributors: (gicr.base, redistributors(cpus)),
        timer: guest.timer_irq.saturating_sub(FIRST_PRIVATE),
    })
}

fn redistributors(cpus: u32) -> u64 {
    REDISTRIBUTOR * u64::from(cpus.max(1))
}

/// What only operations of AArch64 can observe.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    /// State of an interrupt: letters of `epa` for enabled, pending and active that are set.
    Gic(String),
}

impl Expect {
    /// Reads `gic LETTERS` or `gic none`.
    pub fn parse(words: &[&str]) -> Option<Self> {
        match words {
            ["gic", "none"] => Some(Self::Gic(String::new())),
            ["gic", letters] if letters.chars().all(|letter| "epa".contains(letter)) => {
                Some(Self::Gic((*letters).to_owned()))
            }
            _ => None,
        }
    }

    pub fn met_by(&self, answer: Answer) -> bool {
        let Self::Gic(letters) = self;
        let Answer::State {
            enabled,
            pending,
            active,
        } = answer;
        enabled == letters.contains('e')
            && pending == letters.contains('p')
            && active == letters.contains('a')
    }

    pub const fn suits(&self, op: &Op) -> bool {
        let Self::Gic(_) = self;
        matches!(op, Op::State { .. })
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Gic(letters) = self;
        if letters.is_empty() {
            return f.write_str("not enabled, not pending, not active");
        }
        let states = [('e', "enabled"), ('p', "pending"), ('a', "active")];
        let set: Vec<&str> = states
            .iter()
            .filter(|(letter, _)| letters.contains(*letter))
            .map(|(_, name)| *name)
            .collect();
        write!(f, "exactly {}", set.join(" and "))
    }
}

pub const fn answers_a_value(op: &Op) -> bool {
    matches!(op, Op::Hvc(_) | Op::Smc(_) | Op::Mrs(_))
}

/// Exceptions for tests.
#[cfg(test)]
pub mod sample {
    use wire::Fault;
    use wire::arch::aarch64::Syndrome;

    /// `compatible` of an interrupt controller.
    pub const CONTROLLER: &str = "arm,gic-v3";
    /// `compatible` of an IOMMU that the suite observes, and of one that it does not.
    pub const IOMMU: &str = "arm,smmu-v3";
    pub const OTHER_IOMMU: &str = "arm,smmu-v2";

    pub fn fault(esr: u64, far: u64) -> Fault {
        Fault::new(Syndrome::of(esr).into(), far)
    }

    /// Returns a synchronous external abort.
    pub fn external(at: u64) -> Fault {
        fault(0x9600_0010, at)
    }

    /// Returns a translation fault.
    pub fn unmapped(at: u64) -> Fault {
        fault(0x9600_0007, at)
    }

    pub fn misaligned(at: u64) -> Fault {
        fault(0x9600_0021, at)
    }

    pub fn permission(at: u64) -> Fault {
        fault(0x8600_000f, at)
    }

    /// Returns an SError interrupt.
    pub fn asynchronous() -> Fault {
        fault(0xbe00_0000, 0)
    }
}

#[cfg(test)]
mod tests {
    use wire::{Answer, Op};

    use super::sample;
    use crate::sample::check_expectation as check;

    /// A fault is accepted only if it is an abort reported for the accessed address.
    #[test]
    fn a_fault_names_its_address() {
        let fault = |esr, far| Answer::Fault(sample::fault(esr, far));
        let external = 0x9600_0010;
        check("fault", "r32 0x1000", fault(external, 0x1000), true);
        check("fault", "r32 0x1000", fault(0x9600_0007, 0x1000), true);
        check("fault", "r32 0x1000", fault(external, 0x1004), false);
        // FAR is not valid, whatever its value.
        check("fault", "r32 0x1000", fault(0x9600_0410, 0x1000), false);
        check("fault", "r32 0x1000", fault(0x9600_0021, 0x1000), false);
        check("fault", "r32 0x1000", fault(0x9600_000f, 0x1000), false);
        check("fault", "r32 0x1000", fault(0x0200_0000, 0x1000), false);
        check("fault", "r32 0x1000", fault(0xbe00_0000, 0x1000), false);
        check("any-fault", "r32 0x1000", fault(0xbe00_0000, 0), true);
        check(
            "alignment-fault",
            "r32 0x1001",
            fault(0x9600_0021, 0x1001),
            true,
        );
        check(
            "alignment-fault",
            "r32 0x1001",
            fault(external, 0x1001),
            false,
        );
    }

    /// An operation has no expectation that its probe cannot answer.
    #[test]
    fn expectations_suit_their_ops() {
        let op = |text: &str| match text.parse() {
            Ok(Op::Arch(op)) => op,
            other => panic!("{text}: {other:?}"),
        };
        let state = crate::arch::Expect::parse(&["gic", "e"]).unwrap();
        for (text, has_state, has_value) in [
            ("irq state 34", true, false),
            ("irq pend 34", false, false),
            ("hvc 1 2 3 4", false, true),
            ("smc 1 2 3 4", false, true),
            ("mrs hcr_el2", false, true),
            ("cpuon 1", false, false),
        ] {
            assert_eq!(state.suits(&op(text)), has_state, "{text}");
            assert_eq!(crate::arch::answers_a_value(&op(text)), has_value, "{text}");
        }
    }

    /// The state of an interrupt is compared letter by letter.
    #[test]
    fn states_are_compared() {
        let state = |active| {
            Answer::Arch(
                wire::arch::aarch64::Answer::State {
                    enabled: true,
                    pending: true,
                    active,
                }
                .into(),
            )
        };
        check("gic ep", "irq state 34", state(false), true);
        check("gic ep", "irq state 34", state(true), false);
        check("gic none", "irq state 34", state(false), false);
        check("gic ep", "irq state 34", Answer::Ok, false);
    }
}
