//! Decides what becomes of an exit: `(EmulatedDevices, Exit) -> Action`.
//!
//! Nothing here touches hardware, a clock or the heap, so that every decision can be tried on any
//! machine. What a guest may do is listed; all else is refused in the way a processor or a bus would.

use core::fmt;

use super::exit::Exit;
use super::inject::Exception;
use super::psci;
use super::sysreg::IdRegister;
use super::vgic::SgiKind;
use crate::access::Access;
use crate::vm::{Device, EmulatedDevices};

mod call;
mod irq;
mod memory;
mod sysreg;

/// Why a domain is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// An exception that the hypervisor's set-up does not let happen.
    Unexpected {
        /// Exception class.
        class: u8,
        /// Syndrome.
        iss: u32,
    },
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unexpected { class, iss } => {
                write!(
                    f,
                    "unexpected exception of class {class:#04x}, syndrome {iss:#x}"
                )
            }
        }
    }
}

/// What becomes of an exit. Unless it says otherwise the guest goes on [`INSTRUCTION`] bytes further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// An emulated device carries the access out. Where the device rejects it, [`rejected`] says what
    /// comes instead.
    Emulate {
        /// Which one.
        device: Device,
        /// Where in its registers.
        offset: u64,
        /// What is moved; [`Access::loaded`] makes the register of a load.
        access: Access,
    },
    /// The guest takes an exception, at the instruction that caused it.
    Inject(Exception),
    /// X0 is set to a value.
    Answer {
        /// The value.
        value: u64,
        /// Bytes to go on by: zero after HVC.
        step: u64,
    },
    /// A general register is set to a value; number 31 discards.
    Set {
        /// Which one.
        rt: u8,
        /// The value.
        value: u64,
    },
    /// A general register is set to [`IdRegister::shown`] of the CPU's own value; number 31 discards.
    Identify {
        /// Which one.
        rt: u8,
        /// What is read.
        register: IdRegister,
    },
    /// Nothing happens.
    Skip,
    /// A software generated interrupt is sent.
    Sgi {
        /// Through which register.
        register: SgiKind,
        /// What was written.
        value: u64,
    },
    /// An interrupt is deactivated.
    Deactivate {
        /// Which one.
        intid: u32,
    },
    /// The vCPU waits until an interrupt is pending.
    Wait,
    /// Others get their turn.
    Yield,
    /// The power state of a vCPU or of the domain is concerned; the answer goes to X0.
    Power {
        /// What is asked for.
        request: psci::Request,
        /// Bytes to go on by: zero after HVC.
        step: u64,
    },
    /// A hypercall of Xen's is served. The guest is past its instruction already.
    Hypercall {
        /// Which one: X16.
        number: u64,
        /// X0 to X4.
        args: [u64; 5],
    },
    /// The domain is stopped.
    Stop(StopReason),
}

/// Bytes of an instruction.
pub const INSTRUCTION: u64 = 4;

/// Decides what becomes of an exit.
pub fn decide(devices: &EmulatedDevices, exit: &Exit) -> Action {
    match *exit {
        Exit::Data {
            fault,
            write,
            access,
            cache,
        } => memory::data(devices, fault, write, access, cache),
        Exit::Fetch { fault } => memory::fetch(fault),
        Exit::Call {
            conduit,
            immediate,
            args,
            number,
        } => call::call(conduit, immediate, &args, number),
        Exit::Register { reg, write, rt } => sysreg::access(reg, write, rt),
        Exit::Wait { kind } => irq::wait(kind),
        Exit::Undefined { class: _ } => Action::Inject(Exception::Undefined { passed: false }),
        Exit::Unexpected { class, iss } => Action::Stop(StopReason::Unexpected { class, iss }),
    }
}

/// Decides what becomes of an access that an emulated device rejected.
pub fn rejected(exit: &Exit) -> Action {
    match *exit {
        Exit::Data {
            fault,
            write,
            access: _,
            cache,
        } => memory::refuse(fault, write, cache),
        Exit::Fetch { fault } => memory::fetch(fault),
        Exit::Call { .. }
        | Exit::Register { .. }
        | Exit::Wait { .. }
        | Exit::Undefined { .. }
        | Exit::Unexpected { .. } => Action::Inject(Exception::Undefined { passed: false }),
    }
}

#[cfg(test)]
mod tests;
