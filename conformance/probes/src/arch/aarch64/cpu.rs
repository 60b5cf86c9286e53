//! The seam between the ops of AArch64 and the CPU they run on.

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

/// What ops of AArch64 need beyond what every machine has.
pub trait Cpu: Machine {
    /// Makes an SMCCC call and returns its X0.
    fn call(&self, conduit: Conduit, arguments: [u64; 4]) -> Result<u64, Abort>;

    /// Reads a system register.
    fn mrs(&self, register: Sysreg) -> Result<u64, Abort>;

    /// Switches the CPU interface on: the one in system registers, or the GICv2's at an address.
    fn open_interrupts(&self, interface: Option<u64>) -> Result<(), Abort>;

    /// Sends a software interrupt to this CPU, by system register.
    fn send_sgi(&self, irq: Irq);

    /// Starts another CPU; PSCI's status, 0 for success.
    fn start_cpu(&self, mpidr: u64) -> Result<u64, Abort>;
}
