//! What device trees say in another way on each processor architecture: a file an architecture.

use crate::Node;

pub mod aarch64;

pub(crate) use aarch64::{CONTROLLER_PHANDLE, placeholder};

/// What a guest's tree says about its processors and its interrupt controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GuestArch {
    /// An AArch64 guest.
    Aarch64(aarch64::Guest),
}

impl GuestArch {
    /// Describes the firmware that a guest asks to start and stop processors.
    pub(crate) fn firmware(&self) -> Node {
        match self {
            Self::Aarch64(_) => aarch64::firmware(),
        }
    }

    /// Describes one processor.
    pub(crate) fn cpu(&self, number: u32) -> Node {
        match self {
            Self::Aarch64(_) => aarch64::cpu(number),
        }
    }

    /// Describes the interrupt controller.
    pub(crate) fn controller(&self, phandle: u32) -> Node {
        match self {
            Self::Aarch64(guest) => guest.controller(phandle),
        }
    }

    /// Describes the timer.
    pub(crate) fn timer(&self) -> Node {
        match self {
            Self::Aarch64(guest) => guest.timer(),
        }
    }

    /// Returns the cells of `interrupts` for a shared line that is high while there is something to do.
    pub(crate) fn shared_line(&self, line: u32) -> [u32; 3] {
        match self {
            Self::Aarch64(_) => aarch64::shared_line(line),
        }
    }
}
