//! What a virtual CPU starts with (`struct vcpu_guest_context` of public/arch-arm.h).

use super::layout;

/// The CPU is switched on when its domain runs (VGCF_online).
pub const ONLINE: u32 = 1;

layout! {
    /// The registers of a virtual CPU. Those of AArch32, which lie between `spsr_el1` and `sp_el0`, are
    /// nothing here.
    VcpuContext: 352 {
        /// See [`ONLINE`].
        flags: u32 = 0,
        /// X0 to X30.
        x: [u64; 31] = 8,
        /// Where it starts.
        pc: u64 = 256,
        /// PSTATE at the start.
        cpsr: u64 = 264,
        /// SPSR_EL1.
        spsr_el1: u64 = 272,
        /// SPSR of FIQ, IRQ, undefined and abort modes.
        spsr_aarch32: [u32; 4] = 280,
        /// SP_EL0.
        sp_el0: u64 = 296,
        /// SP_EL1.
        sp_el1: u64 = 304,
        /// ELR_EL1.
        elr_el1: u64 = 312,
        /// SCTLR_EL1.
        sctlr: u64 = 320,
        /// TCR_EL1.
        ttbcr: u64 = 328,
        /// TTBR0_EL1.
        ttbr0: u64 = 336,
        /// TTBR1_EL1.
        ttbr1: u64 = 344,
    }
}
