//! The end of domains.

use super::*;

/// Runs a domain with a device and a line that it has enabled, and has not ended.
fn busy(hypervisor: &mut Hypervisor<Fake>) -> DomainId {
    let one = running(hypervisor);
    hypervisor.permit_pages(one, GPIO, 1, true).unwrap();
    hypervisor.map_pages(one, 0x3_a000, GPIO, 1, true).unwrap();
    hypervisor.bind_line(one, line(GPIO_LINE)).unwrap();
    one
}

fn enable(hypervisor: &mut Hypervisor<Fake>, number: u16) {
    let setup = [
        Deed::store(0x0300_1000, Width::Word, 0x12),
        Deed::store(0x0300_1084, Width::Word, 1 << 7),
        Deed::store(0x0300_1104, Width::Word, 1 << 7),
    ];
    told(hypervisor, number, 0, &setup);
    for _ in 0..3 {
        hypervisor.step();
    }
}

/// Nothing is free before nobody can reach it: lines are quiet first, then no translation is left, then
/// memory is cleared.
#[test]
fn the_order_of_the_end() {
    let mut hypervisor = board(&[]);
    let one = busy(&mut hypervisor);
    enable(&mut hypervisor, 1);
    hypervisor.machine().log.clear();
    destroyed(&mut hypervisor, one);
    let log = hypervisor.machine().log.clone();
    let (scrubs, before): (Vec<_>, Vec<_>) = log.iter().partition(|what| what.starts_with("scrub"));
    assert_eq!(
        before,
        [
            "interrupt 39 off",
            "interrupt 39 clear",
            "interrupt 39 deactivate",
            "interrupt 39 unroute",
            "release 1",
            "retire 1"
        ]
    );
    assert_eq!(log.len() - scrubs.len(), 6);
    assert!(
        log[6..].iter().all(|what| what.starts_with("scrub")),
        "{log:?}"
    );
    assert!(!scrubs.is_empty());
}

/// A domain can be destroyed at any time: while it is on the CPU, waits, is paused, has ended, or was never
/// finished.
#[test]
fn any_domain_can_be_destroyed() {
    let cases: [fn(&mut Hypervisor<Fake>); 6] = [
        |_| {},
        |hypervisor| hypervisor.step(),
        |hypervisor| {
            told(hypervisor, 1, 0, &[Deed::Arm(1_000_000), Deed::wait()]);
            hypervisor.step();
        },
        |hypervisor| hypervisor.pause(id(1)).unwrap(),
        |hypervisor| hypervisor.shut_down(id(1), 3).unwrap(),
        |hypervisor| {
            told(hypervisor, 1, 0, &[Deed::LateError]);
            hypervisor.step();
        },
    ];
    for (place, case) in cases.iter().enumerate() {
        let mut hypervisor = board(&[]);
        let start = free(&mut hypervisor);
        let one = running(&mut hypervisor);
        let noise = (1..9).map(|n| (1000 + n * 100, Interrupt::Own));
        hypervisor.machine().later.extend(noise);
        case(&mut hypervisor);
        destroyed(&mut hypervisor, one);
        assert_eq!(free(&mut hypervisor), start, "case {place}");
        assert_eq!(hypervisor.destroy(one), Err(Errno::ESRCH));
        // Nothing of it runs any more; whoever comes into its place is somebody else.
        entered(&mut hypervisor);
        hypervisor.step();
        assert_eq!(entered(&mut hypervisor), "", "case {place}");
        let next = hypervisor.create_domain(Some(id(5)), &NEW).unwrap();
        assert_eq!(hypervisor.find_domain(next), Some(0));
        hypervisor.step();
        assert_eq!(entered(&mut hypervisor), "", "case {place}");
    }
}

