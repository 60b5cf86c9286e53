//! Reads the event queue of an IOMMU from outside: its registers give the place, its memory the records. The model
//! knows the form of both.

use super::{Iommu, Queue};

/// How many records are read: the newest.
const MOST: u64 = 4096;

/// Reads this many bytes of physical memory, up to eight of them as a single access. Or says why it cannot.
pub type Read<'a> = dyn FnMut(u64, usize) -> Result<Vec<u8>, String> + 'a;

/// A ring of records in memory, as its registers describe it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ring {
    /// Address of its first record; 0 where the registers name no memory.
    pub base: u64,
    /// How many records it has room for, a power of two.
    pub slots: u64,
    /// The slot that is written next, less than `slots`.
    pub next: u64,
    /// Whether the IOMMU writes events.
    pub on: bool,
    /// Whether events were lost because the queue was full.
    pub overflown: bool,
}

/// Reads the event queue of an IOMMU.
pub fn read(iommu: &Iommu, read: &mut Read<'_>) -> Queue {
    let mut queue = Queue {
        iommu: iommu.registers,
        ..Queue::default()
    };
    queue.unread = look(&mut queue, iommu, read).err();
    queue
}

fn look(queue: &mut Queue, iommu: &Iommu, read: &mut Read<'_>) -> Result<(), String> {
    let model = iommu.model;
    let ring = model.ring(iommu.registers, read)?;
    (queue.on, queue.overflown) = (ring.on, ring.overflown);
    if ring.base == 0 {
        return Err("its base register names no memory".to_owned());
    }
    (queue.base, queue.slots) = (ring.base, ring.slots);
    let size = model.record_bytes();
    // From the oldest record that is read to the newest, in the slot before the one that is written next.
    let count = ring.slots.min(MOST);
    let first = ring.next.wrapping_sub(count) & (ring.slots - 1);
    let behind = count.min(ring.slots - first);
    for (slot, records) in [(first, behind), (0, count - behind)] {
        if records == 0 {
            continue;
        }
        let bytes = usize::try_from(records).unwrap_or(0) * size;
        let at = ring.base.saturating_add(slot * size as u64);
        let memory = read(at, bytes)?;
        let records = memory.chunks_exact(size);
        queue
            .accesses
            .extend(records.filter_map(|record| model.decode(record)));
    }
    Ok(())
}

/// Reads up to eight little-endian bytes.
pub fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |value, byte| value << 8 | u64::from(*byte))
}
