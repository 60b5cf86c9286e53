//! The physical GICv3: distributor, this CPU's redistributor, its CPU interface, and the registers of
//! the virtual one. Clauses are those of the GIC architecture specification, Arm IHI 0069.

use aarch64_cpu::asm::barrier::{SY, dsb, isb};
use aarch64_cpu::registers::*;
use arm_sysregs::el1::accessors::*;
use arm_sysregs::el1::registers::*;

use crate::addr::{Pa, Span};
use crate::arch::aarch64::gic::{
    CTLR_ARE, CTLR_ENABLE_GROUP1, FRAME_SIZE, GICD_CTLR, GICD_ICACTIVER, GICD_ICENABLER,
    GICD_ICFGR, GICD_ICPENDR, GICD_IGROUPR, GICD_IPRIORITYR, GICD_IROUTER, GICD_ISACTIVER,
    GICD_ISENABLER, GICD_ISPENDR, GICD_TYPER, GICR_TYPER, GICR_TYPER_LAST, PIDR2,
    REDISTRIBUTOR_STRIDE,
};
use crate::arch::aarch64::guest_layout::LINES;
use crate::arch::aarch64::vgic;
use crate::fault::{self, Fault};
use crate::hal::IrqChip;
use crate::ids::{IrqLine, Trigger};
use crate::paging::MapError;

/// Priority of every line in use: the middle, so that no priority mask of firmware's hides it.
const PRIORITY: u32 = 0xa0;
/// GICR_WAKER.
const GICR_WAKER: u64 = 0x0014;
const PROCESSOR_SLEEP: u32 = 1 << 1;
const CHILDREN_ASLEEP: u32 = 1 << 2;
/// GICD_CTLR.RWP and GICR_CTLR.RWP: a write to an enable register has not taken effect everywhere.
const GICD_RWP: u32 = 1 << 31;
const GICR_CTLR: u64 = 0x0000;
const GICR_RWP: u32 = 1 << 3;
/// These are no interrupts (IHI 0069, "Special INTIDs").
const SPECIAL: core::ops::RangeInclusive<u32> = 1020..=1023;

/// Why the interrupt controller cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GicError {
    /// The distributor is not that of a GICv3 or GICv4.
    Version(u32),
    /// No redistributor says that it serves this CPU.
    NoRedistributor,
    /// The CPU interface cannot be used through system registers.
    NoSystemRegisters,
    /// Its registers cannot be mapped.
    Map(MapError),
}

impl From<MapError> for GicError {
    fn from(error: MapError) -> Self {
        Self::Map(error)
    }
}

impl core::fmt::Display for GicError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Version(found) => write!(f, "the distributor is version {found}, not 3 or 4"),
            Self::NoRedistributor => f.write_str("no redistributor serves this CPU"),
            Self::NoSystemRegisters => f.write_str("the CPU interface has no system registers"),
            Self::Map(error) => error.fmt(f),
        }
    }
}

/// The registers at a base address.
#[derive(Clone, Copy, Debug)]
struct Frame(u64);

impl Frame {
    fn read(self, offset: u64) -> u32 {
        let at: *const u32 = core::ptr::with_exposed_provenance((self.0 + offset) as usize);
        // SAFETY: `Gic::open`'s caller vouches for a mapped GIC; no offset used here leaves its frames.
        unsafe { at.read_volatile() }
    }

    fn write(self, offset: u64, value: u32) {
        let at: *mut u32 = core::ptr::with_exposed_provenance_mut((self.0 + offset) as usize);
        // SAFETY: As for `read`; LPIs stay off, so no register makes the GIC touch memory.
        unsafe { at.write_volatile(value) }
    }

    fn read_double(self, offset: u64) -> u64 {
        u64::from(self.read(offset)) | u64::from(self.read(offset + 4)) << 32
    }

    /// Writes the bit of one interrupt into a set of one-bit registers.
    fn write_bit(self, set: u64, intid: u32) {
        self.write(set + u64::from(intid / 32 * 4), 1 << (intid % 32));
    }