/// A call does a bounded part of the work. Others run in between; a second caller goes on where the first
/// was; the number is in use until the end.
#[test]
fn the_end_comes_in_portions() {
    let mut hypervisor = board(&[]);
    let one = made(&mut hypervisor);
    for block in 0..4 {
        hypervisor.populate(one, RAM + block * 512, 9).unwrap();
    }
    let other = running(&mut hypervisor);
    let mut calls = 0;
    loop {
        hypervisor.machine().log.clear();
        let progress = hypervisor.destroy(one).unwrap();
        calls += 1;
        let scrubbed = hypervisor.machine().log.iter();
        assert!(scrubbed.filter(|what| what.starts_with("scrub")).count() <= 2);
        if progress == Progress::Done {
            break;
        }
        let info = hypervisor.info(one).unwrap();
        assert!(info.dying && info.pages < 2048, "{info:?}");
        assert_eq!(
            hypervisor.create_domain(Some(one), &NEW),
            Err(Errno::EEXIST)
        );
        assert_eq!(hypervisor.unpause(one), Err(Errno::EINVAL));
        hypervisor.machine().later.push((0, Interrupt::Own));
        hypervisor.step();
        assert_eq!(entered(&mut hypervisor), other.to_string() + "v0");
    }
    assert_eq!(calls, 5);
    assert_eq!(hypervisor.info(one), Err(Errno::ESRCH));
}

/// A line that comes after its owner is gone reaches nobody, and works for the next owner although the
/// last one has never ended it.
#[test]
fn lines_of_the_gone_reach_the_next() {
    let mut hypervisor = board(&[]);
    let one = busy(&mut hypervisor);
    enable(&mut hypervisor, 1);
    hypervisor
        .machine()
        .chip(line(GPIO_LINE))
        .drive(line(GPIO_LINE), true);
    let arrival = |hypervisor: &mut Hypervisor<Fake>| {
        let now = hypervisor.machine().time;
        let interrupt = (now + 1, Interrupt::Line(line(GPIO_LINE)));
        hypervisor.machine().later.push(interrupt);
    };
    arrival(&mut hypervisor);
    hypervisor.step();
    told(&mut hypervisor, 1, 0, &[Deed::Compute(1)]);
    hypervisor.machine().later.push((0, Interrupt::Own));
    hypervisor.step();
    assert_eq!(hypervisor.machine().shown.len(), 1, "the guest has it");
    destroyed(&mut hypervisor, one);

    let other = running(&mut hypervisor);
    hypervisor.machine().lines.clear();
    arrival(&mut hypervisor);
    hypervisor.step();
    let lines = &hypervisor.machine().lines;
    assert_eq!(
        lines[..],
        [(line(GPIO_LINE), "off"), (line(GPIO_LINE), "deactivate")]
    );
    hypervisor.machine().later.push((0, Interrupt::Own));
    hypervisor.step();
    assert!(hypervisor.machine().shown.is_empty());

    hypervisor.permit_pages(other, GPIO, 1, true).unwrap();
    hypervisor.bind_line(other, line(GPIO_LINE)).unwrap();
    hypervisor.machine().deeds.clear();
    enable(&mut hypervisor, other.number());
    assert!(
        hypervisor
            .machine()
            .lines
            .contains(&(line(GPIO_LINE), "on"))
    );
    arrival(&mut hypervisor);
    hypervisor.step();
    hypervisor.machine().later.push((0, Interrupt::Own));
    hypervisor.step();
    assert_eq!(hypervisor.machine().shown.len(), 1);
}

/// A destroyed domain of the trees gives back what it had, and a domain of its number can be made.
#[test]
fn domains_of_the_trees_end_alike() {
    let mut hypervisor = board(&[plan(1, 2, 45)]);
    let before = free(&mut hypervisor);
    destroyed(&mut hypervisor, id(1));
    let after = free(&mut hypervisor);
    assert_eq!(after.2 - before.2, 4 << 20);
    assert_eq!(hypervisor.machine().pool.used, 0);
    assert_eq!(hypervisor.machine().byte(0x8000_0000), 0);
    assert_eq!(hypervisor.create_domain(Some(id(1)), &NEW), Ok(id(1)));
    assert_eq!(hypervisor.destroy(id(2)), Err(Errno::ESRCH));
}
