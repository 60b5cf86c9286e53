//! The caller's memory, by the caller's own addresses.
//!
//! An address goes through the caller's first stage and then its second. Only RAM counts, and each page
//! is looked up by itself: pages next to one another for the guest need not be so for the host.

use crate::addr::{PAGE_SIZE, Pa};
use crate::errno::Errno;
use crate::fault::{self, Fault};
use crate::hal::Machine;
use crate::vm::{Guest, Hypervisor, VcpuRef};

impl<M: Machine<Arch: Guest>> Hypervisor<M> {
    /// Reads `N` bytes of the caller's, whose virtual CPU is loaded.
    pub(super) fn read_guest<const N: usize>(
        &mut self,
        caller: VcpuRef,
        va: u64,
    ) -> Result<[u8; N], Errno> {
        let mut bytes = [0; N];
        self.read_guest_into(caller, va, &mut bytes)?;
        Ok(bytes)
    }

    /// Reads bytes of the caller's. What the buffer holds after an error means nothing.
    pub(super) fn read_guest_into(
        &mut self,
        caller: VcpuRef,
        va: u64,
        bytes: &mut [u8],
    ) -> Result<(), Errno> {
        let mut at = Some(va);
        let mut left = bytes;
        while !left.is_empty() {
            let va = at.ok_or(Errno::EFAULT)?;
            let (pa, size) = self.locate(caller, va, false, left.len())?;
            let (now, later) = left.split_at_mut(size);
            if !self.machine().read(pa, now) {
                return Err(Errno::EFAULT);
            }
            left = later;
            at = after(va, size);
        }
        Ok(())
    }

    /// Writes bytes of the caller's, all of them or none.
    pub(super) fn write_guest(
        &mut self,
        caller: VcpuRef,
        va: u64,
        bytes: &[u8],
    ) -> Result<(), Errno> {
        self.check_guest(caller, va, bytes.len(), true)?;
        let mut at = Some(va);
        let mut left = bytes;
        while !left.is_empty() {
            let va = at.ok_or(Errno::EFAULT)?;
            let (pa, size) = self.locate(caller, va, true, left.len())?;
            let (now, later) = left.split_at(size);
            if !self.machine().write(pa, now) {
                return Err(Errno::EFAULT);
            }
            left = later;
            at = after(va, size);
        }
        Ok(())
    }

    /// Checks that the caller can read, or write, bytes of its own.
    pub(super) fn check_guest(
        &mut self,
        caller: VcpuRef,
        va: u64,
        size: usize,
        write: bool,
    ) -> Result<(), Errno> {
        let mut at = Some(va);
        let mut left = size;
        while left > 0 {
            let va = at.ok_or(Errno::EFAULT)?;
            let (_, size) = self.locate(caller, va, write, left)?;
            left -= size;
            at = after(va, size);
        }
        Ok(())
    }

    /// Returns where the caller's byte at `va` is, and how many bytes from there on, `most` at most,
    /// lie in one page of both stages.
    fn locate(
        &mut self,
        caller: VcpuRef,
        va: u64,
        write: bool,
        most: usize,
    ) -> Result<(Pa, usize), Errno> {
        let ipa = self.machine().stage1(va, write).ok_or(Errno::EFAULT)?;
        let (pa, rest) = self.guest_ram(caller, ipa).ok_or(Errno::EFAULT)?;
        let rest = rest.min(PAGE_SIZE - va % PAGE_SIZE);
        let mut size = usize::try_from(rest).map_or(most, |rest| rest.min(most));
        if fault::on(Fault::SecondPageGuessed) {
            size = most;
        }
        if size == 0 {
            return Err(Errno::EFAULT);
        }
        Ok((pa, size))
    }
}

/// Returns the address `size` bytes further on; `None` past the last one.
fn after(va: u64, size: usize) -> Option<u64> {
    va.checked_add(u64::try_from(size).ok()?)
}
