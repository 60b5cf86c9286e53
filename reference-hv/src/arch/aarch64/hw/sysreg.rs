//! System registers: one instruction, one function or macro.

/// Reads a system register.
///
/// The registers named here may be read at EL2 without an effect on memory; those whose read
/// changes something (ICC_IAR1_EL1) have a function of their own.
macro_rules! read {
    ($name:expr) => {{
        let value: u64;
        // SAFETY: An MRS of a register that is implemented where this is called (callers check the
        // feature where the architecture makes it optional) and whose read has no side effect.
        unsafe {
            core::arch::asm!(concat!("mrs {}, ", $name), out(reg) value, options(nostack, preserves_flags));
        }
        value
    }};
}

/// Writes a system register; expands to an `unsafe` operation that the caller justifies.
macro_rules! set {
    ($name:expr, $value:expr) => {
        core::arch::asm!(concat!("msr ", $name, ", {}"), in(reg) $value, options(nostack, preserves_flags))
    };
}

pub(super) use {read, set};

/// Makes earlier system-register writes take effect before any later instruction.
pub fn isb() {
    // SAFETY: A context synchronization event changes no memory; the default memory clobber keeps
    // the compiler from moving accesses across.
    unsafe { core::arch::asm!("isb", options(nostack, preserves_flags)) }
}

/// Completes all earlier memory accesses and maintenance before any later instruction.
pub fn dsb_sy() {
    // SAFETY: A barrier changes no memory and needs no stack.
    unsafe { core::arch::asm!("dsb sy", options(nostack, preserves_flags)) }
}

/// Makes earlier table stores visible to the table walkers before any later instruction runs.
pub fn publish_tables() {
    // SAFETY: Barriers read and write no memory of ours and need no stack. The default memory
    // clobber stays: it is what keeps the table stores in front.
    unsafe { core::arch::asm!("dsb ishst", "isb", options(nostack, preserves_flags)) }
}

/// Waits for an interrupt; returns at once when one is pending, masked or not.
pub fn wait_for_interrupt() {
    // The barrier completes device writes, so that an interrupt they cause can end the wait.
    // SAFETY: WFI at EL2 is not trapped and changes no state.
    unsafe { core::arch::asm!("dsb sy", "wfi", options(nostack, preserves_flags)) }
}

/// Has the firmware switch the machine off (PSCI SYSTEM_OFF by SMC, DEN 0022 5.1.9). It comes back only
/// from firmware that has no PSCI.
pub fn system_off() {
    // SAFETY: The call changes at most X0 to X17 (SMCCC 2.6), all named here, and no memory of ours.
    unsafe {
        core::arch::asm!(
            "smc #0",
            inout("x0") 0x8400_0008_u64 => _,
            clobber_abi("C"),
            options(nostack)
        );
    }
}

/// Stops this CPU for good.
pub fn halt() -> ! {
    loop {
        wait_for_interrupt();
    }
}
