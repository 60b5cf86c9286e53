//! Small hand-made ELF files, each with one defect.

use super::*;
use crate::arch::header;

/// One program header: type, load address, bytes in the file, size in memory.
struct Segment {
    kind: u32,
    address: u64,
    file: Vec<u8>,
    memory: u64,
}

impl Segment {
    fn load(address: u64, file: impl Into<Vec<u8>>, memory: u64) -> Self {
        Self {
            kind: 1,
            address,
            file: file.into(),
            memory,
        }
    }
}

fn elf_for(machine: u16, segments: &[Segment]) -> Vec<u8> {
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    let half = |elf: &mut Vec<u8>, value: u16| elf.extend(value.to_le_bytes());
    let word = |elf: &mut Vec<u8>, value: u32| elf.extend(value.to_le_bytes());
    let long = |elf: &mut Vec<u8>, value: u64| elf.extend(value.to_le_bytes());
    half(&mut elf, 2);
    half(&mut elf, machine);
    word(&mut elf, 1);
    for value in [0, 64, 0] {
        long(&mut elf, value);
    }
    word(&mut elf, 0);
    for value in [64, 56, segments.len() as u16, 64, 0, 0] {
        half(&mut elf, value);
    }
    let mut offset = 64 + 56 * segments.len() as u64;
    for segment in segments {
        word(&mut elf, segment.kind);
        word(&mut elf, 5);
        // The virtual address differs: only the load address may count.
        for value in [
            offset,
            segment.address ^ 0xffff_0000_0000_0000,
            segment.address,
            segment.file.len() as u64,
            segment.memory,
            1,
        ] {
            long(&mut elf, value);
        }
        offset += segment.file.len() as u64;
    }
    for segment in segments {
        elf.extend(&segment.file);
    }
    elf
}

fn elf(segments: &[Segment]) -> Vec<u8> {
    elf_for(TARGET.elf_machine, segments)
}

/// Segments are placed by their distance from the lowest load address, whatever their order in the file. Gaps are zero,
/// and memory that only starts as zero adds nothing.
#[test]
fn segments_land_at_their_load_addresses() {
    let image = flatten(&elf(&[
        Segment::load(0x1_0060, [7; 4], 0x1000),
        Segment {
            kind: 4,
            address: 0,
            file: vec![9; 3],
            memory: 3,
        },
        Segment::load(0x1_0000, header(0x2000), 64),
        Segment::load(0x1_1800, [], 0x800),
    ]))
    .unwrap();
    let mut wanted = header(0x2000);
    wanted.resize(0x60, 0);
    wanted.extend([7; 4]);
    assert_eq!(image, wanted);
}

/// Each defect is refused by its own error.
#[test]
fn defects_are_named() {
    let good = || Segment::load(0x1000, header(0x100), 0x100);
    let table = [
        (elf(&[]), ImageError::Empty),
        (elf(&[Segment::load(0x1000, [], 0x100)]), ImageError::Empty),
        (elf_for(62, &[good()]), ImageError::Machine(62)),
        (
            elf(&[Segment::load(0x1000, header(0x100), 63)]),
            ImageError::Segment {
                address: 0x1000,
                file: 64,
                memory: 63,
            },
        ),
        (
            elf(&[good(), Segment::load(u64::MAX, [], 2)]),
            ImageError::Segment {
                address: u64::MAX,
                file: 0,
                memory: 2,
            },
        ),
        (
            elf(&[good(), Segment::load(0x10ff, [], 1)]),
            ImageError::Overlap {
                address: 0x10ff,
                end: 0x1100,
            },
        ),
        (
            elf(&[good(), Segment::load(0x1000 + LARGEST, [], 1)]),
            ImageError::TooLarge(LARGEST + 1),
        ),
        (
            elf(&[good(), Segment::load(0x1100, [], 1)]),
            ImageError::Header(HeaderError::ImageSize {
                said: 0x100,
                needed: 0x101,
            }),
        ),
    ];
    for (bytes, wanted) in table {
        assert_eq!(flatten(&bytes), Err(wanted));
    }
    // The same file without a defect.
    assert!(flatten(&elf(&[good()])).is_ok());
}

/// A file that is cut off anywhere is an error, never a panic.
#[test]
fn truncated_files_are_refused() {
    let whole = elf(&[Segment::load(0x1000, header(0x100), 0x100)]);
    for length in 0..whole.len() {
        assert!(flatten(&whole[..length]).is_err(), "{length} bytes");
    }
}
