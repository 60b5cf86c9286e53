//! The heap: a little in the image, for reading the trees, and more from RAM once it is known.

use buddy_system_allocator::LockedHeap;

use super::image;
use crate::addr::{Pa, Span};

/// Blocks of up to 2^31 bytes.
#[global_allocator]
static HEAP: LockedHeap<32> = LockedHeap::empty();

/// Gives the allocator the memory in the image.
///
/// # Safety
/// May be called once, with the MMU on.
pub unsafe fn open() {
    let memory = image::heap();
    // SAFETY: The linker script keeps this memory for the heap, the first tables map it read-write, and
    // the caller calls once.
    unsafe {
        HEAP.lock()
            .add_to_heap(memory.start as usize, memory.end as usize)
    }
}

/// Gives the allocator more memory.
///
/// # Safety
/// `span` must be RAM, mapped read-write, that nothing else refers to from now on.
pub unsafe fn extend(span: Span<Pa>) {
    let start = span.first().raw() as usize;
    // SAFETY: The caller hands the range over for good.
    unsafe { HEAP.lock().add_to_heap(start, start + span.size() as usize) }
}
