//! What depends on the processor architecture of the images: Rust's target, QEMU's program, and the form that a boot loader
//! takes an image in.

mod aarch64;

/// An architecture that images are built for and run on.
#[derive(Debug)]
pub struct Arch {
    /// Its name, and the folder of its images.
    pub name: &'static str,
    /// Rust's bare-metal target.
    pub target: &'static str,
    /// `e_machine` of its ELF files.
    pub elf_machine: u16,
    /// QEMU's program.
    pub qemu: &'static str,
    /// Debian's package of that.
    pub qemu_package: &'static str,
    /// Where Debian and Ubuntu have U-Boot for QEMU's board, as the profiles of subjects say too.
    pub u_boot: &'static str,
    /// What people call that board.
    pub board: &'static str,
    /// Checks the header of a flat image whose program uses so many bytes of memory.
    pub check_header: fn(&[u8], u64) -> Result<(), HeaderError>,
}

/// The one architecture whose images exist so far.
pub const ARCH: Arch = aarch64::ARCH;

/// Why a boot loader would not start a flat image as meant.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The first segment is no Linux image header.
    #[error(
        "offset {offset:#x} holds {found:#010x}, not the magic \"{magic}\": the first segment must begin with the image header"
    )]
    Magic {
        /// Where it should stand.
        offset: usize,
        /// What stands there.
        found: u32,
        /// What it should be, for people.
        magic: &'static str,
    },
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

#[cfg(test)]
pub use aarch64::tests::header;
