//! GICv3 layouts: the memory-mapped registers, the list registers and the SGI registers.
//!
//! Clauses are those of the GIC architecture specification, Arm IHI 0069.

use super::guest_layout::LINES;
use crate::access::low32;
use crate::arch::aarch64::exit::SysReg;
use crate::ids::IrqLine;

/// Names the shared line with this number, counted from zero as device trees do; `None` where no GIC has it.
pub const fn spi(number: u32) -> Option<IrqLine> {
    if number < LINES.most {
        Some(IrqLine::new(LINES.first + number))
    } else {
        None
    }
}
/// Names the private line with this number, counted from zero as device trees do; `None` where no GIC has it.
pub const fn ppi(number: u32) -> Option<IrqLine> {
    if number < LINES.first - FIRST_PPI {
        Some(IrqLine::new(FIRST_PPI + number))
    } else {
        None
    }
}

/// First INTID of the peripherals private to a CPU; those below are software generated.
pub const FIRST_PPI: u32 = 16;
/// INTID of the virtual timer's private interrupt (BSA, "PPI assignments").
pub const VIRTUAL_TIMER: u32 = 27;
/// Bytes of the distributor's frame, and of each of a redistributor's two.
pub const FRAME_SIZE: u64 = 0x1_0000;
/// Bytes between one CPU's redistributor and the next: RD_base and SGI_base.
pub const REDISTRIBUTOR_STRIDE: u64 = 2 * FRAME_SIZE;

/// Distributor control.
pub const GICD_CTLR: u64 = 0x0000;
/// What the distributor offers.
pub const GICD_TYPER: u64 = 0x0004;
/// Who made the distributor.
pub const GICD_IIDR: u64 = 0x0008;
/// Group, one bit an INTID.
pub const GICD_IGROUPR: u64 = 0x0080;
/// Enable, by writing ones.
pub const GICD_ISENABLER: u64 = 0x0100;
/// Disable, by writing ones.
pub const GICD_ICENABLER: u64 = 0x0180;
/// Make pending, by writing ones.
pub const GICD_ISPENDR: u64 = 0x0200;
/// Make not pending, by writing ones.
pub const GICD_ICPENDR: u64 = 0x0280;
/// Make active, by writing ones.
pub const GICD_ISACTIVER: u64 = 0x0300;
/// Deactivate, by writing ones.
pub const GICD_ICACTIVER: u64 = 0x0380;
/// Priority, one byte an INTID.
pub const GICD_IPRIORITYR: u64 = 0x0400;
/// Trigger, two bits an INTID.
pub const GICD_ICFGR: u64 = 0x0c00;
/// Route, 64 bits an INTID.
pub const GICD_IROUTER: u64 = 0x6000;
/// First peripheral identification register in the order of addresses; PIDR2 holds the GIC version.
pub const PIDR2: u64 = 0xffe8;
/// PIDR2 of a GICv3 made by Arm: ArchRev 3, JEDEC, top bits of the designer's code.
pub const PIDR2_GICV3: u64 = 0x3b;

/// Group 0 interrupts are forwarded.
pub const CTLR_ENABLE_GROUP0: u64 = 1 << 0;
/// Group 1 interrupts are forwarded.
pub const CTLR_ENABLE_GROUP1: u64 = 1 << 1;
/// Affinity routing.
pub const CTLR_ARE: u64 = 1 << 4;
/// One security state.
pub const CTLR_DS: u64 = 1 << 6;

/// What a redistributor offers, and whose it is.
pub const GICR_TYPER: u64 = 0x0008;
/// Who made the redistributor.
pub const GICR_IIDR: u64 = 0x0004;
/// This redistributor is the last of its region.
pub const GICR_TYPER_LAST: u64 = 1 << 4;

/// The routing mode that lets any CPU take an interrupt (`GICD_IROUTER<n>.Interrupt_Routing_Mode`).
pub const IROUTER_ANY: u64 = 1 << 31;
/// The affinity fields of `GICD_IROUTER<n>`, which are those of MPIDR_EL1.
pub const AFFINITY: u64 = 0xff_00ff_ffff;

