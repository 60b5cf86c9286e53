//! Drives a GICv3's distributor and redistributor (Arm IHI 0069H, chapter 12), or a GICv2's
//! distributor (Arm IHI 0048B, chapter 4), whose registers for SPIs are at the same places.
//!
//! Every register access may abort, and an abort is an answer: a virtual GIC with a register
//! missing is something to report, not to fall over.

use wire::{MAX_INTID, Trigger, Width};

use crate::board::{self, CpuSide};
use crate::machine::{Abort, Machine};

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

/// GICR_CTLR and friends, then the frame for SGIs and PPIs.
const FRAME: u64 = 0x1_0000;
const RWP: u64 = 1 << 31;
/// Affinity routing, and both enables of group 1, of which one security state uses the second.
const CTLR_ON: u64 = 1 << 4 | 1 << 1 | 1;
const PROCESSOR_SLEEP: u64 = 1 << 1;
const CHILDREN_ASLEEP: u64 = 1 << 2;
const LAST: u64 = 1 << 4;
const VLPIS: u64 = 1 << 1;

/// How often a register is read for a bit that should change at once.
const POLLS: u32 = 10_000;

/// The first SPI.
const SPIS: u32 = 32;

/// An interrupt controller that this CPU can use.
#[derive(Debug, Clone, Copy)]
pub struct Gic {
    distributor: u64,
    cpu: Cpu,
    /// The first interrupt that the distributor lacks.
    end: u32,
}

/// How interrupts come to this CPU.
#[derive(Debug, Clone, Copy)]
enum Cpu {
    /// GICv3: by its redistributor's frame, and its affinity as IROUTER has it.
    V3 { redistributor: u64, affinity: u64 },
    /// GICv2: by its bit in ITARGETSR.
    V2 { target: u64 },
}

/// An interrupt's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// ISENABLER.
    pub enabled: bool,
    /// ISPENDR.
    pub pending: bool,
    /// ISACTIVER.
    pub active: bool,
}

impl Gic {
    /// Switches distributor, redistributor and CPU interface on. `None` if no redistributor is this CPU's.
    pub fn start(
        machine: &impl Machine,
        board: &board::Gic,
        mpidr: u64,
    ) -> Result<Option<Self>, Abort> {
        let distributor = board.distributor;
        let lines = machine.read(Width::W32, distributor + TYPER)? & 0x1f;
        let end = u32::try_from(32 * (lines + 1))
            .unwrap_or(SPIS)
            .min(MAX_INTID + 1);
        let cpu = match board.cpu {
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
                Cpu::V3 {
                    redistributor,
                    affinity: mpidr & 0xff_00ff_ffff,
                }
            }
            CpuSide::Interface(interface) => {
                machine.write(Width::W32, distributor + CTLR, 1)?;
                machine.open_interrupts(Some(interface))?;
                // The first registers are this CPU's own, and name it; those of a single CPU read as zero.
                let target = machine.read(Width::W8, distributor + ITARGETSR)?;
                Cpu::V2 {
                    target: if target == 0 { 1 } else { target },
                }
            }
        };
        Ok(Some(Self {
            distributor,
            cpu,
            end,
        }))
    }

    /// Tells whether the interrupt exists.
    pub fn has(&self, intid: u32) -> bool {
        intid < self.end
    }

    /// Enables an interrupt for this CPU, in the group that IRQ stands for. An SGI's trigger cannot be chosen.
    pub fn enable(
        &self,
        machine: &impl Machine,
        intid: u32,
        trigger: Trigger,
        priority: u8,
    ) -> Result<(), Abort> {
        let base = self.base(intid);
        self.disable(machine, intid)?;
        if let Cpu::V3 { .. } = self.cpu {
            let group = bit_register(base, IGROUPR, intid);
            let groups = machine.read(Width::W32, group)?;
            machine.write(Width::W32, group, groups | bit(intid))?;
        }
        machine.write(
            Width::W8,
            base + IPRIORITYR + u64::from(intid),
            u64::from(priority),
        )?;
        if intid >= 16 {
            let config = base + ICFGR + u64::from(intid / 16) * 4;
            let edge = 0b10 << (intid % 16 * 2);
            let before = machine.read(Width::W32, config)?;
            let after = match trigger {
                Trigger::Edge => before | edge,
                Trigger::Level => before & !edge,
            };
            // A PPI's trigger may be fixed; writing what is there already asks nothing.
            if after != before {
                machine.write(Width::W32, config, after)?;
            }
        }
        match self.cpu {
            Cpu::V3 { affinity, .. } if intid >= SPIS => {
                machine.write(Width::W64, base + IROUTER + u64::from(intid) * 8, affinity)?;
            }
            Cpu::V2 { target } if intid >= SPIS => {
                machine.write(Width::W8, base + ITARGETSR + u64::from(intid), target)?;
            }
            Cpu::V3 { .. } | Cpu::V2 { .. } => {}
        }
        machine.write(Width::W32, bit_register(base, ISENABLER, intid), bit(intid))
    }

    /// Disables an interrupt, and waits until that has taken effect.
    pub fn disable(&self, machine: &impl Machine, intid: u32) -> Result<(), Abort> {
        machine.write(
            Width::W32,
            bit_register(self.base(intid), ICENABLER, intid),
            bit(intid),
        )?;
        match self.cpu {
            // GICR_CTLR has its RWP elsewhere: bit 3.
            Cpu::V3 { redistributor, .. } if intid < SPIS => {
                settle(machine, redistributor + CTLR, 1 << 3)
            }
            Cpu::V3 { .. } => settle(machine, self.distributor + CTLR, RWP),
            Cpu::V2 { .. } => Ok(()),
        }
    }

    /// Sends a software interrupt to this CPU.
    pub fn send_sgi(&self, machine: &impl Machine, intid: u32) -> Result<(), Abort> {
        match self.cpu {
            Cpu::V3 { .. } => {
                machine.send_sgi(intid);
                Ok(())
            }
            // TargetListFilter 2: this CPU only.
            Cpu::V2 { .. } => machine.write(
                Width::W32,
                self.distributor + SGIR,
                2 << 24 | u64::from(intid),
            ),
        }
    }

    /// Sets or clears an interrupt's pending state.
    pub fn set_pending(
        &self,
        machine: &impl Machine,
        intid: u32,
        pending: bool,
    ) -> Result<(), Abort> {
        let register = if pending { ISPENDR } else { ICPENDR };
        machine.write(
            Width::W32,
            bit_register(self.base(intid), register, intid),
            bit(intid),
        )
    }

    /// Reads an interrupt's state.
    pub fn state(&self, machine: &impl Machine, intid: u32) -> Result<State, Abort> {
        let base = self.base(intid);
        let read = |register| {
            machine
                .read(Width::W32, bit_register(base, register, intid))
                .map(|bits| bits & bit(intid) != 0)
        };
        Ok(State {
            enabled: read(ISENABLER)?,
            pending: read(ISPENDR)?,
            active: read(ISACTIVER)?,
        })
    }

    fn base(&self, intid: u32) -> u64 {
        match self.cpu {
            Cpu::V3 { redistributor, .. } if intid < SPIS => redistributor + FRAME,
            Cpu::V3 { .. } | Cpu::V2 { .. } => self.distributor,
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

/// Walks the regions for the frames of the CPU with this affinity.
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

fn bit_register(base: u64, register: u64, intid: u32) -> u64 {
    base + register + u64::from(intid / 32) * 4
}

fn bit(intid: u32) -> u64 {
    1 << (intid % 32)
}
