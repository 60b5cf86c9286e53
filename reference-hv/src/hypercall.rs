//! Hypercalls: what domains ask of the hypervisor, in the words of Xen.
//!
//! [`abi`] knows what the requests look like. Everything that a guest's pointers lead to is reached
//! through the guest's own translation, and whatever goes wrong on the way is the guest's answer.

use crate::arch::aarch64::inject::Exception;
use crate::arch::aarch64::sysreg::IdRegister;
use crate::errno::Errno;
use crate::hal::Machine;
use crate::vm::{Hypervisor, Outcome, Place};

pub mod abi;

/// X0 to X4.
type Arguments = [u64; 5];
/// What becomes of a call, or why it was refused.
type Answer = Result<Outcome, Errno>;

impl<M: Machine<Exception = Exception, Identity = IdRegister>> Hypervisor<M> {
    /// Serves a hypercall of the virtual CPU that is loaded.
    pub(crate) fn hypercall(&mut self, place: Place, number: u64, args: &Arguments) -> Outcome {
        let answer = match number {
            abi::SCHED_OP => self.sched_op(place, args),
            _ => Err(Errno::ENOSYS),
        };
        answer.unwrap_or_else(|errno| Outcome::Answer(errno.value()))
    }

    fn sched_op(&mut self, place: Place, &[command, ..]: &Arguments) -> Answer {
        match command {
            abi::sched::SHUTDOWN => {
                self.shut_down(self.id_of(place), 0)?;
                Ok(Outcome::Gone)
            }
            _ => Err(Errno::ENOSYS),
        }
    }
}
