//! Interrupts, in the numbers that a CPU is told.

use core::fmt;

/// An interrupt by its number, as the CPU takes it.
///
/// The number is that of the architecture's interrupt controller. A message signalled interrupt has one as a line has,
/// so nothing here depends on how the interrupt comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Irq(pub u32);

impl fmt::Display for Irq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
