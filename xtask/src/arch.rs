//! The parts that depend on the processor architecture of the images: Rust's target, QEMU's program, and the image
//! format of the boot loader.

mod aarch64;

/// An architecture that images are built for and run on.
#[derive(Debug)]
pub struct Target {
    /// Its name, and the folder of its images.
    pub name: &'static str,
    /// Rust's bare-metal target.
    pub target: &'static str,
    /// `e_machine` in its ELF files.
    pub elf_machine: u16,
    /// QEMU's program.
    pub qemu: &'static str,
    /// Debian's package of that program.
    pub qemu_package: &'static str,
    /// Path of U-Boot for QEMU's board in Debian and Ubuntu, as in the subjects' profiles.
    pub u_boot: &'static str,
    /// The board's name for people.
    pub board: &'static str,
    /// Checks the header of a flat image whose program occupies this many bytes of memory.
    pub check_header: fn(&[u8], u64) -> Result<(), HeaderError>,
}

/// The only architecture with images so far.
pub const TARGET: Target = aarch64::TARGET;

/// Why a boot loader would not start a flat image correctly.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The first segment is no Linux image header.
    #[error(
        "offset {offset:#x} holds {found:#010x}, not the magic \"{magic}\": the first segment must begin with the image header"
    )]
    Magic {
        /// The offset of the magic number.
        offset: usize,
        /// The value at that offset.
        found: u32,
        /// The expected value, for people.
        magic: &'static str,
    },
    /// The header's size does not cover the memory of the program.
    #[error("the header's image_size is {said:#x}, but the segments need {needed:#x}")]
    ImageSize {
        /// The size in the header.
        said: u64,
        /// The size of the segments, including memory that starts as zero.
        needed: u64,
    },
    /// The header declares big endian.
    #[error("the header's flags are {0:#x}: bit 0 says big endian")]
    Endian(u64),
    /// The header asks for an offset that no loader supports.
    #[error("the header's text_offset is {0:#x}, not below 2 MiB")]
    TextOffset(u64),
}

#[cfg(test)]
pub use aarch64::tests::header;
