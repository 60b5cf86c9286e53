//! The generic timer: the hypervisor's own alarm (CNTHP) and the counter (Arm ARM D12).

use super::sysreg::{self, read, set};

/// Enabled, and not masked.
pub const ENABLE: u64 = 1 << 0;
/// The interrupt is masked.
pub const MASKED: u64 = 1 << 1;

/// Returns the physical counter.
pub fn now() -> u64 {
    // Without the barrier the counter could be read ahead of what came before.
    sysreg::isb();
    read!("cntpct_el0")
}

/// Returns the counter's frequency in hertz.
pub fn frequency() -> u64 {
    read!("cntfrq_el0")
}

/// Has the hypervisor's timer interrupt come when the counter reaches `at`, or never.
pub fn set_alarm(at: Option<u64>) {
    // SAFETY: The hypervisor's own timer touches no memory.
    unsafe {
        match at {
            Some(at) => {
                set!("cnthp_cval_el2", at);
                set!("cnthp_ctl_el2", ENABLE);
            }
            None => set!("cnthp_ctl_el2", 0_u64),
        }
    }
}
