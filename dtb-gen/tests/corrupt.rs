//! Each corruption makes its own defect and no other.

use dtb_gen::{Corruption, Node, Tree, Value, corrupt};

#[path = "support/tools.rs"]
mod tools;

fn good() -> Vec<u8> {
    let passthrough = Node::new("passthrough")
        .with("compatible", "simple-bus")
        .child(Node::new("gpio@1").with("reg", [0_u32, 1, 0, 0x1000]));
    let root = Node::new("")
        .with("#address-cells", 2_u32)
        .child(Node::new("pic").with("phandle", 1_u32))
        .child(passthrough);
    Tree {
        reserved: vec![(0x1000, 0x1000)],
        boot_cpu: 0,
        root,
    }
    .emit()
    .expect("a good tree")
}

/// The header, field by field.
const FIELDS: [&str; 10] = [
    "magic",
    "totalsize",
    "off_struct",
    "off_strings",
    "off_reserved",
    "version",
    "last_comp",
    "boot_cpu",
    "size_strings",
    "size_struct",
];

/// Which header fields change, by how many bytes the blob grows, and how many bytes after the header change in place.
#[test]
fn one_defect_each() {
    let sizes = &["totalsize", "off_strings", "size_struct"][..];
    let table: &[(Corruption, &[&str], i64, usize)] = &[
        (Corruption::Magic, &["magic"], 0, 0),
        (Corruption::TotalSize(8), &["totalsize"], 0, 0),
        (Corruption::TotalSizeGrow(0x1000), &["totalsize"], 0, 0),
        (Corruption::Version, &["version"], 0, 0),
        (Corruption::LastCompVersion, &["last_comp"], 0, 0),
        (Corruption::OffStruct, &["off_struct"], 0, 0),
        (Corruption::OffStrings, &["off_strings"], 0, 0),
        (Corruption::OffReserved, &["off_reserved"], 0, 0),
        (Corruption::StructSize, &["size_struct"], 0, 0),
        (Corruption::StructSizeShort, &["size_struct"], 0, 0),
        (Corruption::StringsSize, &["size_strings"], 0, 0),
        (Corruption::ReservedUnterminated, &[], 0, 2),
        (Corruption::BadToken, &[], 0, 1),
        (Corruption::StringOffset, &[], 0, 2),
        (Corruption::PropLength, &[], 0, 1),
        (Corruption::HugePropLength, &[], 0, 4),
        (
            Corruption::MisalignedStruct,
            &["totalsize", "off_struct", "off_strings"],
            2,
            usize::MAX,
        ),
        (
            Corruption::UnterminatedString,
            &["totalsize", "size_strings"],
            -1,
            usize::MAX,
        ),
        (Corruption::NoEnd, sizes, -4, usize::MAX),
        (Corruption::NoEndNode, sizes, -4, usize::MAX),
        (Corruption::EndNodeUnderflow, sizes, 4, usize::MAX),
        (Corruption::ExtraRoot, sizes, 12, usize::MAX),
        (Corruption::PropAfterNode, sizes, 12, usize::MAX),
        (Corruption::PropOutside, sizes, 12, usize::MAX),
        (Corruption::Deep(10_000), sizes, 120_000, usize::MAX),
        // The name, its length and everything after it are cut.
        (Corruption::UnterminatedName, sizes, -44, usize::MAX),
        (Corruption::Empty, &FIELDS, -258, usize::MAX),
        (Corruption::Truncate(41), &[], 41 - 258, usize::MAX),
        (Corruption::TruncateHalf, &[], -129, usize::MAX),
    ];
    for defect in Corruption::all() {
        assert!(
            table.iter().any(|(listed, ..)| *listed == defect),
            "{defect} is not in the table"
        );
    }
    let good = good();
    for (defect, fields, grows, changes) in table {
        let bad = corrupt::apply(defect, &good).expect("a good tree can be corrupted");
        let field =
            |blob: &[u8], index: usize| blob.get(4 * index..4 * index + 4).map(<[u8]>::to_vec);
        let differ = (0..10)
            .filter(|index| field(&good, *index) != field(&bad, *index))
            .map(|index| FIELDS[index]);
        assert_eq!(differ.collect::<Vec<_>>(), *fields, "{defect}");
        assert_eq!(bad.len() as i64 - good.len() as i64, *grows, "{defect}");
        if *grows == 0 {
            let behind = good
                .iter()
                .zip(&bad)
                .skip(40)
                .filter(|(a, b)| a != b)
                .count();
            assert_eq!(behind, *changes, "{defect}");
        }
    }
}