    fn bit(self, set: u64, intid: u32) -> bool {
        self.read(set + u64::from(intid / 32 * 4)) & 1 << (intid % 32) != 0
    }

    fn set_priority(self, intid: u32) {
        let register = GICD_IPRIORITYR + u64::from(intid & !3);
        let shift = intid % 4 * 8;
        self.write(
            register,
            self.read(register) & !(0xff << shift) | PRIORITY << shift,
        );
    }
}

/// The interrupt controller as this CPU uses it.
#[derive(Debug)]
pub struct Gic {
    distributor: Frame,
    /// SGI_base of this CPU's redistributor, behind its RD_base.
    private: Frame,
    /// First INTID that the distributor does not have.
    limit: u32,
    /// Affinity of this CPU, as `GICD_IROUTER<n>` takes it.
    here: u64,
}

impl Gic {
    /// Quiets the whole GIC and switches this CPU's interface on, with every line disabled.
    ///
    /// # Errors
    /// Refuses what is no GICv3 for this CPU.
    ///
    /// # Safety
    /// The frames must be those of the machine's GIC, and `map` must map what it is given as device.
    pub unsafe fn open(
        distributor: Span<Pa>,
        redistributors: &[Span<Pa>],
        mut map: impl FnMut(Span<Pa>) -> Result<(), MapError>,
    ) -> Result<Self, GicError> {
        map(distributor)?;
        let distributor = Frame(distributor.first().raw());
        let version = distributor.read(PIDR2) >> 4 & 0xf;
        if !matches!(version, 3 | 4) {
            return Err(GicError::Version(version));
        }
        let mpidr = MPIDR_EL1.get();
        // GICR_TYPER.Affinity_Value has Aff3 beside Aff2, MPIDR_EL1 leaves a gap.
        let affinity = mpidr >> 8 & 0xff00_0000 | mpidr & 0x00ff_ffff;
        let redistributor =
            find_redistributor(redistributors, affinity, map)?.ok_or(GicError::NoRedistributor)?;
        let lines = (distributor.read(GICD_TYPER) & 0x1f) + 1;
        let gic = Self {
            distributor,
            private: Frame(redistributor.0 + FRAME_SIZE),
            limit: (lines * 32).min(*SPECIAL.start()),
            here: mpidr & 0xff_00ff_ffff,
        };
        gic.mask_all();
        gic.wake(redistributor);
        gic.open_interface()?;
        Ok(gic)
    }

    /// Disables every line and forgets what was in progress, whatever firmware left behind.
    fn mask_all(&self) {
        self.distributor.write(GICD_CTLR, 0);
        self.wait_rwp();
        for first in (32..self.limit).step_by(32) {
            let offset = u64::from(first / 8);
            self.distributor.write(GICD_ICENABLER + offset, u32::MAX);
            self.distributor.write(GICD_ICACTIVER + offset, u32::MAX);
            self.distributor.write(GICD_IGROUPR + offset, u32::MAX);
        }
        self.wait_rwp();
        let control = CTLR_ARE | CTLR_ENABLE_GROUP1;
        self.distributor.write(GICD_CTLR, control as u32);
        self.wait_rwp();
    }

    /// Waits until the distributor has done what was written (GICD_CTLR.RWP).
    fn wait_rwp(&self) {
        while self.distributor.read(GICD_CTLR) & GICD_RWP != 0 {
            core::hint::spin_loop();
        }
    }

    fn wake(&self, redistributor: Frame) {
        redistributor.write(
            GICR_WAKER,
            redistributor.read(GICR_WAKER) & !PROCESSOR_SLEEP,
        );
        while redistributor.read(GICR_WAKER) & CHILDREN_ASLEEP != 0 {
            core::hint::spin_loop();
        }
        self.private.write(GICD_ICENABLER, u32::MAX);
        self.private.write(GICD_ICACTIVER, u32::MAX);
        self.private.write(GICD_ICPENDR, u32::MAX);
        self.private.write(GICD_IGROUPR, u32::MAX);
        while redistributor.read(GICR_CTLR) & GICR_RWP != 0 {
            core::hint::spin_loop();
        }
    }

