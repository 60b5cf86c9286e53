//! AArch64: images begin with Linux' header (Linux, Documentation/arch/arm64/booting.rst).

use object::elf::EM_AARCH64;

use super::{HeaderError, Target};

/// The names and the header check.
pub(super) const TARGET: Target = Target {
    name: "aarch64",
    target: "aarch64-unknown-none",
    elf_machine: EM_AARCH64.0,
    qemu: "qemu-system-aarch64",
    qemu_package: "qemu-system-arm",
    u_boot: "/usr/lib/u-boot/qemu_arm64/u-boot.bin",
    board: "Arm",
    check_header,
};

/// Offset of the magic number.
const MAGIC: usize = 0x38;
/// Loaders place an image at this distance from a 2 MiB boundary, so it must be shorter.
const OFFSET_LIMIT: u64 = 2 << 20;

fn check_header(flat: &[u8], needed: u64) -> Result<(), HeaderError> {
    // A field beyond the end reads as zero, and then the magic is wrong.
    let field = |offset: usize, length: usize| {
        let bytes = flat.iter().skip(offset).take(length).rev();
        bytes.fold(0, |value, byte| value << 8 | u64::from(*byte))
    };
    let magic = field(MAGIC, 4);
    if magic != u64::from(u32::from_le_bytes(*b"ARM\x64")) {
        return Err(HeaderError::Magic {
            offset: MAGIC,
            found: magic as u32,
            magic: "ARM\\x64",
        });
    }
    let text_offset = field(0x08, 8);
    if text_offset >= OFFSET_LIMIT {
        return Err(HeaderError::TextOffset(text_offset));
    }
    let said = field(0x10, 8);
    if said < needed {
        return Err(HeaderError::ImageSize { said, needed });
    }
    let flags = field(0x18, 8);
    if flags & 1 != 0 {
        return Err(HeaderError::Endian(flags));
    }
    Ok(())
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Makes a valid image header for a program of `size` bytes.
    pub fn header(size: u64) -> Vec<u8> {
        let mut bytes = vec![0; 64];
        bytes[0x10..0x18].copy_from_slice(&size.to_le_bytes());
        bytes[0x38..0x3c].copy_from_slice(b"ARM\x64");
        bytes
    }

    /// Each wrong field is refused by its own error, and a good header passes.
    #[test]
    fn wrong_fields_are_named() {
        let altered = |offset: usize, byte: u8| {
            let mut bytes = header(0x100);
            bytes[offset] = byte;
            bytes
        };
        let magic = |found| HeaderError::Magic {
            offset: 0x38,
            found,
            magic: "ARM\\x64",
        };
        let size = HeaderError::ImageSize {
            said: 0x100,
            needed: 0x101,
        };
        let table = [
            (altered(0x38, b'B'), 0x100, Err(magic(0x644d_5242))),
            (vec![1; 0x3b], 0x3b, Err(magic(0x0001_0101))),
            (
                altered(0x0a, 0x20),
                0x100,
                Err(HeaderError::TextOffset(0x20_0000)),
            ),
            (altered(0x18, 1), 0x100, Err(HeaderError::Endian(1))),
            (header(0x100), 0x101, Err(size)),
            (header(0x100), 0x100, Ok(())),
        ];
        for (bytes, needed, wanted) in table {
            assert_eq!(check_header(&bytes, needed), wanted);
        }
        assert_eq!(
            magic(0x0001_0101).to_string(),
            "offset 0x38 holds 0x00010101, not the magic \"ARM\\x64\": the first segment must begin with the image header"
        );
    }
}
