//! AArch64: the state of interrupts in the GIC, and operations that make calls or read registers.

use std::fmt;

pub use dtb_gen::arch::aarch64::CONTROLLER_PHANDLE;
use dtb_gen::{GuestArch, Node};
use runners::{GuestLayout, HostLayout};
use serde::{Deserialize, Serialize};
use wire::arch::aarch64::{Answer, Op};

use crate::language::operand::Operands;

pub const EXPECTATIONS: &[&str] = &["gic"];

/// A shared interrupt (SPI), numbered from 0.
pub const LINE: &str = "spi";

pub const GUEST_LINES: u32 = 256;

/// The virtual counter has an offset in each guest; the physical one is the same for all.
pub const NOW: &str = "mrs cntpct_el0";

/// INTID of the first shared interrupt (SPI) (Arm IHI 0069, 2.2.1).
pub const FIRST_SHARED: u32 = 32;

/// INTID of the first private interrupt (PPI).
const FIRST_PRIVATE: u32 = 16;

/// Size of one redistributor's registers (Arm IHI 0069, 12.10), and of the part of the distributor that guests use.
const REDISTRIBUTOR: u64 = 0x2_0000;
const DISTRIBUTOR: u64 = 0x1_0000;

/// Size of the console's registers.
const CONSOLE: u64 = 0x1000;

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

/// Returns the cells of a shared interrupt with its trigger: a rising edge, or level-sensitive and active high.
pub fn interrupt_cells(number: u32, edge: bool) -> Option<[u32; 3]> {
    let shared = number.checked_sub(FIRST_SHARED)?;
    Some([0, shared, if edge { 1 } else { 4 }])
}

/// Returns the address at which a guest finds what the hypervisor emulates, by the machine's name of the device; none
/// if the hypervisor does not emulate it.
pub fn emulated_at(name: &str, guest: &GuestLayout) -> Option<u64> {
    match name {
        "gicd" => Some(guest.gicd.base),
        "gicr" => Some(guest.gicr.base),
        "uart" => Some(guest.uart.base),
        _ => None,
    }
}

/// The states of a line that the interrupt controller shows.
pub const LINE_STATES: &[&str] = &[
    "enabled", "disabled", "pending", "idle", "active", "inactive",
];

/// A state of a line: the device and its register that show it, the line's bit there, and whether it is set.
pub struct LineState {
    pub device: &'static str,
    pub register: String,
    pub bit: u64,
    pub set: bool,
}

/// Returns where the interrupt controller shows a state of an interrupt (Arm IHI 0069, 12.9: `GICD_ISENABLER<n>`,
/// `GICD_ISPENDR<n>`, `GICD_ISACTIVER<n>`).
pub fn line_state(irq: u32, state: &str) -> Option<LineState> {
    let (register, set) = match state {
        "enabled" => ("ISENABLER", true),
        "disabled" => ("ISENABLER", false),
        "pending" => ("ISPENDR", true),
        "idle" => ("ISPENDR", false),
        "active" => ("ISACTIVER", true),
        "inactive" => ("ISACTIVER", false),
        _ => return None,
    };
    Some(LineState {
        device: "gicd",
        register: format!("{register}[{}]", irq / 32),
        bit: 1 << (irq % 32),
        set,
    })
}

/// The operations that only AArch64 has.
pub const OPERATIONS: &[&str] = &[
    "hvc", "smc", "mrs", "cpu-on", "sgi", "pend", "unpend", "state",
];

/// Reads an operation that only AArch64 has; none if it is another.
pub fn operation(
    verb: &str,
    words: &mut Operands<'_, '_>,
) -> Result<Option<wire::arch::Op>, String> {
    let registers = |words: &mut Operands<'_, '_>| {
        let mut values = [0; 4];
        for (value, what) in values.iter_mut().zip(["x0", "x1", "x2", "x3"]) {
            *value = words.number(what)?;
        }
        Ok::<_, String>(values)
    };
    Ok(Some(wire::arch::Op::Aarch64(match verb {
        "hvc" => Op::Hvc(registers(words)?),
        "smc" => Op::Smc(registers(words)?),
        "mrs" => {
            let name = words.word("a system register")?;
            let op = format!("mrs {name}")
                .parse()
                .map_err(|error: wire::OpError| {
                    error.explain(&format!("mrs {name}")).to_string()
                })?;
            return match op {
                wire::Op::Arch(op) => Ok(Some(op)),
                _ => Ok(None),
            };
        }
        "cpu-on" => Op::CpuOn {
            mpidr: words.number("an MPIDR")?,
        },
        "sgi" => Op::Sgi { irq: words.irq()? },
        "pend" => Op::Pend { irq: words.irq()? },
        "unpend" => Op::Unpend { irq: words.irq()? },
        "state" => Op::State { irq: words.irq()? },
        _ => return Ok(None),
    })))
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
    /// Path of the node of the suite's machine that is its IOMMU.
    pub const IOMMU_NODE: &str = "/smmuv3@9050000";
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
mod tests;
