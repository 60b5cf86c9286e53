//! Sequences of instructions that several files need.

use aarch64_cpu::asm::barrier::{ISHST, SY, dsb, isb};
use aarch64_cpu::asm::wfi;
use smccc::{Smc, psci};

/// Makes earlier table stores visible to the table walkers before any later instruction runs.
pub fn publish_tables() {
    dsb(ISHST);
    isb(SY);
}

/// Waits for an interrupt; returns at once when one is pending, masked or not.
pub fn wait_for_interrupt() {
    // The barrier completes device writes, so that an interrupt they cause can end the wait.
    dsb(SY);
    wfi();
}

/// Has the firmware switch the machine off (PSCI SYSTEM_OFF by SMC, DEN 0022 5.1.9). It comes back only
/// from firmware that has no PSCI.
pub fn system_off() {
    // What firmware without PSCI answers changes nothing: the caller stops this CPU either way.
    let _ = psci::system_off::<Smc>();
}

/// Stops this CPU for good.
pub fn halt() -> ! {
    loop {
        wait_for_interrupt();
    }
}
