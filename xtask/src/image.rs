//! ELF file to flat Linux `Image`: the bytes as a boot loader puts them into memory.
//!
//! The header itself comes from the image's own start code (Linux, Documentation/arch/arm64/booting.rst);
//! here it is only checked, since a wrong one makes the boot loader do something else in silence.

use object::Endianness;
use object::elf::{EM_AARCH64, FileHeader64, PT_LOAD};
use object::read::elf::{FileHeader as _, ProgramHeader as _};

/// An image beyond this is a linker script gone wrong, not an image.
const LARGEST: u64 = 64 << 20;

/// Why an ELF file makes no bootable image.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// Not an ELF file that can be read.
    #[error("the ELF file cannot be read: {0}")]
    Elf(String),
    /// Made for another processor.
    #[error("the ELF machine is {0}, not {EM_AARCH64} (aarch64)")]
    Machine(u16),
    /// Nothing to load.
    #[error("no PT_LOAD segment holds a byte")]
    Empty,
    /// A segment whose end cannot be said, or that says it has more bytes in the file than in memory.
    #[error(
        "the PT_LOAD segment at {address:#x} has {file:#x} bytes in the file and {memory:#x} in memory"
    )]
    Segment {
        /// Its load address.
        address: u64,
        /// `p_filesz`.
        file: u64,
        /// `p_memsz`.
        memory: u64,
    },
    /// Two segments claim the same bytes.
    #[error("the PT_LOAD segment at {address:#x} begins before the one in front ends, at {end:#x}")]
    Overlap {
        /// Where the later one begins.
        address: u64,
        /// Where the earlier one ends.
        end: u64,
    },
    /// Segments so far apart that the flat file would be mostly holes.
    #[error("the segments span {0:#x} bytes, more than {LARGEST:#x}")]
    TooLarge(u64),
    /// The first segment is no Linux image header.
    #[error(
        "offset 0x38 holds {0:#010x}, not the magic \"ARM\\x64\": the first segment must begin with the image header"
    )]
    Magic(u32),
    /// The header's size does not cover what the program uses.
    #[error("the header's image_size is {said:#x}, but the segments need {needed:#x}")]
    ImageSize {
        /// What the header says.
        said: u64,
        /// What the segments need, with everything that starts as zero.
        needed: u64,
    },
    /// The header says big endian.
    #[error("the header's flags are {0:#x}: bit 0 says big endian")]
    Endian(u64),
    /// The header asks for an offset that no loader grants.
    #[error("the header's text_offset is {0:#x}, not below 2 MiB")]
    TextOffset(u64),
}

/// Lays the loadable segments out as in memory, from the lowest load address on, and checks the
/// image header that they begin with. What only starts as zero (`.bss`) is not in the file: the
/// header's `image_size` reserves it.
pub fn flatten(elf: &[u8]) -> Result<Vec<u8>, ImageError> {
    let broken = |error: object::Error| ImageError::Elf(error.to_string());
    let header = FileHeader64::<Endianness>::parse(elf).map_err(broken)?;
    let endian = header.endian().map_err(broken)?;
    let machine = header.e_machine(endian);
    if machine != EM_AARCH64 {
        return Err(ImageError::Machine(machine.0));
    }

    let mut segments = Vec::new();
    for segment in header.program_headers(endian, elf).map_err(broken)? {
        let (address, file, memory) = (
            segment.p_paddr(endian),
            segment.p_filesz(endian),
            segment.p_memsz(endian),
        );
        if segment.p_type(endian) != PT_LOAD || memory == 0 {
            continue;
        }
        let wrong = ImageError::Segment {
            address,
            file,
            memory,
        };
        let Some(end) = address.checked_add(memory).filter(|_| file <= memory) else {
            return Err(wrong);
        };
        let bytes = segment.data(endian, elf).map_err(|()| wrong)?;
        segments.push((address, end, bytes));
    }
    segments.sort_by_key(|(address, ..)| *address);

    let base = segments
        .first()
        .map(|(address, ..)| *address)
        .ok_or(ImageError::Empty)?;
    let mut flat = Vec::new();
    let mut reached = base;
    for (address, end, bytes) in segments {
        if address < reached {
            return Err(ImageError::Overlap {
                address,
                end: reached,
            });
        }
        reached = end;
        if reached - base > LARGEST {
            return Err(ImageError::TooLarge(reached - base));
        }
        if !bytes.is_empty() {
            // Not beyond LARGEST, so this fits whatever `usize` is.
            flat.resize((address - base) as usize, 0);
            flat.extend_from_slice(bytes);
        }
    }
    check(&flat, reached - base)?;
    Ok(flat)
}

/// Checks the header of a flat image whose program uses `needed` bytes of memory.
fn check(flat: &[u8], needed: u64) -> Result<(), ImageError> {
    if flat.is_empty() {
        return Err(ImageError::Empty);
    }
    // A field beyond the end reads as zero, and then the magic is wrong.
    let field = |offset: usize, length: usize| {
        flat.iter()
            .skip(offset)
            .take(length)
            .rev()
            .fold(0, |value, byte| value << 8 | u64::from(*byte))
    };
    let magic = field(0x38, 4);
    if magic != u64::from(u32::from_le_bytes(*b"ARM\x64")) {
        return Err(ImageError::Magic(magic as u32));
    }
    let text_offset = field(0x08, 8);
    if text_offset >= 2 << 20 {
        return Err(ImageError::TextOffset(text_offset));
    }
    let said = field(0x10, 8);
    if said < needed {
        return Err(ImageError::ImageSize { said, needed });
    }
    let flags = field(0x18, 8);
    if flags & 1 != 0 {
        return Err(ImageError::Endian(flags));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