/// ICC_DIR_EL1, which deactivates.
pub const ICC_DIR_EL1: SysReg = SysReg::new(3, 0, 12, 11, 1);
/// ICC_SGI1R_EL1, which sends an interrupt of group 1.
pub const ICC_SGI1R_EL1: SysReg = SysReg::new(3, 0, 12, 11, 5);
/// ICC_ASGI1R_EL1, which sends an interrupt of the other security state's group 1.
pub const ICC_ASGI1R_EL1: SysReg = SysReg::new(3, 0, 12, 11, 6);
/// ICC_SGI0R_EL1, which sends an interrupt of group 0.
pub const ICC_SGI0R_EL1: SysReg = SysReg::new(3, 0, 12, 11, 7);
/// ICC_SRE_EL1, which tells whether the CPU interface is used through system registers.
pub const ICC_SRE_EL1: SysReg = SysReg::new(3, 0, 12, 12, 5);
/// ICC_SRE_EL1 of a CPU interface with system registers only: SRE, DFB and DIB.
pub const ICC_SRE_FIXED: u64 = 0b111;

/// The virtual CPU interface works (ICH_HCR_EL2.En).
pub const ICH_HCR_EN: u64 = 1 << 0;
/// Maintenance interrupt when an EOI found no list register (LRENPIE).
pub const ICH_HCR_LRENPIE: u64 = 1 << 2;
/// Maintenance interrupt when no list register holds a pending interrupt (NPIE).
pub const ICH_HCR_NPIE: u64 = 1 << 3;
/// Deactivations by ICC_DIR_EL1 are trapped (TDIR).
pub const ICH_HCR_TDIR: u64 = 1 << 14;

/// One list register, taken apart (`ICH_LR<n>_EL2`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ListRegister {
    /// The interrupt the guest sees.
    pub intid: u32,
    /// The physical interrupt that the guest's deactivation deactivates.
    pub physical: Option<u32>,
    /// Asks for a maintenance interrupt when the guest deactivates; only without
    /// [`physical`](Self::physical).
    pub tell: bool,
    /// Smaller is more urgent.
    pub priority: u8,
    /// Group 1 rather than 0.
    pub group1: bool,
    /// Waits for the guest.
    pub pending: bool,
    /// Taken by the guest and not yet deactivated.
    pub active: bool,
}

const LR_PENDING: u64 = 1 << 62;
const LR_ACTIVE: u64 = 1 << 63;
const LR_HW: u64 = 1 << 61;
const LR_GROUP1: u64 = 1 << 60;
const LR_TELL: u64 = 1 << 41;
const LR_PHYSICAL_SHIFT: u32 = 32;
const LR_PHYSICAL_MASK: u64 = 0x1fff;
const LR_PRIORITY_SHIFT: u32 = 48;

impl ListRegister {
    /// Returns the register's value.
    pub fn encode(&self) -> u64 {
        let tie = match self.physical {
            Some(line) => LR_HW | (u64::from(line) & LR_PHYSICAL_MASK) << LR_PHYSICAL_SHIFT,
            None if self.tell => LR_TELL,
            None => 0,
        };
        let bit = |on: bool, bit: u64| if on { bit } else { 0 };
        tie | bit(self.active, LR_ACTIVE)
            | bit(self.pending, LR_PENDING)
            | bit(self.group1, LR_GROUP1)
            | u64::from(self.priority) << LR_PRIORITY_SHIFT
            | u64::from(self.intid)
    }

    /// Reads a register's value. Total: every value is some register.
    pub fn decode(raw: u64) -> Self {
        let tied = raw & LR_HW != 0;
        Self {
            intid: low32(raw),
            physical: tied.then(|| low32((raw >> LR_PHYSICAL_SHIFT) & LR_PHYSICAL_MASK)),
            tell: !tied && raw & LR_TELL != 0,
            priority: (raw >> LR_PRIORITY_SHIFT).to_le_bytes()[0],
            group1: raw & LR_GROUP1 != 0,
            pending: raw & LR_PENDING != 0,
            active: raw & LR_ACTIVE != 0,
        }
    }
}

