//! What EL2 lets guests do: the registers that are the same for every guest. Bit names are those of
//! the Arm ARM, HCR_EL2.E2H = 0.

use core::fmt;

use super::sysreg::{self, read, set};
use crate::arch::aarch64::stage2;
use crate::paging::Shape;

/// HCR_EL2 on every CPU: stage 2 on; interrupts and SErrors come to EL2; waiting, SMC, ID registers,
/// auxiliary control and implementation-defined registers trap.
const HCR: u64 = bit(0)   // VM: stage 2
    | bit(1)              // SWIO: invalidation by set/way also cleans
    | bit(2)              // PTW: a table walk in device memory faults
    | bit(3) | bit(4) | bit(5) // FMO, IMO, AMO
    | bit(9) | 0b01 << 10 // FB, BSU: maintenance and barriers reach the inner shareable domain
    | bit(13) | bit(14)   // TWI, TWE
    | bit(16) | bit(18)   // TID1, TID3
    | bit(19)             // TSC
    | bit(20)             // TIDCP
    | bit(21)             // TACR
    | bit(31); // RW: EL1 is AArch64

/// CPTR_EL2 on every CPU: SIMD works; SVE (TZ) and SME (TSM) trap, being RES1 where they are missing.
const CPTR: u64 = 0x33ff;

/// MDCR_EL2 on every CPU: debug registers trap (TDA, TDOSA, TDRA); buffers of profiling and trace belong
/// to EL2 (E2PB, E2TB = 0).
const MDCR: u64 = bit(9) | bit(10) | bit(11);

/// CNTHCTL_EL2: the physical counter may be read (EL1PCTEN), the physical timer traps.
const CNTHCTL: u64 = bit(0);

const fn bit(n: u32) -> u64 {
    1 << n
}

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
    if read!("hcr_el2") & bit(34) != 0 {
        return Err(CpuError::HostExtensionsOnly);
    }
    let model = read!("id_aa64mmfr0_el1");
    // TGran4: 0 and 1 are support without and with 52 bits, 0xf is none.
    if model >> 28 & 0xf == 0xf {
        return Err(CpuError::NoSmallPages);
    }
    let width = stage2::ipa_bits(model);
    let shape = Shape::shortest(width).ok_or(CpuError::Width(width))?;
    let forced = force && forced_write_back();
    let traps = optional_traps(forced);
    let midr = read!("midr_el1");
    // SAFETY: These registers only decide what a lower exception level may do; none is running, and
    // stage 2 is not used before VTTBR_EL2 is loaded with a domain's tables.
    unsafe {
        set!("hcr_el2", HCR | traps.hcr);
        set!("vtcr_el2", stage2::control(shape, model));
        set!("cptr_el2", CPTR | traps.cptr);
        set!("mdcr_el2", MDCR | traps.mdcr);
        set!("cnthctl_el2", CNTHCTL);
        set!("cnthp_ctl_el2", 0_u64);
        set!("hstr_el2", 0_u64);
        set!("vpidr_el2", midr);
        set!("mdscr_el1", 0_u64);
    }
    withhold_extensions(model);
    sysreg::isb();
    invalidate_all();
    Ok(Stage2 {
        shape,
        format: stage2::Stage2 { forced },
        pa_bits: stage2::pa_bits(model),
    })
}

/// Tells whether the CPU has FEAT_S2FWB (ID_AA64MMFR2_EL1.FWB).
fn forced_write_back() -> bool {
    read!("s3_0_c0_c7_2") >> 40 & 0xf != 0
}

/// Bits of features that not every CPU has; they are RES0 where the feature is missing.
#[derive(Default)]
struct Traps {
    hcr: u64,
    cptr: u64,
    mdcr: u64,
}

fn optional_traps(forced: bool) -> Traps {
    let field = |register: u64, shift: u32| register >> shift & 0xf;
    let (pfr0, pfr1) = (read!("id_aa64pfr0_el1"), read!("id_aa64pfr1_el1"));
    let (dfr0, mmfr1) = (read!("id_aa64dfr0_el1"), read!("id_aa64mmfr1_el1"));
    let mut traps = Traps::default();
    if field(mmfr1, 16) != 0 {
        traps.hcr |= bit(35); // TLOR: limited ordering regions
    }
    if forced {
        traps.hcr |= bit(46); // FWB: a guest's RAM is write-back, whatever the guest says
    }
    if field(pfr0, 28) != 0 {
        traps.hcr |= bit(36); // TERR: error records
    }
    if field(pfr1, 8) >= 2 {
        traps.hcr |= bit(58); // TID5: memory tagging
    }
    if field(pfr0, 44) != 0 {
        traps.cptr |= bit(30); // TAM: activity monitors
    }
    if field(dfr0, 4) != 0 {
        traps.cptr |= bit(20); // TTA: trace registers
    }
    if !matches!(field(dfr0, 8), 0 | 0xf) {
        // TPMCR, TPM: performance monitors; HPMN stays at all counters, its reset value.
        traps.mdcr |= bit(5) | bit(6) | read!("pmcr_el0") >> 11 & 0x1f;
    }
    if field(dfr0, 32) != 0 {
        traps.mdcr |= bit(14); // TPMS: statistical profiling
    }
    if field(dfr0, 40) != 0 {
        traps.mdcr |= bit(19); // TTRF: trace filter
    }
    traps
}

