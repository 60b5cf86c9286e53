//! A look at an address where there may be nothing. Where a bus answers with an abort, the exception is taken and told
//! (Arm ARM D1.3.4); a bus that reports it later, as an SError, ends in one that is fatal.

/// What vectors.S returns: what was read, and whether anything was.
#[repr(C)]
struct Probed {
    value: u64,
    read: u64,
}

// SAFETY: vectors.S defines it with this signature; it uses no stack and leaves alone what AAPCS64 has callees keep.
unsafe extern "C" {
    fn refhv_probe(address: u64) -> Probed;
}

/// Reads a word of 32 bits; nothing where nothing answers.
///
/// # Safety
/// The address must be a multiple of four and mapped as device memory, and to read there must change nothing that
/// anybody rests on. No guest may have run yet: two of its registers are lost where nothing answers.
pub unsafe fn read(address: u64) -> Option<u32> {
    // SAFETY: The caller vouches for the address; an abort of this very load comes back as an answer.
    let probed = unsafe { refhv_probe(address) };
    (probed.read != 0).then_some(probed.value as u32)
}