/// To whom a software generated interrupt goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SgiTarget {
    /// Every CPU of the guest but the sender.
    Others,
    /// The CPUs named: those of one cluster, a bit each.
    List {
        /// Aff3 to Aff1, in their places in MPIDR_EL1.
        cluster: u64,
        /// Aff0 that bit 0 of the list stands for.
        first: u64,
        /// Bit n names the CPU with Aff0 = `first` + n.
        list: u16,
    },
}

/// A software generated interrupt as written to ICC_SGI0R_EL1, ICC_SGI1R_EL1 or ICC_ASGI1R_EL1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sgi {
    /// Which one, 0 to 15.
    pub intid: u32,
    /// To whom.
    pub target: SgiTarget,
}

impl Sgi {
    /// Reads what was written. Total: reserved bits are ignored.
    pub fn decode(raw: u64) -> Self {
        let field = |shift: u32, mask: u64| (raw >> shift) & mask;
        let target = if field(40, 1) != 0 {
            SgiTarget::Others
        } else {
            let [low, high, ..] = raw.to_le_bytes();
            SgiTarget::List {
                cluster: field(48, 0xff) << 32 | field(32, 0xff) << 16 | field(16, 0xff) << 8,
                first: field(44, 0xf) * 16,
                list: u16::from_le_bytes([low, high]),
            }
        };
        Self {
            intid: low32(field(24, 0xf)),
            target,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every field of a list register stands where `ICH_LR<n>_EL2` has it.
    #[test]
    fn list_register_fields_stand_in_their_places() {
        let table: &[(ListRegister, u64)] = &[
            (
                ListRegister {
                    intid: 0x2a,
                    ..Default::default()
                },
                0x2a,
            ),
            (
                ListRegister {
                    pending: true,
                    ..Default::default()
                },
                1 << 62,
            ),
            (
                ListRegister {
                    active: true,
                    ..Default::default()
                },
                1 << 63,
            ),
            (
                ListRegister {
                    group1: true,
                    ..Default::default()
                },
                1 << 60,
            ),
            (
                ListRegister {
                    priority: 0xa8,
                    ..Default::default()
                },
                0xa8 << 48,
            ),
            (
                ListRegister {
                    tell: true,
                    ..Default::default()
                },
                1 << 41,
            ),
            (
                ListRegister {
                    physical: Some(34),
                    ..Default::default()
                },
                1 << 61 | 34 << 32,
            ),
        ];
        for (register, raw) in table {
            assert_eq!(register.encode(), *raw);
            assert_eq!(ListRegister::decode(*raw), *register);
        }
    }

    /// A tied register never asks for a maintenance interrupt: bit 41 belongs to its pINTID.
    #[test]
    fn a_tied_list_register_has_no_maintenance_bit() {
        let register = ListRegister {
            physical: Some(0x200),
            tell: true,
            ..Default::default()
        };
        assert_eq!(
            ListRegister::decode(register.encode()).physical,
            Some(0x200)
        );
        assert_eq!(
            register.encode() & LR_TELL,
            1 << 41,
            "the bit is that of the number 0x200"
        );
        assert!(!ListRegister::decode(register.encode()).tell);
    }

    /// The fields of ICC_SGI1R_EL1 are read from their places.
    #[test]
    fn sgi_fields_are_read_from_their_places() {
        let list = |cluster, first, list| SgiTarget::List {
            cluster,
            first,
            list,
        };
        let table = [
            (0x0000_0000_0000_0001, 0, list(0, 0, 1)),
            (0x0000_0000_0f00_8000, 15, list(0, 0, 0x8000)),
            (0x0000_0000_0012_0000, 0, list(0x1200, 0, 0)),
            (0x0000_0034_0000_0000, 0, list(0x34_0000, 0, 0)),
            (0x0056_0000_0000_0000, 0, list(0x56_0000_0000, 0, 0)),
            (0x0000_3000_0000_0002, 0, list(0, 48, 2)),
            (0x0000_0100_0300_00ff, 3, SgiTarget::Others),
        ];
        for (raw, intid, target) in table {
            assert_eq!(Sgi::decode(raw), Sgi { intid, target }, "{raw:#x}");
        }
    }
}
