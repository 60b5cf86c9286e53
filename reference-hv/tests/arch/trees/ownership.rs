//! Two domains never get the same page, the same interrupt or the same device, and what is refused
//! leaves no trace.

use crate::rig::*;
use crate::tree::{Tree, be};

const HOLE: u64 = 0x3a00_0000;

/// Proves two domains `one` and `two` with these devices and tells which run and why others do
/// not.
fn two(rig: &mut Rig, one: &[Tree], two: &[Tree]) -> (Vec<String>, Vec<String>) {
    rig.with("one", one).with("two", two);
    outcome(rig)
}

fn outcome(rig: &Rig) -> (Vec<String>, Vec<String>) {
    let proven = rig.prove();
    (
        proven
            .domains()
            .iter()
            .map(|plan| plan.name.clone())
            .collect(),
        proven.refusals().iter().map(ToString::to_string).collect(),
    )
}

/// Expects the first domain to run and the second to be refused with these words.
#[track_caller]
fn second_refused(seen: (Vec<String>, Vec<String>), words: &str) {
    assert_eq!(seen.0, ["one"]);
    assert_eq!(seen.1, [format!("refuse domain two: {words}")]);
}

/// A host node, marked, of these registers and these interrupts.
fn node(name: &str, at: u64, size: u64, spis: &[(u32, u32)]) -> Tree {
    let interrupts: Vec<u32> = spis
        .iter()
        .flat_map(|(spi, flags)| [0, *spi, *flags])
        .collect();
    let node = Tree::new(name)
        .text("compatible", "test,block")
        .cells("reg", &[high(at), low(at), high(size), low(size)])
        .flag("xen,passthrough");
    if spis.is_empty() {
        node
    } else {
        node.cells("interrupts", &interrupts)
    }
}

fn page(name: &str, path: &str, host: u64) -> Tree {
    device(name, path, &[(host, 0x1000, HOLE)])
}

/// The earlier domain has the device, however the later one names it.
#[test]
fn a_device_has_one_owner() {
    let named = |name| device(name, GPIO, &[(GPIO_AT, 0x1000, HOLE)]);
    let nameless = |name| device(name, "", &[(GPIO_AT, 0x1000, HOLE)]);
    let pages = "names host range 0x9030000-0x9030fff, which d1 has already";
    for (first, second, words) in [
        (
            named("a"),
            named("b"),
            format!("/passthrough/b: `xen,path` is {GPIO}, which d1 has already"),
        ),
        (
            named("a"),
            nameless("b"),
            format!("/passthrough/b: `xen,reg` {pages}"),
        ),
        (
            nameless("a"),
            named("b"),
            format!("/passthrough/b: `xen,path` is {GPIO}, which d1 has already"),
        ),
        (
            nameless("a"),
            nameless("b"),
            format!("/passthrough/b: `xen,reg` {pages}"),
        ),
    ] {
        second_refused(two(&mut Rig::default(), &[first], &[second]), &words);
    }
    let different = two(&mut Rig::default(), &[gpio(HOLE)], &[rtc(HOLE)]);
    assert_eq!(different.1, Vec::<String>::new());
}

/// Ranges, not nodes, are compared: a part of a device is part of it.
#[test]
fn overlapping_parts_have_one_owner() {
    let mut rig = Rig::default();
    rig.host
        .children
        .push(node("big@b000000", 0x0b00_0000, 0x3000, &[]));
    let part = |name, at| device(name, "", &[(at, 0x2000, HOLE)]);
    second_refused(
        two(
            &mut rig,
            &[part("a", 0x0b00_0000)],
            &[part("b", 0x0b00_1000)],
        ),
        "/passthrough/b: `xen,reg` names host range 0xb001000-0xb001fff, which d1 has already",
    );
    // Disjoint pages of one device are one device all the same.
    let mut rig = Rig::default();
    rig.host
        .children
        .push(node("big@b000000", 0x0b00_0000, 0x3000, &[]));
    let path = "/big@b000000";
    second_refused(
        two(
            &mut rig,
            &[page("a", path, 0x0b00_0000)],
            &[page("b", path, 0x0b00_2000)],
        ),
        "/passthrough/b: `xen,path` is /big@b000000, which d1 has already",
    );
    // Where nothing is described there is no device, only pages.
    let seen = two(
        &mut Rig::default(),
        &[page("a", "", 0x0b00_0000)],
        &[page("b", "", 0x0b00_1000)],
    );
    assert_eq!(seen.1, Vec::<String>::new());
}

