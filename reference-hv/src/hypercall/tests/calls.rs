//! Who may call what, and the life of a domain.

use super::rig::{
    ARRAY, END, RAM, Rig, Who, create, domctl, error, foreign, info, make, populate, sysctl, words,
};
use crate::addr::Ipa;
use crate::errno::Errno;
use crate::hypercall::abi;
use crate::hypercall::abi::domctl::state;
use crate::vm::tests::place;

/// Who controls no other domain is refused before anything else is looked at, and speaks for itself.
#[test]
fn privilege_comes_first() {
    let mut rig = Rig::new();
    for command in 0..100 {
        let call = domctl(command, 1, &[0; 128]);
        rig.poke(Who::Plain, RAM, &call);
        for at in [RAM, 0, u64::MAX] {
            assert_eq!(
                rig.call(Who::Plain, abi::DOMCTL, &[at]),
                error(Errno::EPERM),
                "{command}"
            );
        }
        rig.poke(Who::Plain, RAM, &sysctl(command, &[0; 128]));
        assert_eq!(
            rig.call(Who::Plain, abi::SYSCTL, &[RAM]),
            error(Errno::EPERM)
        );
        let memory = rig.call(Who::Plain, abi::MEMORY_OP, &[command.into(), RAM]);
        assert_eq!(memory, error(Errno::EPERM));
    }
    rig.poke(Who::Plain, RAM, &words(&[1]));
    assert_eq!(
        rig.call(Who::Plain, abi::SCHED_OP, &[4, RAM]),
        error(Errno::EPERM)
    );
    assert_eq!(rig.call(Who::Plain, abi::XEN_VERSION, &[0]), 0x4_0014);
    assert_eq!(rig.call(Who::Plain, abi::XEN_VERSION, &[1, RAM]), 0);
    assert_eq!(rig.peek(Who::Plain, RAM), *b"-refhv\0\0\0\0\0\0\0\0\0\0");
    rig.poke(Who::Plain, RAM, &[0; 8]);
    assert_eq!(rig.call(Who::Plain, abi::XEN_VERSION, &[6, RAM]), 0);
    assert_eq!(rig.peek(Who::Plain, RAM), [0, 0, 0, 0, 4, 0x40, 0, 0]);
    rig.poke(Who::Plain, RAM, &[1]);
    assert_eq!(
        rig.call(Who::Plain, abi::XEN_VERSION, &[6, RAM]),
        error(Errno::EINVAL)
    );
    assert_eq!(rig.call(Who::Plain, abi::CONSOLE_IO, &[1, 16, RAM]), 0);
    assert_eq!(
        rig.call(Who::Plain, abi::CONSOLE_IO, &[1, 1 << 31, RAM]),
        error(Errno::E2BIG)
    );
}

/// What is not there is -ENOSYS, numbers that only begin like one that is included.
#[test]
fn unknown_calls_are_not_there() {
    let mut rig = Rig::new();
    for number in [0, 1, 11, 24, 32, 34, 37, 1 << 32 | 17, u64::MAX] {
        assert_eq!(
            rig.call(Who::Control, number, &[0; 5]),
            error(Errno::ENOSYS),
            "{number}"
        );
    }
    for (number, command) in [
        (abi::CONSOLE_IO, 2),
        (abi::XEN_VERSION, 2),
        (abi::XEN_VERSION, 1 << 32),
        (abi::SCHED_OP, 3),
        (abi::MEMORY_OP, 0),
        (abi::MEMORY_OP, 7),
        (abi::MEMORY_OP, 11),
        (abi::MEMORY_OP, 63),
    ] {
        let answer = rig.call(Who::Control, number, &[command, RAM, RAM]);
        assert_eq!(answer, error(Errno::ENOSYS), "{number} {command}");
    }
    for command in [0, 6, 10, 13, 19, 35, 51, 87, 88, u32::MAX] {
        let answer = rig.with(abi::DOMCTL, &domctl(command, 2, &[0; 128]));
        assert_eq!(answer, error(Errno::ENOSYS), "{command}");
        if command != 6 {
            let answer = rig.with(abi::SYSCTL, &sysctl(command, &[0; 128]));
            assert_eq!(answer, error(Errno::ENOSYS), "{command}");
        }
    }
}