/// Traps what newer architectures let a hypervisor trap one by one. Zero is the safe value: the
/// fields whose sense is inverted (`n...`) trap, the others concern what EL1 always had.
fn withhold_extensions(model: u64) {
    // ID_AA64MMFR1_EL1.HCX
    if read!("id_aa64mmfr1_el1") >> 40 & 0xf != 0 {
        // SAFETY: HCRX_EL2 exists; zero grants guests nothing.
        unsafe { set!("s3_4_c1_c2_2", 0_u64) }
    }
    // ID_AA64PFR0_EL1.MPAM and ID_AA64PFR1_EL1.MPAM_frac
    let partitioning = read!("id_aa64pfr0_el1") >> 40 | read!("id_aa64pfr1_el1") >> 16;
    if partitioning & 0xf != 0 {
        let traps = read!("s3_4_c10_c5_0") | bit(48) | bit(49);
        // SAFETY: MPAM2_EL2 exists; TRAPMPAM0EL1 and TRAPMPAM1EL1 keep guests from it.
        unsafe { set!("s3_4_c10_c5_0", traps) }
    }
    let fine = model >> 56 & 0xf;
    if fine >= 1 {
        // SAFETY: FEAT_FGT is there, so HFGRTR_EL2, HFGWTR_EL2, HFGITR_EL2, HDFGRTR_EL2 and HDFGWTR_EL2
        // exist; zero grants no feature that has an inverted field.
        unsafe {
            set!("s3_4_c1_c1_4", 0_u64);
            set!("s3_4_c1_c1_5", 0_u64);
            set!("s3_4_c1_c1_6", 0_u64);
            set!("s3_4_c3_c1_4", 0_u64);
            set!("s3_4_c3_c1_5", 0_u64);
        }
    }
    if fine >= 2 {
        // SAFETY: FEAT_FGT2 is there, so HFGRTR2_EL2, HFGWTR2_EL2, HFGITR2_EL2, HDFGRTR2_EL2 and
        // HDFGWTR2_EL2 exist; as above.
        unsafe {
            set!("s3_4_c3_c1_2", 0_u64);
            set!("s3_4_c3_c1_3", 0_u64);
            set!("s3_4_c3_c1_7", 0_u64);
            set!("s3_4_c3_c1_0", 0_u64);
            set!("s3_4_c3_c1_1", 0_u64);
        }
    }
}

/// Drops every guest translation of every domain: what firmware may have left carries no VMID of
/// ours.
fn invalidate_all() {
    // SAFETY: Invalidating translations loses nothing; no guest has run.
    unsafe {
        core::arch::asm!(
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
    invalidate(base, read!("vttbr_el2"));
}

/// Does that for good: VTTBR_EL2 does not point at the tables any more.
pub fn retire_space(base: u64) {
    let before = read!("vttbr_el2");
    invalidate(base, if before == base { 0 } else { before });
}

/// Drops the translations of `base` and leaves VTTBR_EL2 at `after`.
fn invalidate(base: u64, after: u64) {
    // SAFETY: No guest runs meanwhile, and what is walked speculatively begins at tables that still stand:
    // the caller gives them back only afterwards. Invalidating loses nothing.
    unsafe {
        core::arch::asm!("dsb ishst", options(nostack, preserves_flags));
        set!("vttbr_el2", base);
        core::arch::asm!(
            "isb",
            "tlbi vmalls12e1is",
            "dsb ish",
            "isb",
            options(nostack, preserves_flags)
        );
        set!("vttbr_el2", after);
    }
    sysreg::isb();
}

/// Drops the running domain's translations and fetched instructions on this CPU, before another of
/// its virtual CPUs runs here: each believes to be a CPU of its own, and one may use an ASID
/// that means something else to the other (Arm ARM D8.16, TLBI VMALLE1).
pub fn invalidate_other_vcpu() {
    // SAFETY: As for `invalidate_all`; VTTBR_EL2 is that of the domain meant.
    unsafe {
        core::arch::asm!(
            "isb",
            "tlbi vmalle1",
            "ic iallu",
            "dsb nsh",
            "isb",
            options(nostack, preserves_flags)
        );
    }
}
