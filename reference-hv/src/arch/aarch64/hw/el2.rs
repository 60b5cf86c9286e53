//! What EL2 lets guests do: the registers that are the same for every guest. Bit names are those of
//! the Arm ARM, HCR_EL2.E2H = 0.

use core::arch::asm;
use core::fmt;

use aarch64_cpu::asm::barrier::{ISHST, SY, dsb, isb};
use aarch64_cpu::registers::*;
use arm_sysregs::el0::accessors::read_pmcr_el0;
use arm_sysregs::el1::accessors::*;
use arm_sysregs::el2::accessors::*;
use arm_sysregs::el2::registers::*;
use tock_registers::fields::FieldValue;

use crate::arch::aarch64::stage2;
use crate::paging::Shape;

/// CPTR_EL2 on every CPU: SIMD works; SVE and SME trap, their bits being RES1 where they are missing.
const CPTR: CptrEl2 = CptrEl2::RES1.union(CptrEl2::TZ).union(CptrEl2::TSM);
/// CPTR_EL2.TTA: trace registers trap.
const TRACE: u64 = 1 << 20;

/// Why this CPU cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CpuError {
    /// HCR_EL2.E2H cannot be cleared (FEAT_E2H0 is not implemented).
    HostExtensionsOnly,
    /// The 4 KiB granule is missing.
    NoSmallPages,
    /// No stage-2 tables resolve this many bits.
    Width(u8),
}

impl fmt::Display for CpuError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HostExtensionsOnly => {
                f.write_str("HCR_EL2.E2H reads as one and cannot be cleared")
            }
            Self::NoSmallPages => f.write_str("the CPU has no pages of 4 KiB"),
            Self::Width(bits) => write!(f, "no stage-2 tables for addresses of {bits} bits"),
        }
    }
}

/// What the address space of guests looks like on this CPU.
#[derive(Clone, Copy, Debug)]
pub struct Stage2 {
    /// Width and first level of the tables.
    pub shape: Shape,
    /// What entries look like.
    pub format: stage2::Stage2,
    /// Width of physical addresses.
    pub pa_bits: u8,
}

/// Sets up EL2 for guests.
///
/// `force` says whether guests' RAM may be forced to be write-back: not where somebody else walks the tables
/// who does not know of that.
///
/// # Errors
/// Refuses a CPU that lacks what this hypervisor is built on.
pub fn configure(force: bool) -> Result<Stage2, CpuError> {
    if HCR_EL2.is_set(HCR_EL2::E2H) {
        return Err(CpuError::HostExtensionsOnly);
    }
    // 0 and 1 are support without and with 52 bits.
    if ID_AA64MMFR0_EL1.matches_all(ID_AA64MMFR0_EL1::TGran4::NotSupported) {
        return Err(CpuError::NoSmallPages);
    }
    let model = ID_AA64MMFR0_EL1.get();
    let width = stage2::ipa_bits(model);
    let shape = Shape::shortest(width).ok_or(CpuError::Width(width))?;
    let forced = force && ID_AA64MMFR2_EL1.is_set(ID_AA64MMFR2_EL1::FWB);
    // What is written here only decides what a lower exception level may do; none is running, and stage 2 is
    // not used before VTTBR_EL2 is loaded with a domain's tables.
    set_traps(forced);
    VTCR_EL2.set(stage2::control(shape, model));
    CNTHCTL_EL2.write(CNTHCTL_EL2::EL1PCTEN::SET);
    CNTHP_CTL_EL2.set(0);
    write_hstr_el2(0);
    write_vpidr_el2(VpidrEl2::from_bits_retain(MIDR_EL1.get()));
    MDSCR_EL1.set(0);
    withhold_extensions();
    isb(SY);
    invalidate_all();
    Ok(Stage2 {
        shape,
        format: stage2::Stage2 { forced },
        pa_bits: stage2::pa_bits(model),
    })
}

/// Sets what traps, on every CPU alike. Bits of features that a CPU lacks are RES0 there. The physical timer
/// traps for want of CNTHCTL_EL2.EL1PCEN; profiling and trace buffers belong to EL2 (MDCR_EL2.E2PB, E2TB = 0).
fn set_traps(forced: bool) {
    let pfr0 = read_id_aa64pfr0_el1();
    let dfr0 = ID_AA64DFR0_EL1.extract();
    // Stage 2 on, walks in device memory fault; interrupts and SErrors come to EL2; set/way maintenance
    // also cleans, maintenance and barriers reach the inner shareable domain.
    HCR_EL2.write(
        HCR_EL2::VM::Enable
            + HCR_EL2::RW::EL1IsAarch64
            + HCR_EL2::PTW::SET
            + HCR_EL2::FMO::SET
            + HCR_EL2::IMO::SET
            + HCR_EL2::AMO::SET
            + HCR_EL2::SWIO::SET
            + HCR_EL2::FB::SET
            + HCR_EL2::BSU::InnerShareable
            + HCR_EL2::TWI::SET
            + HCR_EL2::TWE::SET
            + HCR_EL2::TID1::SET
            + HCR_EL2::TID3::SET
            + HCR_EL2::TSC::SET
            + HCR_EL2::TIDCP::SET
            + HCR_EL2::TACR::SET
            // A guest's RAM is write-back, whatever the guest says.
            + HCR_EL2::FWB.val(forced.into())
            + HCR_EL2::TLOR.val(ID_AA64MMFR1_EL1.is_set(ID_AA64MMFR1_EL1::LO).into())
            + HCR_EL2::TERR.val((pfr0.ras() != 0).into())
            // From 2 on tags are kept in memory.
            + HCR_EL2::TID5.val((read_id_aa64pfr1_el1().mte() >= 2).into()),
    );
    let monitors = CPTR_EL2::TAM.val((pfr0.amu() != 0).into());
    let trace = u64::from(dfr0.is_set(ID_AA64DFR0_EL1::TraceVer)) * TRACE;
    CPTR_EL2.set(CPTR.bits() | monitors.value | trace);
    let counters = match dfr0.read(ID_AA64DFR0_EL1::PMUVer) {
        0 | 0xf => FieldValue::none(),
        // HPMN stays at all counters, its reset value.
        _ => {
            MDCR_EL2::TPMCR::SET
                + MDCR_EL2::TPM::SET
                + MDCR_EL2::HPMN.val(read_pmcr_el0().n().into())
        }
    };
    MDCR_EL2.write(
        MDCR_EL2::TDA::SET
            + MDCR_EL2::TDOSA::SET
            + MDCR_EL2::TDRA::SET
            + MDCR_EL2::TPMS.val(dfr0.is_set(ID_AA64DFR0_EL1::PMSVer).into())
            + MDCR_EL2::TTRF.val(dfr0.is_set(ID_AA64DFR0_EL1::TraceFilt).into())
            + counters,
    );
}

