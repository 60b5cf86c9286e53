//! Devices behind IOMMUs: which streams a domain gets, and why it gets none.

use refhv::arch::aarch64::bindings::BINDINGS;
use refhv::config::{Found, Host};
use refhv::dt::Blob;
use refhv::ids::{SourceId, Stream};

use crate::assignment::refused;
use crate::rig::*;
use crate::tree::{Tree, be};

const SMMU: &str = "/smmuv3@9050000";
const PCIE: &str = "/pcie@10000000";

/// An SMMU besides the board's own.
fn second(status: &str) -> Tree {
    Tree::new("smmuv3@b000000")
        .text("compatible", "arm,smmu-v3")
        .text("status", status)
        .cells("#iommu-cells", &[1])
        .cells("phandle", &[0x9004])
        .cells("reg", &[0, 0x0b00_0000, 0, 0x2_0000])
}

/// A machine with two SMMUs; its clock and its GPIO block are behind what is said of each.
fn behind(gpio: &[u32], rtc: &[u32]) -> Rig {
    let mut rig = Rig::default();
    rig.machine.streams = vec![Some(0x1_0000), Some(0x100)];
    rig.host.children.push(second("okay"));
    for (path, iommus) in [(GPIO, gpio), (RTC, rtc)] {
        if !iommus.is_empty() {
            rig.host.at(path).put("iommus", &be(iommus));
        }
    }
    rig
}

fn free(mut device: Tree) -> Tree {
    device.cut("xen,force-assign-without-iommu");
    device
}

fn streams(rig: &Rig, domain: usize) -> Vec<(usize, u32)> {
    let proven = rig.prove();
    assert_eq!(proven.refusals(), []);
    let streams = proven.domains()[domain].streams.iter();
    streams.map(|stream| (stream.iommu, stream.id.0)).collect()
}

/// A protected device needs neither force nor direct mapping, and brings all its streams, each once.
#[test]
fn protected_devices_bring_their_streams() {
    for (iommus, wanted) in [
        (&[0x8004, 0x18][..], &[(0, 0x18)][..]),
        (&[0x8004, 0], &[(0, 0)]),
        (&[0x8004, 0xffff], &[(0, 0xffff)]),
        (&[0x9004, 0xff], &[(1, 0xff)]),
        (
            &[0x8004, 5, 0x8004, 3, 0x8004, 5, 0x8004, 4],
            &[(0, 3), (0, 4), (0, 5)],
        ),
    ] {
        for device in [gpio(GPIO_AT), free(gpio(GPIO_AT))] {
            let mut rig = behind(iommus, &[]);
            rig.with("one", &[device]);
            assert_eq!(streams(&rig, 0), wanted);
        }
    }
    // Its parts' too.
    let mut rig = behind(&[0x8004, 0x18], &[]);
    let part = Tree::new("part").cells("iommus", &[0x8004, 0x19]);
    rig.host.at(GPIO).children.push(part);
    rig.with("one", &[free(gpio(GPIO_AT))]);
    assert_eq!(streams(&rig, 0), [(0, 0x18), (0, 0x19)]);
}

/// What is wrong with an `iommus` is said of the host's node.
#[test]
fn odd_streams_are_refused() {
    let table: &[(&[u32], &str)] = &[
        (
            &[0x8004, 0x1_0000],
            "names stream 0x10000 of /smmuv3@9050000, beyond the 0x10000 that it has",
        ),
        (
            &[0x8004, u32::MAX],
            "names stream 0xffffffff of /smmuv3@9050000, beyond the 0x10000 that it has",
        ),
        (
            &[0x9004, 0x100],
            "names stream 0x100 of /smmuv3@b000000, beyond the 0x100 that it has",
        ),
        (
            &[0x8004, 1, 0x9004, 1],
            "names /smmuv3@b000000 besides /smmuv3@9050000: a device goes through one IOMMU",
        ),
        (&[0x8004], "does not end with a whole entry"),
        (&[0x8004, 1, 0x8004], "does not end with a whole entry"),
        (&[0x7777, 1], "names phandle 0x7777, which no node has"),
        (
            &[0x8003, 1],
            "names phandle 0x8003, which /intc@8000000/its@8080000, no IOMMU, has",
        ),
    ];
    for (iommus, what) in table {
        let mut rig = behind(iommus, &[]);
        rig.with("one", &[gpio(GPIO_AT)]);
        refused(&rig, &format!("{GPIO}: `iommus` {what}"));
    }
}

/// An IOMMU that cannot be used protects nobody, and what is behind it is not unprotected either.
#[test]
fn unusable_iommus_give_nothing() {
    let mut rig = behind(&[0x8004, 1], &[]);
    rig.machine.streams[0] = None;
    rig.with("one", &[gpio(GPIO_AT)]);
    refused(
        &rig,
        &format!("{GPIO}: `iommus` names {SMMU}, which cannot be used"),
    );
    // More cells than this hypervisor understands.
    let mut rig = behind(&[0x9004, 1, 2], &[]);
    rig.host
        .at("/smmuv3@b000000")
        .put("#iommu-cells", &be(&[2]));
    rig.with("one", &[gpio(GPIO_AT)]);
    refused(
        &rig,
        &format!(
            "{GPIO}: `iommus` names /smmuv3@b000000, whose `#iommu-cells` is 2, not 1: which stream it means is unknown"
        ),
    );
    // Half of it goes around.
    let mut rig = behind(&[0x8004, 1, 0x9004, 1], &[]);
    rig.host.at("/smmuv3@b000000").put("status", b"disabled\0");
    rig.with("one", &[gpio(GPIO_AT)]);
    refused(
        &rig,
        &format!(
            "{GPIO}: `iommus` names /smmuv3@b000000 besides another, which is off and lets accesses pass"
        ),
    );
}

