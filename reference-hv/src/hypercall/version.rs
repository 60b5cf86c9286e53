//! xen_version: what the hypervisor says of itself, to every domain.

use super::abi::version::{
    AUTO_TRANSLATED, DOM0, EXTRA, EXTRA_VERSION, FEATURES, FeatureInfo, RELEASE, VERSION,
};
use super::{Answer, Arguments};
use crate::errno::Errno;
use crate::hal::Machine;
use crate::vm::{Guest, Hypervisor, Outcome, VcpuRef};

impl<M: Machine<Arch: Guest>> Hypervisor<M> {
    /// Serves xen_version.
    pub(super) fn xen_version(&mut self, caller: VcpuRef, args: &Arguments) -> Answer {
        let &[command, at, ..] = args;
        match command {
            VERSION => return Ok(Outcome::Answer(RELEASE)),
            EXTRA => self.write_guest(caller, at, EXTRA_VERSION)?,
            FEATURES => {
                let mut info =
                    FeatureInfo::decode(&self.read_guest::<{ FeatureInfo::SIZE }>(caller, at)?);
                if info.index != 0 {
                    return Err(Errno::EINVAL);
                }
                info.map = AUTO_TRANSLATED | M::Arch::FEATURES;
                if self.privilege(caller).hardware {
                    info.map |= DOM0;
                }
                self.write_guest(caller, at, &info.encode())?;
            }
            _ => return Err(Errno::ENOSYS),
        }
        Ok(Outcome::Answer(0))
    }
}
