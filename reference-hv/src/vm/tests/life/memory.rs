//! RAM: what a domain gets, gives up and lends.

use super::*;

/// RAM comes cleared, within the domain's limits and its guest's addresses, and goes back when it is taken.
#[test]
fn pages_come_and_go() {
    let mut hypervisor = board(&[]);
    let one = made(&mut hypervisor);
    let before = free(&mut hypervisor).2;
    assert_eq!(hypervisor.populate(one, RAM, 9), Ok(()));
    assert_eq!(hypervisor.populate(one, RAM + 512, 0), Ok(()));
    assert_eq!(hypervisor.populate(one, RAM + 513, 2), Ok(()));
    let at = host(&hypervisor, one, RAM + 512).unwrap();
    assert_eq!(
        hypervisor.machine().byte(at + 7),
        0,
        "what was there before is gone"
    );
    assert_eq!(hypervisor.info(one).unwrap().pages, 517);
    for (gfn, order, wanted) in [
        (RAM + 511, 0, Errno::EEXIST),
        (RAM - 1, 1, Errno::EEXIST),
        (0x3001, 0, Errno::EINVAL),
        (0x3_9000, 0, Errno::EINVAL),
        (1 << 28, 0, Errno::EINVAL),
        ((1 << 28) - 1, 1, Errno::EINVAL),
        (u64::MAX, 0, Errno::EINVAL),
        (u64::MAX >> 12, 1, Errno::EINVAL),
        (0x8_0000, 10, Errno::EINVAL),
        (0x8_0000, u32::MAX, Errno::EINVAL),
    ] {
        assert_eq!(
            hypervisor.populate(one, gfn, order),
            Err(wanted),
            "{gfn:#x} {order}"
        );
    }
    hypervisor.machine().log.clear();
    assert_eq!(hypervisor.unpopulate(one, RAM + 512), Ok(()));
    let log = core::mem::take(&mut hypervisor.machine().log);
    assert_eq!(log.len(), 2, "{log:?}");
    assert_eq!(log[0], "forget 1");
    assert!(log[1].starts_with("scrub"), "{log:?}");
    assert_eq!(hypervisor.unpopulate(one, RAM + 512), Err(Errno::ENOENT));
    assert_eq!(host(&hypervisor, one, RAM + 512), None);
    assert_eq!(before - free(&mut hypervisor).2, 516 << 12);
}

/// A page in the middle of a block goes alone: the rest stays mapped where it was.
#[test]
fn blocks_are_parted() {
    let mut hypervisor = board(&[plan(1, 1, 45)]);
    let gone = 0x4_0105;
    let wanted: Vec<_> = (0..1024)
        .map(|n| host(&hypervisor, id(1), 0x4_0000 + n).filter(|_| 0x4_0000 + n != gone))
        .collect();
    hypervisor.machine().log.clear();
    assert_eq!(hypervisor.unpopulate(id(1), gone), Ok(()));
    let seen: Vec<_> = (0..1024)
        .map(|n| host(&hypervisor, id(1), 0x4_0000 + n))
        .collect();
    assert_eq!(seen, wanted);
    // The block is forgotten before the parts are there, the page before it is anybody's.
    let log = hypervisor.machine().log.join(", ");
    assert_eq!(log, "forget 1, forget 1, scrub 0x80105000-0x80105fff");
    assert_eq!(hypervisor.info(id(1)).unwrap().pages, 1023);
}

