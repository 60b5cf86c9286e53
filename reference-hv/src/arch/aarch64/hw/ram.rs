//! Physical memory: frames for tables, and the RAM that modules and domains lie in.

use alloc::vec::Vec;
use core::arch::asm;

use aarch64_cpu::asm::barrier::{SY, isb};
use arm_sysregs::el0::accessors::read_ctr_el0;

use super::board::Board;
use super::image;
use crate::addr::{Address, PAGE_SIZE, Pa, Span};
use crate::hal;
use crate::paging::{ENTRIES, Tables};

/// Clears memory, a page a turn, with the MMU on or off.
///
/// # Safety
/// `at` to `at + size` must be memory that nothing else refers to, and whole pages.
unsafe fn clear(at: u64, size: u64) {
    // SAFETY: The caller owns the range; the loop ends exactly at its end because both ends are
    // multiples of the 4096 bytes it stores a turn.
    unsafe {
        asm!(
            "movi v0.2d, #0",
            "movi v1.2d, #0",
            "movi v2.2d, #0",
            "movi v3.2d, #0",
            "2: cmp {at}, {end}",
            "b.hs 3f",
            ".rept 64",
            "st1 {{v0.2d, v1.2d, v2.2d, v3.2d}}, [{at}], #64",
            ".endr",
            "b 2b",
            "3:",
            at = inout(reg) at => _,
            end = in(reg) at + size,
            out("v0") _,
            out("v1") _,
            out("v2") _,
            out("v3") _,
            options(nostack),
        );
    }
}

/// Copies memory, 64 bytes a turn.
///
/// # Safety
/// Both ranges must be the caller's, apart, and as long as `size`, a multiple of 64.
unsafe fn copy(from: u64, to: u64, size: u64) {
    // SAFETY: The caller owns both ranges; the loop ends exactly at their end.
    unsafe {
        asm!(
            "2: cmp {to}, {end}",
            "b.hs 3f",
            "ldp {a:q}, {b:q}, [{from}], #32",
            "ldp {c:q}, {d:q}, [{from}], #32",
            "stp {a:q}, {b:q}, [{to}], #32",
            "stp {c:q}, {d:q}, [{to}], #32",
            "b 2b",
            "3:",
            from = inout(reg) from => _,
            to = inout(reg) to => _,
            end = in(reg) to + size,
            a = out(vreg) _,
            b = out(vreg) _,
            c = out(vreg) _,
            d = out(vreg) _,
            options(nostack),
        );
    }
}

/// Contiguous memory that frames are cut from.
#[derive(Debug)]
struct Area {
    base: u64,
    next: u64,
    end: u64,
}

impl Area {
    const EMPTY: Self = Self {
        base: 0,
        next: 0,
        end: 0,
    };

    fn cut(&mut self, size: u64) -> Option<u64> {
        let at = self.next.checked_next_multiple_of(size)?;
        let next = at.checked_add(size)?;
        (next <= self.end).then(|| {
            self.next = next;
            at
        })
    }
}

/// Frames for translation tables: a few in the image for the start, many in RAM later on.
#[derive(Debug)]
pub struct Frames {
    areas: [Area; 2],
    /// First of the single frames given back, each holding the address of the next; zero is none.
    free: u64,
    /// First of the roots given back, likewise. They stay in one piece: single frames of a row that was
    /// broken up would never make a root again.
    roots: u64,
    /// How many frames a root is; zero before the first came back.
    root_frames: u64,
    /// How many frames were given back and not taken again.
    returned: u64,
}

impl Frames {
    /// Takes over the frames in the image.
    ///
    /// # Safety
    /// May be called once.
    pub unsafe fn early() -> Self {
        let pool = image::table_pool();
        let area = Area {
            base: pool.start,
            next: pool.start,
            end: pool.end,
        };
        Self {
            areas: [area, Area::EMPTY],
            free: 0,
            roots: 0,
            root_frames: 0,
            returned: 0,
        }
    }

    /// Adds the memory that most frames are cut from.
    ///
    /// # Safety
    /// `span` must be whole pages of RAM, mapped read-write, that nothing else refers to from now on.
    pub unsafe fn extend(&mut self, span: Span<Pa>) {
        let base = span.first().raw();
        self.areas[1] = Area {
            base,
            next: base,
            end: base + span.size(),
        };
    }

