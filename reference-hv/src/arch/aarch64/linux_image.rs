//! Kernels in the format of Linux (Linux, Documentation/arch/arm64/booting.rst).

use crate::addr::{BLOCK_SIZE, PAGE_SIZE};
use crate::assign::{KernelError, KernelRoom};

const MAGIC_AT: usize = 56;
const MAGIC: &[u8] = b"ARM\x64";
/// The kernel is big-endian.
const BIG_ENDIAN: u64 = 1 << 0;

/// Returns where an image of `size` bytes, which begins with these, wants to lie.
///
/// # Errors
/// Refuses what is no such image, or one that cannot run here.
pub fn room(bytes: &[u8], size: u64) -> Result<KernelRoom, KernelError> {
    let word = |at: usize| Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let magic = bytes
        .get(MAGIC_AT..)
        .and_then(|rest| rest.first_chunk::<4>());
    let header = magic.filter(|magic| *magic == MAGIC).and_then(|_| {
        // text_offset, image_size, flags
        Some((word(8)?, word(16)?, word(24)?))
    });
    let (text_offset, image_size, flags) = header.ok_or(KernelError::NoImage("arm64 Image"))?;
    if flags & BIG_ENDIAN != 0 {
        return Err(KernelError::Unsupported(
            "a big-endian kernel, flags",
            flags,
        ));
    }
    // Images of before Linux 3.17 do not say their size and mean this offset.
    let (offset, size) = match image_size {
        0 => (0x8_0000, size),
        stated => (text_offset, stated.max(size)),
    };
    if !offset.is_multiple_of(PAGE_SIZE) || offset >= BLOCK_SIZE {
        return Err(KernelError::Unsupported(
            "a kernel with the text offset",
            offset,
        ));
    }
    Ok(KernelRoom { offset, size })
}
