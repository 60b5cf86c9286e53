//! domctl: the life of domains, in the hands of a control domain.

use alloc::vec;

use super::abi::create::CreateDomain;
use super::abi::domctl::{
    self as abi, DomainInfo, Domctl, INTERFACE, MaxMem, MaxVcpus, REST, TablePool, VcpuContextAt,
    state,
};
use super::{Answer, Arguments, offset};
use crate::addr::PAGE_SIZE;
use crate::errno::Errno;
use crate::fault::{self, Fault};
use crate::hal::{Arch, Context, Machine};
use crate::ids::{DomainId, MAX_VCPUS};
use crate::vm::{self, Guest, Hypervisor, NewDomain, Outcome, Progress, VcpuRef};

mod device;

/// First number that means something else than a domain (DOMID_FIRST_RESERVED).
const FIRST_RESERVED: u16 = 0x7ff0;
/// Bits of a guest-physical address, where the proof puts the limit.
const ADDRESS_BITS: u8 = 40;

/// One call.
#[derive(Clone, Copy, Debug)]
struct Call {
    caller: VcpuRef,
    /// Where its argument is.
    at: u64,
    argument: Domctl,
    /// The command's own part.
    rest: [u8; 128],
}

impl Call {
    /// Returns the domain that it is about.
    fn target(&self) -> Result<DomainId, Errno> {
        DomainId::new(self.argument.domain).ok_or(Errno::ESRCH)
    }
}

impl<M: Machine<Arch: Guest>> Hypervisor<M> {
    /// Serves domctl.
    pub(super) fn domctl(&mut self, caller: VcpuRef, args: &Arguments) -> Answer {
        let control = self.privilege(caller).control;
        if !control && !fault::on(Fault::AssignmentByAnyone) && !fault::on(Fault::DestroyByAnyone) {
            return Err(Errno::EPERM);
        }
        let &[at, ..] = args;
        let argument = Domctl::decode(&self.read_guest::<{ Domctl::SIZE }>(caller, at)?);
        if argument.version != INTERFACE {
            return Err(Errno::EACCES);
        }
        if !control && !left_open(argument.command) {
            return Err(Errno::EPERM);
        }
        let call = Call {
            caller,
            at,
            argument,
            rest: argument.rest_bytes(),
        };
        match argument.command {
            abi::CREATE => self.create_call(&call)?,
            abi::DESTROY => {
                let target = self.other(&call)?;
                if self.destroy(target)? == Progress::Again && !fault::on(Fault::DestroyHalfDone) {
                    return Ok(Outcome::Again(*args));
                }
            }
            abi::PAUSE => {
                let target = self.other(&call)?;
                self.pause(target)?;
            }
            abi::UNPAUSE => self.unpause(call.target()?)?,
            abi::GET_INFO => {
                self.check_answer(&call)?;
                let info = self.info(call.target()?)?;
                self.answer_with(&call, info.id, &describe::<M::Arch>(&info).encode())?;
            }
            abi::MAX_MEM => {
                let wanted = MaxMem::decode(&call.rest);
                self.set_memory_limit(call.target()?, wanted.kib)?;
            }
            abi::SET_VCPU_CONTEXT => self.set_context_call(&call)?,
            abi::MAX_VCPUS => {
                let wanted = MaxVcpus::decode(&call.rest);
                let target = self.other(&call)?;
                self.set_vcpus(target, wanted.count)?;
            }
            abi::GET_TABLE_POOL => {
                self.check_answer(&call)?;
                let target = call.target()?;
                let bytes = self.table_pool(target)?;
                self.answer_with(&call, target, &TablePool { bytes }.encode())?;
            }
            abi::SET_TABLE_POOL => {
                let wanted = TablePool::decode(&call.rest);
                if !wanted.bytes.is_multiple_of(PAGE_SIZE) {
                    return Err(Errno::EINVAL);
                }
                self.set_table_pool(call.target()?, wanted.bytes)?;
            }
            abi::IOMEM_PERMISSION => self.iomem_permission(&call)?,
            abi::MEMORY_MAPPING => self.memory_mapping(&call)?,
            abi::BIND_PT_IRQ | abi::UNBIND_PT_IRQ => self.pt_irq(&call)?,
            abi::ASSIGN_DEVICE | abi::TEST_ASSIGN_DEVICE | abi::DEASSIGN_DEVICE => {
                if self.assign_device_call(&call)? == Progress::Again {
                    return Ok(Outcome::Again(*args));
                }
            }
            abi::GET_DEVICE_GROUP => self.device_group(&call)?,
            abi::CACHE_FLUSH => {
                if self.cache_flush(&call)? == Progress::Again {
                    return Ok(Outcome::Again(*args));
                }
            }
            _ => return Err(Errno::ENOSYS),
        }
        Ok(Outcome::Answer(0))
    }

