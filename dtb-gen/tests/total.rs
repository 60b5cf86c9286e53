//! Foreign bytes never crash the code that reads, prints or corrupts a tree.

use dtb_gen::{Corruption, Node, Tree, corrupt, dts};
use proptest::collection::vec;
use proptest::prelude::*;

fn good() -> Vec<u8> {
    let device = |name: &str| {
        Node::new(name)
            .with("reg", [1_u32, 2, 3, 4])
            .with("compatible", "a device")
    };
    let root = Node::new("")
        .with("#address-cells", 2_u32)
        .child(
            Node::new("soc")
                .with("ranges", ())
                .child(device("uart@1"))
                .child(device("rtc@2")),
        )
        .child(device("memory@0"));
    Tree {
        reserved: vec![(0x1000, 0x1000), (0x8000, 0x10)],
        boot_cpu: 3,
        root,
    }
    .emit()
    .expect("a good tree")
}

/// Good bytes with some of them changed, cut or repeated.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let length = good().len();
    let change = (
        0..length,
        prop_oneof![
            Just(0_u8),
            Just(1),
            Just(2),
            Just(3),
            Just(9),
            Just(0xff),
            any::<u8>()
        ],
    );
    (vec(change, 0..8), 0..length + 20).prop_map(|(changes, cut)| {
        let mut blob = good();
        for (at, byte) in changes {
            blob[at] = byte;
        }
        blob.truncate(cut.max(30));
        blob
    })
}

fn try_all(blob: &[u8]) {
    if let Ok(tree) = Tree::read(blob) {
        // A tree that was read has bounded depth, so it can be walked, printed, and written or rejected.
        let _ = tree.emit();
        assert!(!tree.paths().is_empty());
    }
    assert!(!dts(blob).is_empty());
    for defect in Corruption::all() {
        let _ = corrupt::apply(&defect, blob);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_trees_are_read_or_refused(blob in mutated()) {
        try_all(&blob);
    }

    #[test]
    fn any_bytes_are_refused(blob in vec(any::<u8>(), 0..200)) {
        try_all(&blob);
    }
}

#[test]
fn unreadable_blob_is_printed_with_its_reason() {
    let text = dts(b"\xd0\x0d");
    assert!(
        text.starts_with("// not a readable tree: device tree: 2 bytes are too few"),
        "{text}"
    );
    assert!(text.ends_with("// d0 0d\n"), "{text}");
}
