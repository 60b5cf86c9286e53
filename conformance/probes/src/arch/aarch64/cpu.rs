//! The interface between the ops of AArch64 and the CPU on which they run.

use wire::Irq;
use wire::arch::aarch64::Sysreg;

use crate::machine::{Abort, Machine};

/// The instruction that calls the hypervisor or the firmware.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conduit {
    /// HVC #0.
    Hvc,
    /// SMC #0.
    Smc,
}

/// What the ops of AArch64 need in addition to the general machine.
pub trait Cpu: Machine {
    /// Makes an SMCCC call and returns its X0.
    fn call(&self, conduit: Conduit, arguments: [u64; 4]) -> Result<u64, Abort>;

    /// Reads a system register.
    fn mrs(&self, register: Sysreg) -> Result<u64, Abort>;

    /// Enables the CPU interface: the one in system registers, or a GICv2's at an address.
    fn open_interrupts(&self, interface: Option<u64>) -> Result<(), Abort>;

    /// Sends an SGI to this CPU, by system register.
    fn send_sgi(&self, irq: Irq);

    /// Starts another CPU; returns PSCI's status, 0 for success.
    fn start_cpu(&self, mpidr: u64) -> Result<u64, Abort>;
}