/// A second node over the same registers is the same device.
#[test]
fn an_alias_node_is_the_same_device() {
    let mut rig = Rig::default();
    rig.host
        .children
        .push(node("alias@9030000", GPIO_AT, 0x1000, &[]));
    second_refused(
        two(
            &mut rig,
            &[gpio(HOLE)],
            &[page("b", "/alias@9030000", GPIO_AT)],
        ),
        "/passthrough/b: `xen,path` is /alias@9030000, which d1 has already",
    );
    // Neither is it a way around the mark, or around what the other node says about DMA.
    for (property, words) in [
        ("", "is not marked `xen,passthrough`"),
        (
            "dma-coherent",
            "can access memory by itself (`dma-coherent`) and no IOMMU protects; only a domain with `direct-map` can have it",
        ),
    ] {
        let mut rig = Rig::default();
        let mut alias = node("alias@9030000", GPIO_AT, 0x1000, &[]);
        match property {
            "" => alias.remove("xen,passthrough"),
            name => alias.set(name, &be(&[1, 2])),
        };
        rig.host.children.push(alias);
        rig.with("one", &[gpio(HOLE)]);
        assert_eq!(
            rig.refusal(),
            Some(format!(
                "refuse domain one: /passthrough/gpio: `xen,reg` names /alias@9030000, which {words}"
            ))
        );
    }
}

/// All who live in a page go to one domain, or the page goes to none.
#[test]
fn neighbours_in_a_page_stay_together() {
    let rig = || {
        let mut rig = Rig::default();
        for (name, at) in [("a@b000000", 0x0b00_0000), ("b@b000200", 0x0b00_0200)] {
            rig.host.children.push(node(name, at, 0x200, &[]));
        }
        rig
    };
    let (a, b) = ("/a@b000000", "/b@b000200");
    let at = 0x0b00_0000;
    let alone = |name: &str, other: &str| {
        format!(
            "/passthrough/{name}: `xen,reg` names the page of 0xb000000, in which {other} lies too, which this domain does not ask for"
        )
    };
    let (running, refusals) = two(&mut rig(), &[page("a", a, at)], &[page("b", b, at)]);
    assert_eq!(running, Vec::<String>::new());
    assert_eq!(
        refusals,
        [
            format!("refuse domain one: {}", alone("a", b)),
            format!("refuse domain two: {}", alone("b", a)),
        ]
    );
    let mut both = rig();
    both.with(
        "one",
        &[
            page("a", a, at),
            device("b", b, &[(at, 0x1000, HOLE + 0x1000)]),
        ],
    );
    assert_eq!(outcome(&both).1, Vec::<String>::new());
    // Asked for by its range, a page is asked for with all who live in it.
    second_refused(
        two(&mut rig(), &[page("a", "", at)], &[page("b", b, at)]),
        "/passthrough/b: `xen,path` is /b@b000200, which d1 has already",
    );
    let mut unmarked = rig();
    unmarked.host.at(b).remove("xen,passthrough");
    unmarked.with("one", &[page("a", "", at)]);
    assert_eq!(
        unmarked.refusal(),
        Some(format!(
            "refuse domain one: /passthrough/a: `xen,reg` names {b}, which is not marked `xen,passthrough`"
        ))
    );
}

/// An interrupt line goes to one domain, however many devices of that domain share it.
#[test]
fn a_line_has_one_owner() {
    let rig = || {
        let mut rig = Rig::default();
        rig.host.children.push(node(
            "a@b000000",
            0x0b00_0000,
            0x1000,
            &[(100, 4), (101, 1)],
        ));
        rig.host
            .children
            .push(node("b@b001000", 0x0b00_1000, 0x1000, &[(101, 1)]));
        rig
    };
    let a = page("a", "/a@b000000", 0x0b00_0000);
    let b = device("b", "/b@b001000", &[(0x0b00_1000, 0x1000, HOLE + 0x1000)]);
    second_refused(
        two(
            &mut rig(),
            std::slice::from_ref(&a),
            std::slice::from_ref(&b),
        ),
        "/b@b001000: `interrupts` names interrupt 133, which d1 has already",
    );
    let mut shared = rig();
    shared.with("one", &[a.clone(), b.clone()]);
    let proven = shared.prove();
    assert_eq!(proven.refusals(), []);
    let lines: Vec<_> = proven.domains()[0]
        .irqs
        .iter()
        .map(|irq| irq.line.number())
        .collect();
    assert_eq!(lines, [132, 133]);
    let mut conflict = rig();
    conflict
        .host
        .at("/b@b001000")
        .set("interrupts", &be(&[0, 101, 4]));
    conflict.with("one", &[a.clone(), b]);
    assert_eq!(
        conflict.refusal().as_deref(),
        Some(
            "refuse domain one: /b@b001000: `interrupts` gives interrupt 133 the trigger level, another device of the domain edge"
        )
    );
    // A sharer that is nobody's is in nobody's way.
    let mut alone = rig();
    alone.with("one", &[a]);
    assert_eq!(outcome(&alone).1, Vec::<String>::new());
}