/// Without a pool for tables nothing is mapped; what a pool is too small for leaves nothing.
#[test]
fn limits_hold() {
    let mut hypervisor = board(&[]);
    let one = hypervisor.create_domain(None, &NEW).unwrap();
    hypervisor.set_memory_limit(one, 64).unwrap();
    let before = free(&mut hypervisor);
    assert_eq!(hypervisor.populate(one, RAM, 0), Err(Errno::ENOMEM));
    // One table of two is not enough.
    hypervisor.set_table_pool(one, 1 << 12).unwrap();
    assert_eq!(hypervisor.populate(one, RAM, 0), Err(Errno::ENOMEM));
    assert_eq!(free(&mut hypervisor).2, before.2);
    hypervisor.set_table_pool(one, 2 << 12).unwrap();
    assert_eq!(hypervisor.populate(one, RAM, 4), Ok(()));
    assert_eq!(hypervisor.populate(one, RAM + 16, 0), Err(Errno::ENOMEM));
    hypervisor.set_memory_limit(one, 68).unwrap();
    assert_eq!(hypervisor.populate(one, RAM + 16, 0), Ok(()));
    for (bytes, wanted) in [
        (1 << 12, Err(Errno::EBUSY)),
        (5000, Err(Errno::EINVAL)),
        (1 << 40, Err(Errno::ENOMEM)),
        (3 << 12, Ok(())),
    ] {
        assert_eq!(hypervisor.set_table_pool(one, bytes), wanted, "{bytes}");
    }
    assert_eq!(hypervisor.table_pool(one), Ok(3 << 12));
    assert_eq!(hypervisor.set_vcpus(one, 2), Err(Errno::EINVAL));
    assert_eq!(hypervisor.unpause(one), Err(Errno::EINVAL));
}

/// When RAM is used up the domain keeps what it has, and others can have what it gives up.
#[test]
fn memory_runs_out() {
    let mut hypervisor = board(&[]);
    let one = made(&mut hypervisor);
    hypervisor.set_memory_limit(one, 1 << 30).unwrap();
    let blocks = free(&mut hypervisor).2 >> 21;
    hypervisor.set_table_pool(one, 32 << 12).unwrap();
    for block in 0..blocks {
        assert_eq!(hypervisor.populate(one, RAM + block * 512, 9), Ok(()));
    }
    let next = RAM + blocks * 512;
    assert_eq!(hypervisor.populate(one, next, 9), Err(Errno::ENOMEM));
    let other = made(&mut hypervisor);
    assert_eq!(hypervisor.populate(other, RAM, 9), Err(Errno::ENOMEM));
    destroyed(&mut hypervisor, one);
    assert_eq!(hypervisor.populate(other, RAM, 9), Ok(()));
}

/// A page that another domain maps stays where it is until that lets go, whatever becomes of its owner;
/// then it is cleared and free, and the owner is gone for good.
#[test]
fn lent_pages_outlive_their_owner() {
    let mut hypervisor = board(&[plan(1, 1, 45)]);
    let start = free(&mut hypervisor).2;
    let owner = running(&mut hypervisor);
    let page = host(&hypervisor, owner, RAM + 5).unwrap();
    for gfn in [0x9_0000, 0x9_0001] {
        assert_eq!(hypervisor.map_foreign(id(1), gfn, owner, RAM + 5), Ok(()));
        assert_eq!(host(&hypervisor, id(1), gfn), Some(page));
    }
    assert_eq!(
        hypervisor.info(id(1)).unwrap().pages,
        1024,
        "it is not its own"
    );
    assert_eq!(hypervisor.unpopulate(owner, RAM + 5), Err(Errno::EBUSY));
    assert!(hypervisor.machine().write(Pa::new(page), b"secret"));
    destroyed(&mut hypervisor, owner);
    let zombie = hypervisor.info(owner).unwrap();
    assert_eq!((zombie.dying, zombie.pages), (true, 1));
    assert_eq!(hypervisor.machine().byte(page), b's');
    assert_eq!(start - free(&mut hypervisor).2, 4096);
    // It is only waiting: nothing can be done to it, and destroying it again changes nothing.
    assert_eq!(hypervisor.destroy(owner), Ok(Progress::Done));
    assert_eq!(hypervisor.populate(owner, RAM, 0), Err(Errno::EINVAL));
    assert_eq!(
        hypervisor.map_foreign(id(1), 0x9_0002, owner, RAM + 5),
        Err(Errno::EINVAL)
    );
    assert_eq!(
        hypervisor.create_domain(Some(owner), &NEW),
        Err(Errno::EEXIST)
    );
    assert_eq!(hypervisor.unpopulate(id(1), 0x9_0000), Ok(()));
    assert!(hypervisor.info(owner).is_ok(), "one mapping is left");
    assert_eq!(hypervisor.unpopulate(id(1), 0x9_0001), Ok(()));
    assert_eq!(hypervisor.info(owner), Err(Errno::ESRCH));
    assert_eq!(hypervisor.machine().byte(page), 0);
    assert_eq!(free(&mut hypervisor).2, start);
}

