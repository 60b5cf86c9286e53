//! Interrupt numbers.

use core::fmt;

/// An interrupt's number, as the CPU acknowledges it.
///
/// The architecture's interrupt controller defines the number. A message-signalled interrupt has one like a line has,
/// so nothing here depends on how a device raises the interrupt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Irq(pub u32);

impl fmt::Display for Irq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
