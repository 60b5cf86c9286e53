//! physdev_op: PCI functions that appear and disappear, in the words of the domain that has the hardware.

use super::abi::physdev::{
    LAST_RESET, PCI_ADD, PCI_REMOVE, PCI_RESET, PciAdd, PciDevice, PciReset, VIRTUAL,
};
use super::{Answer, Arguments};
use crate::errno::Errno;
use crate::fault::{self, Fault};
use crate::hal::Machine;
use crate::ids::Sbdf;
use crate::vm::{Guest, Hypervisor, Outcome, VcpuRef};

impl<M: Machine<Arch: Guest>> Hypervisor<M> {
    /// Serves physdev_op.
    pub(super) fn physdev_op(&mut self, caller: VcpuRef, args: &Arguments) -> Answer {
        if !self.privilege(caller).hardware && !fault::on(Fault::DiscoveryByAnyone) {
            return Err(Errno::EPERM);
        }
        let &[command, at, ..] = args;
        match command {
            PCI_ADD => {
                let what = PciAdd::decode(&self.read_guest::<{ PciAdd::SIZE }>(caller, at)?);
                let physical = Sbdf {
                    bus: what.physical_bus,
                    devfn: what.physical_devfn,
                    ..what.at()
                };
                let is_virtual = what.flags & VIRTUAL != 0;
                self.add_function(what.at(), is_virtual.then_some(physical))?;
            }
            PCI_REMOVE => {
                let what = PciDevice::decode(&self.read_guest::<{ PciDevice::SIZE }>(caller, at)?);
                self.remove_function(what.at())?;
            }
            PCI_RESET => {
                let what = PciReset::decode(&self.read_guest::<{ PciReset::SIZE }>(caller, at)?);
                if what.flags > LAST_RESET {
                    return Err(Errno::EINVAL);
                }
                self.note_reset(what.at())?;
            }
            _ => return Err(Errno::ENOSYS),
        }
        Ok(Outcome::Answer(0))
    }
}
