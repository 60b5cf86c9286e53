//! memory_op: RAM of domains, given, shared and taken.

use super::abi::memory_op::{
    ADD_TO_PHYSMAP, ADD_TO_PHYSMAP_BATCH, AddToPhysmapBatch, COMMAND_BITS, POPULATE_PHYSMAP,
    REMOVE_FROM_PHYSMAP, RemoveFromPhysmap, Reservation, SPACE_FOREIGN, SPACE_RANGE,
};
use super::abi::{DOMID_SELF, Field};
use super::{Answer, Arguments};
use crate::errno::Errno;
use crate::hal::Machine;
use crate::ids::DomainId;
use crate::vm::{Guest, Hypervisor, Outcome, VcpuRef};

/// Pages that one call gives before others have their turn.
const PAGES_AT_ONCE: u64 = 512;
/// Foreign pages that one call maps before others have their turn.
const FOREIGN_AT_ONCE: u64 = 64;
/// Most extents: their number has to fit above the command (as Xen has it).
const MOST_EXTENTS: u64 = 0xffff_ffff >> COMMAND_BITS;
/// Largest extent, as a power of two pages: one block.
const MAX_ORDER: u32 = 9;

impl<M: Machine<Arch: Guest>> Hypervisor<M> {
    /// Serves memory_op.
    pub(super) fn memory_op(&mut self, caller: VcpuRef, args: &Arguments) -> Answer {
        self.require_control(caller)?;
        let &[command, at, ..] = args;
        let done = command >> COMMAND_BITS;
        let command = command & ((1 << COMMAND_BITS) - 1);
        match command {
            POPULATE_PHYSMAP => {
                let (done, more) = self.populate_extents(caller, at, done);
                Ok(if more {
                    again(args, command, done)
                } else {
                    Outcome::Answer(done)
                })
            }
            ADD_TO_PHYSMAP_BATCH => {
                let more = self.map_batch(caller, at, done)?;
                Ok(more.map_or(Outcome::Answer(0), |done| again(args, command, done)))
            }
            REMOVE_FROM_PHYSMAP if done == 0 => {
                let bytes = self.read_guest::<{ RemoveFromPhysmap::SIZE }>(caller, at)?;
                let what = RemoveFromPhysmap::decode(&bytes);
                let target = self.target_or_self(caller, what.domain)?;
                self.unpopulate(target, what.frame)?;
                Ok(Outcome::Answer(0))
            }
            REMOVE_FROM_PHYSMAP => Err(Errno::EINVAL),
            // Of the pages that this one can give, none exists here.
            ADD_TO_PHYSMAP => Err(Errno::ENOSYS),
            _ => Err(Errno::ENOSYS),
        }
    }

    /// Gives a domain extents of RAM from number `done` on. Returns how many it has then, and whether
    /// to go on. As in Xen, whatever stops it is told by that number alone.
    fn populate_extents(&mut self, caller: VcpuRef, at: u64, done: u64) -> (u64, bool) {
        let Ok(bytes) = self.read_guest::<{ Reservation::SIZE }>(caller, at) else {
            return (done, false);
        };
        let what = Reservation::decode(&bytes);
        let possible = what.count <= MOST_EXTENTS && what.order <= MAX_ORDER && what.flags == 0;
        let Some(target) = self
            .target_or_self(caller, what.domain)
            .ok()
            .filter(|_| possible)
        else {
            return (done, false);
        };
        let mut pages = 0;
        let mut next = done;
        while next < what.count {
            if pages >= PAGES_AT_ONCE {
                return (next, true);
            }
            let given = self
                .read_element(caller, what.extents, next)
                .and_then(|frame| self.populate(target, frame, what.order));
            if given.is_err() {
                break;
            }
            pages += 1 << what.order;
            next += 1;
        }
        (next, false)
    }

    /// Maps pages of another domain from number `done` on. Returns how many are done when there are
    /// more.
    fn map_batch(&mut self, caller: VcpuRef, at: u64, done: u64) -> Result<Option<u64>, Errno> {
        let bytes = self.read_guest::<{ AddToPhysmapBatch::SIZE }>(caller, at)?;
        let what = AddToPhysmapBatch::decode(&bytes);
        match what.space {
            SPACE_FOREIGN => {}
            SPACE_RANGE => return Err(Errno::EOPNOTSUPP),
            _ => return Err(Errno::ENOSYS),
        }
        let into = self.target_or_self(caller, what.domain)?;
        let size = u64::from(what.size);
        // Nobody goes on where there was nothing to begin with.
        if done > 0 && done >= size {
            return Err(Errno::EINVAL);
        }
        let end = size.min(done + FOREIGN_AT_ONCE);
        for nth in done..end {
            let index = self.read_element(caller, what.indices, nth)?;
            let frame = self.read_element(caller, what.frames, nth)?;
            let slot = element(what.errors, nth, i32::SIZE)?;
            self.check_guest(caller, slot, i32::SIZE, true)?;
            let mapped = self
                .target_or_self(caller, what.foreign)
                .and_then(|from| self.map_foreign(into, frame, from, index));
            let [a, b, c, d, ..] = mapped.map_or_else(Errno::value, |()| 0).to_le_bytes();
            self.write_guest(caller, slot, &[a, b, c, d])?;
        }
        Ok((end < size).then_some(end))
    }

    /// Reads an element of an array of 64 bits.
    fn read_element(&mut self, caller: VcpuRef, array: u64, nth: u64) -> Result<u64, Errno> {
        let at = element(array, nth, u64::SIZE)?;
        Ok(u64::from_le_bytes(self.read_guest(caller, at)?))
    }

    /// Says which domain a number means to the caller.
    fn target_or_self(&self, caller: VcpuRef, number: u16) -> Result<DomainId, Errno> {
        match number {
            DOMID_SELF => Ok(self.id_of(caller)),
            _ => DomainId::new(number).ok_or(Errno::ESRCH),
        }
    }
}

/// Returns the address of an element of an array.
fn element(array: u64, nth: u64, size: usize) -> Result<u64, Errno> {
    let offset = u64::try_from(size)
        .ok()
        .and_then(|size| size.checked_mul(nth));
    offset
        .and_then(|offset| array.checked_add(offset))
        .ok_or(Errno::EFAULT)
}

/// Has the call made again with what is done in its command.
fn again(args: &Arguments, command: u64, done: u64) -> Outcome {
    let [_, rest @ ..] = *args;
    let [a, b, c, d] = rest;
    Outcome::Again([command | done << COMMAND_BITS, a, b, c, d])
}
