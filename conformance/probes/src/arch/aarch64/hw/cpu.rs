//! Instructions that affect only this CPU: timer, waiting, interrupts, translation.

use core::arch::asm;

use wire::Irq;

/// Writes a system register; the caller states why the effect is safe.
macro_rules! msr {
    ($register:literal, $value:expr) => {
        asm!(concat!("msr ", $register, ", {}"), in(reg) $value, options(nostack, preserves_flags))
    };
}

/// Reads a system register without side effects.
macro_rules! mrs {
    ($register:literal) => {{
        let value: u64;
        asm!(concat!("mrs {}, ", $register), out(reg) value, options(nomem, nostack, preserves_flags));
        value
    }};
}

/// Control and status of a timer (CNTV_CTL_EL0).
const TIMER_ON: u64 = 1;
const TIMER_MASKED: u64 = 2;

/// Returns the virtual count.
pub fn count() -> u64 {
    // SAFETY: Reading the count changes nothing. The barrier orders the read after earlier instructions.
    unsafe {
        asm!("isb", options(nostack, preserves_flags));
        mrs!("cntvct_el0")
    }
}

/// Returns the counter's frequency in Hz.
pub fn frequency() -> u64 {
    // SAFETY: Reading the register changes nothing.
    unsafe { mrs!("cntfrq_el0") }
}

/// Returns this CPU's affinity register.
pub fn mpidr() -> u64 {
    // SAFETY: Reading the register changes nothing.
    unsafe { mrs!("mpidr_el1") }
}

/// Returns the exception level.
pub fn exception_level() -> u64 {
    // SAFETY: Reading the register changes nothing.
    unsafe { mrs!("currentel") >> 2 & 3 }
}

/// Returns ID_AA64MMFR0_EL1.PARange.
pub fn physical_range() -> u64 {
    // SAFETY: Reading the register changes nothing.
    unsafe { mrs!("id_aa64mmfr0_el1") & 0xf }
}

/// Sets the virtual timer to interrupt at a count.
pub fn arm_timer(at: u64) {
    // SAFETY: The timer is this CPU's own, and its interrupt is taken in `open_window` only.
    unsafe {
        msr!("cntv_cval_el0", at);
        msr!("cntv_ctl_el0", TIMER_ON);
        asm!("isb", options(nostack, preserves_flags));
    }
}

/// Disables the virtual timer, so that its line goes low.
pub fn silence_timer() {
    // SAFETY: As for `arm_timer`.
    unsafe {
        msr!("cntv_ctl_el0", TIMER_MASKED);
        asm!("isb", options(nostack, preserves_flags));
    }
}

/// Waits until an interrupt is pending, masked or not.
pub fn wait_for_interrupt() {
    // SAFETY: WFI changes no state. The barrier lets earlier stores reach the device first.
    unsafe { asm!("dsb sy", "wfi", options(nostack, preserves_flags)) }
}

/// Unmasks interrupts for a moment, in which the CPU takes at most one.
pub fn open_window() {
    // SAFETY: An interrupt taken here runs `probe_interrupt`, which changes the registers that any call may
    // change, so all of them are declared. It uses the stack, so `nostack` is not set. It returns with
    // interrupts masked (boot.S, `interrupt`).
    unsafe {
        asm!(
            "msr daifclr, #2",
            "isb",
            "msr daifset, #2",
            clobber_abi("C")
        )
    }
}

/// Enables the GIC CPU interface for group 1 and every priority; EOI also deactivates (EOImode 0).
pub fn open_gic() {
    // SAFETY: Interrupts stay masked in PSTATE. If the CPU has no such registers, the exception is
    // reported as unexpected.
    unsafe {
        let sre = mrs!("icc_sre_el1");
        msr!("icc_sre_el1", sre | 1);
        asm!("isb", options(nostack, preserves_flags));
        msr!("icc_pmr_el1", 0xffu64);
        msr!("icc_bpr1_el1", 0u64);
        msr!("icc_ctlr_el1", 0u64);
        msr!("icc_igrpen1_el1", 1u64);
        asm!("isb", options(nostack, preserves_flags));
    }
}

/// Acknowledges the interrupt with the highest priority and returns its number; 1020 and above for none.
pub fn acknowledge() -> u32 {
    let intid: u64;
    // SAFETY: Acknowledging makes the interrupt active; the caller ends it or leaves it active on purpose. The
    // barrier orders it before the handler's accesses (Arm IHI 0069H, 4.1.1).
    unsafe {
        asm!("mrs {}, icc_iar1_el1", "dsb sy", out(reg) intid, options(nostack, preserves_flags));
    }
    u32::try_from(intid & 0xff_ffff).unwrap_or(u32::MAX)
}

/// Ends the interrupt that was acknowledged last: priority drop and deactivation.
pub fn end_interrupt(intid: u32) {
    // SAFETY: The number is one that `acknowledge` returned and that was not ended yet.
    unsafe {
        asm!("dsb sy", options(nostack, preserves_flags));
        msr!("icc_eoir1_el1", u64::from(intid));
        asm!("isb", options(nostack, preserves_flags));
    }
}

/// Sends an SGI of group 1 to this CPU.
pub fn send_sgi(irq: Irq) {
    let mpidr = mpidr();
    let affinity = |level: u32| mpidr >> (8 * level) & 0xff;
    // ICC_SGI1R_EL1: Aff3, RS, Aff2, INTID, Aff1, target list.
    let target = (mpidr >> 32 & 0xff) << 48
        | (affinity(0) >> 4) << 44
        | affinity(2) << 32
        | u64::from(irq.0 & 0xf) << 24
        | affinity(1) << 16
        | 1 << (affinity(0) & 0xf);
    // SAFETY: The only target is this CPU, where interrupts are taken in `open_window` only.
    unsafe {
        asm!("dsb ishst", options(nostack, preserves_flags));
        msr!("icc_sgi1r_el1", target);
        asm!("isb", options(nostack, preserves_flags));
    }
}

/// Makes new table entries visible to the table walker.
pub fn publish_tables() {
    // SAFETY: Barriers touch no memory; the memory clobber keeps the stores in front.
    unsafe { asm!("dsb ishst", "isb", options(nostack, preserves_flags)) }
}

/// Makes replaced table entries visible, and invalidates the old ones in all TLBs.
pub fn forget_translations() {
    // SAFETY: Invalidating a translation that the tables still hold costs only time. The code that runs
    // here uses no translation that they no longer hold.
    unsafe {
        asm!(
            "dsb ishst",
            "tlbi vmalle1is",
            "dsb ish",
            "isb",
            options(nostack, preserves_flags)
        )
    }
}

/// Cleans the cache line that holds `at` to memory, for a CPU whose caches are off.
pub fn clean_line(at: u64) {
    // SAFETY: Cleaning writes the line back and changes no value.
    unsafe { asm!("dc civac, {}", "dsb sy", in(reg) at, options(nostack, preserves_flags)) }
}