    fn open_interface(&self) -> Result<(), GicError> {
        // This level and EL1 get the system-register interface; the GIC driver is the only user of it.
        ICC_SRE_EL2.modify(ICC_SRE_EL2::SRE::SET + ICC_SRE_EL2::ENABLE::SET);
        isb(SY);
        if !ICC_SRE_EL2.is_set(ICC_SRE_EL2::SRE) {
            return Err(GicError::NoSystemRegisters);
        }
        // All priorities pass; EOImode = 1 makes EOI drop the priority only, so that a line can stay active
        // until the guest deactivates it; group 1 is on. The lists are empty.
        write_icc_pmr_el1(IccPmrEl1::from_bits_retain(0xff));
        write_icc_bpr1_el1(IccBpr1El1::empty());
        write_icc_ctlr_el1(IccCtlrEl1::EOIMODE);
        write_icc_igrpen1_el1(IccIgrpen1El1::ENABLE);
        ICH_HCR_EL2.set(0);
        isb(SY);
        Ok(())
    }

    /// Returns the number of shared lines, INTIDs 32 and up.
    pub fn shared_lines(&self) -> u32 {
        (self.limit - LINES.first).min(LINES.most)
    }

    /// Switches on a private interrupt of the hypervisor's own.
    pub fn enable_private(&self, intid: u32) {
        self.private.set_priority(intid);
        self.private.write_bit(GICD_ISENABLER, intid);
    }

    /// Makes a private interrupt active or inactive, as the running guest's own state has it.
    pub fn set_private_active(&self, intid: u32, active: bool) {
        self.private.write_bit(
            if active {
                GICD_ISACTIVER
            } else {
                GICD_ICACTIVER
            },
            intid,
        );
    }

    /// Tells whether a private interrupt is active.
    pub fn is_private_active(&self, intid: u32) -> bool {
        self.private.bit(GICD_ISACTIVER, intid)
    }

    /// Prepares a shared line for a domain: trigger, priority, route to this CPU. It stays disabled.
    pub fn configure(&self, line: IrqLine, trigger: Trigger) {
        let intid = line.number();
        let register = GICD_ICFGR + u64::from(intid / 16 * 4);
        let bit = 2 << (intid % 16 * 2);
        let others = self.distributor.read(register) & !bit;
        // The line is disabled: a change of an enabled one is UNPREDICTABLE (GICD_ICFGR<n>).
        let edge = trigger == Trigger::Edge || fault::on(Fault::LineTakenForEdge);
        self.distributor
            .write(register, if edge { others | bit } else { others });
        self.distributor.set_priority(intid);
        let route = GICD_IROUTER + u64::from(intid) * 8;
        self.distributor.write(route, self.here as u32);
        self.distributor.write(route + 4, (self.here >> 32) as u32);
    }

    /// Puts the route of a shared line that is off back to what it is after reset.
    pub fn unroute(&self, line: IrqLine) {
        let route = GICD_IROUTER + u64::from(line.number()) * 8;
        self.distributor.write(route, 0);
        self.distributor.write(route + 4, 0);
    }

    /// Takes the most urgent interrupt and drops its priority; it stays active. `None` when there is
    /// none.
    pub fn acknowledge(&self) -> Option<u32> {
        // Reading acknowledges; the only caller handles it.
        let acknowledged = read_icc_iar1_el1();
        let number = acknowledged.intid();
        if SPECIAL.contains(&number) {
            return None;
        }
        dsb(SY);
        // The interrupt was acknowledged just now and nothing since, which is the order that it asks for.
        write_icc_eoir1_el1(IccEoir1El1::from_bits_retain(acknowledged.bits()));
        isb(SY);
        Some(number)
    }

