//! From the start code to the first domain.

use core::ops::Range;

use super::sysreg::{halt, read};
use super::{heap, image, mmu, pl011};
use crate::dt::{self, Blob, DtError};

/// Where QEMU's `virt` has its PL011. Used only while the tree has not told where the console is:
/// without it a bad tree, or a start at the wrong exception level, could not be reported at all.
pub const LAST_RESORT_CONSOLE: u64 = 0x0900_0000;

/// Returns where the device tree lies, as its header tells; `None` where it is no tree or not where
/// the boot protocol allows one.
pub fn tree_range(tree: u64) -> Option<Range<u64>> {
    if tree == 0 || !tree.is_multiple_of(8) {
        return None;
    }
    let header: *const [u8; 8] = core::ptr::with_exposed_provenance(tree as usize);
    // SAFETY: The boot protocol says that x0 points at a tree in RAM; when it does not, this read is an
    // exception that the vectors report.
    let header = unsafe { header.read_volatile() };
    let size = dt::total_size(&header).ok()?;
    let range = tree..tree.checked_add(size as u64)?;
    let image = image::whole();
    (range.end <= image.start || image.end <= range.start).then_some(range)
}

/// Opens the console of the last resort, if the real one is not known yet.
pub fn last_resort_console() {
    if pl011::undecided() {
        // SAFETY: On the one machine this address is for, it is the PL011; the first tables map it.
        unsafe { pl011::open(LAST_RESORT_CONSOLE) }
    }
}

/// Reports a start at another exception level than EL2 and halts.
// SAFETY: The name is called by boot.S alone and defined nowhere else.
#[unsafe(no_mangle)]
extern "C" fn refhv_wrong_level(_tree: u64, level: u64) -> ! {
    last_resort_console();
    pl011::line(format_args!("fatal: entered at EL{level}, needs EL2 (virtualization=on)"));
    halt()
}

/// Takes the machine over from the start code: MMU and caches are on, nothing else is.
// SAFETY: The name is called by boot.S alone and defined nowhere else.
#[unsafe(no_mangle)]
extern "C" fn refhv_start(tree: u64) -> ! {
    // SAFETY: The start code calls this function once.
    unsafe { heap::open() }
    let mmu = mmu::take_over();
    last_resort_console();
    pl011::line(format_args!("hello from EL{} {:x?} {}", read!("CurrentEL") >> 2, tree_range(tree), mmu.is_some()));
    halt()
}
