//! The event queue of an SMMUv3: its registers (6.3.26 to 6.3.28) and its records (7.3).

use super::{named_by, tells_access};
use crate::iommu::queue::{Read, Ring, number};
use crate::iommu::{Access, AccessFate};

/// SMMU_CR0, and its bit for the event queue (6.3.9).
const CR0: u64 = 0x20;
const EVENTQEN: u64 = 1 << 2;
/// SMMU_EVENTQ_BASE: address and binary logarithm of the number of records.
const BASE: u64 = 0xa0;
const ADDRESS: u64 = 0x000f_ffff_ffff_ffe0;
const LOG2SIZE: u64 = 0x1f;
/// Largest logarithm that the architecture has.
const LARGEST: u64 = 19;
/// SMMU_EVENTQ_PROD and SMMU_EVENTQ_CONS, on the second page. Their top bits differ until software acknowledges an
/// overflow.
const PROD: u64 = 0x1_00a8;
const CONS: u64 = 0x1_00ac;
const OVERFLOW: u64 = 1 << 31;
/// Bytes of a record.
pub const RECORD: usize = 32;
/// Finds the queue of the SMMU whose registers begin at `smmu`.
pub fn ring(smmu: u64, read: &mut Read<'_>) -> Result<Ring, String> {
    let mut register = |offset: u64, bytes| {
        let value = read(smmu.wrapping_add(offset), bytes)?;
        Ok::<u64, String>(number(&value))
    };
    let on = register(CR0, 4)? & EVENTQEN != 0;
    let base = register(BASE, 8)?;
    let (produced, consumed) = (register(PROD, 4)?, register(CONS, 4)?);
    let slots = 1 << (base & LOG2SIZE).min(LARGEST);
    Ok(Ring {
        base: base & ADDRESS,
        slots,
        next: produced & (slots - 1),
        on,
        overflown: (produced ^ consumed) & OVERFLOW != 0,
    })
}

/// Decodes a record; returns nothing for a slot that was never written. Total: unnamed event numbers decode as well.
pub fn decode(record: &[u8]) -> Option<Access> {
    let kind = *record.first()?;
    if kind == 0 {
        return None;
    }
    let bytes = |from: usize, to: usize| record.get(from..to).map_or(0, number);
    let about = tells_access(kind);
    Some(Access {
        stream: u32::try_from(bytes(4, 8)).ok(),
        fate: AccessFate::Recorded(named_by(kind)),
        // InputAddr, bits 191 to 128.
        address: about.then(|| bytes(16, 24)),
        // RnW, bit 99.
        write: about.then(|| bytes(8, 16) >> 35 & 1 == 0),
    })
}

#[cfg(test)]
mod tests {
    use super::super::Smmuv3;
    use super::*;
    use crate::iommu::{Iommu, Queue};

    const SMMU: u64 = 0x0905_0000;
    const AT: u64 = 0x4030_0000;

    /// Reads the queue of the machine's SMMU.
    fn read(mut read: impl FnMut(u64, usize) -> Result<Vec<u8>, String>) -> Queue {
        let iommu = Iommu {
            registers: SMMU,
            model: &Smmuv3,
        };
        crate::iommu::queue::read(&iommu, &mut read)
    }

    /// A record as the architecture lays it out: reason, stream, write, address.
    fn record(reason: u8, stream: u32, write: bool, address: u64) -> [u8; RECORD] {
        let mut record = [0; RECORD];
        record[0] = reason;
        record[4..8].copy_from_slice(&stream.to_le_bytes());
        // S2 and CLASS are set as well, and must not change the direction.
        let second = u64::from(!write) << 35 | 1 << 39 | 2 << 40;
        record[8..16].copy_from_slice(&second.to_le_bytes());
        record[16..24].copy_from_slice(&address.to_le_bytes());
        record
    }

