//! A virtual PCI host bridge: what a domain sees of the functions that it was given.
//!
//! A guest has one bridge of the generic kind (ECAM), of which only bus 0 has functions. Each function that it was
//! given stands there as function 0 of a device of its own. Nothing reaches the hardware that is not named below, so
//! what nobody thought of is denied:
//!
//! - **identity** (IDs, class, revision, subsystem) is what the hardware said when the function was given. The header
//!   type says one function, built-in self test, expansion ROM and I/O space do not exist.
//! - **command**: memory decoding, bus mastering and "no INTx" reach the hardware. Reports of parity and system errors
//!   can be set, but stay virtual: a system error would be the host's. The other bits stay zero.
//! - **status** is the hardware's; its error bits are cleared as in hardware (PCI 6.2.3), nothing else is written.
//! - **base address registers** are the guest's own: it can size and move them, and the hardware's never change.
//!   Writes are ignored while memory decoding is on. While it is on, stage 2 shows each at its place, where that is inside
//!   a window of the bridge; one that is not, or that [`Port::map`] refuses, is reachable nowhere, and the others are.
//!   What is smaller than a page has the size of one.
//! - **capabilities**: PCI Express and vendor specific ones are shown, and can only be read. So no function level
//!   reset (PCIe 6.6.2) is offered, and nobody reaches a BAR through virtio's window in configuration space. MSI, power
//!   management and all others are left out of the list, and there are no extended ones.
//! - cache line size and interrupt line are a byte each that remembers what is written. The pin is the function's.
//! - Reserved registers of the header read as zero. Behind the header, what belongs to no capability that is shown reads
//!   as all ones, as Xen has it for its guests, and so does a function that is absent. Writes there are dropped.
//!
//! Accesses of one, two, four and eight bytes work where they are naturally aligned, and eight bytes are two double
//! words, the lower first. Others are [`Rejected`]: no access crosses from one function into the next.
//!
//! [`Hardware`] is the other view: that of the domain that has the machine's own bridges.

use alloc::vec::Vec;

use super::Rejected;
use crate::access::Width;
use crate::addr::{Ipa, Pa, Span};
use crate::fault::{self, Fault};
use crate::hal::ConfigSpace;
use crate::ids::Sbdf;
use crate::pci;
use crate::pci::registers::SPACE;

mod bars;
mod byte_lanes;
mod capabilities;
mod function;
mod hardware;
mod window;

pub use hardware::{Access, Hardware, HostWindow};
pub use window::{Window, Windows};

use byte_lanes::byte_lanes;
use function::Function;

/// Bytes of the region that a guest's bridge takes accesses in: 256 buses (PCIe 7.2.2).
pub const ECAM_SIZE: u64 = 256 << 20;
/// Most functions that a guest's bridge has: one a device, and one bus.
pub const SLOTS: usize = 32;

/// What a virtual configuration space does to the machine and to stage 2.
pub trait Port: ConfigSpace {
    /// Shows device memory to the guest, whole pages from `host` on; false, where that cannot be, and then nothing was
    /// changed.
    #[must_use]
    fn map(&mut self, guest: Span<Ipa>, host: Pa) -> bool;
    /// Takes away what [`Self::map`] has shown.
    fn unmap(&mut self, guest: Span<Ipa>);
}

/// A function for a guest, and how it is to be shown.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// The function: an endpoint.
    pub function: &'a pci::Function,
    /// Where the CPU finds what its base address registers decode, in whole pages that hold nothing else; nothing for
    /// one that is not to be shown.
    pub host: [Option<Span<Pa>>; 6],
    /// Whether its interrupt pin leads to the guest. Without, the function can never raise it.
    pub interrupts: bool,
}

/// There is no room on the bus.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Full;

/// The host bridge of one domain.
#[derive(Clone, Debug)]
pub struct Vpci {
    windows: Windows,
    slots: Vec<Option<Function>>,
}

impl Vpci {
    /// Makes a bridge without functions.
    pub const fn new(windows: Windows) -> Self {
        Self {
            windows,
            slots: Vec::new(),
        }
    }

    /// Puts a function into the first free slot, and returns the device and function that it is there. It is
    /// switched off, and its base address registers have the places that firmware would give them: there, where
    /// they fit, or zero.
    ///
    /// # Errors
    /// Refuses one more than [`SLOTS`].
    pub fn add(&mut self, port: &mut impl Port, given: &Given<'_>) -> Result<u8, Full> {
        let slot = self
            .slots
            .iter()
            .position(Option::is_none)
            .unwrap_or(self.slots.len());
        let devfn = u8::try_from(slot << 3).map_err(|_| Full)?;
        let taken = self.slots.iter().flatten().flat_map(Function::spans);
        let function = Function::new(port, given, &self.windows, taken.collect());
        match self.slots.get_mut(slot) {
            Some(free) => *free = Some(function),
            None => self.slots.push(Some(function)),
        }
        Ok(devfn)
    }

    /// Takes a function away: nothing of it is mapped any longer. The hardware stays as it is. Returns whether it was there.
    pub fn remove(&mut self, port: &mut impl Port, at: Sbdf) -> bool {
        let found = self
            .slots
            .iter_mut()
            .find(|slot| slot.as_ref().is_some_and(|function| function.at() == at));
        let Some(mut function) = found.and_then(Option::take) else {
            return false;
        };
        if !fault::on(Fault::RemovedStaysMapped) {
            function.unmap(port);
        }
        true
    }

    /// Reads at an offset in the bridge's region.
    ///
    /// # Errors
    /// Rejects an access that is not naturally aligned, or outside of the region.
    pub fn read(&self, port: &mut impl Port, offset: u64, width: Width) -> Result<u64, Rejected> {
        let (place, register) = split(offset)?;
        let function = self.slots.get(place).and_then(Option::as_ref);
        let mut value = 0;
        for lane in byte_lanes(register, width)? {
            let word = match function {
                Some(function) => function.read(port, lane.register, lane.mask),
                None if fault::on(Fault::AbsentReadsHardware) => {
                    let [devfn, bus, ..] = (offset >> 12).to_le_bytes();
                    let at = Sbdf {
                        segment: 0,
                        bus,
                        devfn,
                    };
                    port.config_read(at, lane.register, Width::Word)
                }
                None => u32::MAX,
            };
            value |= lane.lift(word);
        }
        Ok(value)
    }

    /// Writes at an offset in the bridge's region.
    ///
    /// # Errors
    /// Rejects an access that is not naturally aligned, or outside of the region.
    pub fn write(
        &mut self,
        port: &mut impl Port,
        offset: u64,
        width: Width,
        value: u64,
    ) -> Result<(), Rejected> {
        let (place, register) = split(offset)?;
        let byte_lanes = byte_lanes(register, width)?;
        if let Some(function) = self.slots.get_mut(place).and_then(Option::as_mut) {
            for lane in byte_lanes {
                let word = lane.lower(value);
                function.write(port, &self.windows, lane.register, lane.mask, word);
            }
        }
        Ok(())
    }
}

/// Returns the slot and the register that an offset is of. A bus or function that does not exist has a slot past the last.
fn split(offset: u64) -> Result<(usize, u16), Rejected> {
    if offset >= ECAM_SIZE {
        return Err(Rejected);
    }
    let number = offset / u64::from(SPACE);
    let slot = if number.is_multiple_of(8) {
        usize::try_from(number / 8).unwrap_or(SLOTS)
    } else {
        SLOTS
    };
    let register = u16::try_from(offset % u64::from(SPACE)).map_err(|_| Rejected)?;
    Ok((slot, register))
}

#[cfg(test)]
mod tests;