/// A stream that two devices share goes to the domain that asks for both, or to nobody.
#[test]
fn shared_streams_have_one_owner() {
    let shared = || behind(&[0x8004, 0x400], &[0x8004, 0x400]);
    let mut rig = shared();
    rig.with("one", &[gpio(GPIO_AT), rtc(RTC_AT)]);
    assert_eq!(streams(&rig, 0), [(0, 0x400)]);
    let lonely = format!(
        "{GPIO}: `iommus` names stream 0x400 of {SMMU}, which is that of {RTC} too, which this domain does not ask for"
    );
    let mut rig = shared();
    rig.with("one", &[gpio(GPIO_AT)]);
    refused(&rig, &lonely);
    let mut rig = shared();
    rig.with("one", &[gpio(GPIO_AT)]);
    rig.with("two", &[rtc(RTC_AT)]);
    assert_eq!(rig.prove().refusals().len(), 2);
    // The same number at two SMMUs is two streams.
    let mut rig = behind(&[0x8004, 0x40], &[0x9004, 0x40]);
    rig.with("one", &[gpio(GPIO_AT)]);
    rig.with("two", &[rtc(RTC_AT)]);
    assert_eq!(streams(&rig, 0), [(0, 0x40)]);
    assert_eq!(streams(&rig, 1), [(1, 0x40)]);
}

/// A bus has the streams of all that is on it and shares none with it; what is beside it has nothing of them.
#[test]
fn buses_have_the_streams_on_them() {
    let block = |name: &str, at: u32, stream: u32| {
        Tree::new(name)
            .cells("reg", &[at, 0x1000])
            .cells("iommus", &[0x8004, stream])
            .flag("xen,passthrough")
    };
    let bus = Tree::new("bus")
        .cells("#address-cells", &[1])
        .cells("#size-cells", &[1])
        .flag("ranges")
        .child(block("one@b100000", 0x0b10_0000, 7).child(Tree::new("part")))
        .child(block("two@b200000", 0x0b20_0000, 6));
    let mut rig = Rig::default();
    rig.host.children.push(bus);
    rig.host
        .children
        .push(Tree::new("beside").cells("iommus", &[0x8004, 9]));
    let path = "/bus/one@b100000";
    rig.with(
        "d",
        &[device("one", path, &[(0x0b10_0000, 0x1000, 0x0b10_0000)])],
    );
    assert_eq!(streams(&rig, 0), [(0, 7)]);
    let streams = |path| {
        let read = |host: &Host<'_>| {
            let Found::One(id) = host.index.by_path(path) else {
                panic!("{path} is there")
            };
            let streams = host.streams(id).unwrap().iter();
            streams.map(|stream| stream.id.0).collect::<Vec<_>>()
        };
        rig.judge(|host, _| read(host)).unwrap()
    };
    for (path, wanted) in [
        ("/", &[6, 7, 9][..]),
        ("/bus", &[6, 7]),
        (path, &[7]),
        ("/bus/one@b100000/part", &[]),
        ("/beside", &[9]),
        ("/chosen", &[]),
    ] {
        assert_eq!(streams(path), wanted, "{path}");
    }
}

/// From child to child is the way over all that name a node their parent, and inside is what has it above.
#[test]
fn children_are_those_that_name_their_parent() {
    let rig = Rig::default();
    rig.judge(|host, _| {
        let index = &host.index;
        for id in index.ids() {
            let named = index.ids().filter(|child| index.parent(*child) == Some(id));
            assert!(index.children(id).eq(named), "{:?}", host.node(id));
            for other in index.ids() {
                let mut above = std::iter::successors(Some(id), |id| index.parent(*id));
                assert_eq!(index.is_within(id, other), above.any(|id| id == other));
            }
        }
    })
    .unwrap();
}

/// The streams behind a host bridge are found by mask and range.
#[test]
fn requesters_are_mapped() {
    let mut tree = Tree::read(VIRT);
    tree.at(PCIE).put(
        "iommu-map",
        &be(&[
            0,
            0x8004,
            0x100,
            0x10,
            0x18,
            0x8004,
            0x1000,
            8,
            0xf000,
            0x8004,
            u32::MAX,
            2,
        ]),
    );
    let find = |tree: &Tree, requester| {
        let bytes = tree.blob();
        let host = Host::read(Blob::new(&bytes).unwrap(), &BINDINGS).unwrap();
        host.requester(host.bridge(0).unwrap(), requester)
            .map_err(|flaw| flaw.flaw.to_string())
    };
    let stream = |id| {
        Ok(Some(Stream {
            iommu: 0,
            id: SourceId(id),
        }))
    };
    for (requester, wanted) in [
        (0, stream(0x100)),
        (0xf, stream(0x10f)),
        (0x10, Ok(None)),
        (0x17, Ok(None)),
        (0x18, stream(0x1000)),
        (0x1f, stream(0x1007)),
        (0x20, Ok(None)),
        (0xf000, stream(u32::MAX)),
        (0xf001, Err("maps 0xf001 beyond any stream".to_owned())),
    ] {
        assert_eq!(find(&tree, requester), wanted, "{requester:#x}");
    }
    tree.at(PCIE).put("iommu-map-mask", &be(&[0xfff8]));
    assert_eq!(find(&tree, 0x1f), stream(0x1000));
    assert_eq!(find(&tree, 0x0f), stream(0x108));
    tree.at(SMMU).put("status", b"disabled\0");
    assert_eq!(find(&tree, 0x1f), Ok(None));
    tree.at(PCIE).put("iommu-map", &be(&[0, 0x8004, 0]));
    assert_eq!(
        find(&tree, 0),
        Err("does not end with a whole entry".to_owned())
    );
}