    /// Simulates a machine whose queue has room for `2^log` records and starts with these.
    fn queue(log: u64, produced: u64, consumed: u64, records: &[[u8; RECORD]]) -> Queue {
        let mut memory: Vec<u8> = records.concat();
        memory.resize(RECORD << log, 0);
        read(|at, bytes| {
            let value = match at.wrapping_sub(SMMU) {
                CR0 => EVENTQEN | 1,
                BASE => 1 << 62 | AT | log,
                PROD => produced,
                CONS => consumed,
                _ => {
                    let from = usize::try_from(at.checked_sub(AT).ok_or("below")?).unwrap();
                    let part = memory.get(from..from + bytes).ok_or("beyond")?;
                    return Ok(part.to_vec());
                }
            };
            Ok(value.to_le_bytes()[..bytes].to_vec())
        })
    }

    fn told(queue: &Queue) -> Vec<String> {
        assert_eq!(queue.unread, None);
        let seen = queue.accesses.seen.iter();
        seen.map(|counted| format!("{} x {}", counted.count, counted.access))
            .collect()
    }

    /// Records are read from the oldest to the newest, also after the queue has wrapped. Slots that were never written
    /// give none.
    #[test]
    fn records_are_read_in_their_order() {
        let records = [
            record(0x10, 0x18, true, 0x5000_0000),
            record(0x13, 0x18, false, 0x5000_0004),
            record(0x02, 0x1_0000, true, 0xdead),
            record(0x10, 0x18, true, 0x5000_0000),
        ];
        let wanted = [
            "2 x device 0x18 F_TRANSLATION write 0x50000000",
            "1 x device 0x18 F_PERMISSION read 0x50000004",
            "1 x device 0x10000 C_BAD_STREAMID",
        ];
        let fresh = queue(3, 4, 4, &records);
        assert_eq!(told(&fresh), wanted);
        assert_eq!(
            (fresh.base, fresh.slots, fresh.on, fresh.overflown),
            (AT, 8, true, false)
        );
        // The queue is full and the third slot is written next, so that slot holds the oldest record.
        let round = queue(2, 4 | 2, 4 | 2, &records);
        let wanted = [
            "1 x device 0x10000 C_BAD_STREAMID",
            "2 x device 0x18 F_TRANSLATION write 0x50000000",
            "1 x device 0x18 F_PERMISSION read 0x50000004",
        ];
        assert_eq!(told(&round), wanted);
    }

    /// Of a queue longer than the limit, the newest records are read, each once.
    #[test]
    fn large_queues_are_read_in_part() {
        let records: Vec<_> = (0..8192).map(|n| record(0x10, n, true, 0)).collect();
        let newest = |queue: &Queue| {
            let seen = &queue.accesses.seen;
            assert_eq!(seen.len(), 4096);
            (seen[0].access.stream, seen[4095].access.stream)
        };
        assert_eq!(
            newest(&queue(13, 5000, 0, &records)),
            (Some(904), Some(4999))
        );
        assert_eq!(
            newest(&queue(13, 1000, 0, &records)),
            (Some(5096), Some(999))
        );
    }

    /// An overflow is reported until it is acknowledged. A size beyond the architecture's limit does not make the
    /// reader loop.
    #[test]
    fn odd_registers_are_read() {
        assert!(queue(1, OVERFLOW | 1, 1, &[]).overflown);
        assert!(!queue(1, OVERFLOW | 1, OVERFLOW | 1, &[]).overflown);
        let asked = std::cell::Cell::new(0);
        let endless = read(|at, bytes| {
            asked.set(asked.get() + bytes);
            Ok(if at == SMMU + BASE {
                (AT | 0x1f).to_le_bytes().to_vec()
            } else {
                vec![0xff; bytes]
            })
        });
        assert_eq!((endless.slots, endless.unread), (1 << 19, None));
        assert!(asked.get() < 5000 * RECORD, "{}", asked.get());
        assert_eq!(
            endless.accesses.seen[0].access.fate.to_string(),
            "event 0xff"
        );
    }

    /// A queue that cannot be read is reported as unread, not as empty.
    #[test]
    fn unread_queues_are_told() {
        let gone = read(|_, _| Err("QEMU has ended".to_owned()));
        assert_eq!(gone.unread.as_deref(), Some("QEMU has ended"));
        let nowhere = read(|_, bytes| Ok(vec![0; bytes]));
        assert_eq!(
            nowhere.unread.as_deref(),
            Some("its base register names no memory")
        );
    }
}
