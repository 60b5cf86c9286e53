//! Devices that are named by path, page and line.

use super::rig::{ARRAY, END, Rig, Who, domctl, error, words};
use crate::errno::Errno;
use crate::hypercall::abi;

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
        for (line, kind, guest, wanted) in [
            (39, 0, 39, Errno::EOPNOTSUPP),
            (39, 5, 39, Errno::EOPNOTSUPP),
            (39, 4, 40, Errno::EINVAL),
            (0x1_0027, 4, 39, Errno::EINVAL),
        ] {
            let rest = words(&[kind << 32 | line, guest]);
            let answer = rig.with(abi::DOMCTL, &domctl(command, 2, &rest));
            assert_eq!(answer, error(wanted), "{command} {line} {kind} {guest}");
        }
    }
}

/// PCI functions are named by number: what is not known is no device, and free for nobody.
#[test]
fn functions_are_known_or_not() {
    let mut rig = Rig::new();
    for (command, domain, flags, wanted) in [
        (37, 2, 0, Errno::ENODEV),
        (37, 2, 1, Errno::EINVAL),
        (37, 1, 0, Errno::EINVAL),
        (37, 9, 0, Errno::ESRCH),
        (45, 2, 0, Errno::EINVAL),
        (45, 0x7ff4, 0, Errno::EINVAL),
        (45, 2, 1, Errno::EINVAL),
        (47, 2, 0, Errno::ENODEV),
        (47, 2, 1, Errno::EINVAL),
        (47, 1, 0, Errno::EINVAL),
        (47, 9, 0, Errno::ESRCH),
    ] {
        let rest = [0_u32, flags, 0x18].map(u32::to_le_bytes).concat();
        let answer = rig.with(abi::DOMCTL, &domctl(command, domain, &rest));
        assert_eq!(answer, error(wanted), "{command} d{domain} {flags}");
    }
    let rest = [0x18_u32, 8, 0, 0, 0, 0].map(u32::to_le_bytes).concat();
    let group = rig.with(abi::DOMCTL, &domctl(50, 2, &rest));
    assert_eq!(group, error(Errno::ENODEV));
    // Whoever has not the hardware says nothing of what there is, also when it controls others.
    for command in [25, 26, 32, 24, 99] {
        for who in [Who::Control, Who::Plain] {
            let answer = rig.call(who, abi::PHYSDEV_OP, &[command, ARRAY]);
            assert_eq!(answer, error(Errno::EPERM), "{command} {who:?}");
        }
    }
}
