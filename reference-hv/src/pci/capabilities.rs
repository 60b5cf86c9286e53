//! Lists of capabilities (PCI 6.7, PCIe 7.6.3). Both are chains that a function may have tied to a ring.

use super::registers::{CAPABILITIES, DEVICE_SPECIFIC, EXTENDED};
use super::{Capability, Registers};
use crate::hal::ConfigSpace;

/// Most capabilities of the first list: as many as there is room for behind the header.
const MOST: usize = 48;
/// Most extended capabilities that are looked at. The standard has fewer.
const MOST_EXTENDED: usize = 64;

/// The first list, as far as it can be believed, each with the half word behind its head.
pub(super) struct List {
    found: [(Capability, u16); MOST],
    count: usize,
    /// Where the list goes on although it cannot.
    pub(super) cut: Option<u8>,
}

impl List {
    /// Follows the list of a function.
    pub(super) fn read<S: ConfigSpace>(registers: &mut Registers<'_, S>) -> Self {
        let mut list = Self {
            found: [(Capability { id: 0, offset: 0 }, 0); MOST],
            count: 0,
            cut: None,
        };
        let mut seen = 0_u64;
        let mut next = registers.byte(CAPABILITIES);
        loop {
            // The two lowest bits are reserved, and no part of the address.
            let offset = next & !3;
            if offset == 0 {
                return list;
            }
            let bit = 1 << (offset / 4);
            let outside = u16::from(offset) < DEVICE_SPECIFIC;
            let Some(place) = (!outside && seen & bit == 0)
                .then(|| list.found.get_mut(list.count))
                .flatten()
            else {
                list.cut = Some(next);
                return list;
            };
            seen |= bit;
            let [id, further, low, high] = registers.word(offset.into()).to_le_bytes();
            // A function that is not there any more says nothing but ones, and these are no capability.
            if id == u8::MAX {
                list.cut = Some(next);
                return list;
            }
            *place = (Capability { id, offset }, u16::from_le_bytes([low, high]));
            list.count += 1;
            next = further;
        }
    }

    /// Returns what was found, in order.
    pub(super) fn all(&self) -> impl Iterator<Item = (Capability, u16)> {
        self.found.iter().copied().take(self.count)
    }

    /// Returns the first capability with this number, and the half word behind its head.
    pub(super) fn first(&self, id: u8) -> Option<(u8, u16)> {
        let (found, head) = self.all().find(|(found, _)| found.id == id)?;
        Some((found.offset, head))
    }
}

/// Finds an extended capability.
pub(super) fn extended<S: ConfigSpace>(
    registers: &mut Registers<'_, S>,
    wanted: u16,
) -> Option<u16> {
    let mut offset = EXTENDED;
    for _ in 0..MOST_EXTENDED {
        let head = registers.word(offset);
        let [low, high, ..] = head.to_le_bytes();
        let id = u16::from_le_bytes([low, high]);
        if head == 0 || id == u16::MAX {
            return None;
        }
        if id == wanted {
            return Some(offset);
        }
        // Cannot be more than twelve bits.
        offset = u16::try_from(head >> 20).ok()? & !3;
        if offset < EXTENDED {
            return None;
        }
    }
    None
}
