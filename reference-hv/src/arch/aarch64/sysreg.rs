//! Identification registers as guests see them: the features of the CPU less those that the
//! hypervisor neither saves per guest nor lets through.
//!
//! A field is shown because it stands in a mask here; a field of a future CPU is hidden, which for
//! an identification register means that the feature is absent (DDI 0487, "Principles of the ID
//! scheme").

use crate::arch::aarch64::exit::SysReg;

/// An identification register of which a guest sees a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdRegister {
    /// ID_AA64PFR0_EL1.
    Pfr0,
    /// ID_AA64PFR1_EL1.
    Pfr1,
    /// ID_AA64DFR0_EL1.
    Dfr0,
    /// ID_AA64ISAR0_EL1.
    Isar0,
    /// ID_AA64ISAR1_EL1.
    Isar1,
    /// ID_AA64ISAR2_EL1.
    Isar2,
    /// ID_AA64MMFR0_EL1.
    Mmfr0,
    /// ID_AA64MMFR1_EL1.
    Mmfr1,
    /// ID_AA64MMFR2_EL1.
    Mmfr2,
}

/// Returns the bits of the 4-bit fields that begin at these places.
const fn fields(starts: &[u32]) -> u64 {
    let mut mask = 0;
    let mut rest = starts;
    while let [start, tail @ ..] = rest {
        mask |= 0xf << *start;
        rest = tail;
    }
    mask
}

/// Returns a 4-bit field of a register, no greater than `most`: what greater values add needs help.
const fn capped(host: u64, start: u32, most: u64) -> u64 {
    let value = (host >> start) & 0xf;
    (if value > most { most } else { value }) << start
}

impl IdRegister {
    /// Finds the register that an encoding names, where a guest sees any of it. All others of the
    /// identification space read as zero.
    pub const fn named(reg: SysReg) -> Option<Self> {
        match (reg.crm, reg.op2) {
            (4, 0) => Some(Self::Pfr0),
            (4, 1) => Some(Self::Pfr1),
            (5, 0) => Some(Self::Dfr0),
            (6, 0) => Some(Self::Isar0),
            (6, 1) => Some(Self::Isar1),
            (6, 2) => Some(Self::Isar2),
            (7, 0) => Some(Self::Mmfr0),
            (7, 1) => Some(Self::Mmfr1),
            (7, 2) => Some(Self::Mmfr2),
            _ => None,
        }
    }

