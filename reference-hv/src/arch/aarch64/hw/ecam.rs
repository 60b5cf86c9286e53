//! The configuration space of PCI functions, as memory (PCIe 7.2.2).

use alloc::vec::Vec;
use core::ops::RangeInclusive;
use core::ptr::{with_exposed_provenance, with_exposed_provenance_mut};

use aarch64_cpu::asm::barrier::{SY, dsb};

use super::mmu::Mmu;
use crate::access::Width;
use crate::arch::aarch64::stage1::Memory;
use crate::config::HostBridge;
use crate::hal::ConfigSpace;
use crate::ids::Sbdf;
use crate::paging::MapError;
use crate::pci::registers::SPACE;

/// The configuration space of one segment.
#[derive(Debug)]
struct Space {
    segment: u16,
    buses: RangeInclusive<u8>,
    base: u64,
}

/// The configuration spaces of all segments.
#[derive(Debug, Default)]
pub struct Ecam(Vec<Space>);

impl Ecam {
    /// Maps the configuration space behind a host bridge.
    ///
    /// # Errors
    /// Refuses one that is mapped already, whatever it is.
    ///
    /// # Safety
    /// What the tree calls an ECAM must be one, or nothing that is used otherwise.
    pub unsafe fn open(&mut self, mmu: &mut Mmu, bridge: &HostBridge) -> Result<(), MapError> {
        // SAFETY: The caller vouches for it.
        unsafe { mmu.map(bridge.ecam, Memory::Device)? }
        self.0.push(Space {
            segment: bridge.segment,
            buses: bridge.buses.clone(),
            base: bridge.ecam.first().raw(),
        });
        Ok(())
    }

    /// Returns where a register is; nothing where there is no such bus, and for what is no register.
    fn find(&self, at: Sbdf, offset: u16, width: Width) -> Option<usize> {
        let offset = u64::from(offset);
        if offset >= u64::from(SPACE) || !offset.is_multiple_of(width.bytes()) {
            return None;
        }
        let mut spaces = self.0.iter();
        let space = spaces.find(|space| space.segment == at.segment)?;
        if !space.buses.contains(&at.bus) {
            return None;
        }
        let bus = u64::from(at.bus - space.buses.start());
        let within = bus << 20 | u64::from(at.devfn) << 12 | offset;
        Some((space.base + within) as usize)
    }
}

impl ConfigSpace for Ecam {
    fn config_read(&mut self, at: Sbdf, offset: u16, width: Width) -> u32 {
        let Some(place) = self.find(at, offset, width) else {
            return u32::MAX;
        };
        // SAFETY: `open` has mapped the buses of every space, `find` stays inside them and aligned, and a read of a
        // configuration register that no function has gives all ones (PCIe 2.3.2).
        unsafe {
            match width {
                Width::Byte => u32::from(with_exposed_provenance::<u8>(place).read_volatile()),
                Width::Half => u32::from(with_exposed_provenance::<u16>(place).read_volatile()),
                Width::Word | Width::Double => {
                    with_exposed_provenance::<u32>(place).read_volatile()
                }
            }
        }
    }

    fn config_write(&mut self, at: Sbdf, offset: u16, width: Width, value: u32) {
        let Some(place) = self.find(at, offset, width) else {
            return;
        };
        // SAFETY: As for a read. What a function does with what is written is decided by those who may write: no base
        // address register of a function in use is moved over memory of somebody else's.
        unsafe {
            match width {
                Width::Byte => with_exposed_provenance_mut::<u8>(place).write_volatile(value as u8),
                Width::Half => {
                    with_exposed_provenance_mut::<u16>(place).write_volatile(value as u16)
                }
                Width::Word | Width::Double => {
                    with_exposed_provenance_mut::<u32>(place).write_volatile(value)
                }
            }
        }
        // It has arrived before anything that follows, a read of memory behind a decoder included.
        dsb(SY);
    }

    /// Tells it without finding the place of each register anew, four devices a turn: most buses have none.
    fn any_answer(&mut self, first: Sbdf) -> bool {
        let Some(place) = self.find(first, 0, Width::Word) else {
            return false;
        };
        let read = |device: usize| {
            let first = core::ptr::with_exposed_provenance::<u32>(place + (device << 15));
            // SAFETY: As for a read: the 32 devices of a bus are in the megabyte that it takes.
            unsafe { first.read_volatile() }
        };
        let answers = |at| read(at) & read(at + 1) & read(at + 2) & read(at + 3) != u32::MAX;
        (0..32).step_by(4).any(answers)
    }
}
