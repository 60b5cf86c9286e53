//! Entries and registers against the layouts of the manual, worked out by hand.

use super::*;

const PLAIN: Stage2 = Stage2 { forced: false };
const FORCED: Stage2 = Stage2 { forced: true };

/// RAM is Normal write-back and executable, a device Device-nGnRE and never executable.
#[test]
fn leaves_have_the_architected_bits() {
    for (level, to, memory, wanted) in [
        (3, 0x4780_0000, Memory::Ram, 0x4780_07ff),
        (2, 0x4780_0000, Memory::Ram, 0x4780_07fd),
        (1, 0x4000_0000, Memory::Ram, 0x4000_07fd),
        (3, 0x0903_0000, Memory::Device, 0x0040_0000_0903_04c7),
        (2, 0x0920_0000, Memory::Device, 0x0040_0000_0920_04c5),
    ] {
        let entry = PLAIN.leaf(level, Pa::new(to), memory);
        assert_eq!(entry, wanted, "level {level}");
        assert_eq!(PLAIN.read(level, entry), Entry::Leaf(Pa::new(to), memory));
    }
}

/// Entries that the architecture calls reserved at their level map nothing.
#[test]
fn reserved_entries_are_empty() {
    for (level, entry) in [
        (0, 0x4000_0001),
        (3, 0x4000_0001),
        (1, 0),
        (2, 2),
        (3, 0x4000_0002),
    ] {
        assert_eq!(
            PLAIN.read(level, entry),
            Entry::Empty,
            "level {level} {entry:#x}"
        );
    }
    assert_eq!(
        PLAIN.read(1, 0x4123_4003),
        Entry::Table(Pa::new(0x4123_4000))
    );
}

/// 40 bits begin at level 1 with two tables; a CPU with fewer bits gets what it has.
#[test]
fn control_registers() {
    let shape = Shape::shortest(40).expect("a shape");
    assert_eq!(control(shape, 5), 0x8005_3558);
    let narrow = Shape::shortest(ipa_bits(1)).expect("a shape");
    assert_eq!((ipa_bits(1), control(narrow, 1)), (36, 0x8001_355c));
    assert_eq!((ipa_bits(4), ipa_bits(6), pa_bits(6)), (40, 40, 48));
    let tag = Vmid::new(7).expect("a number");
    assert_eq!(base(Pa::new(0x4700_2000), tag), 0x0007_0000_4700_2000);
}

/// Forced write-back changes the attributes of RAM and of nothing else.
#[test]
fn forced_write_back() {
    let to = Pa::new(0x4780_0000);
    assert_eq!(FORCED.leaf(2, to, Memory::Ram), 0x4780_07d9);
    assert_eq!(
        FORCED.leaf(3, to, Memory::Device),
        PLAIN.leaf(3, to, Memory::Device)
    );
    assert_eq!(FORCED.read(2, 0x4780_07d9), Entry::Leaf(to, Memory::Ram));
}

/// What is mapped reads back as what it is, whatever FEAT_S2FWB makes of it; another domain's RAM is
/// never executable.
#[test]
fn kinds_read_back() {
    let to = Pa::new(0x4780_0000);
    for format in [PLAIN, FORCED] {
        for memory in [Memory::Ram, Memory::Foreign, Memory::Device] {
            let entry = format.leaf(3, to, memory);
            assert_eq!(format.read(3, entry), Entry::Leaf(to, memory), "{memory:?}");
            assert_eq!(entry & EXECUTE_NEVER != 0, memory != Memory::Ram);
        }
    }
}
