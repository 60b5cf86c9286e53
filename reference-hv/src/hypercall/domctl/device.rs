//! Devices of domains: pages, interrupts and nodes of the device tree.

use alloc::vec::Vec;
use core::str;

use super::{Call, offset};
use crate::errno::Errno;
use crate::fault::{self, Fault};
use crate::hal::Machine;
use crate::hypercall::abi::DOMID_INVALID;
use crate::hypercall::abi::domctl::{
    ASSIGN_DEVICE, AssignDevice, AssignFunction, BIND_PT_IRQ, BindPtIrq, CacheFlush, DEV_DT,
    DEV_PCI, DeviceGroup, IomemPermission, MAX_MAPPING, MemoryMapping, TEST_ASSIGN_DEVICE,
};
use crate::ids::Sbdf;
use crate::vm::{Guest, Hypervisor, Progress};

/// Longest path: a page.
const LONGEST_PATH: usize = 4096;
/// First frame number that no physical address has (52 bits at most on any).
const FRAME_LIMIT: u64 = 1 << (52 - 12);

impl<M: Machine<Arch: Guest>> Hypervisor<M> {
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
        let line = M::Arch::bound_line(what.kind, what.machine_irq, what.guest)?;
        let target = call.target()?;
        if call.argument.command == BIND_PT_IRQ {
            self.bind_line(target, line)
        } else if fault::on(Fault::UnbindForgotten) {
            Ok(())
        } else {
            self.unbind_line(target, line)
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

    /// Assigns a device behind an IOMMU, says whether that can be, or takes it back. Returns whether that was all.
    pub(super) fn assign_device_call(&mut self, call: &Call) -> Result<Progress, Errno> {
        let what = AssignDevice::decode(&call.rest);
        let whoever = call.argument.command == TEST_ASSIGN_DEVICE;
        if !(whoever && call.argument.domain == DOMID_INVALID) {
            let info = self.info(call.target()?)?;
            if info.dying && matches!(call.argument.command, ASSIGN_DEVICE | TEST_ASSIGN_DEVICE) {
                return Err(Errno::EINVAL);
            }
        }
        match what.kind {
            DEV_PCI => return self.assign_function_call(call),
            DEV_DT => {}
            _ => return Err(Errno::ENODEV),
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
            ASSIGN_DEVICE => self.assign_device(call.target()?, path)?,
            TEST_ASSIGN_DEVICE => self.test_assign(path)?,
            _ => self.deassign_device(call.target()?, path)?,
        }
        Ok(Progress::Done)
    }

    /// The same for a PCI function.
    fn assign_function_call(&mut self, call: &Call) -> Result<Progress, Errno> {
        let what = AssignFunction::decode(&call.rest);
        let at = sbdf(what.sbdf);
        if call.argument.command == TEST_ASSIGN_DEVICE {
            if what.flags != 0 {
                return Err(Errno::EINVAL);
            }
            self.test_function(at)?;
            return Ok(Progress::Done);
        }
        let target = self.other(call)?;
        // That its pages are mapped ahead of use (XEN_DOMCTL_DEV_RDM_RELAXED) means nothing here.
        if what.flags != 0 {
            return Err(Errno::EINVAL);
        }
        if call.argument.command == ASSIGN_DEVICE {
            self.assign_function(target, at)?;
            return Ok(Progress::Done);
        }
        self.deassign_function(target, at)
    }

    /// Writes the functions that are not isolated from one into the caller's array, and how many there are.
    pub(super) fn device_group(&mut self, call: &Call) -> Result<(), Errno> {
        let mut what = DeviceGroup::decode(&call.rest);
        let target = call.target()?;
        self.check_answer(call)?;
        let group = self.function_group(sbdf(what.sbdf))?;
        let most = usize::try_from(what.max).unwrap_or(usize::MAX);
        what.count = 0;
        for (at, nth) in group.into_iter().take(most).zip(0_usize..) {
            let number = u32::from(at.segment) << 16 | u32::from(at.requester());
            let place = offset(what.buffer, nth * size_of::<u32>())?;
            self.write_guest(call.caller, place, &number.to_le_bytes())?;
            what.count += 1;
        }
        self.answer_with(call, target, &what.encode())
    }
}

/// Takes apart what Xen calls a machine_sbdf.
fn sbdf(number: u32) -> Sbdf {
    let [devfn, bus, low, high] = number.to_le_bytes();
    Sbdf {
        segment: u16::from_le_bytes([low, high]),
        bus,
        devfn,
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
