//! Compares a tree with its printed form.

use dtb_gen::{Node, Tree};

/// Compares the node at a path, as the root of its own tree, with its source.
#[track_caller]
pub fn printed(tree: &Tree, path: &str, wanted: &str) {
    let root = Node {
        name: String::new(),
        ..tree.find(path).expect("the node is there").clone()
    };
    let text = Tree {
        root,
        ..Tree::default()
    }
    .to_string();
    assert_eq!(text.trim_start_matches("/dts-v1/;\n\n"), wanted);
}
