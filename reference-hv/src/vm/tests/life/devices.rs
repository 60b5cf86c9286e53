//! Devices that are given and taken at run time.

use super::*;
use crate::vm::tests::tree::be;

const HOLE: u64 = 0x3_a000;
/// First words of a sweep through the board's own things.
const FORBIDDEN: [(u64, u64, &str); 9] = [
    (0x8000, 1, "the interrupt controller"),
    (0x80a0, 1, "a redistributor"),
    (0x9000, 1, "the console"),
    (0x9050, 1, "the IOMMU"),
    (0x9020, 1, "a device without the mark, and with DMA"),
    (0x4_0000, 1, "RAM"),
    (0xb_0000, 1, "nothing that is known"),
    (0x9010, 2, "a device and what lies behind it"),
    (0x1000_0000, 1, "nothing that can be"),
];

/// A page is given when it is a device's that may be given, and to one domain; it can be mapped then, and
/// not before.
#[test]
fn pages_are_given_once() {
    let mut hypervisor = board(&[]);
    let (one, other) = (running(&mut hypervisor), running(&mut hypervisor));
    let map = |hypervisor: &mut Hypervisor<Fake>, id, gfn, add| {
        hypervisor.map_pages(id, gfn, GPIO, 1, add)
    };
    assert_eq!(map(&mut hypervisor, one, HOLE, true), Err(Errno::EPERM));
    for _ in 0..2 {
        assert_eq!(hypervisor.permit_pages(one, GPIO, 1, true), Ok(()));
    }
    assert_eq!(
        hypervisor.permit_pages(other, GPIO, 1, true),
        Err(Errno::EBUSY)
    );
    assert_eq!(map(&mut hypervisor, other, HOLE, true), Err(Errno::EBUSY));
    for (gfn, wanted) in [
        (RAM, Err(Errno::EINVAL)),
        (0x3001, Err(Errno::EINVAL)),
        (1 << 28, Err(Errno::EINVAL)),
        (HOLE, Ok(())),
        (HOLE, Err(Errno::EEXIST)),
        (HOLE + 1, Ok(())),
    ] {
        assert_eq!(map(&mut hypervisor, one, gfn, true), wanted, "{gfn:#x}");
    }
    assert_eq!(host(&hypervisor, one, HOLE + 1), Some(GPIO << 12));
    // What is mapped stays permitted.
    assert_eq!(
        hypervisor.permit_pages(one, GPIO, 1, false),
        Err(Errno::EBUSY)
    );
    assert_eq!(
        map(&mut hypervisor, one, HOLE + 2, false),
        Err(Errno::EINVAL)
    );
    assert_eq!(map(&mut hypervisor, one, RAM, false), Err(Errno::EINVAL));
    assert_eq!(hypervisor.unpopulate(one, HOLE), Err(Errno::EINVAL));
    for gfn in [HOLE, HOLE + 1] {
        hypervisor.machine().log.clear();
        assert_eq!(map(&mut hypervisor, one, gfn, false), Ok(()));
        assert_eq!(hypervisor.machine().log, ["forget 1"]);
        assert_eq!(host(&hypervisor, one, gfn), None);
    }
    assert_eq!(hypervisor.permit_pages(one, GPIO, 1, false), Ok(()));
    assert_eq!(hypervisor.permit_pages(other, GPIO, 1, true), Ok(()));
}

/// What is the hypervisor's, RAM, unmarked or unknown is given to nobody.
#[test]
fn forbidden_pages_are_given_to_nobody() {
    let mut hypervisor = board(&[]);
    let one = running(&mut hypervisor);
    for (mfn, count, what) in FORBIDDEN {
        let seen = hypervisor.permit_pages(one, mfn, count, true);
        assert_eq!(seen, Err(Errno::EPERM), "{what}");
        let seen = hypervisor.map_pages(one, HOLE, mfn, count, true);
        assert_eq!(seen, Err(Errno::EPERM), "{what}");
    }
    for (mfn, count) in [(0, 0), (u64::MAX, 1), (u64::MAX >> 12, 2), (1, u64::MAX)] {
        let seen = hypervisor.permit_pages(one, mfn, count, true);
        assert_eq!(seen, Err(Errno::EINVAL), "{mfn:#x} {count:#x}");
    }
    let many = hypervisor.map_pages(one, HOLE, GPIO, 65, true);
    assert_eq!(many, Err(Errno::E2BIG));
    assert_eq!(host(&hypervisor, one, HOLE), None);
}