    /// Ends an interrupt that the hypervisor has handled itself.
    pub fn deactivate_own(&self, intid: u32) {
        // What firmware may have left of LPIs is never active (IHI 0069, "Interrupt handling state machine").
        if intid > *SPECIAL.end() {
            return;
        }
        write_icc_dir_el1(IccDirEl1::from_bits_retain(intid.into()));
        isb(SY);
    }
}

/// Finds the redistributor of the CPU with this affinity, mapping no more than it has to look at.
fn find_redistributor(
    regions: &[Span<Pa>],
    affinity: u64,
    mut map: impl FnMut(Span<Pa>) -> Result<(), MapError>,
) -> Result<Option<Frame>, MapError> {
    for region in regions {
        let mut at = region.first().raw();
        while let Ok(frames) = Span::new(Pa::new(at), REDISTRIBUTOR_STRIDE)
            && region.covers(frames)
        {
            map(frames)?;
            let frame = Frame(at);
            let typer = frame.read_double(GICR_TYPER);
            if typer >> 32 == affinity {
                return Ok(Some(frame));
            }
            if typer & GICR_TYPER_LAST != 0 {
                break;
            }
            // VLPIS: two more frames for virtual LPIs (GICv4).
            at += REDISTRIBUTOR_STRIDE * if typer & 2 != 0 { 2 } else { 1 };
        }
    }
    Ok(None)
}

impl IrqChip for Gic {
    fn set_enabled(&mut self, line: IrqLine, on: bool) {
        self.distributor.write_bit(
            if on { GICD_ISENABLER } else { GICD_ICENABLER },
            line.number(),
        );
        if !on {
            self.wait_rwp();
        }
    }

    fn is_pending(&mut self, line: IrqLine) -> bool {
        self.distributor.bit(GICD_ISPENDR, line.number())
    }

    fn clear_pending(&mut self, line: IrqLine) {
        self.distributor.write_bit(GICD_ICPENDR, line.number());
    }

    fn deactivate(&mut self, line: IrqLine) {
        self.distributor.write_bit(GICD_ICACTIVER, line.number());
    }
}

/// Defines access to the list registers by number.
macro_rules! list_registers {
    ($($n:literal $name:ident),+) => {
        /// Returns a list register.
        pub fn list_register(n: usize) -> u64 {
            match n {
                $($n => $name.get(),)+
                _ => 0,
            }
        }

        /// Sets a list register that this CPU has: the callers stay below the number that ICH_VTR_EL2 gives.
        pub fn set_list_register(n: usize, value: u64) {
            match n {
                $($n => $name.set(value),)+
                _ => {}
            }
        }
    };
}

list_registers!(
    0 ICH_LR0_EL2, 1 ICH_LR1_EL2, 2 ICH_LR2_EL2, 3 ICH_LR3_EL2,
    4 ICH_LR4_EL2, 5 ICH_LR5_EL2, 6 ICH_LR6_EL2, 7 ICH_LR7_EL2,
    8 ICH_LR8_EL2, 9 ICH_LR9_EL2, 10 ICH_LR10_EL2, 11 ICH_LR11_EL2,
    12 ICH_LR12_EL2, 13 ICH_LR13_EL2, 14 ICH_LR14_EL2, 15 ICH_LR15_EL2
);

/// What ICH_VTR_EL2 says of the virtual CPU interface.
#[derive(Clone, Copy, Debug)]
pub struct Features {
    /// What it has for guests.
    pub guest: vgic::Features,
    /// Number of active-priority registers of each group.
    pub active_priorities: usize,
}

/// Reads what the virtual CPU interface offers.
pub fn features() -> Features {
    let vtr = ICH_VTR_EL2.extract();
    // Preemption takes one bit more than the field says, and 32 levels fit a register.
    let preemption = vtr.read(ICH_VTR_EL2::PREbits) + 1;
    Features {
        guest: vgic::Features {
            list_registers: vtr.read(ICH_VTR_EL2::ListRegs) as u8 + 1,
            priority_bits: vtr.read(ICH_VTR_EL2::PRIbits) as u8 + 1,
        },
        active_priorities: 1 << preemption.saturating_sub(5),
    }
}
