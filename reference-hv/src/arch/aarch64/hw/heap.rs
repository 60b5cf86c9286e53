//! The heap: a little in the image, and a reserve in RAM that is touched only when that is used up.

use core::alloc::Layout;
use core::mem;
use core::ops::Range;

use buddy_system_allocator::{Heap, LockedHeapWithRescue};
use spin::Mutex;

use super::image;
use crate::addr::{Pa, Span};

/// Blocks of up to 2^31 bytes.
const ORDERS: usize = 32;

#[global_allocator]
static HEAP: LockedHeapWithRescue<ORDERS> = LockedHeapWithRescue::new(take_reserve);

/// Where the reserve lies; empty while there is none, or none any more.
static RESERVE: Mutex<Range<usize>> = Mutex::new(0..0);

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
            .add_to_heap(memory.start as usize, memory.end as usize);
    }
}

/// Gives the allocator more memory for when the image's is used up.
///
/// # Safety
/// `span` must be RAM, mapped read-write, that nothing else refers to from now on. May be called once.
pub unsafe fn set_reserve(span: Span<Pa>) {
    let start = span.first().raw() as usize;
    *RESERVE.lock() = start..start + span.size() as usize;
}

/// Returns how many bytes can still be allocated, as far as they lie together.
pub fn free() -> u64 {
    let heap = HEAP.lock();
    let left = heap.stats_total_bytes() - heap.stats_alloc_actual();
    (left + RESERVE.lock().len()) as u64
}

fn take_reserve(heap: &mut Heap<ORDERS>, _: &Layout) {
    let reserve = mem::take(&mut *RESERVE.lock());
    if !reserve.is_empty() {
        // SAFETY: `set_reserve`'s caller has handed the range over for good, and it is taken once.
        unsafe { heap.add_to_heap(reserve.start, reserve.end) }
    }
}
