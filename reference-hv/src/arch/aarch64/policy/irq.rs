//! Waiting for interrupts, sending them and ending them.

use super::{Action, SgiKind};
use crate::arch::aarch64::exit::{SysReg, WaitKind};
use crate::arch::aarch64::gic;
use crate::arch::aarch64::inject::Exception;

/// Decides about a wait instruction. A timed one may end early, so it only gives way: nothing is
/// awaited that the hypervisor would have to keep in mind.
pub(super) fn wait(kind: WaitKind) -> Action {
    match kind {
        WaitKind::Interrupt => Action::Wait,
        WaitKind::Event | WaitKind::InterruptUntil | WaitKind::EventUntil => Action::Yield,
    }
}

/// Decides about a register of the CPU interface, if it is one that is trapped.
pub(super) fn register(reg: SysReg, write: Option<u64>, rt: u8) -> Option<Action> {
    let action = match (reg, write) {
        (gic::ICC_SGI1R_EL1, Some(value)) => Action::Sgi {
            register: SgiKind::Group1,
            value,
        },
        (gic::ICC_SGI0R_EL1 | gic::ICC_ASGI1R_EL1, Some(value)) => Action::Sgi {
            register: SgiKind::Group0,
            value,
        },
        (gic::ICC_DIR_EL1, Some(value)) => Action::Deactivate {
            intid: crate::access::low32(value & 0xff_ffff),
        },
        // All of these can only be written.
        (
            gic::ICC_SGI1R_EL1 | gic::ICC_SGI0R_EL1 | gic::ICC_ASGI1R_EL1 | gic::ICC_DIR_EL1,
            None,
        ) => Action::Inject(Exception::Undefined { passed: false }),
        (gic::ICC_SRE_EL1, None) => Action::Set {
            rt,
            value: gic::ICC_SRE_FIXED,
        },
        (gic::ICC_SRE_EL1, Some(_)) => Action::Skip,
        (_, _) => return None,
    };
    Some(action)
}