    /// Returns the domain that a call is about, which must not be the caller's own.
    fn other(&self, call: &Call) -> Result<DomainId, Errno> {
        let target = call.target()?;
        if target == self.id_of(call.caller) {
            return Err(Errno::EINVAL);
        }
        Ok(target)
    }

    /// Checks that a call's argument can be written to, before anything is done.
    fn check_answer(&mut self, call: &Call) -> Result<(), Errno> {
        self.check_guest(call.caller, call.at, Domctl::SIZE, true)
    }

    /// Writes the number of a domain and the command's own part into the argument.
    fn answer_with(&mut self, call: &Call, domain: DomainId, rest: &[u8]) -> Result<(), Errno> {
        let number = offset(call.at, core::mem::offset_of!(Domctl, domain))?;
        self.write_guest(call.caller, number, &domain.number().to_le_bytes())?;
        self.write_guest(call.caller, offset(call.at, REST)?, rest)
    }

    fn create_call(&mut self, call: &Call) -> Result<(), Errno> {
        let mut wanted = CreateDomain::decode(&call.rest);
        let shared_lines = M::Arch::configure(&mut wanted.arch).ok_or(Errno::EINVAL)?;
        if !wanted.is_possible(self.has_iommu()) || !(1..=MAX_VCPUS).contains(&wanted.max_vcpus) {
            return Err(Errno::EINVAL);
        }
        let id = match call.argument.domain {
            0 | FIRST_RESERVED.. => None,
            number => Some(DomainId::new(number).ok_or(Errno::EINVAL)?),
        };
        self.check_answer(call)?;
        let new = NewDomain {
            cpus: wanted.max_vcpus,
            shared_lines,
            handle: wanted.handle,
        };
        let id = self.create_domain(id, &new)?;
        self.answer_with(call, id, &wanted.encode())
    }

    fn set_context_call(&mut self, call: &Call) -> Result<(), Errno> {
        let wanted = VcpuContextAt::decode(&call.rest);
        let target = self.other(call)?;
        let mut bytes = vec![0; <M::Arch as Arch>::Context::SIZE];
        self.read_guest_into(call.caller, wanted.context, &mut bytes)?;
        let context = Context::decode(&bytes);
        self.set_context(target, wanted.vcpu, context)
    }
}

/// Says whether a seeded fault lets any domain give a command.
fn left_open(command: u32) -> bool {
    match command {
        abi::DESTROY => fault::on(Fault::DestroyByAnyone),
        abi::IOMEM_PERMISSION | abi::MEMORY_MAPPING | abi::BIND_PT_IRQ => {
            fault::on(Fault::AssignmentByAnyone)
        }
        _ => false,
    }
}

/// Puts what there is to know of a domain as Xen does.
pub(super) fn describe<A: Guest>(info: &vm::DomainInfo) -> DomainInfo {
    let bit = |set, flag| if set { flag } else { 0 };
    let reason = info.shutdown.map_or(state::NO_REASON, |reason| {
        state::SHUTDOWN | u32::from(reason) << state::REASON_SHIFT
    });
    DomainInfo {
        domain: info.id.number(),
        flags: state::HVM
            | state::HAP
            | reason
            | bit(info.dying, state::DYING)
            | bit(info.paused, state::PAUSED)
            | bit(info.blocked, state::BLOCKED)
            | bit(info.running, state::RUNNING),
        tot_pages: info.pages,
        max_pages: info.max_pages,
        // There is no such page (INVALID_GFN).
        shared_info_frame: u64::MAX,
        nr_online_vcpus: info.online,
        max_vcpu_id: info.max_vcpu.unwrap_or(u32::MAX),
        handle: info.handle,
        gpaddr_bits: ADDRESS_BITS,
        arch: A::INFO,
        ..DomainInfo::decode(&[])
    }
}