/// Our reader or dtc rejects each defect, and dtc accepts a blob of the good tree.
#[test]
fn every_defect_is_noticed() {
    let good = good();
    let flags = ["-I", "dtb", "-O", "dtb", "-q", "-q"];
    assert!(
        tools::try_dtc(&flags, &good).0 && Tree::read(&good).is_ok(),
        "the good tree is good"
    );
    for defect in Corruption::all() {
        let bad = corrupt::apply(&defect, &good).expect("a good tree can be corrupted");
        let noticed = Tree::read(&bad).is_err() || !tools::try_dtc(&flags, &bad).0;
        assert!(noticed, "{defect} passes for a good tree");
    }
}

/// Blocks in another order, with gaps and trailing bytes, are put in order, and the defect stays the only one.
#[test]
fn layout_of_the_input_does_not_matter() {
    let good = good();
    let mut padded = good.clone();
    padded.resize(0x1000, 0);
    assert_eq!(
        corrupt::apply(&Corruption::Magic, &padded),
        corrupt::apply(&Corruption::Magic, &good)
    );
    padded[4..8].copy_from_slice(&0x1000_u32.to_be_bytes());
    assert_eq!(
        corrupt::apply(&Corruption::NoEnd, &padded),
        corrupt::apply(&Corruption::NoEnd, &good)
    );
}

/// The nesting is deep enough to exhaust the stack of a recursive reader.
#[test]
fn depth_is_as_asked() {
    for levels in [1, 70, 10_000] {
        let bad = corrupt::apply(&Corruption::Deep(levels), &good())
            .expect("a good tree can be corrupted");
        let opened = bad
            .windows(8)
            .filter(|bytes| *bytes == b"\0\0\0\x01d\0\0\0")
            .count();
        assert_eq!(opened as u32, levels);
        // The root, /passthrough and the nested nodes.
        assert_eq!(
            Tree::read(&bad).is_ok(),
            levels + 2 <= 64,
            "{levels} levels"
        );
    }
}

#[test]
fn names_are_read_as_printed() {
    for defect in Corruption::all() {
        assert_eq!(defect.to_string().parse(), Ok(defect));
    }
    assert_eq!("deep:0x10".parse(), Ok(Corruption::Deep(16)));
    assert_eq!("deep:10_000".parse(), Ok(Corruption::Deep(10_000)));
}

#[test]
fn wrong_names_say_what_is_right() {
    for (text, wanted) in [
        (
            "trunkate:8",
            "unknown defect `trunkate:8`, nearest is `truncate:N`",
        ),
        (
            "bad-tokens",
            "unknown defect `bad-tokens`, nearest is `bad-token`",
        ),
        ("qqq", "unknown defect `qqq`"),
        (
            "magic:1",
            "defect `magic:1`: takes no number, as in `magic`",
        ),
        ("deep", "defect `deep`: needs a number, as in `deep:10000`"),
        (
            "deep:many",
            "defect `deep:many`: the number is none of 32 bits, as in `deep:10000`",
        ),
    ] {
        let error = text.parse::<Corruption>().expect_err("it is wrong");
        assert_eq!(error.to_string(), wanted);
    }
}

/// An input with a defect is refused, and so is a corruption that would change nothing.
#[test]
fn what_cannot_be_spoilt_is_refused() {
    let bare = Tree::default().emit().expect("a bare root");
    for (defect, blob, wanted) in [
        (
            Corruption::NoEnd,
            &b"junk"[..],
            "defect `no-end`: the input is no good tree: device tree: 4 bytes are too few for the 40-byte header",
        ),
        (
            Corruption::StringOffset,
            &bare,
            "defect `string-offset`: the tree has no property",
        ),
        (
            Corruption::UnterminatedString,
            &bare,
            "defect `unterminated-string`: the tree has no property names",
        ),
        (
            Corruption::PropAfterNode,
            &bare,
            "defect `prop-after-node`: the tree has no property",
        ),
        (
            Corruption::Truncate(72),
            &bare,
            "defect `truncate:72`: the tree is only 72 bytes long",
        ),
        (
            Corruption::TotalSize(72),
            &bare,
            "defect `totalsize:72`: the header says 0x48 already",
        ),
    ] {
        let error = corrupt::apply(&defect, blob).expect_err("it cannot be corrupted");
        assert_eq!(error.to_string(), wanted);
    }
    let flat = Tree {
        root: Node::new("").with("a", Value::Empty),
        ..Tree::default()
    };
    let error = corrupt::apply(
        &Corruption::PropAfterNode,
        &flat.emit().expect("a flat tree"),
    );
    let error = error.expect_err("there is no child");
    assert_eq!(
        error.to_string(),
        "defect `prop-after-node`: the tree has no node but the root"
    );
}