    /// Returns the address of `count` entries in a row; stops the hypervisor when no table of ours can be there.
    fn row(&self, table: Pa, first: u64, count: u64) -> *mut u64 {
        let at = table.raw() + first * 8;
        let end = at + count * 8;
        let within = |area: &Area| area.base <= at && end <= area.next;
        assert!(
            self.areas.iter().any(within) && table.is_page_aligned(),
            "{table} is no translation table"
        );
        core::ptr::with_exposed_provenance_mut(at as usize)
    }
}

impl Tables for Frames {
    fn take(&mut self, frames: u64) -> Option<Pa> {
        let size = frames * PAGE_SIZE;
        let at = if frames == 1 && self.free != 0 {
            let at = self.free;
            self.free = self.load(Pa::new(at), 0);
            self.returned -= 1;
            at
        } else if frames == self.root_frames && self.roots != 0 {
            let at = self.roots;
            self.roots = self.load(Pa::new(at), 0);
            self.returned -= frames;
            at
        } else {
            self.areas.iter_mut().find_map(|area| area.cut(size))?
        };
        // SAFETY: Each frame leaves an area once and comes back only through `give_back`, so the
        // range is nobody else's; it is whole pages.
        unsafe { clear(at, size) };
        Some(Pa::new(at))
    }

    fn give_back(&mut self, table: Pa, frames: u64) {
        self.returned += frames;
        if frames > 1 && (self.root_frames == 0 || self.root_frames == frames) {
            self.root_frames = frames;
            self.store(table, 0, self.roots);
            self.roots = table.raw();
            return;
        }
        for nth in 0..frames {
            let frame = Pa::new(table.raw() + nth * PAGE_SIZE);
            self.store(frame, 0, self.free);
            self.free = frame.raw();
        }
    }

    fn left(&self) -> u64 {
        let uncut: u64 = self.areas.iter().map(|area| area.end - area.next).sum();
        self.returned + uncut / PAGE_SIZE
    }

    fn load(&self, table: Pa, index: u64) -> u64 {
        let entry = self.row(table, index, 1);
        // SAFETY: `row` checked that the address lies in frames that were cut from our areas, which
        // stay mapped; nothing refers to them but tables.
        unsafe { entry.read_volatile() }
    }

    fn replace(
        &mut self,
        table: Pa,
        first: u64,
        count: u64,
        mut new: impl FnMut(u64, u64) -> Option<u64>,
    ) -> u64 {
        let row = self.row(table, first, count);
        debug_assert!(first + count <= 16 * ENTRIES);
        for nth in 0..count {
            // SAFETY: As for `load`; `row` checked all `count` entries. The table walkers read each as one 64-bit
            // access, and so it is written.
            unsafe {
                let entry = row.add(nth as usize);
                let Some(new) = new(nth, entry.read_volatile()) else {
                    return nth;
                };
                entry.write_volatile(new);
            }
        }
        count
    }
}

/// The RAM that modules and domains lie in: all that is mapped and not the hypervisor's own.
#[derive(Debug)]
pub struct Ram {
    windows: Vec<Span<Pa>>,
    /// Whether guests read their RAM through the caches at all times. Masters of memory need not, so where
    /// one is, what is cleared has to be written back all the same.
    coherent: bool,
    /// Bytes of the smallest data cache line, or a part of it: eight of these are no more than a page.
    line: u64,
}

impl Ram {
    /// Takes over these ranges of whole pages.
    ///
    /// # Safety
    /// They must be RAM, mapped read-write as Normal memory, with no reference into them anywhere;
    /// what is later lent as a slice must not be mapped writable to a guest while the slice lives.
    pub unsafe fn new(windows: Vec<Span<Pa>>, coherent: bool) -> Self {
        let line = (4 << read_ctr_el0().dminline()).min(PAGE_SIZE / 8);
        Self {
            windows,
            coherent,
            line,
        }
    }

    fn holds(&self, span: Span<Pa>) -> bool {
        self.windows.iter().any(|window| window.covers(span))
    }

