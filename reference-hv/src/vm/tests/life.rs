//! Domains that are made, changed and destroyed at run time.

use super::*;
use crate::arch::tested::{context, switched_off};
use crate::errno::Errno;
use crate::hal::Ram;
use crate::paging::Tables;

mod devices;
mod end;
mod functions;
mod memory;

const RAM: u64 = 0x4_0000;
const GPIO: u64 = 0x9030;
const RTC: u64 = 0x9010;
/// The GPIO block's line and the clock's.
const GPIO_LINE: u32 = 39;
const RTC_LINE: u32 = 34;

fn id(number: u16) -> DomainId {
    DomainId::new(number).unwrap()
}

/// A machine with RAM where the board has it, and these domains.
fn board(plans: &[DomainPlan]) -> Hypervisor<Fake> {
    let mut machine = Fake::new();
    let ram = Span::new(Pa::new(0x4000_0000), 1 << 30).unwrap();
    machine.windows.push(ram);
    let mut hypervisor = Hypervisor::new(machine, resources());
    for plan in plans {
        hypervisor.create(plan, b"a tree").expect("a domain");
    }
    hypervisor
}

const NEW: NewDomain = NewDomain {
    cpus: 1,
    shared_lines: 64,
    handle: [7; 16],
};

/// Makes a domain with room for tables, and for 16 MiB of RAM.
fn made(hypervisor: &mut Hypervisor<Fake>) -> DomainId {
    let id = hypervisor.create_domain(None, &NEW).expect("a domain");
    hypervisor.set_table_pool(id, 32 << 12).expect("a pool");
    hypervisor.set_vcpus(id, 1).expect("virtual CPUs");
    hypervisor.set_memory_limit(id, 16 << 10).expect("a limit");
    id
}

/// Makes a domain with 16 pages of RAM that runs.
fn running(hypervisor: &mut Hypervisor<Fake>) -> DomainId {
    let id = made(hypervisor);
    hypervisor.populate(id, RAM, 4).expect("RAM");
    let context = context(ENTRY, 0x1c5);
    hypervisor.set_context(id, 0, context).expect("a context");
    hypervisor.unpause(id).expect("a start");
    id
}

fn destroyed(hypervisor: &mut Hypervisor<Fake>, id: DomainId) {
    for _ in 0..1000 {
        if hypervisor.destroy(id).expect("a domain") == Progress::Done {
            return;
        }
    }
    panic!("{id} is destroyed for ever");
}

/// What is free of everything.
fn free(hypervisor: &mut Hypervisor<Fake>) -> (u64, u64, u64) {
    let tables = hypervisor.machine().pool.left();
    let pages = hypervisor.free_pages();
    (pages, tables, hypervisor.resources.free())
}

/// Where a guest page lies.
fn host(hypervisor: &Hypervisor<Fake>, id: DomainId, gfn: u64) -> Option<u64> {
    let domain = hypervisor.domains.get(hypervisor.find_domain(id)?)?;
    let pool = &hypervisor.machine.pool;
    let there = domain.memory.space.walk(pool, Ipa::new(gfn << 12))?;
    Some(there.to.raw())
}

/// A domain gets the number that it is to have, or the lowest that is free; zero is not given by itself.
#[test]
fn numbers() {
    let mut hypervisor = board(&[plan(2, 1, 39)]);
    let mut make = |wanted: Option<u16>| {
        let made = hypervisor.create_domain(wanted.map(id), &NEW);
        made.map(DomainId::number)
    };
    assert_eq!(make(None), Ok(1));
    assert_eq!(make(None), Ok(3));
    assert_eq!(make(Some(2)), Err(Errno::EEXIST));
    assert_eq!(make(Some(200)), Ok(200));
    assert_eq!(make(Some(0)), Ok(0));
    destroyed(&mut hypervisor, id(1));
    assert_eq!(hypervisor.create_domain(None, &NEW), Ok(id(1)));
    let listed: Vec<_> = hypervisor
        .infos_from(id(1))
        .map(|info| info.id.number())
        .collect();
    assert_eq!(listed, [1, 2, 3, 200]);
}

