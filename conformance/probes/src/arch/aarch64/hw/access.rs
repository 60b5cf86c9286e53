//! Accesses that may abort, and return in either case.

use core::arch::{asm, global_asm};

use wire::arch::aarch64::{Syndrome, Sysreg};
use wire::{Fault, Width};

use crate::arch::aarch64::cpu::Conduit;
use crate::machine::Abort;

/// Calls a routine of `.text.access` with x0 and x1, and turns its x0 to x2 into a result.
macro_rules! attempt {
    ($routine:expr, $x0:expr, $x1:expr) => {{
        let (value, esr, far): (u64, u64, u64);
        asm!(
            concat!("bl ", $routine),
            inlateout("x0") $x0 => value,
            inlateout("x1") $x1 => esr,
            lateout("x2") far,
            lateout("x30") _,
            options(nostack),
        );
        outcome(value, esr, far)
    }};
}

fn outcome(value: u64, esr: u64, far: u64) -> Result<u64, Abort> {
    if esr == 0 {
        Ok(value)
    } else {
        Err(fault(esr, far))
    }
}

/// Decodes an exception. All accesses share this function, to keep the image small.
#[cold]
#[inline(never)]
fn fault(esr: u64, far: u64) -> Abort {
    Abort::Fault(Fault::new(Syndrome::of(esr).into(), far))
}

/// Reads memory or a device.
pub fn read(width: Width, at: u64) -> Result<u64, Abort> {
    // SAFETY: The routines load into x0 and touch no other memory; an exception from a load returns
    // here through the vectors (boot.S, `access_aborted`), which must be installed, as they are
    // from `prepare_cpu` on. Reading the probe's own memory this way makes no reference to it.
    unsafe {
        match width {
            Width::W8 => attempt!("access_read8", at, 0u64),
            Width::W16 => attempt!("access_read16", at, 0u64),
            Width::W32 => attempt!("access_read32", at, 0u64),
            Width::W64 => attempt!("access_read64", at, 0u64),
        }
    }
}

/// Writes memory or a device.
///
/// # Safety
/// No byte written may belong to the probe's image, tree or ramdisk.
pub unsafe fn write(width: Width, at: u64, value: u64) -> Result<(), Abort> {
    // SAFETY: As for `read`; the caller answers for what is overwritten.
    let result = unsafe {
        match width {
            Width::W8 => attempt!("access_write8", at, value),
            Width::W16 => attempt!("access_write16", at, value),
            Width::W32 => attempt!("access_write32", at, value),
            Width::W64 => attempt!("access_write64", at, value),
        }
    };
    result.map(|_| ())
}

/// Makes an SMCCC call.
pub fn call(conduit: Conduit, arguments: [u64; 4]) -> Result<u64, Abort> {
    let [x0, x1, x2, x3] = arguments;
    let (value, esr, far): (u64, u64, u64);
    // SAFETY: The callee is the hypervisor or the firmware, which by SMCCC 1.0 preserves x18 to x30 and
    // the stack pointer. The script requested what it does to memory, and the tested hypervisor can
    // change any memory anyway.
    unsafe {
        match conduit {
            Conduit::Hvc => {
                asm!("bl access_hvc", inlateout("x0") x0 => value, inlateout("x1") x1 => esr,
                inlateout("x2") x2 => far, inlateout("x3") x3 => _, clobber_abi("C"))
            }
            Conduit::Smc => {
                asm!("bl access_smc", inlateout("x0") x0 => value, inlateout("x1") x1 => esr,
                inlateout("x2") x2 => far, inlateout("x3") x3 => _, clobber_abi("C"))
            }
        }
    }
    outcome(value, esr, far)
}

/// Makes a Xen hypercall.
pub fn xen_call(number: u64, arguments: [u64; 5]) -> Result<u64, Abort> {
    let [x0, x1, x2, x3, x4] = arguments;
    let (value, esr, far): (u64, u64, u64);
    // SAFETY: Xen's calling convention on Arm changes x0 to x16 and nothing else of the guest's
    // registers. The script requested what it does to memory, or provided it for the answer.
    unsafe {
        asm!("bl access_xen", inlateout("x0") x0 => value, inlateout("x1") x1 => esr,
            inlateout("x2") x2 => far, inlateout("x3") x3 => _, inlateout("x4") x4 => _,
            inlateout("x16") number => _, clobber_abi("C"));
    }
    outcome(value, esr, far)
}