    /// Writes the lines of a range back to memory and drops them (Arm ARM D7.5.9, to the point of
    /// coherency: the guest's first accesses are not cacheable).
    fn clean(&self, at: u64, size: u64) {
        // Whole turns of eight lines: those beyond the end are some other window's, which loses nothing.
        // SAFETY: Cleaning and invalidating by address to the point of coherency loses nothing, and no
        // fault can come of it within the pages of a window: a turn is a page at most, and aligned.
        unsafe {
            asm!(
                "dsb ish",
                "2:",
                ".rept 8",
                "dc civac, {at}",
                "add {at}, {at}, {line}",
                ".endr",
                "cmp {at}, {end}",
                "b.lo 2b",
                "dsb sy",
                at = inout(reg) at & !(8 * self.line - 1) => _,
                end = in(reg) at + size,
                line = in(reg) self.line,
                options(nostack),
            );
        }
    }
}

impl hal::Ram for Board {
    fn bytes(&self, at: Span<Pa>) -> Option<&[u8]> {
        let length = usize::try_from(at.size()).ok()?;
        let start = core::ptr::with_exposed_provenance(usize::try_from(at.first().raw()).ok()?);
        // SAFETY: The range is mapped RAM, initialized as far as memory without poison bits can be, and
        // whoever would write it through this type needs it mutably.
        self.ram
            .holds(at)
            .then(|| unsafe { core::slice::from_raw_parts(start, length) })
    }

    /// Clears whole pages, down to memory: a guest that runs with its caches off sees the zeroes and
    /// nothing that was there before.
    fn scrub(&mut self, span: Span<Pa>) -> bool {
        if !self.ram.holds(span) || !span.is_page_exact() {
            return false;
        }
        let (at, size) = (span.first().raw(), span.size());
        // SAFETY: The range is ours and mutably borrowed, and whole pages.
        unsafe { clear(at, size) }
        if !self.ram.coherent {
            self.ram.clean(at, size);
        }
        true
    }

    /// Writes whole pages back to memory, also where guests read them through the caches anyway: a device
    /// may not.
    fn write_back(&mut self, span: Span<Pa>) -> bool {
        if !self.ram.holds(span) || !span.is_page_exact() {
            return false;
        }
        self.ram.clean(span.first().raw(), span.size());
        true
    }

    /// Writes bytes, down to memory.
    fn write(&mut self, to: Pa, bytes: &[u8]) -> bool {
        let Ok(span) = Span::new(to, bytes.len() as u64) else {
            return bytes.is_empty();
        };
        if !self.ram.holds(span) {
            return false;
        }
        let target: *mut u8 = core::ptr::with_exposed_provenance_mut(to.raw() as usize);
        // SAFETY: The target is ours and mutably borrowed, so `bytes` is not part of it.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), target, bytes.len()) };
        self.ram.clean(to.raw(), span.size());
        true
    }

    fn read(&self, from: Pa, bytes: &mut [u8]) -> bool {
        let Ok(span) = Span::new(from, bytes.len() as u64) else {
            return bytes.is_empty();
        };
        if !self.ram.holds(span) {
            return false;
        }
        let source: *const u8 = core::ptr::with_exposed_provenance(from.raw() as usize);
        // SAFETY: The source is RAM of domains, so `bytes`, which is the hypervisor's own, is no part of
        // it; no guest runs meanwhile.
        unsafe { core::ptr::copy_nonoverlapping(source, bytes.as_mut_ptr(), bytes.len()) };
        true
    }

    /// Copies bytes, down to memory.
    fn copy(&mut self, from: Pa, to: Pa, size: u64) -> bool {
        let (Ok(source), Ok(target)) = (Span::new(from, size), Span::new(to, size)) else {
            return size == 0;
        };
        if !self.ram.holds(source) || !self.ram.holds(target) || source.overlaps(target) {
            return false;
        }
        let most = size & !63;
        let read: *const u8 = core::ptr::with_exposed_provenance((from.raw() + most) as usize);
        let write: *mut u8 = core::ptr::with_exposed_provenance_mut((to.raw() + most) as usize);
        // SAFETY: Both ranges are ours and mutably borrowed, and do not overlap.
        unsafe {
            copy(from.raw(), to.raw(), most);
            core::ptr::copy_nonoverlapping(read, write, (size - most) as usize);
        }
        self.ram.clean(to.raw(), size);
        true
    }

    fn publish_code(&mut self) {
        // SAFETY: Invalidating instruction caches loses nothing; the barriers order it after the cleaning
        // and before any fetch.
        unsafe { asm!("dsb ish", "ic ialluis", "dsb ish", options(nostack)) }
        isb(SY);
    }
}