/// What cannot be is refused, and nothing of it is left.
#[test]
fn refused_creations_leave_nothing() {
    let mut hypervisor = board(&[]);
    let before = free(&mut hypervisor);
    for new in [
        NewDomain { cpus: 0, ..NEW },
        NewDomain { cpus: 9, ..NEW },
        NewDomain {
            shared_lines: 989,
            ..NEW
        },
    ] {
        assert_eq!(hypervisor.create_domain(None, &new), Err(Errno::EINVAL));
    }
    hypervisor.machine().heap = 1000;
    assert_eq!(hypervisor.create_domain(None, &NEW), Err(Errno::ENOMEM));
    hypervisor.machine().heap = 1 << 20;
    hypervisor.machine().pool.left = 1;
    assert_eq!(hypervisor.create_domain(None, &NEW), Err(Errno::ENOMEM));
    hypervisor.machine().pool.left = before.1;
    assert_eq!(free(&mut hypervisor), before);
    assert_eq!(hypervisor.infos_from(id(0)).count(), 0);
    // None of them has used a tag up.
    let first = made(&mut hypervisor);
    let place = hypervisor.find_domain(first).unwrap();
    let tag = hypervisor.domains.get(place).unwrap().memory.tag;
    assert_eq!(tag.number(), 1);
}

/// Where the hypervisor cannot note it, nobody gets anything; what there is can still be taken away.
#[test]
fn the_heap_is_not_used_up() {
    let mut hypervisor = board(&[plan(1, 1, 45)]);
    let start = free(&mut hypervisor).2;
    let one = running(&mut hypervisor);
    hypervisor.permit_pages(one, RTC, 1, true).unwrap();
    hypervisor.machine().heap = 1000;
    let none = Err(Errno::ENOMEM);
    assert_eq!(hypervisor.populate(one, RAM + 16, 0), none);
    assert_eq!(hypervisor.map_foreign(id(1), 0x9_0000, one, RAM), none);
    assert_eq!(hypervisor.permit_pages(one, GPIO, 1, true), none);
    assert_eq!(hypervisor.map_pages(one, 0x3_a000, RTC, 1, true), none);
    assert_eq!(hypervisor.bind_line(one, line(RTC_LINE)), none);
    assert_eq!(hypervisor.permit_pages(one, RTC, 1, false), Ok(()));
    assert_eq!(hypervisor.unpopulate(one, RAM), Ok(()));
    destroyed(&mut hypervisor, one);
    assert_eq!(free(&mut hypervisor).2, start);
}

/// There are as many domains at once as there are tags, and one more as soon as one is gone.
#[test]
fn tags_run_out() {
    let mut hypervisor = board(&[]);
    hypervisor.machine().pool.left = 2000;
    for _ in 0..255 {
        hypervisor.create_domain(None, &NEW).expect("a domain");
    }
    for wanted in [None, Some(id(0))] {
        assert_eq!(hypervisor.create_domain(wanted, &NEW), Err(Errno::ENOMEM));
    }
    destroyed(&mut hypervisor, id(77));
    assert_eq!(hypervisor.create_domain(Some(id(0)), &NEW), Ok(id(0)));
    let place = hypervisor.find_domain(id(0)).unwrap();
    let tag = hypervisor.domains.get(place).unwrap().memory.tag;
    assert_eq!(tag.number(), 77);
}

/// 300 domains come and go, with RAM, a device, a line and a page that was mapped by another, and what is
/// free is the same after each.
#[test]
fn nothing_leaks() {
    let mut hypervisor = board(&[plan(1, 1, 45)]);
    let mut counts = Vec::new();
    for _ in 0..300 {
        let child = running(&mut hypervisor);
        assert_eq!(child.number(), 2);
        hypervisor.permit_pages(child, GPIO, 1, true).unwrap();
        hypervisor
            .map_pages(child, 0x3_a000, GPIO, 1, true)
            .unwrap();
        hypervisor.bind_line(child, line(GPIO_LINE)).unwrap();
        hypervisor
            .map_foreign(id(1), 0x9_0000, child, RAM + 3)
            .unwrap();
        hypervisor.unpopulate(id(1), 0x9_0000).unwrap();
        destroyed(&mut hypervisor, child);
        counts.push(free(&mut hypervisor));
        hypervisor.machine().log.clear();
        hypervisor.machine().console.clear();
    }
    assert!(counts.iter().all(|count| *count == counts[0]), "{counts:?}");
    assert_eq!(hypervisor.infos_from(id(0)).count(), 1);
}

