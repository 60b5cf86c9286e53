//! Drives a GICv3's distributor and redistributor (Arm IHI 0069H, chapter 12), or a GICv2's
//! distributor (Arm IHI 0048B, chapter 4), whose registers for SPIs have the same offsets.

use wire::arch::aarch64::{Answer, FIRST_PPI, FIRST_SPI, LAST_IRQ, Sysreg};
use wire::{Irq, Trigger, Width};

use super::board::{self, CpuSide};
use super::cpu::Cpu;
use crate::machine::{Abort, Controller, Machine};

const CTLR: u64 = 0x0000;
const TYPER: u64 = 0x0004;
const GICR_TYPER: u64 = 0x0008;
const WAKER: u64 = 0x0014;
const IGROUPR: u64 = 0x0080;
const ISENABLER: u64 = 0x0100;
const ICENABLER: u64 = 0x0180;
const ISPENDR: u64 = 0x0200;
const ICPENDR: u64 = 0x0280;
const ISACTIVER: u64 = 0x0300;
const IPRIORITYR: u64 = 0x0400;
const ICFGR: u64 = 0x0c00;
const ITARGETSR: u64 = 0x0800;
const SGIR: u64 = 0x0f00;
const IROUTER: u64 = 0x6000;

/// The size of a redistributor's first frame (GICR_CTLR ...); the frame for SGIs and PPIs follows.
const FRAME: u64 = 0x1_0000;
const RWP: u64 = 1 << 31;
/// Affinity routing, and both enable bits of group 1: a GIC with one security state uses the second.
const CTLR_ON: u64 = 1 << 4 | 1 << 1 | 1;
const PROCESSOR_SLEEP: u64 = 1 << 1;
const CHILDREN_ASLEEP: u64 = 1 << 2;
const LAST: u64 = 1 << 4;
const VLPIS: u64 = 1 << 1;

/// How often to read a register for a bit that should change at once.
const POLLS: u32 = 10_000;

/// An interrupt controller that this CPU can use.
#[derive(Debug, Clone, Copy)]
pub struct Gic {
    distributor: u64,
    side: Side,
    /// The first INTID that the distributor lacks.
    end: u32,
}

/// How interrupts reach this CPU.
#[derive(Debug, Clone, Copy)]
enum Side {
    /// GICv3: the address of its redistributor, and its affinity in the form of IROUTER.
    V3 { redistributor: u64, affinity: u64 },
    /// GICv2: its bit in ITARGETSR.
    V2 { target: u64 },
}

impl Gic {
    /// Enables distributor, redistributor and CPU interface. `None` if this CPU has no redistributor.
    pub fn start(machine: &impl Cpu, board: &board::Gic) -> Result<Option<Self>, Abort> {
        let mpidr = machine.mrs(Sysreg::Mpidr)?;
        let distributor = board.distributor;
        let lines = machine.read(Width::W32, distributor + TYPER)? & 0x1f;
        let end = u32::try_from(32 * (lines + 1))
            .unwrap_or(FIRST_SPI.0)
            .min(LAST_IRQ.0 + 1);
        let side = match board.cpu {
            CpuSide::Redistributors(regions) => {
                let affinity = (mpidr & 0xff_ffff) | (mpidr >> 32 & 0xff) << 24;
                let Some(redistributor) = redistributor(machine, &regions, affinity)? else {
                    return Ok(None);
                };
                machine.write(Width::W32, distributor + CTLR, CTLR_ON)?;
                settle(machine, distributor + CTLR, RWP)?;
                let waker = machine.read(Width::W32, redistributor + WAKER)?;
                if waker & (PROCESSOR_SLEEP | CHILDREN_ASLEEP) != 0 {
                    machine.write(Width::W32, redistributor + WAKER, waker & !PROCESSOR_SLEEP)?;
                    settle(machine, redistributor + WAKER, CHILDREN_ASLEEP)?;
                }
                machine.open_interrupts(None)?;
                Side::V3 {
                    redistributor,
                    affinity: mpidr & 0xff_00ff_ffff,
                }
            }
            CpuSide::Interface(interface) => {
                machine.write(Width::W32, distributor + CTLR, 1)?;
                machine.open_interrupts(Some(interface))?;
                // The first ITARGETSRs are banked and hold this CPU's bit; with a single CPU they read as zero.
                let target = machine.read(Width::W8, distributor + ITARGETSR)?;
                Side::V2 {
                    target: if target == 0 { 1 } else { target },
                }
            }
        };
        Ok(Some(Self {
            distributor,
            side,
            end,
        }))
    }

    /// Sends an SGI to this CPU.
    pub fn send_sgi(&self, machine: &impl Cpu, irq: Irq) -> Result<(), Abort> {
        match self.side {
            Side::V3 { .. } => {
                machine.send_sgi(irq);
                Ok(())
            }
            // TargetListFilter 2: this CPU only.
            Side::V2 { .. } => machine.write(
                Width::W32,
                self.distributor + SGIR,
                2 << 24 | u64::from(irq.0),
            ),
        }
    }

