//! What a control domain may give at run time is judged by the rules of the trees.

use refhv::addr::{Address, Pa};
use refhv::assign::{AssignError, ResourceTable};
use refhv::errno::Errno;
use refhv::ids::{DomainId, IrqLine};

use crate::rig::*;
use crate::tree::Tree;

const PAGE: u64 = 0x1000;

fn d(number: u16) -> DomainId {
    DomainId::new(number).expect("a number")
}

fn line(spi: u32) -> IrqLine {
    refhv::arch::aarch64::gic::spi(spi).expect("a line")
}

/// A marked host node of these registers and lines.
fn node(name: &str, at: u64, size: u64, spis: &[(u32, u32)]) -> Tree {
    let interrupts: Vec<u32> = spis
        .iter()
        .flat_map(|(spi, kind)| [0, *spi, *kind])
        .collect();
    Tree::new(name)
        .text("compatible", "test,block")
        .cells("reg", &[high(at), low(at), high(size), low(size)])
        .cells("interrupts", &interrupts)
        .flag("xen,passthrough")
}

/// Puts these nodes on the board and shows what is owned there.
fn on<T>(nodes: &[Tree], look: impl FnOnce(&mut ResourceTable<'_>) -> T) -> T {
    let mut rig = Rig::default();
    rig.host.children.extend(nodes.iter().cloned());
    rig.with("one", &[gpio(0x3a00_0000)]);
    rig.resources(look)
}

#[track_caller]
fn refused(seen: Result<(), AssignError<'_>>, errno: Errno, words: &str) {
    let seen = seen.map_err(|error| (error.errno(), error.to_string()));
    assert_eq!(seen, Err((errno, words.to_owned())));
}

#[track_caller]
fn forbidden(seen: Result<(), AssignError<'_>>, words: &str) {
    refused(seen, Errno::EPERM, words);
}

#[track_caller]
fn owned(seen: Result<(), AssignError<'_>>, words: &str) {
    refused(seen, Errno::EBUSY, words);
}

/// What a domain of the trees got is its own until it is taken from it.
#[test]
fn the_trees_come_first() {
    on(&[], |resources| {
        let page = span(GPIO_AT, PAGE);
        owned(
            resources.claim_pages(d(2), page),
            "names host range 0x9030000-0x9030fff, which d1 has already",
        );
        owned(
            resources.claim_line(d(2), line(7)).map(drop),
            "names interrupt 39, which d1 has already",
        );
        resources.release_lines(d(1));
        resources.release_devices(d(1));
        assert_eq!(resources.claim_pages(d(2), page), Ok(()));
        assert!(resources.claim_line(d(2), line(7)).is_ok());
    });
}

/// A device goes to one domain as a whole, whichever of its pages is asked for first.
#[test]
fn a_device_is_not_shared() {
    let at = 0x0b00_0000;
    on(
        &[node("big@b000000", at, 3 * PAGE, &[(100, 4)])],
        |resources| {
            assert_eq!(resources.claim_pages(d(2), span(at, PAGE)), Ok(()));
            owned(
                resources.claim_pages(d(3), span(at + 2 * PAGE, PAGE)),
                "names host range 0xb002000-0xb002fff, in which /big@b000000 lies, which d2 has already",
            );
            assert_eq!(
                resources.claim_pages(d(2), span(at + 2 * PAGE, PAGE)),
                Ok(())
            );
            // It is free when nothing of it is anybody's: no page, and no line.
            assert!(resources.claim_line(d(2), line(100)).is_ok());
            resources.release_pages(d(2), span(at, 3 * PAGE));
            assert!(resources.claim_pages(d(3), span(at, PAGE)).is_err());
            resources.release_line(d(2), line(100));
            assert_eq!(resources.claim_pages(d(3), span(at, PAGE)), Ok(()));
            assert_eq!(resources.has_pages(d(3), span(at, PAGE)), Ok(()));
            assert!(resources.has_pages(d(3), span(at, 2 * PAGE)).is_err());
        },
    );
}

/// A page goes with all who live in it, so all of them must be free to be given.
#[test]
fn neighbours_count() {
    let at = 0x0b00_0000;
    let marked = node("b@b000200", at + 0x200, 0x200, &[(101, 4)]);
    let mut unmarked = marked.clone();
    unmarked.cut("xen,passthrough");
    let a = node("a@b000000", at, 0x200, &[(100, 4)]);
    on(&[a.clone(), unmarked], |resources| {
        forbidden(
            resources.claim_pages(d(2), span(at, PAGE)),
            "names /b@b000200, which is not marked `xen,passthrough`",
        );
    });
    on(&[a, marked], |resources| {
        assert_eq!(resources.claim_pages(d(2), span(at, PAGE)), Ok(()));
        assert!(resources.claim_line(d(2), line(101)).is_ok());
    });
}

/// A device that reads and writes memory by itself goes to nobody at run time: no such domain is
/// direct-mapped.
#[test]
fn masters_are_not_given() {
    let at = 0x0b00_0000;
    let master = node("dma@b000000", at, PAGE, &[(100, 4)]).flag("dma-coherent");
    on(&[master], |resources| {
        let seen = resources.claim_pages(d(2), span(at, PAGE));
        assert!(
            matches!(&seen, Err(AssignError::Unprotected { .. })),
            "{seen:?}"
        );
    });
}

/// A line that two devices of a domain want to trigger in two ways is given in neither.
#[test]
fn triggers_must_agree() {
    let (at, next) = (0x0b00_0000, 0x0b00_1000);
    let nodes = [
        node("a@b000000", at, PAGE, &[(100, 4)]),
        node("b@b001000", next, PAGE, &[(100, 1)]),
    ];
    on(&nodes, |resources| {
        resources
            .claim_pages(d(2), span(at, PAGE))
            .expect("a device");
        assert!(resources.claim_line(d(2), line(100)).is_ok());
        resources.release_line(d(2), line(100));
        resources
            .claim_pages(d(2), span(at, PAGE))
            .expect("a device");
        resources
            .claim_pages(d(2), span(next, PAGE))
            .expect("a device");
        forbidden(
            resources.claim_line(d(2), line(100)).map(drop),
            "names interrupt 132, which two devices of d2 want to trigger in two ways",
        );
    });
}

/// RAM is taken once and comes back; what a tree sets apart for a domain does not come back to all.
#[test]
fn ram_comes_back() {
    on(&[], |resources| {
        let before = resources.free();
        let block = resources.take(None, 512).expect("RAM");
        assert_eq!(before - resources.free(), 2 << 20);
        let next = block.span.first().checked_add(0);
        assert!(
            resources
                .take(next, 512)
                .is_some_and(|other| other.span != block.span)
        );
        resources.give_back(block.span, true);
        let again = resources.take(Some(block.span.first()), 512);
        assert_eq!(
            again.map(|again| (again.span, again.clean)),
            Some((block.span, true))
        );
    });
    let mut rig = Rig::default();
    rig.with("one", &[]);
    let named = span(0x4600_0000, 0x100_0000);
    rig.host.at("/chosen/one").set(
        "xen,static-mem",
        &crate::tree::be(&[0, 0x4600_0000, 0, 0x100_0000]),
    );
    rig.resources(|resources| {
        let before = resources.free();
        resources.give_back(named, true);
        assert_eq!(resources.free(), before);
        let blocks = core::iter::from_fn(|| resources.take(None, 512));
        assert!(blocks.into_iter().all(|block| !block.span.overlaps(named)));
        let pages = core::iter::from_fn(|| resources.take(Some(Pa::new(0x4600_0000)), 1));
        assert!(pages.into_iter().all(|page| !page.span.overlaps(named)));
    });
}
