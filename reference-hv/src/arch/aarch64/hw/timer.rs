//! The generic timer: the hypervisor's own alarm (CNTHP) and the counter (Arm ARM D12).

use aarch64_cpu::asm::barrier::{SY, isb};
use aarch64_cpu::registers::{CNTFRQ_EL0, CNTHP_CTL_EL2, CNTPCT_EL0, Readable, Writeable};
use arm_sysregs::el2::accessors::write_cnthp_cval_el2;
use arm_sysregs::el2::registers::CnthpCvalEl2;

/// Returns the physical counter.
pub fn now() -> u64 {
    // Without the barrier the counter could be read ahead of what came before.
    isb(SY);
    CNTPCT_EL0.get()
}

/// Returns the counter's frequency in hertz.
pub fn frequency() -> u64 {
    CNTFRQ_EL0.get()
}

/// Has the hypervisor's timer interrupt come when the counter reaches `at`, or never.
pub fn set_alarm(at: Option<u64>) {
    if let Some(at) = at {
        write_cnthp_cval_el2(CnthpCvalEl2::from_bits_retain(at));
    }
    CNTHP_CTL_EL2.write(CNTHP_CTL_EL2::ENABLE.val(at.is_some().into()));
}
