//! Entries and the control register against the layouts of the manual, worked out by hand.

use super::*;

/// Nothing is both writable and executable, and each kind reads back as itself.
#[test]
fn leaves_have_the_architected_bits() {
    for (memory, wanted) in [
        (Memory::Text, 0x4020_07c7),
        (Memory::Constant, 0x0040_0000_4020_07c7),
        (Memory::Data, 0x0040_0000_4020_0747),
        (Memory::Device, 0x0040_0000_4020_0443),
    ] {
        let entry = Stage1.leaf(3, Pa::new(0x4020_0000), memory);
        assert_eq!(entry, wanted, "{memory:?}");
        assert_eq!(
            Stage1.read(3, entry),
            Entry::Leaf(Pa::new(0x4020_0000), memory)
        );
        assert!(
            entry & EXECUTE_NEVER != 0 || entry & READ_ONLY != 0,
            "{memory:?}"
        );
    }
}

/// 48 bits, 4 KiB granule, and the CPU's own output size up to 48 bits.
#[test]
fn control_register() {
    assert_eq!(control(4), 0x8084_3510);
    assert_eq!(control(6), 0x8085_3510);
}

/// PAR_EL1 holds a page and attributes, or says that there is none.
#[test]
fn translations_keep_the_offset() {
    let par = 0xff00_0000_4567_8b80;
    assert_eq!(translated(par, 0xffff_0000_0000_0123), Some(0x4567_8123));
    assert_eq!(translated(par | 1, 0x123), None);
}
