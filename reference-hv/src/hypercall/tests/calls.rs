//! What calls do, and to whom.

use super::rig::{END, RAM, Rig, Who, domctl, error, sysctl};
use crate::errno::Errno;
use crate::hypercall::abi;
use crate::hypercall::abi::domctl::{DomainInfo, state};

/// Where the tests put arrays.
const ARRAY: u64 = RAM + 0x8000;

fn words(values: &[u64]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

/// A createdomain's own part: flags, virtual CPUs, shared interrupts.
fn create(flags: u32, cpus: u32, spis: u32) -> Vec<u8> {
    let mut rest = vec![0; 72];
    rest[20..24].copy_from_slice(&flags.to_le_bytes());
    rest[28..32].copy_from_slice(&cpus.to_le_bytes());
    rest[64..68].copy_from_slice(&spis.to_le_bytes());
    rest
}

/// Returns what there is to know of a domain, or the error.
fn info(rig: &mut Rig, domain: u16) -> Result<DomainInfo, u64> {
    match rig.with(abi::DOMCTL, &domctl(5, domain, &[])) {
        0 => Ok(DomainInfo::decode(
            &rig.peek::<120>(Who::Control, RAM + 0x1010),
        )),
        error => Err(error),
    }
}

/// Gives a domain pages; returns how many extents it got.
fn populate(rig: &mut Rig, domain: u16, frames: &[u64], order: u32) -> u64 {
    rig.poke(Who::Control, ARRAY, &words(frames));
    let count = u64::try_from(frames.len()).unwrap();
    let mut what = words(&[ARRAY, count, order.into(), domain.into()]);
    what.truncate(32);
    rig.poke(Who::Control, RAM + 0x1000, &what);
    rig.call(Who::Control, abi::MEMORY_OP, &[6, RAM + 0x1000])
}

/// Makes domain `number` with this much memory to come.
fn make(rig: &mut Rig, number: u16, kib: u64) {
    for (command, rest) in [
        (1, create(3, 1, 64)),
        (86, words(&[0x10_0000])),
        (15, words(&[1])),
        (11, words(&[kib])),
    ] {
        assert_eq!(
            rig.with(abi::DOMCTL, &domctl(command, number, &rest)),
            0,
            "{command}"
        );
    }
}

/// Maps pages of another domain; returns the answer and what became of each.
fn foreign<const N: usize>(rig: &mut Rig, from: u16, pairs: [(u64, u64); N]) -> (u64, [i32; N]) {
    let size = u16::try_from(N).unwrap();
    rig.poke(Who::Control, ARRAY, &words(&pairs.map(|(_, index)| index)));
    rig.poke(
        Who::Control,
        ARRAY + 0x1000,
        &words(&pairs.map(|(frame, _)| frame)),
    );
    let head = [0x7ff0, 4, size, from].map(u16::to_le_bytes).concat();
    let what = [head, words(&[ARRAY, ARRAY + 0x1000, ARRAY + 0x2000])].concat();
    rig.poke(Who::Control, RAM + 0x1000, &what);
    let answer = rig.call(Who::Control, abi::MEMORY_OP, &[23, RAM + 0x1000]);
    let mut nth = 0;
    let errors = [(); N].map(|()| {
        nth += 4;
        i32::from_le_bytes(rig.peek(Who::Control, ARRAY + 0x2000 + nth - 4))
    });
    (answer, errors)
}

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
    for number in [0, 1, 11, 24, 32, 33, 34, 37, 1 << 32 | 17, u64::MAX] {
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
    for command in [0, 6, 10, 13, 19, 35, 50, 87, 88, u32::MAX] {
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
    assert_eq!((made.gic_version, made.max_vcpu_id), (2, 0));
    assert_eq!(
        made.flags & (state::PAUSED | state::HVM | state::HAP),
        0x10a
    );

    let frames: Vec<u64> = (0x4_0000..0x4_0010).collect();
    assert_eq!(populate(&mut rig, 9, &frames, 0), 16);
    assert_eq!(info(&mut rig, 9).unwrap().tot_pages, 16);

    // Its page is written through the control domain's own address space.
    assert_eq!(foreign(&mut rig, 9, [(0x3_a100, 0x4_0001)]), (0, [0]));
    let there = rig.hypervisor.guest_ram(
        crate::vm::tests::place(0, 0),
        crate::addr::Ipa::new(0x3a10_0000),
    );
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
    for (flags, cpus) in [(0, 1), (1, 1), (0x23, 1), (3, 0), (3, 9), (3, u32::MAX)] {
        let answer = rig.with(abi::DOMCTL, &domctl(1, 0, &create(flags, cpus, 0)));
        assert_eq!(answer, error(Errno::EINVAL), "{flags:#x} {cpus}");
    }
    let answer = rig.with(abi::DOMCTL, &domctl(1, 0, &create(3, 1, u32::MAX)));
    assert_eq!(answer, error(Errno::EINVAL));
}

/// Extents come one after another up to the first that cannot be; absurd requests do nothing.
#[test]
fn extents_are_counted() {
    let mut rig = Rig::new();
    make(&mut rig, 3, 1 << 20);
    let twice = [0x4_0000, 0x4_0001, 0x4_0000, 0x4_0002];
    assert_eq!(populate(&mut rig, 3, &twice, 0), 2);
    for (frame, order) in [
        (0x4_0100, 10),
        (0x4_0100, 63),
        (0x4_0100, u32::MAX),
        (0x4_0001, 9),
        (u64::MAX, 0),
        (u64::MAX >> 12, 0),
        (1 << 52, 0),
        (1 << 63, 9),
        (0x1_0000_0000_0000, 0),
    ] {
        assert_eq!(
            populate(&mut rig, 3, &[frame], order),
            0,
            "{frame:#x} order {order}"
        );
    }
    assert_eq!(info(&mut rig, 3).unwrap().tot_pages, 2);
    for count in [0, 0xffff_ffff >> 6 | 1 << 30, 1 << 32, u64::MAX] {
        let what = words(&[ARRAY, count, 0, 3]);
        rig.poke(Who::Control, RAM + 0x1000, &what);
        let answer = rig.call(Who::Control, abi::MEMORY_OP, &[6, RAM + 0x1000]);
        assert_eq!(answer, 0, "{count:#x}");
    }
    // An array that runs out of memory is used up to its end.
    rig.poke(Who::Control, END - 16, &words(&[0x4_0010, 0x4_0011]));
    rig.poke(
        Who::Control,
        RAM + 0x1000,
        &words(&[END - 16, 0x3ff_ffff, 0, 3]),
    );
    assert_eq!(
        rig.call(Who::Control, abi::MEMORY_OP, &[6, RAM + 0x1000]),
        2
    );
    rig.poke(Who::Control, RAM + 0x1000, &words(&[u64::MAX - 6, 2, 0, 3]));
    assert_eq!(
        rig.call(Who::Control, abi::MEMORY_OP, &[6, RAM + 0x1000]),
        0
    );
    assert_eq!(info(&mut rig, 3).unwrap().tot_pages, 4);
}

/// Each foreign page has its own answer, and none is mapped whose answer could not be told.
#[test]
fn foreign_pages_answer_one_by_one() {
    let mut rig = Rig::new();
    let (answer, errors) = foreign(
        &mut rig,
        2,
        [
            (0x3_a200, RAM >> 12),
            (0x3_a200, RAM >> 12),
            (0x3_a201, 0x3_a000),
            (0x3_a202, u64::MAX),
            (u64::MAX, RAM >> 12),
            (RAM >> 12, RAM >> 12),
            (0x3_a203, (RAM >> 12) + 1),
        ],
    );
    assert_eq!(answer, 0);
    assert_eq!((errors[0], errors[6]), (0, 0), "{errors:?}");
    assert!(errors[1..6].iter().all(|error| *error < 0), "{errors:?}");
    assert_eq!(foreign(&mut rig, 77, [(0x3_a300, 0x4_0000)]), (0, [-3]));
    assert_eq!(foreign(&mut rig, 1, [(0x3_a300, 0x4_0000)]), (0, [-22]));
    for (space, wanted) in [
        (3_u64, Errno::EOPNOTSUPP),
        (0, Errno::ENOSYS),
        (5, Errno::ENOSYS),
        (0xffff, Errno::ENOSYS),
    ] {
        let what = words(&[
            2 << 48 | 1 << 32 | space << 16 | 0x7ff0,
            ARRAY,
            ARRAY,
            ARRAY,
        ]);
        rig.poke(Who::Control, RAM + 0x1000, &what);
        assert_eq!(
            rig.call(Who::Control, abi::MEMORY_OP, &[23, RAM + 0x1000]),
            error(wanted)
        );
    }
    let free = rig.hypervisor.free_pages();
    for errors in [END - 2, END, 0, u64::MAX - 1, super::rig::DEVICE] {
        let what = words(&[
            2 << 48 | 1 << 32 | 4 << 16 | 0x7ff0,
            ARRAY,
            ARRAY + 0x1000,
            errors,
        ]);
        rig.poke(Who::Control, ARRAY, &words(&[RAM >> 12]));
        rig.poke(Who::Control, ARRAY + 0x1000, &words(&[0x3_a400]));
        rig.poke(Who::Control, RAM + 0x1000, &what);
        assert_eq!(
            rig.call(Who::Control, abi::MEMORY_OP, &[23, RAM + 0x1000]),
            error(Errno::EFAULT)
        );
    }
    assert_eq!(rig.hypervisor.free_pages(), free);
    let there = rig.hypervisor.guest_ram(
        crate::vm::tests::place(0, 0),
        crate::addr::Ipa::new(0x3a40_0000),
    );
    assert_eq!(there, None);
}

/// A device of the device tree is looked for by a path of a length that one can have.
#[test]
fn paths_have_a_length() {
    let mut rig = Rig::new();
    let mut assign = |command, kind: u32, flags: u32, length: u32, path: u64| {
        let head = [kind, flags, length, 0].map(u32::to_le_bytes).concat();
        rig.with(
            abi::DOMCTL,
            &domctl(command, 2, &[head, words(&[path])].concat()),
        )
    };
    for command in [37, 45, 47] {
        for (kind, flags, length, path, wanted) in [
            (0, 0, 1, ARRAY, Errno::ENODEV),
            (2, 0, 1, ARRAY, Errno::ENODEV),
            (1, 1, 1, ARRAY, Errno::EINVAL),
            (1, 0, 0, ARRAY, Errno::EINVAL),
            (1, 0, 4097, ARRAY, Errno::ENOBUFS),
            (1, 0, u32::MAX, ARRAY, Errno::ENOBUFS),
            (1, 0, 4096, ARRAY, Errno::ESRCH),
            (1, 0, 4096, END - 4095, Errno::EFAULT),
            (1, 0, 1, 0, Errno::EFAULT),
            (1, 0, 8, u64::MAX - 3, Errno::EFAULT),
        ] {
            let answer = assign(command, kind, flags, length, path);
            assert_eq!(
                answer,
                error(wanted),
                "{command} {kind} {flags} {length:#x} {path:#x}"
            );
        }
    }
}

/// Device pages and lines are named by numbers that can be.
#[test]
fn numbers_of_pages_and_lines_are_checked() {
    let mut rig = Rig::new();
    let top = 1_u64 << 40;
    for (first, count) in [
        (0x9030, 0),
        (u64::MAX, 1),
        (u64::MAX, 2),
        (1, u64::MAX),
        (top, 1),
        (top - 1, 2),
        (0, 0),
    ] {
        let permit = rig.with(abi::DOMCTL, &domctl(20, 2, &words(&[first, count, 1])));
        assert_eq!(permit, error(Errno::EINVAL), "{first:#x} {count:#x}");
        for (guest, host) in [(first, 0x9030), (0x3_a000, first)] {
            let map = rig.with(
                abi::DOMCTL,
                &domctl(39, 2, &words(&[guest, host, count, 1])),
            );
            // Frames that are none are so even if they are too many.
            let fits = count > 64 && guest != first && first == 0x9030;
            let wanted = if fits { Errno::E2BIG } else { Errno::EINVAL };
            assert_eq!(map, error(wanted), "{guest:#x} {host:#x} {count:#x}");
        }
    }
    let map = rig.with(
        abi::DOMCTL,
        &domctl(39, 2, &words(&[0x3_b000, 0x9030, 65, 1])),
    );
    assert_eq!(map, error(Errno::E2BIG));
    for command in [38, 48] {
        for (line, kind, spi, wanted) in [
            (39, 0, 39, Errno::EOPNOTSUPP),
            (39, 5, 39, Errno::EOPNOTSUPP),
            (39, 4, 40, Errno::EINVAL),
            (0x1_0027, 4, 39, Errno::EINVAL),
        ] {
            let rest = words(&[kind << 32 | line, spi]);
            let answer = rig.with(abi::DOMCTL, &domctl(command, 2, &rest));
            assert_eq!(answer, error(wanted), "{command} {line} {kind} {spi}");
        }
    }
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

/// What was written into a domain's RAM is written back, all of it, a bounded part a call; holes and
/// what lies beyond cost nothing.
#[test]
fn caches_are_written_back() {
    let mut rig = Rig::new();
    make(&mut rig, 3, 8192);
    assert_eq!(populate(&mut rig, 3, &[0x4_0000, 0x4_0200, 0x5_0000], 9), 3);
    assert_eq!(populate(&mut rig, 3, &[0x6_0000], 0), 1);
    for (first, count, pages) in [
        (0x4_0000, 0x400, 1024),
        (0, u64::MAX, 1537),
        (0x4_01ff, 2, 2),
        (0x5_0100, 0x1_0000, 257),
        (0x4_0000, 0, 0),
        (0x7_0000, 0x1000, 0),
        (1 << 60, 5, 0),
    ] {
        rig.hypervisor.machine().written_back.clear();
        let flush = domctl(71, 3, &words(&[first, count]));
        assert_eq!(rig.with(abi::DOMCTL, &flush), 0, "{first:#x} {count:#x}");
        let done = &rig.hypervisor.machine().written_back;
        assert!(done.iter().all(|span| span.pages() <= 512));
        let sum: u64 = done.iter().map(|span| span.pages()).sum();
        assert_eq!(sum, pages, "{first:#x} {count:#x}: {done:?}");
    }
    let wrapped = domctl(71, 3, &words(&[2, u64::MAX]));
    assert_eq!(rig.with(abi::DOMCTL, &wrapped), error(Errno::EINVAL));
}
