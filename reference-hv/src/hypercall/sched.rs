//! sched_op: turns, and the end of a domain.

use super::abi::sched::{BLOCK, REMOTE_SHUTDOWN, RemoteShutdown, SHUTDOWN, Shutdown, YIELD};
use super::{Answer, Arguments};
use crate::errno::Errno;
use crate::hal::Machine;
use crate::ids::DomainId;
use crate::vm::{Guest, Hypervisor, Outcome, VcpuRef};

impl<M: Machine<Arch: Guest>> Hypervisor<M> {
    /// Serves sched_op.
    pub(super) fn sched_op(&mut self, caller: VcpuRef, args: &Arguments) -> Answer {
        let &[command, at, ..] = args;
        match command {
            YIELD => Ok(Outcome::Yield),
            BLOCK => Ok(Outcome::Block),
            SHUTDOWN => {
                let why = Shutdown::decode(&self.read_guest::<{ Shutdown::SIZE }>(caller, at)?);
                let own = self.id_of(caller);
                self.end(caller, own, why.reason)
            }
            REMOTE_SHUTDOWN => {
                self.require_control(caller)?;
                let which = RemoteShutdown::decode(
                    &self.read_guest::<{ RemoteShutdown::SIZE }>(caller, at)?,
                );
                let target = DomainId::new(which.domain).ok_or(Errno::ESRCH)?;
                self.end(caller, target, which.reason)
            }
            _ => Err(Errno::ENOSYS),
        }
    }

    fn end(&mut self, caller: VcpuRef, target: DomainId, reason: u32) -> Answer {
        let own = self.id_of(caller) == target;
        // Eight bits of the reason are kept, as Xen keeps them.
        let [reason, ..] = reason.to_le_bytes();
        self.shut_down(target, reason)?;
        Ok(if own {
            Outcome::Gone
        } else {
            Outcome::Answer(0)
        })
    }
}