/// What a domain of the trees has cannot be given to another, and the other way round.
#[test]
fn owners_of_the_trees_count() {
    let mut hypervisor = board(&[]);
    let one = running(&mut hypervisor);
    // As a boot domain's claims would be.
    hypervisor
        .resources
        .claim_pages(id(7), Span::new(Pa::new(GPIO << 12), 4096).unwrap())
        .unwrap();
    hypervisor
        .resources
        .claim_line(id(7), line(GPIO_LINE))
        .unwrap();
    assert_eq!(
        hypervisor.permit_pages(one, GPIO, 1, true),
        Err(Errno::EBUSY)
    );
    assert_eq!(
        hypervisor.bind_line(one, line(GPIO_LINE)),
        Err(Errno::EBUSY)
    );
    assert_eq!(hypervisor.permit_pages(one, RTC, 1, true), Ok(()));
}

/// A line goes with a device that the domain has, to one domain, and reaches it.
#[test]
fn lines_go_with_their_devices() {
    let mut hypervisor = board(&[]);
    let (one, other) = (running(&mut hypervisor), running(&mut hypervisor));
    assert_eq!(
        hypervisor.bind_line(one, line(GPIO_LINE)),
        Err(Errno::EPERM)
    );
    hypervisor.permit_pages(one, GPIO, 1, true).unwrap();
    for (number, wanted) in [
        (27, Err(Errno::EINVAL)),
        (96, Err(Errno::EINVAL)),
        (1020, Err(Errno::EINVAL)),
        (33, Err(Errno::EPERM)),
        (RTC_LINE, Err(Errno::EPERM)),
        (GPIO_LINE, Ok(())),
        (GPIO_LINE, Ok(())),
    ] {
        assert_eq!(hypervisor.bind_line(one, line(number)), wanted, "{number}");
    }
    hypervisor
        .machine()
        .lines
        .retain(|(_, what)| *what == "level");
    assert_eq!(hypervisor.machine().lines, [(line(GPIO_LINE), "level")]);
    assert_eq!(
        hypervisor.bind_line(other, line(GPIO_LINE)),
        Err(Errno::EBUSY)
    );
    assert_eq!(
        hypervisor.unbind_line(other, line(GPIO_LINE)),
        Err(Errno::EINVAL)
    );
    assert_eq!(
        hypervisor.unbind_line(one, line(GPIO_LINE)),
        Err(Errno::EBUSY)
    );
    hypervisor.pause(one).unwrap();
    hypervisor.machine().lines.clear();
    assert_eq!(hypervisor.unbind_line(one, line(GPIO_LINE)), Ok(()));
    let quiet = ["off", "clear", "deactivate", "unroute"].map(|what| (line(GPIO_LINE), what));
    assert_eq!(hypervisor.machine().lines, quiet);
    assert_eq!(
        hypervisor.unbind_line(one, line(GPIO_LINE)),
        Err(Errno::EINVAL)
    );
    // With the line the device is not gone, and with the page it is.
    assert_eq!(
        hypervisor.permit_pages(other, GPIO, 1, true),
        Err(Errno::EBUSY)
    );
    hypervisor.permit_pages(one, GPIO, 1, false).unwrap();
    assert_eq!(hypervisor.permit_pages(other, GPIO, 1, true), Ok(()));
    assert_eq!(hypervisor.bind_line(other, line(GPIO_LINE)), Ok(()));
}

/// A board whose GPIO block and clock are behind an IOMMU, with one domain.
fn protected() -> (Hypervisor<Fake>, DomainId, DomainId) {
    let resources = resources_of(|tree| {
        let gpio = tree.at("/pl061@9030000");
        gpio.put("iommus", &be(&[0x8004, 0x18, 0x8004, 0x19]));
        tree.at("/pl031@9010000")
            .put("iommus", &be(&[0x8004, 0x20]));
        let beyond = tree.at("/fw-cfg@9020000").set("xen,passthrough", &[]);
        beyond.put("iommus", &be(&[0x8004, 0x1_0000]));
    });
    let mut machine = Fake::new();
    let ram = Span::new(Pa::new(0x4000_0000), 1 << 30).unwrap();
    machine.windows.push(ram);
    let mut hypervisor = Hypervisor::new(machine, resources);
    let [one, two] = [(); 2].map(|()| made(&mut hypervisor));
    hypervisor.machine().log.clear();
    (hypervisor, one, two)
}

