//! What the hypercall interface has of its own on Arm (xen/include/public/arch-arm.h, domctl.h).

use crate::errno::Errno;
use crate::fault::{self, Fault};
use crate::hal;
use crate::hypercall::abi::layout;
use crate::ids::IrqLine;

/// The CPU is switched on when its domain runs (VGCF_online).
const ONLINE: u32 = 1;

layout! {
    /// The registers of a virtual CPU. Those of AArch32, which lie between `spsr_el1` and `sp_el0`, are
    /// nothing here.
    VcpuContext: 352 {
        /// Whether it is switched on: `ONLINE`.
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

/// PSTATE of a 64-bit guest: flags, masks, and the exception level.
const PSTATE: u64 = 0xf << 28 | 0xf << 6 | 0xf;
/// `M[4]`: the guest is of 32 bits.
const NARROW: u64 = 1 << 4;
/// `M[3:0]` of EL0t, EL1t and EL1h.
const LEVELS: [u64; 3] = [0, 4, 5];

impl hal::Context for VcpuContext {
    const SIZE: usize = Self::SIZE;

    fn decode(bytes: &[u8]) -> Self {
        Self::decode(bytes)
    }
    fn is_online(&self) -> bool {
        self.flags & ONLINE != 0
    }
    fn confined(self) -> Option<Self> {
        let possible = LEVELS.contains(&(self.cpsr & 0xf)) || fault::on(Fault::LevelUnchecked);
        (self.cpsr & NARROW == 0 && possible).then_some(Self {
            cpsr: self.cpsr & PSTATE,
            ..self
        })
    }
}

/// The interrupt controller is what the machine has (XEN_DOMCTL_CONFIG_GIC_NATIVE).
const GIC_NATIVE: u8 = 0;
/// The interrupt controller is a GICv3 (XEN_DOMCTL_CONFIG_GIC_V3).
const GIC_V3: u8 = 2;

layout! {
    /// The architecture's part of a new domain's description (`struct xen_arch_domainconfig`).
    DomainConfig: 12 {
        /// `GIC_NATIVE` or `GIC_V3`; answered with what it became.
        gic_version: u8 = 0,
        /// Vector length of SVE in 128 bits.
        sve_vl: u8 = 1,
        /// Trusted execution environment.
        tee_type: u16 = 2,
        /// Shared interrupts.
        nr_spis: u32 = 4,
        /// Answered with the timer's frequency where the device tree overrides it, else with zero.
        clock_frequency: u32 = 8,
    }
}

/// What is told of a domain, as [`crate::vm::Guest::INFO`].
pub const INFO: [u8; DomainConfig::SIZE] = [GIC_V3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// SMCCC calls are answered (XENFEAT_ARM_SMCCC_supported).
pub const SMCCC: u32 = 1 << 14;

/// Reads what a new domain is to be, and writes what it becomes, as [`crate::vm::Guest::configure`].
pub fn configure(config: &mut [u8; DomainConfig::SIZE]) -> Option<u32> {
    let wanted = DomainConfig::decode(config);
    let possible = wanted.sve_vl == 0
        && wanted.tee_type == 0
        && matches!(wanted.gic_version, GIC_NATIVE | GIC_V3);
    let made = DomainConfig {
        gic_version: GIC_V3,
        clock_frequency: 0,
        ..wanted
    };
    *config = made.encode();
    possible.then_some(wanted.nr_spis)
}

/// The guest's interrupt is a shared line (PT_IRQ_TYPE_SPI).
const IRQ_SPI: u32 = 4;

/// Returns which line is to be bound, as [`crate::vm::Guest::bound_line`].
pub fn bound_line(kind: u32, machine: u32, guest: [u8; 4]) -> Result<IrqLine, Errno> {
    if kind != IRQ_SPI {
        return Err(Errno::EOPNOTSUPP);
    }
    let [low, high, ..] = guest;
    // A line has the same number for the guest and for the host.
    if u32::from(u16::from_le_bytes([low, high])) != machine {
        return Err(Errno::EINVAL);
    }
    Ok(IrqLine::new(machine))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each structure reads what stands at its offsets, and what a short buffer lacks as zero.
    #[test]
    fn registers_are_where_the_manual_has_them() {
        let mut next = 0_u8;
        let bytes = [(); 352].map(|()| {
            next = next.wrapping_add(1);
            next
        });
        let wide = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        let context = VcpuContext::decode(&bytes);
        assert_eq!(
            (context.flags, context.x[0], context.x[30]),
            (0x0403_0201, wide(8), wide(248))
        );
        assert_eq!(
            (context.pc, context.cpsr, context.sp_el1),
            (wide(256), wide(264), wide(304))
        );
        assert_eq!(
            (context.sctlr, context.ttbcr, context.ttbr1),
            (wide(320), wide(328), wide(344))
        );
        for length in 0..400 {
            let context = VcpuContext::decode(&vec![0xff; length]);
            assert_eq!(context.ttbr1, if length >= 352 { u64::MAX } else { 0 });
        }
    }

    /// A domain with so many shared interrupts has a GICv3, whether it asked for one or for the machine's; what there is
    /// not is refused.
    #[test]
    fn what_a_domain_can_be() {
        let ask = |version, vector, tee| {
            let mut config = [version, vector, tee, 0, 96, 0, 0, 0, 9, 0, 0, 0];
            (configure(&mut config), config)
        };
        let made = [GIC_V3, 0, 0, 0, 96, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(ask(GIC_NATIVE, 0, 0), (Some(96), made));
        assert_eq!(ask(GIC_V3, 0, 0), (Some(96), made));
        for (version, vector, tee) in [(1, 0, 0), (3, 0, 0), (2, 1, 0), (2, 0, 1)] {
            assert_eq!(ask(version, vector, tee).0, None);
        }
    }

    /// The levels of guests pass, with the bits that are a guest's; those of hypervisors and 32-bit modes do not.
    #[test]
    fn guests_have_levels_of_guests() {
        let confined = |cpsr| {
            let context = VcpuContext {
                cpsr,
                ..VcpuContext::decode(&[])
            };
            hal::Context::confined(context).map(|context| context.cpsr)
        };
        assert_eq!(confined(0xf020_03c5), Some(0xf000_03c5));
        assert_eq!((confined(0), confined(4)), (Some(0), Some(4)));
        for mode in [1, 2, 3, 6, 8, 9, 12, 13, 15, 0x10, 0x13] {
            assert_eq!(confined(mode), None, "{mode:#x}");
        }
    }

    /// Only shared interrupts are bound, and under the same number.
    #[test]
    fn lines_are_bound_under_their_own_number() {
        assert_eq!(
            bound_line(4, 0x123, [0x23, 1, 9, 9]),
            Ok(IrqLine::new(0x123))
        );
        assert_eq!(bound_line(4, 0x123, [0x24, 1, 0, 0]), Err(Errno::EINVAL));
        assert_eq!(
            bound_line(1, 0x123, [0x23, 1, 0, 0]),
            Err(Errno::EOPNOTSUPP)
        );
    }
}