/// A refused domain claims nothing, whether it comes first or last, and the order of the nodes is
/// what decides between two that claim the same.
#[test]
fn refusal_leaves_no_trace() {
    let mut rig = Rig::default();
    // Its device is fine; its second device is not.
    rig.with("bad", &[gpio(HOLE), rtc(HOLE + 1)])
        .with("good", &[gpio(HOLE)]);
    let (running, refusals) = outcome(&rig);
    assert_eq!(running, ["good"]);
    assert_eq!(refusals.len(), 1);
    assert_eq!(
        rig.prove().domains()[0].id.number(),
        2,
        "numbers do not shift"
    );

    let mut swapped = Rig::default();
    swapped
        .with("two", &[gpio(HOLE)])
        .with("one", &[gpio(HOLE), rtc(HOLE + 0x1000)])
        .with("three", &[rtc(HOLE)]);
    let (running, refusals) = outcome(&swapped);
    assert_eq!(running, ["two", "three"]);
    assert_eq!(refusals.len(), 1);
}

/// RAM is handed out once, from what is really free, and modules of domains that are judged later
/// survive it.
#[test]
fn ram_is_disjoint() {
    let mut rig = Rig::default();
    for name in ["a", "b", "c"] {
        rig.domain(name, None);
        let domain = rig.host.at(&format!("/chosen/{name}"));
        domain.set("memory", &be(&[0, 60 * 1024 + 4]));
    }
    let proven = rig.prove();
    assert_eq!(proven.refusals(), []);
    let mut spans: Vec<_> = proven
        .domains()
        .iter()
        .flat_map(|plan| &plan.ram)
        .map(|map| map.host().expect("a range"))
        .collect();
    let total: u64 = spans.iter().map(|span| span.size()).sum();
    assert_eq!(total, 3 * (60 * 1024 + 4) * 1024);
    spans.extend(rig.machine.taken.iter().map(|taken| taken.span));
    spans.extend(
        rig.memory
            .iter()
            .map(|(at, bytes)| span(*at, bytes.len() as u64).widened_to_pages()),
    );
    spans.sort();
    assert!(
        spans.windows(2).all(|pair| !pair[0].overlaps(pair[1])),
        "{spans:?}"
    );
    assert!(
        spans
            .iter()
            .all(|span| crate::rig::span(0x4000_0000, 0x1000_0000).covers(*span))
    );
    for plan in proven.domains() {
        let blocks = plan.ram.iter().filter(|map| map.pages >= 512);
        assert!(blocks.clone().count() >= 1);
        for map in blocks {
            assert_eq!(
                (map.pa.raw() % 0x20_0000, map.ipa.raw() % 0x20_0000),
                (0, 0),
                "{map:?}"
            );
        }
    }
}

/// What cannot be had is refused by the domain that asks for it, and by no other.
#[test]
fn ram_runs_out_for_the_one_that_asks_too_much() {
    let mut rig = Rig::default();
    rig.domain("small", None)
        .domain("huge", None)
        .domain("last", None);
    rig.host
        .at("/chosen/huge")
        .set("memory", &be(&[0, 1024 * 1024]));
    let (running, refusals) = outcome(&rig);
    assert_eq!(running, ["small", "last"]);
    let [line] = refusals.as_slice() else {
        panic!("one refusal, not {refusals:?}")
    };
    let start = "refuse domain huge: /chosen/huge: `memory` is 1048576 KiB, more than the ";
    assert!(
        line.starts_with(start) && line.ends_with(" KiB that are free"),
        "{line}"
    );
}