    /// Returns what a guest reads where the CPU itself says `host`.
    pub const fn shown(self, host: u64) -> u64 {
        match self {
            // FP, AdvSIMD, DIT, CSV3. EL0 and EL1 in AArch64 only; GIC by system registers; no EL2,
            // EL3, RAS, SVE, MPAM, AMU. CSV2 beyond 1 comes with registers that are not saved.
            Self::Pfr0 => {
                host & fields(&[16, 20, 48, 60]) | capped(host, 56, 1) | 1 << 24 | 1 << 4 | 1
            }
            // BTI, SSBS. No MTE, SME, NMI, GCS.
            Self::Pfr1 => host & fields(&[0, 4]),
            // Counts of breakpoints and watchpoints, double lock; Armv8 debug. No PMU, trace, SPE.
            Self::Dfr0 => host & fields(&[12, 20, 28, 36]) | 6,
            // All instructions but transactions.
            Self::Isar0 => host & !fields(&[24]),
            // DPB, JSCVT, FCMA, LRCPC, FRINTTS, SB, SPECRES, BF16, DGH, I8MM. No pointer
            // authentication, whose keys are not saved; no LS64 and XS, which HCRX_EL2 governs.
            Self::Isar1 => host & fields(&[0, 12, 16, 20, 32, 36, 40, 44, 48, 52]),
            // RPRES, BC, CLRBHB, RPRFM, CSSC. No MOPS, which HCRX_EL2 governs; no timed waits.
            Self::Isar2 => host & fields(&[4, 20, 28, 48, 52]),
            // ASID size, endianness, granules, ExS. Physical addresses no wider than the 40 bits of
            // stage 2; nothing of stage 2 itself, FGT, ECV.
            Self::Mmfr0 => host & fields(&[4, 8, 16, 20, 24, 28, 44]) | capped(host, 0, 2),
            // HPDS, PAN, ETS, AFP, nTLBPA; of hardware updates the access flag and dirty state.
            Self::Mmfr1 => host & fields(&[12, 20, 36, 44, 48]) | capped(host, 0, 2),
            // CnP, UAO, LSMAOC, CCIDX, TTST, unaligned atomics, IDS, TTL, BBM, E0PD; virtual addresses
            // of up to 52 bits, as more need TCR2_EL1.
            Self::Mmfr2 => {
                host & fields(&[0, 4, 8, 20, 28, 32, 36, 48, 52, 60]) | capped(host, 16, 1)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the CPU has, a guest is offered nothing that needs the hypervisor's help.
    #[test]
    fn features_that_need_help_are_hidden() {
        let table = [
            (
                IdRegister::Pfr0,
                "EL2 EL3 RAS SVE SEL2 MPAM AMU RME",
                &[8_u32, 12, 28, 32, 36, 40, 44, 52][..],
            ),
            (
                IdRegister::Pfr1,
                "MTE RAS_frac MPAM_frac SME NMI GCS",
                &[8, 12, 16, 24, 36, 44],
            ),
            (
                IdRegister::Dfr0,
                "Trace PMU SPE TraceFilt TraceBuffer BRBE",
                &[4, 8, 32, 40, 44, 52],
            ),
            (IdRegister::Isar0, "TME", &[24]),
            (
                IdRegister::Isar1,
                "APA API GPA GPI XS LS64",
                &[4, 8, 24, 28, 56, 60],
            ),
            (
                IdRegister::Isar2,
                "WFxT GPA3 APA3 MOPS PAC_frac",
                &[0, 8, 12, 16, 24],
            ),
            (IdRegister::Mmfr0, "TGran_2 FGT ECV", &[32, 36, 40, 56, 60]),
            (
                IdRegister::Mmfr1,
                "VMID VH LO XNX TWED HCX",
                &[4, 8, 16, 28, 32, 40],
            ),
            (IdRegister::Mmfr2, "IESB NV FWB EVT", &[12, 24, 40, 56]),
        ];
        for (register, names, hidden) in table {
            assert_eq!(
                register.shown(u64::MAX) & fields(hidden),
                0,
                "{register:?}: one of {names}"
            );
        }
    }

    /// A CPU with nothing still is one that a guest can run on.
    #[test]
    fn the_least_cpu_is_a_whole_one() {
        assert_eq!(
            IdRegister::Pfr0.shown(0),
            0x0100_0011,
            "EL0 and EL1 in AArch64, GIC registers"
        );
        assert_eq!(IdRegister::Dfr0.shown(0), 6, "Armv8 debug");
    }

    /// Physical addresses end where stage 2 does, or earlier where the CPU does.
    #[test]
    fn physical_range_is_that_of_stage_two() {
        for (host, shown) in [(0, 0), (1, 1), (2, 2), (5, 2), (6, 2), (7, 2)] {
            assert_eq!(IdRegister::Mmfr0.shown(host), shown);
        }
    }

    /// Where a greater value means more help, a guest sees the greatest that needs none.
    #[test]
    fn values_that_need_help_are_capped() {
        let table = [
            (IdRegister::Pfr0, 56, 1, "CSV2: SCXTNUM_ELx"),
            (IdRegister::Mmfr1, 0, 2, "HAFDBS: TCR2_EL1.HAFT"),
            (IdRegister::Mmfr2, 16, 1, "VARange: TCR2_EL1.D128"),
        ];
        for (register, start, most, why) in table {
            for host in 0..16_u64 {
                let shown = register.shown(host << start) >> start & 0xf;
                assert_eq!(shown, host.min(most), "{register:?}, {why}");
            }
        }
    }

    /// A register is named by its place in the identification space.
    #[test]
    fn registers_are_named_by_their_encoding() {
        let named = |crm, op2| IdRegister::named(SysReg::new(3, 0, 0, crm, op2));
        assert_eq!(named(4, 0), Some(IdRegister::Pfr0));
        assert_eq!(named(7, 2), Some(IdRegister::Mmfr2));
        for hidden in [(1, 0), (3, 0), (4, 4), (5, 1), (6, 3), (7, 3), (7, 4)] {
            assert_eq!(named(hidden.0, hidden.1), None, "{hidden:?}");
        }
    }
}
