//! Instructions that affect only this CPU: timer, waiting, interrupts, translation.

use core::arch::asm;

use aarch64_cpu::asm::barrier::{ISH, ISHST, SY, dsb, isb};
use aarch64_cpu::asm::wfi;
use aarch64_cpu::registers::{
    CNTV_CTL_EL0, CNTV_CVAL_EL0, CNTVCT_EL0, MPIDR_EL1, Readable, Writeable,
};
use arm_sysregs::el1::accessors::*;
use arm_sysregs::el1::registers::*;
use wire::Irq;

/// Returns the virtual count.
pub fn count() -> u64 {
    // The barrier orders the read after earlier instructions.
    isb(SY);
    CNTVCT_EL0.get()
}

/// Sets the virtual timer to interrupt at a count.
pub fn arm_timer(at: u64) {
    CNTV_CVAL_EL0.set(at);
    CNTV_CTL_EL0.write(CNTV_CTL_EL0::ENABLE::SET);
    isb(SY);
}

/// Disables the virtual timer, so that its line goes low.
pub fn silence_timer() {
    CNTV_CTL_EL0.write(CNTV_CTL_EL0::IMASK::SET);
    isb(SY);
}

/// Waits until an interrupt is pending, masked or not.
pub fn wait_for_interrupt() {
    // The barrier lets earlier stores reach the device first.
    dsb(SY);
    wfi();
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
    // Interrupts stay masked in PSTATE. If the CPU has no such registers, the exception is reported as unexpected.
    // SAFETY: The interface in memory, which this switches off, is not used: the tree describes a GICv3.
    unsafe { write_icc_sre_el1(read_icc_sre_el1() | IccSreEl1::SRE) }
    isb(SY);
    write_icc_pmr_el1(IccPmrEl1::from_bits_retain(0xff));
    write_icc_bpr1_el1(IccBpr1El1::empty());
    write_icc_ctlr_el1(IccCtlrEl1::empty());
    write_icc_igrpen1_el1(IccIgrpen1El1::ENABLE);
    isb(SY);
}

/// Acknowledges the interrupt with the highest priority and returns its number; 1020 and above for none.
pub fn acknowledge() -> u32 {
    let acknowledged = read_icc_iar1_el1();
    // The barrier orders it before the handler's accesses (Arm IHI 0069H, 4.1.1).
    dsb(SY);
    acknowledged.intid()
}

/// Ends the interrupt that was acknowledged last: priority drop and deactivation.
pub fn end_interrupt(intid: u32) {
    dsb(SY);
    write_icc_eoir1_el1(IccEoir1El1::from_bits_retain(intid.into()));
    isb(SY);
}

/// Sends an SGI of group 1 to this CPU.
pub fn send_sgi(irq: Irq) {
    let mpidr = MPIDR_EL1.extract();
    let last = mpidr.read(MPIDR_EL1::Aff0);
    // ICC_SGI1R_EL1: Aff3, RS, Aff2, INTID, Aff1, target list.
    let target = mpidr.read(MPIDR_EL1::Aff3) << 48
        | (last >> 4) << 44
        | mpidr.read(MPIDR_EL1::Aff2) << 32
        | u64::from(irq.0 & 0xf) << 24
        | mpidr.read(MPIDR_EL1::Aff1) << 16
        | 1 << (last & 0xf);
    dsb(ISHST);
    write_icc_sgi1r_el1(IccSgi1rEl1::from_bits_retain(target));
    isb(SY);
}

/// Makes new table entries visible to the table walker.
pub fn publish_tables() {
    dsb(ISHST);
    isb(SY);
}

/// Makes replaced table entries visible, and invalidates the old ones in all TLBs.
pub fn forget_translations() {
    dsb(ISHST);
    // SAFETY: Invalidating a translation that the tables still hold costs only time. The code that runs
    // here uses no translation that they no longer hold.
    unsafe { asm!("tlbi vmalle1is", options(nostack, preserves_flags)) }
    dsb(ISH);
    isb(SY);
}

/// Cleans the cache line that holds `at` to memory, for a CPU whose caches are off.
pub fn clean_line(at: u64) {
    // SAFETY: Cleaning writes the line back and changes no value.
    unsafe { asm!("dc civac, {}", in(reg) at, options(nostack, preserves_flags)) }
    dsb(SY);
}