/// Copies bytes to memory that may abort.
///
/// # Safety
/// No byte written may belong to the probe's image, tree or ramdisk.
pub unsafe fn copy(at: u64, bytes: &[u8]) -> Result<(), Abort> {
    let from = bytes.as_ptr().expose_provenance() as u64;
    let (value, esr, far): (u64, u64, u64);
    // SAFETY: The routine reads what the slice spans and uses x0 to x4; an exception from a store
    // returns here through the vectors. The caller answers for what is overwritten.
    unsafe {
        asm!("bl access_copy", inlateout("x0") at => value, inlateout("x1") from => esr,
            inlateout("x2") bytes.len() as u64 => far, lateout("x3") _, lateout("x4") _,
            lateout("x30") _, options(nostack));
    }
    outcome(value, esr, far).map(|_| ())
}

/// Calls code outside the probe's own memory; returns when that code returns or raises an exception.
pub fn exec(at: u64) -> Result<(), Abort> {
    let (esr, far): (u64, u64);
    // SAFETY: `call_foreign` saves what the compiler needs on the stack and finds the stack again
    // through TPIDR_EL1, which that code must not change. The tested hypervisor decides what is at the
    // address: code that neither returns nor traps keeps the CPU, and the harness sees no more frames.
    unsafe {
        asm!("bl call_foreign", inlateout("x0") at => _, lateout("x1") esr, lateout("x2") far, clobber_abi("C"));
    }
    outcome(0, esr, far).map(|_| ())
}

/// Makes one routine per register, and selects it by the register in the script.
macro_rules! registers {
    ($($variant:ident = $encoding:literal),+ $(,)?) => {
        global_asm!(
            ".pushsection .text.access, \"ax\"",
            $(concat!("access_", stringify!($variant), ": mrs x0, ", $encoding, "\n mov x1, #0\n ret"),)+
            ".popsection",
        );

        /// Reads a system register.
        pub fn mrs(register: Sysreg) -> Result<u64, Abort> {
            // SAFETY: None of these reads has a side effect, and an undefined one returns through
            // the vectors like an access. ICC_IAR, whose read acknowledges, is not among them.
            unsafe {
                match register {
                    $(Sysreg::$variant => attempt!(concat!("access_", stringify!($variant)), 0u64, 0u64),)+
                }
            }
        }
    };
}

registers! {
    CurrentEl = "currentel",
    Midr = "midr_el1",
    Mpidr = "mpidr_el1",
    Pfr0 = "id_aa64pfr0_el1",
    Pfr1 = "id_aa64pfr1_el1",
    Mmfr0 = "id_aa64mmfr0_el1",
    Mmfr1 = "id_aa64mmfr1_el1",
    Mmfr2 = "id_aa64mmfr2_el1",
    Isar0 = "id_aa64isar0_el1",
    Dfr0 = "id_aa64dfr0_el1",
    Sctlr = "sctlr_el1",
    Ctr = "ctr_el0",
    Cntfrq = "cntfrq_el0",
    Cntvct = "cntvct_el0",
    Cntpct = "cntpct_el0",
    CntvCtl = "cntv_ctl_el0",
    CntpCtl = "cntp_ctl_el0",
    IccSre = "icc_sre_el1",
    IccCtlr = "icc_ctlr_el1",
    IccPmr = "icc_pmr_el1",
    IccRpr = "icc_rpr_el1",
    Actlr = "actlr_el1",
    Mdscr = "mdscr_el1",
    Pmcr = "pmcr_el0",
    Oslsr = "oslsr_el1",
    Hcr = "hcr_el2",
    Vttbr = "vttbr_el2",
    Vtcr = "vtcr_el2",
    SctlrEl2 = "sctlr_el2",
    VbarEl2 = "vbar_el2",
    Cnthctl = "cnthctl_el2",
    Cntvoff = "cntvoff_el2",
    IccSreEl2 = "icc_sre_el2",
    IchHcr = "ich_hcr_el2",
    IchVtr = "ich_vtr_el2",
    IchLr0 = "ich_lr0_el2",
    Scr = "scr_el3",
}