    /// Sets or clears an interrupt's pending state.
    pub fn set_pending(
        &self,
        machine: &impl Machine,
        irq: Irq,
        pending: bool,
    ) -> Result<(), Abort> {
        let register = if pending { ISPENDR } else { ICPENDR };
        machine.write(
            Width::W32,
            bit_register(self.base(irq), register, irq),
            bit(irq),
        )
    }

    /// Reads an interrupt's state.
    pub fn state(&self, machine: &impl Machine, irq: Irq) -> Result<Answer, Abort> {
        let base = self.base(irq);
        let read = |register| {
            machine
                .read(Width::W32, bit_register(base, register, irq))
                .map(|bits| bits & bit(irq) != 0)
        };
        Ok(Answer::State {
            enabled: read(ISENABLER)?,
            pending: read(ISPENDR)?,
            active: read(ISACTIVER)?,
        })
    }

    fn base(&self, irq: Irq) -> u64 {
        match self.side {
            Side::V3 { redistributor, .. } if irq < FIRST_SPI => redistributor + FRAME,
            Side::V3 { .. } | Side::V2 { .. } => self.distributor,
        }
    }
}

impl<M: Cpu> Controller<M> for Gic {
    fn has(self, irq: Irq) -> bool {
        irq.0 < self.end
    }

    /// Puts the interrupt into the group that raises IRQ. The trigger of an SGI is fixed.
    fn enable(self, machine: &M, irq: Irq, trigger: Trigger, priority: u8) -> Result<(), Abort> {
        let base = self.base(irq);
        self.disable(machine, irq)?;
        if let Side::V3 { .. } = self.side {
            let group = bit_register(base, IGROUPR, irq);
            let groups = machine.read(Width::W32, group)?;
            machine.write(Width::W32, group, groups | bit(irq))?;
        }
        machine.write(
            Width::W8,
            base + IPRIORITYR + u64::from(irq.0),
            u64::from(priority),
        )?;
        if irq >= FIRST_PPI {
            let config = base + ICFGR + u64::from(irq.0 / 16) * 4;
            let edge = 0b10 << (irq.0 % 16 * 2);
            let before = machine.read(Width::W32, config)?;
            let after = match trigger {
                Trigger::Edge => before | edge,
                Trigger::Level => before & !edge,
            };
            // A PPI's trigger may be fixed, so the register is written only if it changes.
            if after != before {
                machine.write(Width::W32, config, after)?;
            }
        }
        match self.side {
            Side::V3 { affinity, .. } if irq >= FIRST_SPI => {
                machine.write(Width::W64, base + IROUTER + u64::from(irq.0) * 8, affinity)?;
            }
            Side::V2 { target } if irq >= FIRST_SPI => {
                machine.write(Width::W8, base + ITARGETSR + u64::from(irq.0), target)?;
            }
            Side::V3 { .. } | Side::V2 { .. } => {}
        }
        machine.write(Width::W32, bit_register(base, ISENABLER, irq), bit(irq))
    }

    fn disable(self, machine: &M, irq: Irq) -> Result<(), Abort> {
        machine.write(
            Width::W32,
            bit_register(self.base(irq), ICENABLER, irq),
            bit(irq),
        )?;
        match self.side {
            // GICR_CTLR has its RWP in bit 3.
            Side::V3 { redistributor, .. } if irq < FIRST_SPI => {
                settle(machine, redistributor + CTLR, 1 << 3)
            }
            Side::V3 { .. } => settle(machine, self.distributor + CTLR, RWP),
            Side::V2 { .. } => Ok(()),
        }
    }
}

fn settle(machine: &impl Machine, register: u64, busy: u64) -> Result<(), Abort> {
    for _ in 0..POLLS {
        if machine.read(Width::W32, register)? & busy == 0 {
            break;
        }
    }
    Ok(())
}

/// Finds the redistributor of the CPU with this affinity in the regions.
fn redistributor(
    machine: &impl Machine,
    regions: &[(u64, u64)],
    affinity: u64,
) -> Result<Option<u64>, Abort> {
    for &(base, size) in regions {
        let mut at = base;
        while at.wrapping_sub(base) < size {
            let typer = machine.read(Width::W64, at + GICR_TYPER)?;
            if typer >> 32 == affinity {
                return Ok(Some(at));
            }
            if typer & LAST != 0 {
                break;
            }
            // With virtual LPIs a redistributor has four frames instead of two.
            let Some(next) = at.checked_add(if typer & VLPIS != 0 {
                4 * FRAME
            } else {
                2 * FRAME
            }) else {
                break;
            };
            at = next;
        }
    }
    Ok(None)
}

fn bit_register(base: u64, register: u64, irq: Irq) -> u64 {
    base + register + u64::from(irq.0 / 32) * 4
}

fn bit(irq: Irq) -> u64 {
    1 << (irq.0 % 32)
}
