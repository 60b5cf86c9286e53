//! Memory of domains (public/memory.h).

use super::layout;

/// Gives a domain pages of RAM (XENMEM_populate_physmap).
pub const POPULATE_PHYSMAP: u64 = 6;
/// Gives a domain one page of some kind (XENMEM_add_to_physmap).
pub const ADD_TO_PHYSMAP: u64 = 7;
/// Takes a page from a domain (XENMEM_remove_from_physmap).
pub const REMOVE_FROM_PHYSMAP: u64 = 15;
/// Gives a domain several pages of one kind (XENMEM_add_to_physmap_batch).
pub const ADD_TO_PHYSMAP_BATCH: u64 = 23;

/// Number of bits of the command; those above count what is done already (MEMOP_EXTENT_SHIFT).
pub const COMMAND_BITS: u32 = 6;

/// Pages that one frame number after another names (XENMAPSPACE_gmfn_range).
pub const SPACE_RANGE: u16 = 3;
/// Pages of another domain (XENMAPSPACE_gmfn_foreign).
pub const SPACE_FOREIGN: u16 = 4;

layout! {
    /// Several extents of RAM (`struct xen_memory_reservation`).
    Reservation: 32 {
        /// Address of an array of frame numbers, one an extent.
        extents: u64 = 0,
        /// Number of extents.
        count: u64 = 8,
        /// Each extent has this power of two pages.
        order: u32 = 16,
        /// Where the memory is to come from.
        flags: u32 = 20,
        /// Whose memory it is.
        domain: u16 = 24,
    }

    /// One page of some kind (`struct xen_add_to_physmap`).
    AddToPhysmap: 24 {
        /// Who gets it.
        domain: u16 = 0,
        /// Number of pages of a range.
        size: u16 = 2,
        /// What kind of page.
        space: u32 = 4,
        /// Which one of that kind.
        index: u64 = 8,
        /// Where the domain finds it.
        frame: u64 = 16,
    }

    /// Several pages of one kind (`struct xen_add_to_physmap_batch`).
    AddToPhysmapBatch: 32 {
        /// Who gets them.
        domain: u16 = 0,
        /// What kind of pages.
        space: u16 = 2,
        /// How many.
        size: u16 = 4,
        /// Whose they are, with [`SPACE_FOREIGN`].
        foreign: u16 = 6,
        /// Address of an array of 64 bits: which ones of that kind.
        indices: u64 = 8,
        /// Address of an array of 64 bits: where the domain finds them.
        frames: u64 = 16,
        /// Address of an array of 32 bits: what became of each.
        errors: u64 = 24,
    }

    /// One page to take away (`struct xen_remove_from_physmap`).
    RemoveFromPhysmap: 16 {
        /// From whom.
        domain: u16 = 0,
        /// Where it finds the page.
        frame: u64 = 8,
    }
}
