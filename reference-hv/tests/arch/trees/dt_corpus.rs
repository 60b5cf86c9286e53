//! The tree reader: what is no tree is refused with a reason, and nothing makes it panic.

use crate::tree::{Tree, be};
use proptest::prelude::*;
use refhv::dt::{Blob, Event, MAX_DEPTH, MAX_SIZE, Node, PropFlaw, total_size};

const VIRT: &[u8] = include_bytes!("../../../testdata/virt.dtb");

/// A tree of a root with a property and a child with one.
fn small() -> Vec<u8> {
    Tree::new("")
        .cells("a", &[1])
        .child(Tree::new("child").text("b", "text"))
        .blob()
}

fn put(bytes: &mut [u8], at: usize, word: u32) {
    bytes[at..at + 4].copy_from_slice(&word.to_be_bytes());
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// Expects a refusal with these words.
#[track_caller]
fn refused(bytes: &[u8], words: &str) {
    let seen = Blob::new(bytes).map_err(|error| error.to_string());
    assert_eq!(seen.map(|_| ()), Err(words.to_owned()));
}

/// Reads everything that there is to read.
fn exhaust(blob: Blob<'_>) -> usize {
    fn visit(node: Node<'_>) -> usize {
        let props: usize = node
            .props()
            .map(|prop| {
                let numbers = [prop.u32().is_ok(), prop.u64().is_ok(), prop.text().is_ok()];
                prop.name().len() + prop.strings().count() + prop.words().count() + numbers.len()
            })
            .sum();
        props + node.name().len() + node.children().map(visit).sum::<usize>()
    }
    let _ = blob.reserved().count();
    let paths: usize = blob
        .walk()
        .filter_map(|event| match event {
            Event::Begin(node) => Some(node.path().to_string().len()),
            Event::Prop(_) | Event::End => None,
        })
        .sum();
    visit(blob.root()) + paths
}

/// The board's own tree is read whole and as another reader has it.
#[test]
fn a_real_tree_is_read() {
    let blob = Blob::new(VIRT).expect("a sound tree");
    let root = blob.root();
    assert_eq!(root.path().to_string(), "/");
    let its = root
        .child("intc@8000000")
        .and_then(|gic| gic.child("its@8080000"))
        .expect("the ITS");
    assert_eq!(its.path().to_string(), "/intc@8000000/its@8080000");
    assert_eq!(
        its.prop("compatible").expect("there").text(),
        Ok("arm,gic-v3-its")
    );
    assert_eq!(
        its.prop("reg").expect("there").words().collect::<Vec<_>>(),
        [0, 0x808_0000, 0, 0x2_0000]
    );
    assert_eq!(root.children().count(), 50);
    let uart = root.child("pl011@9000000").expect("the UART");
    let names: Vec<_> = uart.prop("clock-names").expect("there").strings().collect();
    assert_eq!(names, ["uartclk", "apb_pclk"]);
    assert_eq!(
        uart.prop("clock-names").expect("there").text(),
        Err(PropFlaw::Strings(2))
    );
    assert_eq!(
        Tree::read(VIRT).blob().len(),
        Tree::read(&Tree::read(VIRT).blob()).blob().len()
    );
}

/// Each field of the header is checked.
#[test]
fn headers_are_checked() {
    let good = small();
    assert!(Blob::new(&good).is_ok());
    let total = word(&good, 4);
    let with = |at, value| {
        let mut bytes = good.clone();
        put(&mut bytes, at, value);
        bytes
    };
    refused(&[], "is 0 bytes long, shorter than a header");
    refused(&good[..39], "is 39 bytes long, shorter than a header");
    refused(
        &with(0, 0xedfe_0dd0),
        "begins with 0xedfe0dd0, not 0xd00dfeed",
    );
    refused(
        &with(4, total + 1),
        &format!(
            "says it is {} bytes long where {total} are at hand",
            total + 1
        ),
    );
    refused(
        &with(4, 39),
        &format!("says it is 39 bytes long where {total} are at hand"),
    );
    refused(
        &with(4, u32::MAX),
        "says it is 4294967295 bytes long, more than 2097152",
    );
    refused(
        &good[..good.len() - 1],
        &format!(
            "says it is {total} bytes long where {} are at hand",
            total - 1
        ),
    );
    refused(&with(20, 16), "has version 16, readable as 16, not as 17");
    refused(&with(24, 18), "has version 17, readable as 18, not as 17");
    let size = word(&good, 36);
    refused(
        &with(8, 58),
        &format!("has its structure at 0x3a, {size:#x} bytes, misaligned"),
    );
    refused(
        &with(36, size - 1),
        &format!(
            "has its structure at 0x38, {:#x} bytes, misaligned",
            size - 1
        ),
    );
    refused(
        &with(8, 36),
        &format!("has its structure at 0x24, {size:#x} bytes, outside itself"),
    );
    refused(
        &with(8, u32::MAX - 3),
        &format!("has its structure at 0xfffffffc, {size:#x} bytes, outside itself"),
    );
    refused(
        &with(36, 0xffff_fffc),
        "has its structure at 0x38, 0xfffffffc bytes, outside itself",
    );
    refused(
        &with(12, total),
        &format!(
            "has its strings at {total:#x}, {:#x} bytes, outside itself",
            word(&good, 32)
        ),
    );
    refused(
        &with(16, 44),
        "has its memory reservation block at 0x2c, 0x0 bytes, misaligned",
    );
    refused(
        &with(16, 0xffff_fff8),
        "has its memory reservation block at 0xfffffff8, 0x0 bytes, outside itself",
    );
    refused(
        &with(16, total / 8 * 8),
        "has a memory reservation block without end",
    );
    let start = |bytes: &[u8]| total_size(bytes.first_chunk().expect("eight bytes"));
    assert_eq!(start(&good), Ok(good.len()));
    assert!(start(&with(0, 1)).is_err());
    assert!(start(&with(4, u32::MAX)).is_err());
}

/// Each rule of the structure block is checked, and the message says in which node.
#[test]
fn structures_are_checked() {
    let header = |words: &[u32]| {
        let mut bytes = Tree::new("").cells("a", &[]).blob();
        let strings = bytes[usize::try_from(word(&bytes, 12)).expect("small")..].to_vec();
        bytes.truncate(56);
        bytes.extend(be(words));
        let size = u32::try_from(words.len() * 4).expect("small");
        put(&mut bytes, 36, size);
        put(&mut bytes, 12, 56 + size);
        bytes.extend(strings);
        let total = u32::try_from(bytes.len()).expect("small");
        put(&mut bytes, 4, total);
        bytes
    };
    let (begin, end, prop, nop, stop) = (1, 2, 3, 4, 9);
    let x = u32::from_be_bytes(*b"x\0\0\0");
    assert!(
        Blob::new(&header(&[
            nop, begin, 0, nop, prop, 0, 0, begin, x, end, nop, end, stop
        ]))
        .is_ok()
    );
    for (words, wanted) in [
        (&[begin, 0, end][..], "has no end token (in node /)"),
        (&[begin, 0, stop], "ends with 1 nodes open (in node /)"),
        (&[stop], "has no root"),
        (&[nop, nop], "has no end token"),
        (
            &[begin, 0, end, end, stop],
            "ends a node that never began at 0x44 (in node /)",
        ),
        (&[end, stop], "ends a node that never began at 0x38"),
        (
            &[begin, 0, end, begin, x, end, stop],
            "has a second root at 0x44 (in node /)",
        ),
        (
            &[begin, 0, begin, 0, end, end, stop],
            "has a bad node name at 0x44 (in node /)",
        ),
        (
            &[begin, 0, begin, 0x2f00_0000, end, end, stop],
            "has a bad node name at 0x44 (in node /)",
        ),
        (
            &[begin, 0, begin, 0x2000_0000, end, end, stop],
            "has a bad node name at 0x44 (in node /)",
        ),
        (
            &[begin, 0, begin, 0x4141_4141],
            "has a node name without end at 0x44 (in node /)",
        ),
        (
            &[begin, 0, 5, end, stop],
            "has 0x5 at 0x40, which is no token (in node /)",
        ),
        (
            &[begin, 0, 0, end, stop],
            "has 0x0 at 0x40, which is no token (in node /)",
        ),
        (&[prop, 0, 0], "has a property outside any node at 0x38"),
        (
            &[begin, 0, begin, x, end, prop, 0, 0, end, stop],
            "has a property behind a child of its node at 0x4c (in node x)",
        ),
        (
            &[begin, 0, prop, 4],
            "stops at 0x40 in the middle of a token (in node /)",
        ),
        (
            &[begin, 0, prop],
            "stops at 0x40 in the middle of a token (in node /)",
        ),
        (
            &[begin, 0, prop, 5, 0, end],
            "has a property of 5 bytes at 0x40, more than are left (in node /)",
        ),
        (
            &[begin, 0, prop, u32::MAX, 0, end, stop],
            "has a property of 4294967295 bytes at 0x40, more than are left (in node /)",
        ),
        (
            &[begin, 0, prop, 0, 1, end, stop],
            "has a property at 0x40 with a bad name at 0x1 of the strings (in node /)",
        ),
        (
            &[begin, 0, prop, 0, u32::MAX, end, stop],
            "has a property at 0x40 with a bad name at 0xffffffff of the strings (in node /)",
        ),
    ] {
        refused(&header(words), wanted);
    }
}

/// A tree of 64 levels is read; one of more, up to ten thousand, is refused, and the stack does not
/// grow with it.
#[test]
fn depth_is_bounded() {
    let nested = |levels: usize| {
        let mut bytes = small();
        bytes.truncate(56);
        for level in 0..levels {
            bytes.extend(be(&[
                1,
                if level == 0 {
                    0
                } else {
                    u32::from_be_bytes(*b"n\0\0\0")
                },
            ]));
        }
        bytes.extend(be(&vec![2; levels]));
        bytes.extend(be(&[9]));
        let size = u32::try_from(bytes.len() - 56).expect("small");
        put(&mut bytes, 36, size);
        put(&mut bytes, 12, 56 + size);
        put(&mut bytes, 32, 0);
        put(&mut bytes, 4, 56 + size);
        bytes
    };
    let deepest = nested(MAX_DEPTH);
    let blob = Blob::new(&deepest).expect("a sound tree");
    let last = blob
        .walk()
        .filter(|event| matches!(event, Event::Begin(_)))
        .last();
    let Some(Event::Begin(last)) = last else {
        panic!("no node")
    };
    assert_eq!(last.path().to_string(), "/n".repeat(MAX_DEPTH - 1));
    for levels in [MAX_DEPTH + 1, 10_000] {
        refused(
            &nested(levels),
            "has more than 64 nodes inside one another at 0x238 (in node n)",
        );
    }
}

/// Thousands of properties whose common name never ends are refused at once, not after a search
/// of gigabytes.
#[test]
fn endless_names_cost_nothing() {
    let mut bytes = small();
    bytes.truncate(56);
    bytes.extend(be(&[1, 0]));
    for _ in 0..50_000 {
        bytes.extend(be(&[3, 0, 0]));
    }
    bytes.extend(be(&[2, 9]));
    let size = u32::try_from(bytes.len() - 56).expect("small");
    let strings = vec![b'a'; 1_000_000];
    put(&mut bytes, 36, size);
    put(&mut bytes, 12, 56 + size);
    put(&mut bytes, 32, 1_000_000);
    put(&mut bytes, 4, 56 + size + 1_000_000);
    bytes.extend(strings);
    assert!(bytes.len() < MAX_SIZE);
    refused(
        &bytes,
        "has a property at 0x40 with a bad name at 0x0 of the strings (in node /)",
    );
}

/// A flag with a value, a number of another length and text without an end are not guessed at.
#[test]
fn values_are_checked() {
    let tree = |value: &[u8]| Tree::new("").bytes("p", value).blob();
    let flaw = |value: &[u8], read: fn(refhv::dt::Prop<'_>) -> Option<PropFlaw>| {
        let bytes = tree(value);
        let blob = Blob::new(&bytes).expect("a sound tree");
        read(blob.root().prop("p").expect("there")).map(|flaw| flaw.to_string())
    };
    for (value, wanted) in [
        (&b"text\0"[..], None),
        (b"\0", None),
        (b"", Some("is empty")),
        (b"text", Some("is text without a NUL at its end")),
        (b"a\0b\0", Some("holds 2 strings, not one")),
        (b"\x80\0", Some("is not printable text")),
        (b"a\nb\0", Some("is not printable text")),
    ] {
        assert_eq!(
            flaw(value, |prop| prop.text().err()).as_deref(),
            wanted,
            "{value:?}"
        );
    }
    assert_eq!(
        flaw(&[0; 8], |prop| prop.u32().err()).as_deref(),
        Some("is 8 bytes long, not 4")
    );
    assert_eq!(
        flaw(&[0; 4], |prop| prop.u64().err()).as_deref(),
        Some("is 4 bytes long, not 8")
    );
    assert_eq!(
        flaw(&[0], |prop| prop.flag().err()).as_deref(),
        Some("is 1 bytes long, not 0")
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 2_000 }, failure_persistence: None, ..ProptestConfig::default() })]

    /// No bytes at all make the reader panic.
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(blob) = Blob::new(&bytes) {
            exhaust(blob);
        }
    }

    /// Neither does a real tree with some words exchanged, and what is read of it stays inside it.
    #[test]
    fn damaged_trees_are_read_or_refused(changes in proptest::collection::vec((0_usize..1000, any::<u32>(), 0_u8..6), 1..6)) {
        let mut bytes = Tree::read(VIRT).blob();
        for (at, value, kind) in changes {
            let at = at * 4 % (bytes.len() - 4);
            let value = match kind {
                0 => value,
                1 => 1,
                2 => 2,
                3 => 3,
                4 => 9,
                _ => value % 64,
            };
            put(&mut bytes, at, value);
        }
        if let Ok(blob) = Blob::new(&bytes) {
            exhaust(blob);
        }
    }

    /// What is cut off is refused.
    #[test]
    fn cut_trees_are_refused(len in 0_usize..7863) {
        prop_assert!(Blob::new(&VIRT[..len]).is_err());
    }
}