/// Traps what newer architectures let a hypervisor trap one by one. Zero is the safe value: the
/// fields whose sense is inverted (`n...`) trap, the others concern what EL1 always had.
fn withhold_extensions() {
    if read_id_aa64mmfr1_el1().hcx() != 0 {
        // SAFETY: HCRX_EL2 exists; zero grants guests nothing.
        unsafe { write_hcrx_el2(HcrxEl2::empty()) }
    }
    if read_id_aa64pfr0_el1().mpam() != 0 || read_id_aa64pfr1_el1().mpam_frac() != 0 {
        let traps = read_mpam2_el2() | Mpam2El2::TRAPMPAM0EL1 | Mpam2El2::TRAPMPAM1EL1;
        // SAFETY: MPAM2_EL2 exists; these keep guests from it.
        unsafe { write_mpam2_el2(traps) }
    }
    let fine = read_id_aa64mmfr0_el1().fgt();
    if fine >= 1 {
        // SAFETY: FEAT_FGT is there, so these registers are; zero grants no feature that has an inverted field.
        unsafe {
            write_hfgrtr_el2(HfgrtrEl2::empty());
            write_hfgwtr_el2(HfgwtrEl2::empty());
            write_hfgitr_el2(HfgitrEl2::empty());
            write_hdfgrtr_el2(HdfgrtrEl2::empty());
            write_hdfgwtr_el2(HdfgwtrEl2::empty());
        }
    }
    if fine >= 2 {
        // SAFETY: FEAT_FGT2 is there, so these registers are; as above.
        unsafe {
            write_hfgrtr2_el2(Hfgrtr2El2::empty());
            write_hfgwtr2_el2(Hfgwtr2El2::empty());
            write_hfgitr2_el2(Hfgitr2El2::empty());
            write_hdfgrtr2_el2(Hdfgrtr2El2::empty());
            write_hdfgwtr2_el2(Hdfgwtr2El2::empty());
        }
    }
}

/// Drops every guest translation of every domain: what firmware may have left carries no VMID of
/// ours.
fn invalidate_all() {
    // SAFETY: Invalidating translations loses nothing; no guest has run.
    unsafe {
        asm!(
            "tlbi alle1",
            "dsb nsh",
            "isb",
            options(nostack, preserves_flags)
        )
    }
}

/// Drops every translation that carries the VMID of `base`, a value of VTTBR_EL2, on every CPU, and waits
/// until that is done (Arm ARM D8.16, TLBI VMALLS12E1IS: it works on the VMID that VTTBR_EL2 has).
pub fn invalidate_space(base: u64) {
    invalidate(base, VTTBR_EL2.get());
}

/// Does that for good: VTTBR_EL2 does not point at the tables any more.
pub fn retire_space(base: u64) {
    let before = VTTBR_EL2.get();
    invalidate(base, if before == base { 0 } else { before });
}

/// Drops the translations of `base` and leaves VTTBR_EL2 at `after`.
fn invalidate(base: u64, after: u64) {
    // No guest runs meanwhile, and what is walked speculatively begins at tables that still stand: the caller
    // gives them back only afterwards.
    dsb(ISHST);
    VTTBR_EL2.set(base);
    // SAFETY: Invalidating translations loses nothing, and those of EL2 are others.
    unsafe {
        asm!(
            "isb",
            "tlbi vmalls12e1is",
            "dsb ish",
            options(nostack, preserves_flags)
        );
    }
    isb(SY);
    VTTBR_EL2.set(after);
    isb(SY);
}

/// Drops the running domain's translations and fetched instructions on this CPU, before another of
/// its virtual CPUs runs here: each believes to be a CPU of its own, and one may use an ASID
/// that means something else to the other (Arm ARM D8.16, TLBI VMALLE1).
pub fn invalidate_other_vcpu() {
    // SAFETY: As for `invalidate_all`; VTTBR_EL2 is that of the domain meant.
    unsafe {
        asm!(
            "isb",
            "tlbi vmalle1",
            "ic iallu",
            "dsb nsh",
            "isb",
            options(nostack, preserves_flags)
        );
    }
}