/// However the pages lie that others map, what they map stays until the last lets go of it, the rest is free at once, and
/// in the end nothing is lost.
#[test]
fn lent_pages_may_be_a_patchwork() {
    let mut hypervisor = board(&[plan(1, 1, 45)]);
    let start = free(&mut hypervisor).2;
    let owner = running(&mut hypervisor);
    let mapper = running(&mut hypervisor);
    let before = free(&mut hypervisor).2;
    // Every third page once, every ninth a second time.
    let foreign_mapped = [0, 3, 6, 9, 12, 15];
    for n in foreign_mapped {
        let done = hypervisor.map_foreign(id(1), 0x9_0000 + n, owner, RAM + n);
        assert_eq!(done, Ok(()));
    }
    for n in [0, 9] {
        let done = hypervisor.map_foreign(mapper, 0x9_0000 + n, owner, RAM + n);
        assert_eq!(done, Ok(()));
    }
    let own = hypervisor.info(owner).unwrap().pages;
    destroyed(&mut hypervisor, owner);
    assert_eq!(hypervisor.info(owner).unwrap().pages, 6);
    assert!(free(&mut hypervisor).2 >= before + (own - 6) * 4096);
    destroyed(&mut hypervisor, mapper);
    assert_eq!(hypervisor.info(owner).unwrap().pages, 6);
    for (left, n) in foreign_mapped.iter().rev().enumerate() {
        let pages = hypervisor.info(owner).map(|info| info.pages);
        assert_eq!(pages, Ok(6 - u64::try_from(left).unwrap()));
        assert_eq!(hypervisor.unpopulate(id(1), 0x9_0000 + n), Ok(()));
    }
    assert_eq!(hypervisor.info(owner), Err(Errno::ESRCH));
    assert_eq!(free(&mut hypervisor).2, start);
}

/// A domain that dies lets go of what it mapped, also of what belonged to one that died before it.
#[test]
fn dying_mappers_let_go() {
    let mut hypervisor = board(&[]);
    let start = free(&mut hypervisor).2;
    let (owner, mapper) = (running(&mut hypervisor), running(&mut hypervisor));
    for n in 0..3 {
        let done = hypervisor.map_foreign(mapper, 0x9_0000 + n, owner, RAM + n);
        assert_eq!(done, Ok(()));
    }
    destroyed(&mut hypervisor, owner);
    assert!(hypervisor.info(owner).unwrap().dying);
    destroyed(&mut hypervisor, mapper);
    assert_eq!(hypervisor.infos_from(id(0)).count(), 0);
    assert_eq!(free(&mut hypervisor).2, start);
}

/// Only RAM of another domain's own can be mapped, and only where there is room.
#[test]
fn foreign_pages_are_judged() {
    let mut hypervisor = board(&[plan(1, 1, 45)]);
    let (one, other) = (running(&mut hypervisor), running(&mut hypervisor));
    hypervisor.map_foreign(other, 0x9_0000, one, RAM).unwrap();
    for (into, gfn, from, foreign, wanted) in [
        (one, 0x9_0000, one, RAM, Errno::EINVAL),
        (one, 0x9_0000, id(9), RAM, Errno::ESRCH),
        (id(9), 0x9_0000, one, RAM, Errno::ESRCH),
        (one, 0x9_0000, other, RAM + 16, Errno::EINVAL),
        // What it maps itself is not its own to show.
        (id(1), 0x9_0000, other, 0x9_0000, Errno::EINVAL),
        // A device is no RAM.
        (one, 0x9_0000, id(1), 0x3_a000, Errno::EINVAL),
        (one, RAM + 3, other, RAM, Errno::EEXIST),
        (one, 0x3001, other, RAM, Errno::EINVAL),
        (one, 1 << 28, other, RAM, Errno::EINVAL),
        (one, 0x9_0000, other, u64::MAX, Errno::EINVAL),
    ] {
        let seen = hypervisor.map_foreign(into, gfn, from, foreign);
        assert_eq!(seen, Err(wanted), "{into} {gfn:#x} {from} {foreign:#x}");
    }
}
