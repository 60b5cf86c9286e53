//! RAM that is given, shown to others, and written back.

use super::rig::{
    ARRAY, DEVICE, END, RAM, Rig, Who, domctl, error, foreign, info, make, populate, words,
};
use crate::addr::Ipa;
use crate::errno::Errno;
use crate::hypercall::abi;
use crate::vm::tests::place;

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
    for errors in [END - 2, END, 0, u64::MAX - 1, DEVICE] {
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
    let there = rig.hypervisor.guest_ram(place(0, 0), Ipa::new(0x3a40_0000));
    assert_eq!(there, None);
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
