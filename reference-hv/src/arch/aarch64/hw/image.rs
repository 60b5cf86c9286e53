//! Where the parts of the running image lie.

use core::ops::Range;

// SAFETY: link/aarch64.ld defines every one of these symbols. Only their addresses are taken: those
// that mark an end have no byte of their own.
// SAFETY: link/aarch64.ld defines all of these; as bytes they lie inside the image or right behind it, and
// only their addresses are taken.
unsafe extern "C" {
    safe static _start: u8;
    safe static __text_end: u8;
    safe static __rodata_end: u8;
    safe static __guard_start: u8;
    safe static __guard_end: u8;
    safe static __tables_start: u8;
    safe static __tables_end: u8;
    safe static __heap_start: u8;
    safe static __heap_end: u8;
    safe static __image_end: u8;
}

fn between(first: &u8, end: &u8) -> Range<u64> {
    core::ptr::from_ref(first).addr() as u64..core::ptr::from_ref(end).addr() as u64
}

/// Header and instructions: read and execute.
pub fn text() -> Range<u64> {
    between(&_start, &__text_end)
}

/// Constants, relocated ones included: read only.
pub fn constants() -> Range<u64> {
    between(&__text_end, &__rodata_end)
}

/// Variables below the stack guard: read and write.
pub fn variables() -> Range<u64> {
    between(&__rodata_end, &__guard_start)
}

/// Stack, first tables and first heap: read and write.
pub fn pools() -> Range<u64> {
    between(&__guard_end, &__image_end)
}

/// Frames for the first tables.
pub fn table_pool() -> Range<u64> {
    between(&__tables_start, &__tables_end)
}

/// Memory of the first heap.
pub fn heap() -> Range<u64> {
    between(&__heap_start, &__heap_end)
}

/// All of the image, the stack guard included.
pub fn whole() -> Range<u64> {
    between(&_start, &__image_end)
}

/// The unmapped page below the stack.
pub fn guard() -> Range<u64> {
    between(&__guard_start, &__guard_end)
}
