//! Converts an ELF file to a flat Linux `Image`: the bytes as a boot loader puts them into memory.
//!
//! The image's own start code contains the header. This only checks it, because a boot loader silently misbehaves on a
//! wrong one.

use object::Endianness;
use object::elf::{FileHeader64, PT_LOAD};
use object::read::elf::{FileHeader as _, ProgramHeader as _};

use crate::arch::{HeaderError, TARGET};

/// A larger image means an error in the linker script.
const LARGEST: u64 = 64 << 20;

/// Why an ELF file gives no bootable image.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// The ELF file cannot be read.
    #[error("the ELF file cannot be read: {0}")]
    Elf(String),
    /// The file is for another processor.
    #[error("the ELF machine is {0}, not {wanted} ({name})", wanted = TARGET.elf_machine, name = TARGET.name)]
    Machine(u16),
    /// There is nothing to load.
    #[error("no PT_LOAD segment holds a byte")]
    Empty,
    /// A segment's end overflows, or it has more bytes in the file than in memory.
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
    /// Two segments overlap.
    #[error("the PT_LOAD segment at {address:#x} begins before the one in front ends, at {end:#x}")]
    Overlap {
        /// The start of the later one.
        address: u64,
        /// The end of the earlier one.
        end: u64,
    },
    /// The segments are so far apart that the flat file would be mostly holes.
    #[error("the segments span {0:#x} bytes, more than {LARGEST:#x}")]
    TooLarge(u64),
    /// The image header is wrong.
    #[error(transparent)]
    Header(#[from] HeaderError),
}

/// Arranges the loadable segments as in memory, from the lowest load address on, and checks the image header at their
/// start. Memory that starts as zero (`.bss`) is not in the file: the header's `image_size` reserves it.
pub fn flatten(elf: &[u8]) -> Result<Vec<u8>, ImageError> {
    let broken = |error: object::Error| ImageError::Elf(error.to_string());
    let header = FileHeader64::<Endianness>::parse(elf).map_err(broken)?;
    let endian = header.endian().map_err(broken)?;
    let machine = header.e_machine(endian);
    if machine.0 != TARGET.elf_machine {
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
            // At most LARGEST, so this fits whatever `usize` is.
            flat.resize((address - base) as usize, 0);
            flat.extend_from_slice(bytes);
        }
    }
    if flat.is_empty() {
        return Err(ImageError::Empty);
    }
    (TARGET.check_header)(&flat, reached - base)?;
    Ok(flat)
}

#[cfg(test)]
mod tests;
