//! Any bytes as a device tree: read or refused, and when read, read to the end.
//!
//! Run from `reference-hv` with `cargo +nightly fuzz run dt fuzz/corpus/dt`.
#![no_main]

use std::fmt::Write;

use libfuzzer_sys::fuzz_target;
use refhv::dt::{Blob, Event, MAX_DEPTH, Node};

fuzz_target!(|bytes: &[u8]| {
    let blob = match Blob::new(bytes) {
        Ok(blob) => blob,
        Err(error) => {
            let mut text = String::new();
            write!(text, "{error}").expect("text");
            return;
        }
    };
    assert!(blob.bytes().len() <= bytes.len());
    // The walk and the tree of iterators must tell of the same nodes.
    let mut begun = 0;
    let mut open = 0_usize;
    for event in blob.walk() {
        match event {
            Event::Begin(_) => {
                begun += 1;
                open += 1;
                assert!(open <= MAX_DEPTH);
            }
            Event::Prop(prop) => {
                assert!(open > 0 && !prop.name().is_empty());
                assert!(prop.value().len() <= bytes.len());
                let _ = (prop.u32(), prop.u64(), prop.text(), prop.flag());
                let _ = prop.strings().count() + prop.words().count();
            }
            Event::End => open -= 1,
        }
    }
    assert_eq!(open, 0);
    assert_eq!(visit(blob.root()), begun);
    let _ = blob.reserved().count();
});

/// Counts a node and all below it.
fn visit(node: Node<'_>) -> usize {
    for prop in node.props() {
        assert!(node.has(prop.name()));
        assert_eq!(
            node.prop(prop.name()).map(|first| first.name()),
            Some(prop.name())
        );
    }
    1 + node.children().map(visit).sum::<usize>()
}
