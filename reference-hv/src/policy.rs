//! Decides what becomes of an exit: `(Domain, Exit) -> Action`.
//!
//! Nothing here touches hardware, a clock or the heap, so that every decision can be tried on any
//! machine. What a guest may do is listed; all else is refused in the way a processor or a bus would.

use core::fmt;

use crate::addr::{Ipa, Span, SpanError};
use crate::arch::aarch64::inject::Exception;
use crate::arch::aarch64::psci;
use crate::arch::aarch64::sysreg::IdRegister;
use crate::assign::layout::{Layout, Uart};
use crate::config::MAX_BRIDGES;
use crate::exit::{Access, Exit};
use crate::ids::IrqLine;

mod call;
mod irq;
mod memory;
mod mmio;
mod sysreg;

/// What decisions need to know of a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Domain {
    /// The distributor of its GIC.
    distributor: Span<Ipa>,
    /// The redistributors that it really has.
    redistributors: Span<Ipa>,
    /// Its emulated PL011.
    uart: Option<Uart>,
    /// Where the configuration spaces of its PCI host bridges lie.
    bridges: [Option<Span<Ipa>>; MAX_BRIDGES],
}

impl Domain {
    /// Describes a domain with this number of vCPUs, whose imitated devices lie like this.
    ///
    /// # Errors
    /// Refuses a number of vCPUs whose redistributors would be no range.
    pub fn new(vcpus: u32, layout: &Layout) -> Result<Self, SpanError> {
        mmio::domain(vcpus, layout)
    }

    /// Has the domain find the configuration space of a PCI host bridge, the one with this number, here.
    pub fn set_bridge(&mut self, number: usize, ecam: Span<Ipa>) {
        if let Some(bridge) = self.bridges.get_mut(number) {
            *bridge = Some(ecam);
        }
    }

    /// Returns the line of its emulated PL011.
    pub fn uart_line(&self) -> Option<IrqLine> {
        self.uart.map(|uart| uart.line)
    }
}

/// A device that the hypervisor imitates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// The distributor of the GIC.
    Distributor,
    /// The redistributors of the GIC.
    Redistributor,
    /// The PL011.
    Uart,
    /// The configuration space of the PCI host bridge with this number.
    Bridge(usize),
}

/// A software generated interrupt, by the register that sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SgiRegister {
    /// ICC_SGI1R_EL1.
    Group1,
    /// ICC_SGI0R_EL1 or ICC_ASGI1R_EL1.
    Group0,
}

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
    /// An imitated device carries the access out. Where the device rejects it, [`rejected`] says what
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
        register: SgiRegister,
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
pub fn decide(domain: &Domain, exit: &Exit) -> Action {
    match *exit {
        Exit::Data {
            fault,
            write,
            access,
            cache,
        } => memory::data(domain, fault, write, access, cache),
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

/// Decides what becomes of an access that an imitated device rejected.
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
