//! AArch64: exception syndromes, system registers, hypervisor and firmware calls, and the GIC's own operations.

mod op;
mod syndrome;
mod sysreg;

pub use op::{Answer, Op};
pub use syndrome::{Syndrome, Vector};
pub use sysreg::Sysreg;

pub(crate) use op::OPS;
pub(crate) use syndrome::NO_SYNDROME;

use crate::irq::Irq;

/// The highest INTID that is no message (LPI) and not reserved.
pub const LAST_IRQ: Irq = Irq(1019);

/// The first INTID of interrupts that are private to a CPU (PPI); software generated ones (SGI) lie below.
pub const FIRST_PPI: Irq = Irq(16);

/// The first INTID of interrupts that CPUs share (SPI).
pub const FIRST_SPI: Irq = Irq(32);