/// A domain runs from its first release on, stands still while it is paused, and goes on where it was.
#[test]
fn pauses_are_counted() {
    let mut hypervisor = board(&[]);
    let other = running(&mut hypervisor);
    let one = made(&mut hypervisor);
    let steps = |hypervisor: &mut Hypervisor<Fake>| {
        let noise = [1, 2, 3, 4].map(|n| (hypervisor.machine().time + n * 500, Interrupt::Own));
        hypervisor.machine().later.extend(noise);
        (0..4).for_each(|_| hypervisor.step());
        entered(hypervisor)
    };
    assert_eq!(steps(&mut hypervisor), "d1v0 d1v0 d1v0 d1v0");
    let context = context(0x4000_1000, 0x3c5);
    assert_eq!(hypervisor.set_context(one, 0, context), Ok(()));
    assert_eq!(steps(&mut hypervisor), "d1v0 d1v0 d1v0 d1v0");
    assert_eq!(hypervisor.pause(one), Ok(()));
    assert_eq!(hypervisor.unpause(one), Ok(()));
    assert!(hypervisor.info(one).unwrap().paused);
    assert_eq!(hypervisor.unpause(one), Ok(()));
    assert_eq!(hypervisor.unpause(one), Err(Errno::EINVAL));
    assert_eq!(steps(&mut hypervisor), "d2v0 d1v0 d2v0 d1v0");
    assert_eq!(hypervisor.pause(other), Ok(()));
    assert_eq!(steps(&mut hypervisor), "d2v0 d2v0 d2v0 d2v0");
    for _ in 0..254 {
        hypervisor.pause(other).unwrap();
    }
    assert_eq!(hypervisor.pause(other), Err(Errno::EOVERFLOW));
}

/// A line that comes while its owner is paused is there when it goes on; so is a timer.
#[test]
fn what_comes_in_a_pause_is_kept() {
    let mut hypervisor = board(&[plan(1, 1, 39), plan(2, 1, 40)]);
    let setup = [
        Deed::store(0x0300_1000, Width::Word, 0x12),
        Deed::store(0x0300_1084, Width::Word, 1 << 7),
        Deed::store(0x0300_1104, Width::Word, 1 << 7),
        Deed::wait(),
    ];
    told(&mut hypervisor, 1, 0, &setup);
    for _ in 0..4 {
        hypervisor.step();
    }
    hypervisor.pause(id(1)).unwrap();
    hypervisor.machine().chip(line(39)).drive(line(39), true);
    let now = hypervisor.machine().time;
    let arrival = (now + 5, Interrupt::Line(line(39)));
    hypervisor.machine().later.push(arrival);
    entered(&mut hypervisor);
    hypervisor.step();
    assert_eq!(entered(&mut hypervisor), "d2v0");
    hypervisor.unpause(id(1)).unwrap();
    hypervisor
        .machine()
        .later
        .push((now + 1000, Interrupt::Own));
    told(&mut hypervisor, 2, 0, &[Deed::wait()]);
    hypervisor.step();
    hypervisor.step();
    assert_eq!(entered(&mut hypervisor), "d2v0 d1v0");
    let shown = hypervisor.machine().shown.clone();
    assert_eq!(shown.len(), 1, "{shown:x?}");
}

/// Only what a 64-bit guest can be in is accepted as its state, for a virtual CPU that there is.
#[test]
fn contexts_are_judged() {
    let mut hypervisor = board(&[]);
    let one = made(&mut hypervisor);
    for (vcpu, pstate, wanted) in [
        (0, 0x1c5, Ok(())),
        (0, 0x1c4, Ok(())),
        (0, 0x1c0, Ok(())),
        (0, 0x1c9, Err(Errno::EINVAL)),
        (0, 0x1d3, Err(Errno::EINVAL)),
        (0, 0x1cd, Err(Errno::EINVAL)),
        (1, 0x1c5, Err(Errno::EINVAL)),
    ] {
        assert_eq!(
            hypervisor.set_context(one, vcpu, switched_off(pstate)),
            wanted,
            "{vcpu} {pstate:#x}"
        );
    }
    assert_eq!(hypervisor.info(one).unwrap().online, 0);
    let unknown = hypervisor.set_context(id(9), 0, switched_off(0));
    assert_eq!(unknown, Err(Errno::ESRCH));
}

