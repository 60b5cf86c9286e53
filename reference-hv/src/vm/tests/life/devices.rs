//! Devices that are given and taken at run time.

use super::*;

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
        .estate
        .claim_pages(id(7), Span::new(Pa::new(GPIO << 12), 4096).unwrap())
        .unwrap();
    hypervisor
        .estate
        .claim_line(id(7), line(GPIO_LINE))
        .unwrap();
    assert_eq!(
        hypervisor.permit_pages(one, GPIO, 1, true),
        Err(Errno::EBUSY)
    );
    assert_eq!(hypervisor.bind_line(one, GPIO_LINE), Err(Errno::EBUSY));
    assert_eq!(hypervisor.permit_pages(one, RTC, 1, true), Ok(()));
}

/// A line goes with a device that the domain has, to one domain, and reaches it.
#[test]
fn lines_go_with_their_devices() {
    let mut hypervisor = board(&[]);
    let (one, other) = (running(&mut hypervisor), running(&mut hypervisor));
    assert_eq!(hypervisor.bind_line(one, GPIO_LINE), Err(Errno::EPERM));
    hypervisor.permit_pages(one, GPIO, 1, true).unwrap();
    for (intid, wanted) in [
        (27, Err(Errno::EINVAL)),
        (96, Err(Errno::EINVAL)),
        (1020, Err(Errno::EINVAL)),
        (33, Err(Errno::EPERM)),
        (RTC_LINE, Err(Errno::EPERM)),
        (GPIO_LINE, Ok(())),
        (GPIO_LINE, Ok(())),
    ] {
        assert_eq!(hypervisor.bind_line(one, intid), wanted, "{intid}");
    }
    hypervisor
        .machine()
        .lines
        .retain(|(_, what)| *what == "level");
    assert_eq!(hypervisor.machine().lines, [(line(GPIO_LINE), "level")]);
    assert_eq!(hypervisor.bind_line(other, GPIO_LINE), Err(Errno::EBUSY));
    assert_eq!(hypervisor.unbind_line(other, GPIO_LINE), Err(Errno::EINVAL));
    assert_eq!(hypervisor.unbind_line(one, GPIO_LINE), Err(Errno::EBUSY));
    hypervisor.pause(one).unwrap();
    hypervisor.machine().lines.clear();
    assert_eq!(hypervisor.unbind_line(one, GPIO_LINE), Ok(()));
    let quiet = ["off", "clear", "deactivate", "unroute"].map(|what| (line(GPIO_LINE), what));
    assert_eq!(hypervisor.machine().lines, quiet);
    assert_eq!(hypervisor.unbind_line(one, GPIO_LINE), Err(Errno::EINVAL));
    // With the line the device is not gone, and with the page it is.
    assert_eq!(
        hypervisor.permit_pages(other, GPIO, 1, true),
        Err(Errno::EBUSY)
    );
    hypervisor.permit_pages(one, GPIO, 1, false).unwrap();
    assert_eq!(hypervisor.permit_pages(other, GPIO, 1, true), Ok(()));
    assert_eq!(hypervisor.bind_line(other, GPIO_LINE), Ok(()));
}

/// Paths of devices are known or not; what an IOMMU stands before is known to be so.
#[test]
fn devices_are_found_by_path() {
    let hypervisor = board(&[]);
    for (path, wanted) in [
        ("/pl061@9030000", Ok(())),
        ("/pl061", Err(Errno::ESRCH)),
        ("pl061@9030000", Err(Errno::ESRCH)),
        ("", Err(Errno::ESRCH)),
    ] {
        assert_eq!(hypervisor.device(path), wanted, "{path}");
    }
}
