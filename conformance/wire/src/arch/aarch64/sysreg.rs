//! The system registers that a script can read.

/// Lists the registers once, for the text form and for the probe's reads.
macro_rules! sysregs {
    ($($(#[$doc:meta])* $variant:ident = $name:literal),+ $(,)?) => {
        /// A system register. A guest may read some of them, and must not read others.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Sysreg { $($(#[$doc])* $variant),+ }

        impl Sysreg {
            /// All registers.
            pub const ALL: &[Self] = &[$(Self::$variant),+];
            /// The names, in the same order.
            pub const NAMES: &[&'static str] = &[$($name),+];

            /// Returns the register's architectural name in lower case.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// Finds a register by its name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

sysregs! {
    /// Exception level.
    CurrentEl = "currentel",
    /// Implementer, part and revision.
    Midr = "midr_el1",
    /// Affinity.
    Mpidr = "mpidr_el1",
    /// Exception levels, GIC registers, RAS.
    Pfr0 = "id_aa64pfr0_el1",
    /// Branch targets, memory tagging.
    Pfr1 = "id_aa64pfr1_el1",
    /// Physical address size, granules.
    Mmfr0 = "id_aa64mmfr0_el1",
    /// Virtualization host extensions.
    Mmfr1 = "id_aa64mmfr1_el1",
    /// Address width and the like.
    Mmfr2 = "id_aa64mmfr2_el1",
    /// Atomics and cryptography.
    Isar0 = "id_aa64isar0_el1",
    /// Debug and performance.
    Dfr0 = "id_aa64dfr0_el1",
    /// System control.
    Sctlr = "sctlr_el1",
    /// Cache type.
    Ctr = "ctr_el0",
    /// Counter frequency.
    Cntfrq = "cntfrq_el0",
    /// Virtual count.
    Cntvct = "cntvct_el0",
    /// Physical count.
    Cntpct = "cntpct_el0",
    /// Virtual timer control.
    CntvCtl = "cntv_ctl_el0",
    /// Physical timer control.
    CntpCtl = "cntp_ctl_el0",
    /// Whether the GIC's system registers are on.
    IccSre = "icc_sre_el1",
    /// GIC CPU interface control.
    IccCtlr = "icc_ctlr_el1",
    /// Priority mask.
    IccPmr = "icc_pmr_el1",
    /// Running priority.
    IccRpr = "icc_rpr_el1",
    /// Auxiliary control.
    Actlr = "actlr_el1",
    /// Monitor debug.
    Mdscr = "mdscr_el1",
    /// Performance monitors control.
    Pmcr = "pmcr_el0",
    /// OS lock status.
    Oslsr = "oslsr_el1",
    /// Hypervisor configuration; not accessible to a guest.
    Hcr = "hcr_el2",
    /// Stage-2 table base; not accessible to a guest.
    Vttbr = "vttbr_el2",
    /// Stage-2 control; not accessible to a guest.
    Vtcr = "vtcr_el2",
    /// System control of EL2; not accessible to a guest.
    SctlrEl2 = "sctlr_el2",
    /// Vectors of EL2; not accessible to a guest.
    VbarEl2 = "vbar_el2",
    /// Timer traps; not accessible to a guest.
    Cnthctl = "cnthctl_el2",
    /// Virtual offset; not accessible to a guest.
    Cntvoff = "cntvoff_el2",
    /// GIC system registers of EL2; not accessible to a guest.
    IccSreEl2 = "icc_sre_el2",
    /// Virtual interface control; not accessible to a guest.
    IchHcr = "ich_hcr_el2",
    /// Virtual interface type; not accessible to a guest.
    IchVtr = "ich_vtr_el2",
    /// First list register; not accessible to a guest.
    IchLr0 = "ich_lr0_el2",
    /// Secure configuration; not accessible to a guest.
    Scr = "scr_el3",
}
