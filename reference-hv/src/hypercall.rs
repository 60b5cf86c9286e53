//! Hypercalls: what domains ask of the hypervisor, in the words of Xen.
//!
//! [`abi`] knows what the requests look like. Everything that a guest's pointers lead to is reached
//! through the guest's own translation, and whatever goes wrong on the way is the guest's answer.

use crate::errno::Errno;
use crate::hal::Machine;
use crate::vm::{Guest, Hypervisor, Outcome, VcpuRef};

pub mod abi;
mod console;
mod domctl;
mod guest;
mod memory_op;
mod physdev;
mod sched;
mod sysctl;
mod version;

/// The arguments, in order.
type Arguments = [u64; 5];
/// What becomes of a call, or why it was refused.
type Answer = Result<Outcome, Errno>;

impl<M: Machine<Arch: Guest>> Hypervisor<M> {
    /// Serves a hypercall of the virtual CPU that is loaded.
    pub(crate) fn hypercall(&mut self, caller: VcpuRef, number: u64, args: &Arguments) -> Outcome {
        let answer = match number {
            abi::MEMORY_OP => self.memory_op(caller, args),
            abi::XEN_VERSION => self.xen_version(caller, args),
            abi::CONSOLE_IO => self.console_io(caller, args),
            abi::SCHED_OP => self.sched_op(caller, args),
            abi::PHYSDEV_OP => self.physdev_op(caller, args),
            abi::SYSCTL => self.sysctl(caller, args),
            abi::DOMCTL => self.domctl(caller, args),
            _ => Err(Errno::ENOSYS),
        };
        answer.unwrap_or_else(|errno| Outcome::Answer(errno.value()))
    }

    /// Refuses a call of a domain that controls no others.
    fn require_control(&self, caller: VcpuRef) -> Result<(), Errno> {
        if self.privilege(caller).control {
            Ok(())
        } else {
            Err(Errno::EPERM)
        }
    }
}

/// Returns the address of what lies so far into an argument.
fn offset(at: u64, bytes: usize) -> Result<u64, Errno> {
    u64::try_from(bytes)
        .ok()
        .and_then(|bytes| at.checked_add(bytes))
        .ok_or(Errno::EFAULT)
}

#[cfg(test)]
mod tests;
