//! The hypervisor's own address space: the identity, with no more in it than is used.

use core::cell::UnsafeCell;
use core::ops::Range;

use aarch64_cpu::registers::{ID_AA64MMFR0_EL1, Readable};

use super::ram::Frames;
use super::sysreg::publish_tables;
use super::{image, start};
use crate::addr::{PAGE_SIZE, Pa, Span};
use crate::arch::aarch64::stage1::{self, Memory, Stage1};
use crate::paging::{MapError, Space};

/// The hypervisor's own translation, and the frames that all tables come from.
#[derive(Debug)]
pub struct Mmu {
    /// Frames for tables, stage 2 included.
    pub frames: Frames,
    space: Space<Stage1>,
}

impl Mmu {
    /// Maps a range, widened to whole pages.
    ///
    /// The entries were invalid before, so no break-before-make and no invalidation is due; the
    /// barriers let the walker see them (Arm ARM D8.16.1, D8.2.6).
    ///
    /// # Errors
    /// Refuses what is mapped already.
    ///
    /// # Safety
    /// The attributes must be those of what lies there: RAM is not a device, and no other mapping of
    /// the machine disagrees.
    pub unsafe fn map(&mut self, span: Span<Pa>, memory: Memory) -> Result<(), MapError> {
        let span = span.widened_to_pages();
        let done = self.space.map(
            &mut self.frames,
            span.first(),
            span.first(),
            span.size(),
            memory,
        );
        publish_tables();
        done
    }

    /// Tells whether an address is mapped.
    pub fn is_mapped(&self, at: Pa) -> bool {
        self.space.walk(&self.frames, at).is_some()
    }
}

/// What the start code's first call leaves for its second.
struct Handover(UnsafeCell<Option<Mmu>>);

// SAFETY: One CPU runs, and the two functions that touch the cell are called one after the other by
// the start code.
unsafe impl Sync for Handover {}

static HANDOVER: Handover = Handover(UnsafeCell::new(None));

/// Takes over the address space that the start code switched on.
pub fn take_over() -> Option<Mmu> {
    // SAFETY: See `Handover`: the writer has returned, and no reference outlives a call.
    unsafe { (*HANDOVER.0.get()).take() }
}

/// What the start code loads before it turns the MMU on.
#[repr(C)]
struct Registers {
    ttbr0: u64,
    tcr: u64,
}

/// Maps the image and the device tree. Runs once, with the MMU and the caches off.
// SAFETY: The name is called by boot.S alone and defined nowhere else.
#[unsafe(no_mangle)]
extern "C" fn refhv_early_tables(tree: u64) -> Registers {
    // SAFETY: The start code calls this function once.
    let mut frames = unsafe { Frames::early() };
    let pa_range = ID_AA64MMFR0_EL1.read(ID_AA64MMFR0_EL1::PARange);
    let mut registers = Registers {
        ttbr0: 0,
        tcr: stage1::control(pa_range),
    };
    if let Some(mut space) = Space::new(&mut frames, stage1::SHAPE, Stage1) {
        registers.ttbr0 = space.root().raw();
        let mut map = |range: Range<u64>, memory| {
            let (at, size) = (Pa::new(range.start), range.end - range.start);
            // The parts of the image do not overlap, and the pool holds tables for all of them; a
            // missing one would show as an exception at the first access to it.
            let _ = space.map(&mut frames, at, at, size, memory);
        };
        map(image::text(), Memory::Text);
        map(image::constants(), Memory::Constant);
        map(image::variables(), Memory::Data);
        map(image::pools(), Memory::Data);
        let page = start::LAST_RESORT_CONSOLE;
        map(page..page + PAGE_SIZE, Memory::Device);
        if let Some(span) = start::tree_span(tree).map(Span::widened_to_pages) {
            let first = span.first().raw();
            map(first..first + span.size(), Memory::Constant);
        }
        // SAFETY: See `Handover`: nobody reads the cell before this function returns.
        unsafe { *HANDOVER.0.get() = Some(Mmu { frames, space }) };
    }
    registers
}
