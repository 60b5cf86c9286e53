//! AArch64: a fake GIC in plain memory, and ops on it.

use std::ops::RangeInclusive;

pub use probe::arch::aarch64::TIMER;
use probe::arch::aarch64::board::{self, CpuSide};
use probe::arch::aarch64::cpu::{Conduit, Cpu};
use probe::arch::aarch64::gic::Gic;
pub use probe::arch::aarch64::ops::perform;
pub use probe::arch::aarch64::xen::Arm as Abi;
use probe::machine::Abort;
use wire::arch::aarch64::{Answer as ArmAnswer, Syndrome, Sysreg};
use wire::{Answer, Fault, Irq, Reason, Width};

use crate::fake::Fake;
use crate::{answer, run, run_with};

pub type Interrupts = Gic;
pub type InterruptsAt = board::Gic;

/// The op by which a probe sends interrupt 3 to itself.
pub const RAISE_3: &str = "sgi 3";

const GICD: u64 = 0x0300_1000;
const GICR: u64 = 0x0302_0000;

/// Tells where registers of the interrupt controller are.
pub fn is_controller(at: u64) -> bool {
    let frames: [RangeInclusive<u64>; 2] = [GICD..=0x0301_0fff, GICR..=0x0305_ffff];
    frames.iter().any(|frame| frame.contains(&at))
}

/// Returns the GICv3 whose second redistributor is this CPU's.
pub fn controller() -> InterruptsAt {
    let mut redistributors = [(0, 0); 8];
    redistributors[0] = (GICR, 0x4_0000);
    at(CpuSide::Redistributors(redistributors))
}

fn at(cpu: CpuSide) -> InterruptsAt {
    InterruptsAt {
        distributor: GICD,
        cpu,
    }
}

/// Fills the identification registers.
pub fn prepare(fake: &Fake) {
    // ITLinesNumber 2: 96 interrupts. GICR_TYPER: affinity 1 first, then this CPU's, the last one.
    fake.poke(Width::W32, GICD + 4, 2);
    fake.poke(Width::W64, GICR + 8, 1 << 32);
    fake.poke(Width::W64, GICR + 0x2_0008, 1 << 4);
}

fn fault(esr: u64, far: u64) -> Fault {
    Fault::new(Syndrome::of(esr).into(), far)
}

/// Returns a synchronous external abort on a read.
pub fn external(at: u64) -> Fault {
    fault(0x9600_0010, at)
}

/// Returns the same abort with an invalid FAR (FnV).
pub fn without_address() -> Fault {
    fault(0x9600_0410, 0x5000_0000)
}

/// Returns an SError interrupt.
pub fn asynchronous() -> Fault {
    fault(0xbe00_0000, 0)
}

/// Returns the exception of an unknown instruction.
pub fn undefined() -> Fault {
    fault(0x0200_0000, 0)
}

impl Cpu for Fake {
    fn call(&self, conduit: Conduit, [x0, ..]: [u64; 4]) -> Result<u64, Abort> {
        match conduit {
            Conduit::Hvc => Ok(x0 + 1),
            Conduit::Smc => Err(Abort::Fault(undefined())),
        }
    }

    fn mrs(&self, _: Sysreg) -> Result<u64, Abort> {
        Ok(0x8000_0000)
    }

    fn open_interrupts(&self, interface: Option<u64>) -> Result<(), Abort> {
        self.interface.set(interface);
        Ok(())
    }

    fn send_sgi(&self, irq: Irq) {
        self.due.borrow_mut().push_back(irq);
    }

    fn start_cpu(&self, mpidr: u64) -> Result<u64, Abort> {
        match mpidr {
            1 => Ok(0),
            2 => Ok(-2i64 as u64),
            _ => Err(Abort::Full),
        }
    }
}

/// Calls, register reads and CPU starts answer with a value, an exception, or that there is no room.
#[test]
fn ops_are_answered() {
    for (script, wanted) in [
        ("hvc 5 0 0 0", Answer::Value(6)),
        ("smc 5 0 0 0", Answer::Fault(undefined())),
        ("mrs mpidr_el1", Answer::Value(0x8000_0000)),
        ("cpuon 1", Answer::Ok),
        ("cpuon 2", Answer::Value(-2i64 as u64)),
        ("cpuon 3", Answer::Cannot(Reason::Full)),
        ("irq state 1000", Answer::Cannot(Reason::NoIrq)),
    ] {
        assert_eq!(answer(script), wanted, "{script}");
    }
}

/// An interrupt's state comes from the GIC's registers.
#[test]
fn states_are_read() {
    let fake = Fake::new();
    fake.poke(Width::W32, GICD + 0x304, 1 << 7);
    let answers = run(&fake, "irq pend 39;irq state 39");
    let state = ArmAnswer::State {
        enabled: false,
        pending: true,
        active: true,
    };
    assert_eq!(answers[1], Answer::Arch(state.into()));
}

/// An SPI is set up in the distributor: group 1, priority, trigger, this CPU, enabled.
#[test]
fn spis_are_set_up() {
    let fake = Fake::new();
    run(&fake, "irq on 39 edge 0x80;irq pend 39");
    assert_eq!(
        fake.peek(Width::W32, GICD) & 0x12,
        0x12,
        "affinity routing and group 1"
    );
    assert_eq!(fake.peek(Width::W32, GICD + 0x84), 1 << 7, "IGROUPR1");
    assert_eq!(fake.peek(Width::W8, GICD + 0x400 + 39), 0x80, "IPRIORITYR");
    assert_eq!(fake.peek(Width::W32, GICD + 0xc08), 0b10 << 14, "ICFGR2");
    assert_eq!(fake.peek(Width::W64, GICD + 0x6000 + 39 * 8), 0, "IROUTER");
    assert_eq!(fake.peek(Width::W32, GICD + 0x104), 1 << 7, "ISENABLER1");
    assert_eq!(fake.peek(Width::W32, GICD + 0x204), 1 << 7, "ISPENDR1");
    // The timer's PPI, in the redistributor with this CPU's affinity: the second one.
    assert_eq!(
        fake.peek(Width::W32, GICR + 0x3_0100),
        1 << 27,
        "GICR_ISENABLER0"
    );
    assert_eq!(fake.peek(Width::W32, GICR + 0x1_0100), 0);
}

/// On a GICv2 an SPI is routed to this CPU by its bit, and the distributor sends an SGI.
#[test]
fn a_gicv2_is_set_up() {
    let fake = Fake::new();
    fake.poke(Width::W8, GICD + 0x800, 0x04);
    run_with(
        &fake,
        at(CpuSide::Interface(GICD + 0x1000)),
        "irq on 39 level;sgi 3",
    );
    assert_eq!(fake.interface.get(), Some(GICD + 0x1000));
    assert_eq!(fake.peek(Width::W32, GICD), 1, "CTLR");
    assert_eq!(fake.peek(Width::W8, GICD + 0x800 + 39), 0x04, "ITARGETSR");
    assert_eq!(
        fake.peek(Width::W32, GICD + 0x84),
        0,
        "groups are the hypervisor's"
    );
    assert_eq!(fake.peek(Width::W32, GICD + 0x104), 1 << 7, "ISENABLER1");
    assert_eq!(fake.peek(Width::W32, GICD + 0xf00), 2 << 24 | 3, "SGIR");
    assert_eq!(
        fake.peek(Width::W32, GICD + 0x100),
        1 << 27,
        "the timer's PPI is banked here"
    );
}