/// One version of each interface is served; with any other the call is not read further.
#[test]
fn other_versions_are_refused() {
    let mut rig = Rig::new();
    for version in [0_u32, 0x15, 0x16, 0x18, 0x1700, u32::MAX] {
        let mut call = domctl(2, 2, &[]);
        call[4..8].copy_from_slice(&version.to_le_bytes());
        assert_eq!(
            rig.with(abi::DOMCTL, &call),
            error(Errno::EACCES),
            "{version:#x}"
        );
    }
    for version in [0_u32, 0x14, 0x16, 0x17, u32::MAX] {
        let mut call = sysctl(3, &[]);
        call[4..8].copy_from_slice(&version.to_le_bytes());
        assert_eq!(
            rig.with(abi::SYSCTL, &call),
            error(Errno::EACCES),
            "{version:#x}"
        );
    }
    assert_eq!(info(&mut rig, 2).map(|info| info.domain), Ok(2));
}

/// A number that is no domain's is -ESRCH, and a call that is for others only is -EINVAL for oneself.
#[test]
fn domains_are_told_apart() {
    let mut rig = Rig::new();
    let commands = [2, 3, 4, 5, 11, 12, 15, 20, 37, 38, 39, 47, 48, 71, 85, 86];
    for command in commands {
        let rest: Vec<u8> = match command {
            12 => words(&[0, ARRAY]),
            20 | 39 => words(&[0x9030, 1, 1, 1]),
            37 | 47 => words(&[1, 1, ARRAY]),
            38 | 48 => words(&[4 << 32 | 39, 39]),
            _ => words(&[0x1000, 1]),
        };
        rig.poke(Who::Control, ARRAY, &[0; 512]);
        for domain in [3, 255, 256, 0x7ff0, 0x7ff1, 0x7ff4, 0xffff] {
            let answer = rig.with(abi::DOMCTL, &domctl(command, domain, &rest));
            assert_eq!(answer, error(Errno::ESRCH), "{command} of {domain:#x}");
        }
    }
    for command in [2, 3, 12, 15] {
        let answer = rig.with(abi::DOMCTL, &domctl(command, 1, &words(&[1, ARRAY])));
        assert_eq!(answer, error(Errno::EINVAL), "{command}");
    }
    let own = info(&mut rig, 1).unwrap();
    assert_eq!(
        own.flags & (state::DYING | state::PAUSED | state::SHUTDOWN),
        0
    );
}

/// A domain is made, filled, looked at and ended, and leaves what it had.
#[test]
fn a_life() {
    let mut rig = Rig::new();
    let free = rig.hypervisor.free_pages();
    make(&mut rig, 9, 4096);
    let made = info(&mut rig, 9).unwrap();
    assert_eq!((made.domain, made.tot_pages, made.max_pages), (9, 0, 1024));
    assert_eq!((made.arch[0], made.max_vcpu_id), (2, 0));
    assert_eq!(
        made.flags & (state::PAUSED | state::HVM | state::HAP),
        0x10a
    );

    let frames: Vec<u64> = (0x4_0000..0x4_0010).collect();
    assert_eq!(populate(&mut rig, 9, &frames, 0), 16);
    assert_eq!(info(&mut rig, 9).unwrap().tot_pages, 16);

    // Its page is written through the control domain's own address space.
    assert_eq!(foreign(&mut rig, 9, [(0x3_a100, 0x4_0001)]), (0, [0]));
    let there = rig.hypervisor.guest_ram(place(0, 0), Ipa::new(0x3a10_0000));
    assert!(there.is_some(), "no RAM behind a foreign page");
    let zombie = rig.with(abi::DOMCTL, &domctl(2, 9, &[]));
    assert_eq!(zombie, 0);
    assert_eq!(
        info(&mut rig, 9).unwrap().flags & state::DYING,
        state::DYING
    );
    rig.poke(Who::Control, RAM + 0x1000, &words(&[0x7ff0, 0x3_a100]));
    assert_eq!(
        rig.call(Who::Control, abi::MEMORY_OP, &[15, RAM + 0x1000]),
        0
    );
    assert_eq!(
        rig.call(Who::Control, abi::MEMORY_OP, &[15, RAM + 0x1000]),
        error(Errno::ENOENT)
    );
    assert_eq!(info(&mut rig, 9).err(), Some(error(Errno::ESRCH)));
    assert_eq!(rig.hypervisor.free_pages(), free);
}

