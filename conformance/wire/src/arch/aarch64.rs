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

/// The highest INTID that is neither an LPI nor reserved.
pub const LAST_IRQ: Irq = Irq(1019);

/// The first INTID of a PPI; the INTIDs below are SGIs.
pub const FIRST_PPI: Irq = Irq(16);

/// The first INTID of an SPI.
pub const FIRST_SPI: Irq = Irq(32);
