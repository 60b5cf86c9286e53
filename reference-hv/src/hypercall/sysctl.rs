//! sysctl: what a control domain can learn of the machine and of all domains.

use super::abi::domctl::DomainInfo;
use super::abi::physdev::PciDevice;
use super::abi::sysctl::{
    GET_INFO_LIST, INTERFACE, INVALID_DEVICE, InfoList, NO_NODE, PCI_TOPOLOGY, PHYSINFO,
    PciTopology, PhysInfo, REST, Sysctl,
};
use super::domctl::describe;
use super::{Answer, Arguments, offset};
use crate::errno::Errno;
use crate::hal::Machine;
use crate::ids::DomainId;
use crate::vm::{Guest, Hypervisor, Outcome, VcpuRef};

/// Most functions that one call looks at.
const MOST_FUNCTIONS: u32 = 256;

impl<M: Machine<Arch: Guest>> Hypervisor<M> {
    /// Serves sysctl.
    pub(super) fn sysctl(&mut self, caller: VcpuRef, args: &Arguments) -> Answer {
        self.require_control(caller)?;
        let &[at, ..] = args;
        let call = Sysctl::decode(&self.read_guest::<{ Sysctl::SIZE }>(caller, at)?);
        if call.version != INTERFACE {
            return Err(Errno::EACCES);
        }
        match call.command {
            PHYSINFO => {
                self.check_guest(caller, at, Sysctl::SIZE, true)?;
                let answer = self.physinfo().encode();
                self.write_guest(caller, offset(at, REST)?, &answer)?;
            }
            GET_INFO_LIST => {
                let mut list = InfoList::decode(&call.rest_bytes());
                self.check_guest(caller, at, Sysctl::SIZE, true)?;
                list.count = self.list(caller, &list)?;
                self.write_guest(caller, offset(at, REST)?, &list.encode())?;
            }
            PCI_TOPOLOGY => {
                let mut topology = PciTopology::decode(&call.rest_bytes());
                self.check_guest(caller, at, Sysctl::SIZE, true)?;
                topology.count = self.topology(caller, &topology)?;
                self.write_guest(caller, offset(at, REST)?, &topology.encode())?;
            }
            _ => return Err(Errno::ENOSYS),
        }
        Ok(Outcome::Answer(0))
    }

    /// Says of each function in the caller's array whether it is known; returns how many were looked at.
    fn topology(&mut self, caller: VcpuRef, topology: &PciTopology) -> Result<u32, Errno> {
        let count = topology.count.min(MOST_FUNCTIONS);
        for nth in 0..usize::try_from(count).unwrap_or_default() {
            let from = offset(topology.devices, nth * PciDevice::SIZE)?;
            let at = PciDevice::decode(&self.read_guest::<{ PciDevice::SIZE }>(caller, from)?).at();
            let node = if self.is_known(at) {
                NO_NODE
            } else {
                INVALID_DEVICE
            };
            let to = offset(topology.nodes, nth * size_of::<u32>())?;
            self.write_guest(caller, to, &node.to_le_bytes())?;
        }
        Ok(count)
    }

    fn physinfo(&mut self) -> PhysInfo {
        PhysInfo {
            threads_per_core: 1,
            cores_per_socket: 1,
            nr_cpus: 1,
            nr_nodes: 1,
            total_pages: self.total_pages(),
            free_pages: self.free_pages(),
            ..PhysInfo::decode(&[])
        }
    }

    /// Writes what there is to know of each domain into the caller's array; returns how many there are.
    fn list(&mut self, caller: VcpuRef, list: &InfoList) -> Result<u32, Errno> {
        let mut count = 0;
        let mut next = Some(list.first);
        let mut at = list.buffer;
        while count < list.max {
            let from = next.and_then(DomainId::new);
            let Some(info) = from.and_then(|from| self.infos_from(from).next()) else {
                break;
            };
            self.write_guest(caller, at, &describe::<M::Arch>(&info).encode())?;
            count += 1;
            next = info.id.number().checked_add(1);
            at = at.saturating_add(u64::try_from(DomainInfo::SIZE).unwrap_or_default());
        }
        Ok(count)
    }
}
