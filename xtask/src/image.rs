//! ELF file to flat Linux `Image`: the bytes as a boot loader puts them into memory.
//!
//! The header itself comes from the image's own start code; here it is only checked, since a wrong one makes the boot loader do something else in silence.

use object::Endianness;
use object::elf::{FileHeader64, PT_LOAD};
use object::read::elf::{FileHeader as _, ProgramHeader as _};

use crate::arch::{ARCH, HeaderError};

/// An image beyond this is a linker script gone wrong, not an image.
const LARGEST: u64 = 64 << 20;

/// Why an ELF file makes no bootable image.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// Not an ELF file that can be read.
    #[error("the ELF file cannot be read: {0}")]
    Elf(String),
    /// Made for another processor.
    #[error("the ELF machine is {0}, not {wanted} ({name})", wanted = ARCH.elf_machine, name = ARCH.name)]
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
    /// The image header is wrong.
    #[error(transparent)]
    Header(#[from] HeaderError),
}

/// Lays the loadable segments out as in memory, from the lowest load address on, and checks the
/// image header that they begin with. What only starts as zero (`.bss`) is not in the file: the
/// header's `image_size` reserves it.
pub fn flatten(elf: &[u8]) -> Result<Vec<u8>, ImageError> {
    let broken = |error: object::Error| ImageError::Elf(error.to_string());
    let header = FileHeader64::<Endianness>::parse(elf).map_err(broken)?;
    let endian = header.endian().map_err(broken)?;
    let machine = header.e_machine(endian);
    if machine.0 != ARCH.elf_machine {
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
    if flat.is_empty() {
        return Err(ImageError::Empty);
    }
    (ARCH.check_header)(&flat, reached - base)?;
    Ok(flat)
}

#[cfg(test)]
mod tests;
