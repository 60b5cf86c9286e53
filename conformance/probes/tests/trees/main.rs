//! The tree's reader finds what an independent writer wrote, and survives malformed trees.

mod arch;

use probe::tree::{Tree, total_size};
use proptest::collection::vec;
use proptest::prelude::*;

use arch::guest;

/// A blob that is not a tree is refused, with the offset of the invalid field.
#[test]
fn headers_are_checked() {
    let good = guest();
    let spoiled = |at: usize, value: u32| {
        let mut blob = good.clone();
        blob[at..at + 4].copy_from_slice(&value.to_be_bytes());
        Tree::new(&blob).err()
    };
    assert_eq!(Tree::new(&[]).err(), Some(0));
    assert_eq!(spoiled(0, 0xd00d_feee), Some(0));
    assert_eq!(spoiled(8, u32::MAX), Some(8), "structure's offset");
    assert_eq!(spoiled(36, u32::MAX), Some(8), "structure's size");
    assert_eq!(spoiled(12, u32::MAX), Some(12), "strings' offset");
    assert_eq!(spoiled(8, 16), Some(8), "no root there");
    assert_eq!(total_size(*b"\xd0\x0d\xfe\xed\0\0\x10\0"), Some(0x1000));
    assert_eq!(total_size([0; 8]), None);
}

/// Ten thousand levels need no stack of that depth.
#[test]
fn depth_is_no_matter() {
    let token = |value: u32| value.to_be_bytes();
    let mut structure: Vec<u8> = [token(1), token(0)].concat();
    for _ in 0..10_000 {
        structure.extend([token(1), *b"a\0\0\0"].concat());
    }
    structure.extend(token(2).repeat(10_000));
    structure.extend([token(1), *b"z\0\0\0", token(2), token(2), token(9)].concat());
    let sizes = [40u32, u32::try_from(structure.len()).unwrap()];
    let total = sizes[0] + sizes[1];
    let header = [
        0xd00d_feed,
        total,
        sizes[0],
        total,
        40,
        17,
        16,
        0,
        0,
        sizes[1],
    ];
    let blob = [header.map(u32::to_be_bytes).concat(), structure].concat();
    let tree = Tree::new(&blob).unwrap();
    let names: Vec<&[u8]> = tree
        .root()
        .unwrap()
        .children()
        .map(|node| node.name())
        .collect();
    assert_eq!(names, [b"a", b"z"]);
    assert!(tree.find(&b"/a".repeat(100)).is_some());
}

/// Calls every function of the reader on a tree.
fn visit(blob: &[u8]) {
    let Ok(tree) = Tree::new(blob) else { return };
    arch::visit(&tree);
    let root = tree.root().unwrap();
    for node in root.children() {
        let _ = (
            node.reg(root).count(),
            node.is_compatible(b"arm,pl011"),
            node.text(b"compatible"),
        );
        for child in node.children() {
            let _ = (child.reg(node).count(), child.name(), child.cell(b"reg"));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// No corrupted tree makes the reader panic or loop.
    #[test]
    fn spoiled_trees_are_survived(
        writes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cells in vec((any::<prop::sample::Index>(), prop_oneof![Just(0u32), Just(u32::MAX), 0..12u32, any::<u32>()]), 0..6),
        keep in any::<prop::sample::Index>(),
        cut: bool,
    ) {
        let mut blob = guest();
        for (at, byte) in writes {
            let at = at.index(blob.len());
            blob[at] = byte;
        }
        for (at, cell) in cells {
            let at = at.index(blob.len() / 4) * 4;
            blob[at..at + 4].copy_from_slice(&cell.to_be_bytes());
        }
        blob[..4].copy_from_slice(&0xd00d_feed_u32.to_be_bytes());
        if cut {
            blob.truncate(keep.index(blob.len()));
        }
        visit(&blob);
    }

    /// Nor do arbitrary bytes.
    #[test]
    fn soup_is_survived(mut blob in vec(any::<u8>(), 40..400)) {
        blob[..4].copy_from_slice(&0xd00d_feed_u32.to_be_bytes());
        blob[8..12].copy_from_slice(&40u32.to_be_bytes());
        blob[12..16].copy_from_slice(&0u32.to_be_bytes());
        let len = u32::try_from(blob.len()).unwrap();
        blob[32..36].copy_from_slice(&len.to_be_bytes());
        blob[36..40].copy_from_slice(&(len - 40).to_be_bytes());
        visit(&blob);
    }
}
