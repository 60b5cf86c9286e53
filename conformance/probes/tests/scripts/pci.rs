//! Calls about PCI functions, on a fake hypervisor for each claim.

use wire::{Answer, Width};

use super::control::{Call, SLOTS, commands, give, machine};
use super::run;

const EFAULT: u64 = 14u64.wrapping_neg();
const EINVAL: u64 = 22u64.wrapping_neg();

/// Each call has its function where Xen reads it.
#[test]
fn functions_stand_where_xen_looks() {
    let (fake, log) = machine(0x17, |_, _| 0);
    let script = "hv pciadd 0x1041a 2 0x418;hv pciremove 0x1041a;hv pcireset 0x1041a 3;hv pcitest 2 0x1041a;\
        hv pciassign 2 0x1041a;hv pcideassign 2 0x1041a";
    assert_eq!(run(&fake, script), [Answer::Value(0); 6]);
    let calls = log.take();
    // Segment 1, bus 4, device 3, function 2.
    for (index, number, command, fields) in [
        (
            0,
            33,
            25,
            &[
                (0, 2, 1),
                (2, 1, 4),
                (3, 1, 0x1a),
                (4, 4, 2),
                (8, 1, 4),
                (9, 1, 0x18),
            ][..],
        ),
        (1, 33, 26, &[(0, 2, 1), (2, 1, 4), (3, 1, 0x1a)]),
        (2, 33, 32, &[(0, 2, 1), (2, 1, 4), (3, 1, 0x1a), (4, 4, 3)]),
        (
            3,
            36,
            45,
            &[(8, 2, 2), (16, 4, 0), (20, 4, 0), (24, 4, 0x1041a)],
        ),
        (
            4,
            36,
            37,
            &[(8, 2, 2), (16, 4, 0), (20, 4, 0), (24, 4, 0x1041a)],
        ),
        (
            5,
            36,
            47,
            &[(8, 2, 2), (16, 4, 0), (20, 4, 0), (24, 4, 0x1041a)],
        ),
    ] {
        let call: &Call = &calls[index];
        assert_eq!((call.number, call.command), (number, command));
        for (at, bytes, value) in fields {
            assert_eq!(call.field(*at, *bytes), *value, "{command} byte {at}");
        }
    }
}

/// The size of a group is the hypervisor's count, or its error.
#[test]
fn groups_are_counted() {
    let (fake, log) = machine(0x17, |fake, call| {
        if call.field(16, 4) == 0x20 {
            return EINVAL;
        }
        give(fake, Width::W32, 24, 3);
        0
    });
    assert_eq!(
        run(&fake, "hv pcigroup 2 0x18;hv pcigroup 2 0x20"),
        [3, EINVAL].map(Answer::Value)
    );
    let call = &log.take()[0];
    assert_eq!(
        (call.command, call.field(16, 4), call.field(20, 4)),
        (50, 0x18, 64)
    );
    assert_eq!(call.field(32, 8), SLOTS - 0x1000);
}

/// The list of known functions continues where a call stopped, and is one row of bits.
#[test]
fn known_functions_are_listed() {
    let (fake, log) = machine(0x17, |fake, call| {
        let (devs, nodes) = (call.field(16, 8), call.field(24, 8));
        let done = call.field(8, 4).min(50);
        for index in 0..done {
            let function = fake.peek(Width::W32, devs + 4 * index);
            // Segment 0, bus 1, devices 8 and 15.
            let node = match function {
                0x4001_0000 => 0xffff_ffff,
                0x7f01_0000 => 0,
                _ => 0xffff_fffe,
            };
            fake.poke(Width::W32, nodes + 4 * index, node);
        }
        give(fake, Width::W32, 8, done);
        0
    });
    assert_eq!(
        run(
            &fake,
            "hv pcilist 0x140;hv pciknown 0x140;hv pciknown 0x17f;hv pciknown 0x141"
        ),
        [0x8000_0000_0000_0001, 0xffff_ffff, 0, 0xffff_fffe].map(Answer::Value)
    );
    let first: Vec<_> = log
        .take()
        .iter()
        .take(2)
        .map(|call| call.field(8, 4))
        .collect();
    assert_eq!(first, [64, 14]);
    let (fake, log) = machine(0x17, |fake, _| {
        give(fake, Width::W32, 8, 0);
        0
    });
    assert_eq!(
        run(&fake, "hv pcilist 0"),
        [Answer::Value(EINVAL)],
        "no end"
    );
    assert_eq!(commands(&log), [22]);
    let (fake, _) = machine(0x17, |_, _| EFAULT);
    assert_eq!(
        run(&fake, "hv pcilist 0;hv pciknown 0"),
        [EFAULT, EFAULT].map(Answer::Value)
    );
}
