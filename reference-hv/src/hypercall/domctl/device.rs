//! Devices of domains: pages, interrupts and nodes of the device tree.

use alloc::vec::Vec;
use core::str;

use super::Call;
use crate::arch::aarch64::inject::Exception;
use crate::arch::aarch64::sysreg::IdRegister;
use crate::errno::Errno;
use crate::fault::{self, Fault};
use crate::hal::Machine;
use crate::hypercall::abi::DOMID_INVALID;
use crate::hypercall::abi::domctl::{
    ASSIGN_DEVICE, AssignDevice, BIND_PT_IRQ, BindPtIrq, CacheFlush, DEV_DT, IRQ_SPI,
    IomemPermission, MAX_MAPPING, MemoryMapping, TEST_ASSIGN_DEVICE,
};
use crate::vm::{Hypervisor, Progress};

/// Longest path: a page.
const LONGEST_PATH: usize = 4096;
/// First frame number that no physical address has (Arm ARM D8.1.8: 52 bits at most).
const FRAME_LIMIT: u64 = 1 << (52 - 12);

impl<M: Machine<Exception = Exception, Identity = IdRegister>> Hypervisor<M> {
    pub(super) fn iomem_permission(&mut self, call: &Call) -> Result<(), Errno> {
        let what = IomemPermission::decode(&call.rest);
        check_frames(what.first, what.count)?;
        let target = call.target()?;
        self.permit_pages(target, what.first, what.count, what.allow != 0)
    }

    pub(super) fn memory_mapping(&mut self, call: &Call) -> Result<(), Errno> {
        let what = MemoryMapping::decode(&call.rest);
        check_frames(what.host, what.count)?;
        check_frames(what.guest, what.count)?;
        if what.count > MAX_MAPPING {
            return Err(Errno::E2BIG);
        }
        let target = call.target()?;
        let add = what.add != 0;
        if add && fault::on(Fault::PermissionNotAsked) {
            self.permit_pages(target, what.host, what.count, true)?;
        }
        if !add && fault::on(Fault::UnmapForgotten) {
            return Ok(());
        }
        self.map_pages(target, what.guest, what.host, what.count, add)
    }

    pub(super) fn pt_irq(&mut self, call: &Call) -> Result<(), Errno> {
        let what = BindPtIrq::decode(&call.rest);
        if what.kind != IRQ_SPI {
            return Err(Errno::EOPNOTSUPP);
        }
        // A line has the same number for the guest and for the host.
        if u32::from(what.spi) != what.machine_irq {
            return Err(Errno::EINVAL);
        }
        let target = call.target()?;
        if call.argument.command == BIND_PT_IRQ {
            self.bind_line(target, what.machine_irq)
        } else if fault::on(Fault::UnbindForgotten) {
            Ok(())
        } else {
            self.unbind_line(target, what.machine_irq)
        }
    }

    /// Writes back a part of what is asked for, and returns whether that was all. What is left stands in
    /// the argument then, so that the call can be made again.
    pub(super) fn cache_flush(&mut self, call: &Call) -> Result<Progress, Errno> {
        let what = CacheFlush::decode(&call.rest);
        let end = what
            .first
            .checked_add(what.count)
            .ok_or(Errno::EINVAL)?
            .min(FRAME_LIMIT);
        let target = call.target()?;
        self.check_answer(call)?;
        let count = end.saturating_sub(what.first);
        let Some(first) = self.write_back(target, what.first.min(end), count)? else {
            return Ok(Progress::Done);
        };
        let left = CacheFlush {
            first,
            count: end - first,
        };
        self.answer_with(call, target, &left.encode())?;
        Ok(Progress::Again)
    }

    /// Assigns a device behind an IOMMU, says whether that can be, or takes it back.
    pub(super) fn assign_device_call(&mut self, call: &Call) -> Result<(), Errno> {
        let what = AssignDevice::decode(&call.rest);
        let whoever = call.argument.command == TEST_ASSIGN_DEVICE;
        if !(whoever && call.argument.domain == DOMID_INVALID) {
            let info = self.info(call.target()?)?;
            if info.dying && matches!(call.argument.command, ASSIGN_DEVICE | TEST_ASSIGN_DEVICE) {
                return Err(Errno::EINVAL);
            }
        }
        if what.kind != DEV_DT {
            return Err(Errno::ENODEV);
        }
        let length = usize::try_from(what.length).map_err(|_| Errno::ENOBUFS)?;
        if what.flags != 0 || length == 0 {
            return Err(Errno::EINVAL);
        }
        if length > LONGEST_PATH {
            return Err(Errno::ENOBUFS);
        }
        let mut path = Vec::new();
        path.try_reserve_exact(length).map_err(|_| Errno::ENOMEM)?;
        path.resize(length, 0);
        self.read_guest_into(call.caller, what.path, &mut path)?;
        // C's string ends with the first NUL, whatever the length says.
        let path = path.split(|byte| *byte == 0).next().unwrap_or_default();
        let path = str::from_utf8(path).map_err(|_| Errno::ESRCH)?;
        match call.argument.command {
            ASSIGN_DEVICE => self.assign_device(call.target()?, path),
            TEST_ASSIGN_DEVICE => self.test_assign(path),
            _ => self.deassign_device(call.target()?, path),
        }
    }
}

/// Checks that frames are some, and that all of them can be numbers of frames.
fn check_frames(first: u64, count: u64) -> Result<(), Errno> {
    let end = first.checked_add(count).ok_or(Errno::EINVAL)?;
    if count == 0 || end > FRAME_LIMIT {
        return Err(Errno::EINVAL);
    }
    Ok(())
}
