//! The shape of a partial tree.

use crate::domains::{refused, with_tree};
use crate::rig::*;
use crate::tree::Tree;

const HOLE: u64 = 0x3a00_0000;

/// A partial tree has one `passthrough`, a bus, and nothing elsewhere that would be lost.
#[test]
fn partial_trees_are_whole() {
    let base = || partial(&[gpio(HOLE)]);
    let mut tree = base();
    tree.at("/passthrough").remove("compatible");
    refused(
        &with_tree(&tree),
        "/passthrough: `compatible` does not name simple-bus",
    );
    let mut tree = base();
    tree.at("/passthrough").remove("ranges");
    refused(&with_tree(&tree), "/passthrough: `ranges` is missing");
    for name in ["passthrough", "Passthrough"] {
        let tree = base().child(Tree::new(name));
        refused(
            &with_tree(&tree),
            &format!("/{name}: `{name}` is a node that is there twice"),
        );
    }
    for lost in ["passthrough@0", "soc"] {
        let mut tree = base();
        tree.at("/passthrough").name = lost.to_owned();
        refused(
            &with_tree(&tree),
            &format!("/{lost}/gpio: `xen,reg` stands outside /passthrough"),
        );
    }
    let tree = base().flag("xen,force-assign-without-iommu");
    refused(
        &with_tree(&tree),
        "/: `xen,force-assign-without-iommu` stands outside /passthrough",
    );
    let tree = base().child(Tree::new("aliases").child(Tree::new("x")));
    refused(&with_tree(&tree), "/aliases/x: `x` is a node among aliases");
    let tree = base().child(Tree::new("memory@0"));
    let warnings: Vec<_> = with_tree(&tree)
        .prove()
        .warnings()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(warnings, ["/memory@0: node has no effect"]);
    for (name, value) in [
        ("compatible", &b"arm,smmu-v3\0"[..]),
        ("#iommu-cells", &[0, 0, 0, 1]),
    ] {
        let mut tree = base();
        let bus = tree.at("/passthrough");
        bus.children.push(Tree::new("smmu").bytes(name, value));
        refused(
            &with_tree(&tree),
            "/passthrough/smmu: `compatible` describes an IOMMU, which no domain may see",
        );
    }
    // The bus itself may ask for something, by the cells of the root.
    let mut tree = partial(&[]);
    let request = gpio(HOLE);
    tree.at("/passthrough").props.extend(
        request
            .props
            .into_iter()
            .filter(|(name, _)| name != "compatible"),
    );
    assert_eq!(with_tree(&tree).refusal(), None);
    // Devices may sit at any depth.
    let inner = Tree::new("inner")
        .cells("#address-cells", &[2])
        .cells("#size-cells", &[2]);
    assert_eq!(
        with_tree(&partial(&[inner.child(gpio(HOLE))])).refusal(),
        None
    );
}

/// A phandle names one node.
#[test]
fn phandles_are_unique() {
    let node = |name: &str, phandle| Tree::new(name).cells("phandle", &[phandle]);
    refused(
        &with_tree(&partial(&[node("a", 5), node("b", 5)])),
        "/passthrough: `phandle` 0x5 is that of two nodes",
    );
    refused(
        &with_tree(&partial(&[node("a", 0xfde8)])),
        "/gic: `phandle` is 0xfde8, that of another node as well",
    );
    for bad in [0, u32::MAX] {
        refused(
            &with_tree(&partial(&[node("a", bad)])),
            &format!("/passthrough/a: `phandle` is {bad:#x}, which names no node"),
        );
    }
    refused(
        &with_tree(&partial(&[node("a", 5).cells("linux,phandle", &[6])])),
        "/passthrough/a: `linux,phandle` is 0x6, not 0x5",
    );
    assert_eq!(
        with_tree(&partial(&[node("a", 5).cells("linux,phandle", &[5])])).refusal(),
        None
    );
}

/// A partial tree that is no tree ends its domain, with the reader's own words.
#[test]
fn broken_partial_trees_end_their_domain_only() {
    let whole = partial(&[gpio(HOLE)]).blob();
    for (bytes, words) in [
        (
            whole[..8].to_vec(),
            "is 8 bytes long, shorter than a header",
        ),
        (whole[..40].to_vec(), "says it is "),
        (whole[..whole.len() / 2].to_vec(), "says it is "),
        (
            [&[0; 4], &whole[4..]].concat(),
            "begins with 0x00000000, not 0xd00dfeed",
        ),
    ] {
        let mut rig = Rig::default();
        rig.domain("one", Some(bytes)).with("two", &[gpio(HOLE)]);
        let proven = rig.prove();
        let lines: Vec<_> = proven.refusals().iter().map(ToString::to_string).collect();
        assert_eq!(lines.len(), 1);
        assert!(
            lines[0].contains(&format!("names a device tree that {words}")),
            "{lines:?}"
        );
        assert_eq!(proven.domains()[0].name, "two");
    }
}

/// However many odd nodes a tree has, the notices stay few; however many devices it asks for,
/// there is a bound, and it is not reached by what anybody needs.
#[test]
fn numbers_are_bounded() {
    let many = (0..100).fold(partial(&[]), |tree, n| {
        tree.child(Tree::new(&format!("n{n}")))
    });
    assert_eq!(with_tree(&many).prove().warnings().len(), 17);
    let unit = |n: u64| {
        device(
            &format!("d{n}"),
            "",
            &[(0x0b00_0000 + n * 0x1000, 0x1000, HOLE + n * 0x1000)],
        )
    };
    let devices: Vec<Tree> = (0..1025).map(unit).collect();
    assert_eq!(with_tree(&partial(&devices[..1024])).refusal(), None);
    refused(
        &with_tree(&partial(&devices)),
        "/passthrough/d1024: `d1024` is one more than the 1024 devices a domain can have",
    );
    let mut rig = Rig::default();
    for n in 0..256 {
        rig.domain(&format!("d{n}"), None);
        rig.host.at(&format!("/chosen/d{n}")).remove("memory");
    }
    let last = rig.prove().refusals().last().map(ToString::to_string);
    assert_eq!(
        last.as_deref(),
        Some(
            "refuse domain d255: /chosen/d255: `compatible` is the node of one more domain than the 255 there can be"
        )
    );
}
