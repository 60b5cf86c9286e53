//! The address space of a domain, and what is in it.

use super::extents::{Extent, Extents};
use crate::addr::{Address, Ipa, PAGE_SIZE, Pa, Span};
use crate::errno::Errno;
use crate::fault::{self, Fault};
use crate::hal::{Machine, Translation};
use crate::ids::{DomainId, Vmid};
use crate::paging::{Broken, Format, MapError, Memory, Metered, Space};

/// An address space, and whose its pages are.
#[derive(Debug)]
pub struct AddressSpace<F> {
    /// Its tables.
    pub space: Space<F>,
    /// What their translations are tagged with.
    pub tag: Vmid,
    /// How many frames the tables take, the root aside.
    pub frames: u64,
    /// How many they may take.
    pub frame_limit: u64,
    /// The domain's own RAM.
    pub ram: Extents<()>,
    /// How many pages of RAM it may have.
    pub max_pages: u64,
    /// Device pages.
    pub devices: Extents<()>,
    /// RAM of other domains, and whose.
    pub foreign: Extents<DomainId>,
}

impl From<MapError> for Errno {
    fn from(error: MapError) -> Self {
        match error {
            MapError::Unaligned { .. } | MapError::Beyond { .. } => Self::EINVAL,
            MapError::Occupied { .. } => Self::EEXIST,
            MapError::NoFrame => Self::ENOMEM,
        }
    }
}

/// Returns the source of tables with this domain's own limit.
macro_rules! metered {
    ($self:ident, $machine:ident) => {
        &mut Metered {
            tables: $machine.tables(),
            used: &mut $self.frames,
            limit: $self.frame_limit,
        }
    };
}

impl<F: Format<Input = Ipa, Attributes = Memory>> AddressSpace<F> {
    /// Makes an address space of tables in which nothing is mapped.
    pub fn new(space: Space<F>, tag: Vmid) -> Self {
        Self {
            space,
            tag,
            frames: 0,
            frame_limit: 0,
            ram: Extents::new(),
            max_pages: 0,
            devices: Extents::new(),
            foreign: Extents::new(),
        }
    }

    /// Gives tables back, as many as `left` says at most; returns whether all but the root are gone. Nothing
    /// may walk them any more.
    pub fn empty<M: Machine + Translation<Format = F>>(
        &mut self,
        machine: &mut M,
        left: &mut u64,
    ) -> bool {
        self.space.empty(metered!(self, machine), left)
    }

    /// Tells whether anything is mapped in a range.
    pub fn meets(&self, guest: Span<Ipa>) -> bool {
        self.ram.meets(guest) || self.devices.meets(guest) || self.foreign.meets(guest)
    }

    /// Maps pages where nothing is, for nobody to use yet.
    ///
    /// # Errors
    /// Says why not; then some of them may be mapped.
    pub fn fill<M: Machine + Translation<Format = F>>(
        &mut self,
        machine: &mut M,
        guest: Span<Ipa>,
        to: Pa,
        memory: Memory,
    ) -> Result<(), MapError> {
        let tables = metered!(self, machine);
        let space = &mut self.space;
        space.map(tables, guest.first(), to, guest.size(), memory)
    }

    /// Maps pages where nothing is.
    ///
    /// # Errors
    /// Says why not; then nothing is mapped.
    pub fn map<M: Machine + Translation<Format = F>>(
        &mut self,
        machine: &mut M,
        guest: Span<Ipa>,
        to: Pa,
        memory: Memory,
    ) -> Result<(), Errno> {
        let done = self.fill(machine, guest, to, memory);
        machine.publish();
        if let Err(error) = done {
            self.remove(machine, guest)?;
            return Err(error.into());
        }
        Ok(())
    }

    /// Maps pages of a device where nothing is.
    ///
    /// # Errors
    /// Says why not; then nothing is mapped.
    pub fn map_device<M: Machine + Translation<Format = F>>(
        &mut self,
        machine: &mut M,
        guest: Span<Ipa>,
        to: Pa,
    ) -> Result<(), Errno> {
        if !self.devices.reserve() {
            return Err(Errno::ENOMEM);
        }
        self.map(machine, guest, to, Memory::Device)?;
        self.devices.add(extent(guest, to, ()));
        Ok(())
    }

    /// Takes pages away. When this returns no CPU remembers them.
    ///
    /// # Errors
    /// Fails when a block has to be parted and no frame is left for that; then nothing has changed.
    pub fn remove<M: Machine + Translation<Format = F>>(
        &mut self,
        machine: &mut M,
        guest: Span<Ipa>,
    ) -> Result<(), Errno> {
        for edge in [guest.first(), guest.last().page_start()] {
            while let Some(broken) = self.split_block(machine, edge, guest)? {
                machine.publish();
                machine.invalidate(self.space.root(), self.tag);
                self.space.complete_bbm(metered!(self, machine), broken);
            }
        }
        let tables = metered!(self, machine);
        self.space.unmap(tables, guest.first(), guest.size());
        machine.publish();
        if !fault::on(Fault::StaleTranslations) {
            machine.invalidate(self.space.root(), self.tag);
        }
        Ok(())
    }

    /// Parts a block that reaches beyond the range.
    fn split_block<M: Machine + Translation<Format = F>>(
        &mut self,
        machine: &mut M,
        at: Ipa,
        guest: Span<Ipa>,
    ) -> Result<Option<Broken>, Errno> {
        let tables = metered!(self, machine);
        let Some(block) = self.space.block(tables, at) else {
            return Ok(None);
        };
        if guest.covers(block) {
            return Ok(None);
        }
        Ok(self.space.split_block(tables, at)?)
    }
}

/// Makes a range of guest pages of a first page's number and a count.
///
/// # Errors
/// Refuses what no address can say.
pub fn pages<A: Address>(first: u64, count: u64) -> Result<Span<A>, Errno> {
    first
        .checked_mul(PAGE_SIZE)
        .and_then(|base| Span::of_pages(A::new(base), count))
        .ok_or(Errno::EINVAL)
}

/// Returns an extent of a range and where it is mapped.
pub fn extent<T>(guest: Span<Ipa>, pa: Pa, of: T) -> Extent<T> {
    Extent {
        ipa: guest.first(),
        pa,
        pages: guest.pages(),
        of,
    }
}
