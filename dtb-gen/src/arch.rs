//! The parts of device trees that depend on the processor architecture: one file an architecture.

use crate::Node;

pub mod aarch64;

pub(crate) use aarch64::{CONTROLLER_PHANDLE, placeholder};

/// The part of a guest's tree about its processors and its interrupt controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GuestArch {
    /// An AArch64 guest.
    Aarch64(aarch64::Guest),
}

impl GuestArch {
    /// Describes the firmware by which a guest starts and stops processors.
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

    /// Returns the cells of `interrupts` for a shared line that is level-sensitive and active high.
    pub(crate) fn shared_line(&self, line: u32) -> [u32; 3] {
        match self {
            Self::Aarch64(_) => aarch64::shared_line(line),
        }
    }
}
