//! Trapped system registers: known ones answer, all others do not exist.

use super::{Action, irq};
use crate::arch::aarch64::exit::SysReg;
use crate::arch::aarch64::inject::Exception;
use crate::arch::aarch64::sysreg::IdRegister;

/// OSLSR_EL1 of a CPU with an OS lock that is open.
const OSLSR_UNLOCKED: u64 = 1 << 3;

/// What a trapped register does.
enum Kind {
    /// Reads as this and cannot be written.
    ReadOnly(u64),
    /// Reads as zero and ignores writes.
    Inert,
    /// One of the identification registers.
    Identification,
    /// A guest's processor does not have it.
    Absent,
}

/// Says what a trapped register does.
const fn kind(reg: SysReg) -> Kind {
    let SysReg {
        op0,
        op1,
        crn,
        crm,
        op2,
    } = reg;
    match (op0, op1, crn, crm, op2) {
        (2, 0, 1, 1, 4) => Kind::ReadOnly(OSLSR_UNLOCKED),
        // Self-hosted debug: breakpoints can be set and never match.
        (2, 0, 0 | 1 | 7, _, _) | (2, 3, 0, _, _) => Kind::Inert,
        // REVIDR_EL1 and AIDR_EL1: no revision that software would know.
        (3, 0, 0, 0, 6) | (3, 1, 0, 0, 7) => Kind::ReadOnly(0),
        (3, 0, 0, 1..=7, _) => Kind::Identification,
        // ACTLR_EL1.
        (3, 0, 1, 0, 1) => Kind::Inert,
        // The physical timer CNTP_*_EL0 is the hypervisor's; a guest has the virtual one.
        (3, 3, 14, 2, 0..=2) => Kind::Inert,
        // Performance monitors (PMUVer says none), LORegions (LO says none), what the manual leaves
        // to implementations, registers of EL2 and EL3, and whatever else a trap may show.
        _ => Kind::Absent,
    }
}

/// Decides about a trapped access.
pub(super) fn access(reg: SysReg, write: Option<u64>, rt: u8) -> Action {
    if let Some(action) = irq::register(reg, write, rt) {
        return action;
    }
    match (kind(reg), write) {
        (Kind::ReadOnly(value), None) => Action::Set { rt, value },
        (Kind::Inert, None) => Action::Set { rt, value: 0 },
        (Kind::Inert, Some(_)) => Action::Skip,
        (Kind::Identification, None) => match IdRegister::named(reg) {
            Some(register) => Action::Identify { rt, register },
            None => Action::Set { rt, value: 0 },
        },
        (Kind::ReadOnly(_) | Kind::Identification, Some(_)) | (Kind::Absent, _) => {
            Action::Inject(Exception::Undefined { passed: false })
        }
    }
}