/// What a protected device does by itself goes to the domain that it is assigned to, until it is taken away.
#[test]
fn protected_devices_are_assigned() {
    let (mut hypervisor, one, two) = protected();
    let path = "/pl061@9030000";
    let busy = Err(Errno::EBUSY);
    assert_eq!(hypervisor.test_assign(path), Ok(()));
    assert_eq!(hypervisor.assign_device(one, path), Ok(()));
    let log = core::mem::take(&mut hypervisor.machine().log);
    assert_eq!(
        log,
        [
            "attach 0 stream 0x18 to d1 1",
            "attach 0 stream 0x19 to d1 1"
        ]
    );
    assert_eq!(hypervisor.test_assign(path), Err(Errno::EINVAL));
    assert_eq!(hypervisor.assign_device(one, path), busy);
    assert_eq!(hypervisor.assign_device(two, path), busy);
    // Its registers are nobody else's either.
    assert_eq!(hypervisor.permit_pages(two, GPIO, 1, true), busy);
    assert_eq!(hypervisor.permit_pages(one, GPIO, 1, true), Ok(()));
    assert_eq!(hypervisor.deassign_device(two, path), Err(Errno::ESRCH));
    hypervisor.machine().log.clear();
    assert_eq!(hypervisor.deassign_device(one, path), Ok(()));
    let log = core::mem::take(&mut hypervisor.machine().log);
    assert_eq!(log, ["detach 0 stream 0x18", "detach 0 stream 0x19"]);
    assert_eq!(hypervisor.deassign_device(one, path), Err(Errno::ESRCH));
    // The registers are still the one domain's, so what the device does is nobody else's.
    assert_eq!(hypervisor.assign_device(two, path), busy);
    hypervisor.permit_pages(one, GPIO, 1, false).unwrap();
    assert_eq!(hypervisor.assign_device(two, path), Ok(()));
}

/// The end of a domain is the end of what its devices reach, before its tables and its RAM go.
#[test]
fn devices_are_released_with_their_domain() {
    let (mut hypervisor, one, two) = protected();
    let path = "/pl061@9030000";
    hypervisor.assign_device(one, path).unwrap();
    hypervisor.populate(one, 0x4_0000, 0).unwrap();
    hypervisor.machine().log.clear();
    assert_eq!(hypervisor.destroy(one), Ok(Progress::Done));
    let log = core::mem::take(&mut hypervisor.machine().log);
    let at = |what: &str| log.iter().position(|line| line.starts_with(what)).unwrap();
    assert!(at("release 1") < at("retire 1"));
    assert!(at("retire 1") < at("scrub"));
    assert_eq!(hypervisor.test_assign(path), Ok(()));
    assert_eq!(hypervisor.assign_device(two, path), Ok(()));
}

/// A device that cannot be attached after all is nobody's.
#[test]
fn a_broken_stream_is_nobodys() {
    let (mut hypervisor, one, two) = protected();
    hypervisor.machine().broken_stream = 0x19;
    let path = "/pl061@9030000";
    assert_eq!(hypervisor.assign_device(one, path), Err(Errno::EIO));
    let last = hypervisor.machine().log.last().cloned();
    assert_eq!(last.as_deref(), Some("detach 0 stream 0x19"));
    hypervisor.machine().broken_stream = u32::MAX;
    assert_eq!(hypervisor.assign_device(two, path), Ok(()));
}

/// What is no protected device is not assigned like one.
#[test]
fn what_cannot_be_assigned_is_refused() {
    let (mut hypervisor, one, _) = protected();
    for (path, wanted) in [
        ("/pl061", Errno::ESRCH),
        ("pl061@9030000", Errno::ESRCH),
        ("", Errno::ESRCH),
        ("/pl011@9000000", Errno::EINVAL),
        ("/fw-cfg@9020000", Errno::ERANGE),
    ] {
        assert_eq!(hypervisor.assign_device(one, path), Err(wanted), "{path}");
        assert_eq!(hypervisor.test_assign(path), Err(wanted), "{path}");
        assert_eq!(hypervisor.deassign_device(one, path), Err(wanted), "{path}");
    }
    let unknown = DomainId::new(9).unwrap();
    let path = "/pl061@9030000";
    assert_eq!(hypervisor.assign_device(unknown, path), Err(Errno::ESRCH));
    assert_eq!(hypervisor.deassign_device(unknown, path), Err(Errno::ESRCH));
    // Not marked for passthrough.
    let resources = resources_of(|tree| {
        let node = tree.at("/pl031@9010000");
        node.put("iommus", &be(&[0x8004, 0x20]));
        node.cut("xen,passthrough");
    });
    let mut hypervisor = Hypervisor::new(Fake::new(), resources);
    let one = hypervisor.create_domain(None, &NEW).unwrap();
    let path = "/pl031@9010000";
    assert_eq!(hypervisor.assign_device(one, path), Err(Errno::EPERM));
}
