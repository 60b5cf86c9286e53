//! Pointers of guests, wherever they lead.

use super::rig::{DEVICE, END, RAM, Rig, Who, domctl, error, sysctl};
use crate::errno::Errno;
use crate::hypercall::abi;

/// Places where no argument of these many bytes can be: nowhere, behind and before RAM, across its
/// end, device registers, the emulated interrupt controller, and the end of all addresses.
fn nowhere(size: u64) -> Vec<u64> {
    vec![
        0,
        RAM - size,
        RAM - 1,
        END - size + 1,
        END - 1,
        END,
        DEVICE,
        DEVICE + 0x1000 - size / 2,
        0x0300_1000,
        1 << 39,
        0x8000_0000_0000_0000,
        u64::MAX - size + 1,
        u64::MAX - size / 2,
        u64::MAX,
    ]
}

/// An argument that does not lie in the caller's RAM as a whole is -EFAULT, for every call that has
/// one; to populate it means that no extent was populated.
#[test]
fn arguments_lie_in_ram() {
    let mut rig = Rig::new();
    let calls: [(u64, &[u64], u64); 8] = [
        (abi::DOMCTL, &[], 144),
        (abi::SYSCTL, &[], 136),
        (abi::MEMORY_OP, &[23], 32),
        (abi::MEMORY_OP, &[15], 16),
        (abi::XEN_VERSION, &[1], 16),
        (abi::XEN_VERSION, &[6], 8),
        (abi::SCHED_OP, &[2], 4),
        (abi::SCHED_OP, &[4], 8),
    ];
    for (number, first, size) in calls {
        for at in nowhere(size) {
            let args = [first, &[at]].concat();
            let answer = rig.call(Who::Control, number, &args);
            assert_eq!(answer, error(Errno::EFAULT), "{number} {args:x?}");
        }
    }
    for at in nowhere(32) {
        for done in [0, 5, 1 << 57] {
            let answer = rig.call(Who::Control, abi::MEMORY_OP, &[done << 6 | 6, at]);
            assert_eq!(answer, done, "{at:#x}");
        }
    }
}

/// An argument at the very end of RAM, or with its pages apart, is as good as any.
#[test]
fn arguments_may_touch_the_end() {
    let mut rig = Rig::new();
    let list = domctl(0xdead, 0, &[]);
    rig.poke(Who::Control, END - 144, &list);
    assert_eq!(
        rig.call(Who::Control, abi::DOMCTL, &[END - 144]),
        error(Errno::ENOSYS)
    );
    // The second page in front of the first, and the first page at the end of all addresses.
    rig.map(0x7000_0000, RAM + 0x9000, true);
    rig.map(0x7000_1000, RAM + 0x3000, true);
    rig.poke(Who::Control, RAM + 0x9ffc, &list[..4]);
    rig.poke(Who::Control, RAM + 0x3000, &list[4..]);
    assert_eq!(
        rig.call(Who::Control, abi::DOMCTL, &[0x7000_0ffc]),
        error(Errno::ENOSYS)
    );
    rig.map(0xffff_ffff_ffff_f000, RAM + 0x9000, true);
    rig.poke(Who::Control, RAM + 0xa000 - 144, &list);
    let last = u64::MAX - 143;
    assert_eq!(
        rig.call(Who::Control, abi::DOMCTL, &[last]),
        error(Errno::ENOSYS)
    );
    assert_eq!(
        rig.call(Who::Control, abi::DOMCTL, &[last + 1]),
        error(Errno::EFAULT)
    );
}

/// What a call answers into has to be writable, for as far as it is written; a page that is not leaves
/// the one before it as it was.
#[test]
fn answers_need_write_permission() {
    let mut rig = Rig::new();
    rig.map(0x7000_0000, RAM + 0x9000, true);
    rig.map(0x7000_1000, RAM + 0x3000, false);
    rig.poke(Who::Control, RAM + 0x9ff8, &[0xaa; 8]);
    let version = rig.call(Who::Control, abi::XEN_VERSION, &[1, 0x7000_0ff8]);
    assert_eq!(version, error(Errno::EFAULT));
    assert_eq!(rig.peek(Who::Control, RAM + 0x9ff8), [0xaa; 8]);

    let mut call = domctl(5, 2, &[]).to_vec();
    for command in [1_u32, 5, 85] {
        call[..4].copy_from_slice(&command.to_le_bytes());
        rig.poke(Who::Control, RAM + 0x9ff8, &call[..8]);
        rig.poke(Who::Control, RAM + 0x3000, &call[8..]);
        let answer = rig.call(Who::Control, abi::DOMCTL, &[0x7000_0ff8]);
        let wanted = if command == 1 {
            Errno::EINVAL
        } else {
            Errno::EFAULT
        };
        assert_eq!(answer, error(wanted), "{command}");
    }
    let info = sysctl(3, &[]);
    rig.poke(Who::Control, RAM + 0x9ff8, &info[..8]);
    rig.poke(Who::Control, RAM + 0x3000, &info[8..]);
    assert_eq!(
        rig.call(Who::Control, abi::SYSCTL, &[0x7000_0ff8]),
        error(Errno::EFAULT)
    );
}

/// Text is printed line by line with what could move a cursor replaced, from pages that lie apart, to
/// its last byte; and not at all where its first page or its end cannot be read.
#[test]
fn text_is_printed_or_refused() {
    let mut rig = Rig::new();
    let count = |rig: &mut Rig| rig.hypervisor.machine().console.len();
    rig.map(0x7000_0000, RAM + 0x9000, false);
    rig.map(0x7000_1000, RAM + 0x3000, false);
    rig.poke(Who::Plain, RAM + 0x9ffa, b"one\ntw");
    rig.poke(Who::Plain, RAM + 0x3000, b"o\x1b[2J\r\nend");
    let before = count(&mut rig);
    assert_eq!(
        rig.call(Who::Plain, abi::CONSOLE_IO, &[0, 16, 0x7000_0ffa]),
        0
    );
    let printed = rig.hypervisor.machine().console[before..].to_vec();
    assert_eq!(printed, ["d2: one", "d2: two.[2J"]);
    assert_eq!(rig.call(Who::Plain, abi::CONSOLE_IO, &[0, 0, u64::MAX]), 0);
    let before = count(&mut rig);
    for (size, at) in [
        (16, END - 15),
        (1, END),
        (1, DEVICE),
        (0xffff_ffff, RAM),
        (u64::MAX, RAM),
        (u64::MAX, 1),
        (u64::MAX, 0),
        (2, u64::MAX),
        (4097, END - 4096),
    ] {
        let answer = rig.call(Who::Plain, abi::CONSOLE_IO, &[0, size, at]);
        assert_eq!(answer, error(Errno::EFAULT), "{size:#x} at {at:#x}");
    }
    assert_eq!(count(&mut rig), before, "something was printed");
    let page = b"x".repeat(4096);
    for at in [RAM, RAM + 0x1000, RAM + 0x2000] {
        rig.poke(Who::Plain, at, &page);
    }
    assert_eq!(
        rig.call(Who::Plain, abi::CONSOLE_IO, &[0, 3 * 4096 - 3, RAM + 3]),
        0
    );
    let lines = rig.hypervisor.machine().console[before..].to_vec();
    let x = lines
        .iter()
        .flat_map(|line| line.chars())
        .filter(|c| *c == 'x')
        .count();
    // The three bytes of `end` stood in the line already.
    assert_eq!((lines.len(), x), (48, 3 * 4096 - 3), "{lines:?}");
}