/// Where no number is asked for the lowest free one is given, and told in the argument.
#[test]
fn numbers_are_chosen() {
    let mut rig = Rig::new();
    for (asked, given) in [(0, 3), (0x7ff0, 4), (0xffff, 5), (200, 200)] {
        assert_eq!(
            rig.with(abi::DOMCTL, &domctl(1, asked, &create(3, 1, 0))),
            0,
            "{asked}"
        );
        let told = u16::from_le_bytes(rig.peek(Who::Control, RAM + 0x1008));
        assert_eq!(told, given);
    }
    for (asked, wanted) in [
        (1, Errno::EEXIST),
        (200, Errno::EEXIST),
        (256, Errno::EINVAL),
        (0x7fef, Errno::EINVAL),
    ] {
        let answer = rig.with(abi::DOMCTL, &domctl(1, asked, &create(3, 1, 0)));
        assert_eq!(answer, error(wanted), "{asked:#x}");
    }
    for (flags, cpus) in [(0, 1), (1, 1), (0x43, 1), (3, 0), (3, 9), (3, u32::MAX)] {
        let answer = rig.with(abi::DOMCTL, &domctl(1, 0, &create(flags, cpus, 0)));
        assert_eq!(answer, error(Errno::EINVAL), "{flags:#x} {cpus}");
    }
    let answer = rig.with(abi::DOMCTL, &domctl(1, 0, &create(3, 1, u32::MAX)));
    assert_eq!(answer, error(Errno::EINVAL));
}

/// The list begins where asked, ends where asked, and counts what was written.
#[test]
fn domains_are_listed() {
    let mut rig = Rig::new();
    let mut list = |first: u64, max: u64, buffer: u64| {
        let answer = rig.with(
            abi::SYSCTL,
            &sysctl(6, &words(&[max << 32 | first, buffer, 0])),
        );
        let count = u32::from_le_bytes(rig.peek(Who::Control, RAM + 0x1018));
        let ids = [0, 120].map(|at| u16::from_le_bytes(rig.peek(Who::Control, ARRAY + at)));
        rig.poke(Who::Control, ARRAY, &[0; 240]);
        (answer, count, ids)
    };
    assert_eq!(list(0, 100, ARRAY), (0, 2, [1, 2]));
    assert_eq!(list(0, u64::from(u32::MAX), ARRAY), (0, 2, [1, 2]));
    assert_eq!(list(2, 100, ARRAY), (0, 1, [2, 0]));
    assert_eq!(list(0, 1, ARRAY), (0, 1, [1, 0]));
    assert_eq!(list(0, 0, 0), (0, 0, [0, 0]));
    assert_eq!(list(0xffff, 9, ARRAY), (0, 0, [0, 0]));
    assert_eq!(list(0, 1, END - 119).0, error(Errno::EFAULT));
    assert_eq!(list(0, 1, u64::MAX).0, error(Errno::EFAULT));
    let physinfo = rig.with(abi::SYSCTL, &sysctl(3, &[]));
    assert_eq!(physinfo, 0);
    let free = u64::from_le_bytes(rig.peek(Who::Control, RAM + 0x1038));
    assert_eq!(free, rig.hypervisor.free_pages());
}