/// A guest that switches itself off, or is shut down, keeps everything; how it ended can be asked for.
#[test]
fn power_off_keeps_everything() {
    let mut hypervisor = board(&[plan(1, 1, 45)]);
    let child = running(&mut hypervisor);
    hypervisor.permit_pages(child, GPIO, 1, true).unwrap();
    hypervisor.bind_line(child, line(GPIO_LINE)).unwrap();
    let before = free(&mut hypervisor);
    told(&mut hypervisor, 2, 0, &[Deed::power(SYSTEM_OFF, [0; 3])]);
    let noise = (1..5).map(|n| (1000 + n * 300, Interrupt::Own));
    hypervisor.machine().later.extend(noise);
    for _ in 0..3 {
        hypervisor.step();
    }
    let info = hypervisor.info(child).unwrap();
    assert_eq!(
        (info.shutdown, info.dying, info.pages),
        (Some(0), false, 16)
    );
    assert_eq!(free(&mut hypervisor), before);
    let again = hypervisor.permit_pages(id(1), GPIO, 1, true);
    assert_eq!(again, Err(Errno::EBUSY));
    assert_eq!(
        hypervisor.bind_line(id(1), line(GPIO_LINE)),
        Err(Errno::EBUSY)
    );
    assert!(!hypervisor.machine().off);
    // The first reason stands.
    assert_eq!(hypervisor.shut_down(child, 3), Ok(()));
    assert_eq!(hypervisor.info(child).unwrap().shutdown, Some(0));
}

/// The end of the domain that has the hardware is the end of the machine.
#[test]
fn the_hardware_domain_ends_the_machine() {
    let mut hardware = plan(1, 1, 45);
    hardware.id = DomainId::HARDWARE;
    hardware.privilege.hardware = true;
    let mut hypervisor = board(&[hardware]);
    hypervisor.shut_down(DomainId::HARDWARE, 1).unwrap();
    assert!(hypervisor.machine().off);
}

/// The domain that has the hardware is not destroyed: nobody gets memory that its devices may still write.
#[test]
fn the_hardware_domain_is_not_destroyed() {
    let mut hardware = plan(1, 1, 45);
    hardware.privilege.hardware = true;
    let mut hypervisor = board(&[hardware]);
    let before = free(&mut hypervisor);
    assert_eq!(hypervisor.destroy(id(1)), Err(Errno::EPERM));
    assert_eq!(free(&mut hypervisor), before);
    let info = hypervisor.info(id(1)).unwrap();
    assert_eq!((info.dying, info.running), (false, true));
}

/// What was proven to be a domain's is nobody's when there is no tree for it, that of a later domain of its
/// number included.
#[test]
fn what_is_given_up_is_free() {
    let mut hypervisor = board(&[]);
    let gpio = Span::of_pages(Pa::new(GPIO << 12), 1).unwrap();
    hypervisor.resources.claim_pages(id(1), gpio).unwrap();
    hypervisor
        .resources
        .claim_line(id(1), line(GPIO_LINE))
        .unwrap();
    let before = free(&mut hypervisor).2;
    let refusal = hypervisor.give_up(&plan(1, 2, GPIO_LINE), "is too much");
    assert_eq!(
        refusal.to_string(),
        "refuse domain guest1: /chosen/guest1: `memory` is too much"
    );
    assert_eq!(free(&mut hypervisor).2 - before, 4 << 20);
    let (namesake, other) = (made(&mut hypervisor), made(&mut hypervisor));
    assert_eq!(namesake, id(1));
    let mapped = hypervisor.map_pages(namesake, 0x3_a000, GPIO, 1, true);
    assert_eq!(mapped, Err(Errno::EPERM));
    assert_eq!(
        hypervisor.bind_line(namesake, line(GPIO_LINE)),
        Err(Errno::EPERM)
    );
    assert_eq!(hypervisor.permit_pages(other, GPIO, 1, true), Ok(()));
    assert_eq!(hypervisor.bind_line(other, line(GPIO_LINE)), Ok(()));
}

/// Memory that a device may read past the caches is empty in memory itself before its domain runs.
#[test]
fn direct_mapped_memory_is_empty_for_devices() {
    let mut direct = plan(1, 1, 45);
    for ram in &mut direct.ram {
        ram.pa = Pa::new(ram.ipa.raw());
    }
    let wanted: Vec<_> = direct.ram.iter().filter_map(|ram| ram.host()).collect();
    let mut hypervisor = board(&[plan(2, 1, 39)]);
    assert!(hypervisor.machine().written_back.is_empty());
    hypervisor.create(&direct, b"a tree").expect("a domain");
    assert_eq!(hypervisor.machine().written_back, wanted);
}
