//! Ops of a control domain, on a fake hypervisor for each claim.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use wire::{Answer, Reason, Width};

use super::arch::{external, undefined};
use super::fake::{Fake, HIGH, WINDOW};
use super::run;

const ESRCH: u64 = 3u64.wrapping_neg();
const ENOMEM: u64 = 12u64.wrapping_neg();
const EACCES: u64 = 13u64.wrapping_neg();
const EINVAL: u64 = 22u64.wrapping_neg();
const ENOSYS: u64 = 38u64.wrapping_neg();

const SYSCTL: u64 = 35;
const DOMCTL: u64 = 36;

/// The last two pages of RAM are reserved, one of them for the last slot; the probe's work pages are before them.
pub const SLOTS: u64 = HIGH.0 + HIGH.1 - 0x5000;

/// A call as the hypervisor reads it: number, command, and its structure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub number: u64,
    pub command: u64,
    structure: Vec<u8>,
}

impl Call {
    fn read(fake: &Fake, number: u64, args: [u64; 5]) -> Self {
        // Some calls have their command outside the structure.
        let (place, command) = match number {
            DOMCTL | SYSCTL => (args[0], fake.peek(Width::W32, args[0])),
            _ => (args[1], args[0]),
        };
        let structure = (place..place + 144).map(|at| fake.peek(Width::W8, at) as u8);
        Self {
            number,
            command,
            structure: structure.collect(),
        }
    }

    pub fn field(&self, at: usize, bytes: usize) -> u64 {
        self.structure[at..at + bytes]
            .iter()
            .rev()
            .fold(0, |value, byte| value << 8 | u64::from(*byte))
    }
}

pub type Log = Rc<RefCell<Vec<Call>>>;

/// Returns a machine whose hypervisor accepts one domctl version; `answer` answers the calls.
pub fn machine(domctl: u64, answer: impl Fn(&Fake, &Call) -> u64 + 'static) -> (Fake, Log) {
    let log = Log::default();
    let calls = log.clone();
    let mut fake = Fake::new();
    fake.xen = Some(Box::new(move |fake, number, args| {
        if number == 17 {
            return 4 << 16 | 20;
        }
        let call = Call::read(fake, number, args);
        let version = match number {
            DOMCTL => domctl,
            SYSCTL => 0x15,
            _ => 0,
        };
        if version != 0 && call.field(4, 4) != version {
            return EACCES;
        }
        let answer = answer(fake, &call);
        calls.borrow_mut().push(call);
        answer
    }));
    (fake, log)
}

pub fn commands(log: &Log) -> Vec<u64> {
    log.take().iter().map(|call| call.command).collect()
}

/// Writes into the structure in the work page.
pub fn give(fake: &Fake, width: Width, at: u64, value: u64) {
    fake.poke(width, SLOTS - 0x2000 + at, value);
}

/// A raw call gets numbers and addresses; scratch memory is written and read; it ends where RAM ends.
#[test]
fn raw_calls() {
    let mut fake = Fake::new();
    fake.xen = Some(Box::new(|fake, number, args| {
        assert_eq!((number, args[2..] == [0, 0, 0]), (29, true));
        fake.peek(Width::W64, args[1]) + args[0]
    }));
    let answers = run(
        &fake,
        "hcmem 1+8 0x1122334455667788 @3;hc 29 1 @1+8;hcr 1+10 16;hcr 1+16 64;hc 29 0 @1+16",
    );
    let wanted = [
        Answer::Ok,
        Answer::Value(0x1122_3344_5566_7789),
        Answer::Value(0x5566),
        Answer::Value(HIGH.0 + HIGH.1 - 0x1000),
        Answer::Value(HIGH.0 + HIGH.1 - 0x1000),
    ];
    assert_eq!(answers, wanted);
    let aimed = run(&fake, &format!("hcaim {:#x} 1+0x18;hcr 0 64", SLOTS));
    assert_eq!(aimed, [Answer::Ok, Answer::Value(SLOTS + 0x1018)]);
    let far = HIGH.0 + HIGH.1;
    assert_eq!(
        run(&fake, "hcmem 3+0xff0 1 2;hcmem 3+0xff8 1 2"),
        [Answer::Ok, Answer::Fault(external(far))]
    );
    fake.xen = None;
    assert_eq!(
        run(&fake, "hc 17"),
        [Answer::Fault(undefined())],
        "no hypervisor"
    );
    // The pages are below memory that is in use, as long as there is RAM.
    for (own, slot) in [
        ((far - 0x5800, far - 0x5700), Some(far - 0x9000)),
        ((far - 0x2001, far - 1), Some(far - 0x6000)),
        ((far - 0xe000, far - 0x3000), None),
    ] {
        fake.own = vec![own];
        let wanted = match slot {
            Some(slot) => {
                fake.poke(Width::W64, slot, 0x77);
                Answer::Value(0x77)
            }
            None => Answer::Cannot(Reason::Own),
        };
        assert_eq!(run(&fake, "hcr 0 64"), [wanted], "{own:x?}");
    }
}

/// Versions are tried once, upward, and remembered.
#[test]
fn versions_are_found() {
    let (fake, log) = machine(0x17, |_, _| 0);
    assert_eq!(
        run(&fake, "hv version;hv pause 3"),
        [Answer::Value(0x0004_0014_0015_0017), Answer::Value(0)]
    );
    assert_eq!(commands(&log), [5, 3, 3]);
    let (fake, _) = machine(0x99, |_, _| 0);
    assert_eq!(run(&fake, "hv pause 3"), [Answer::Value(EACCES)]);
    // A refusal of another kind is an answer.
    let (fake, log) = machine(0x15, |_, _| EINVAL);
    assert_eq!(
        run(&fake, "hv destroy 1;hv free;hv list"),
        [EINVAL; 3].map(Answer::Value)
    );
    assert_eq!(commands(&log), [2, 3, 6]);
}

/// The structure of a new domain has the version's layout, and its further calls come in Xen's order.
#[test]
fn creation() {
    for (version, arch) in [(0x15, 56), (0x17, 60), (0x18, 60)] {
        let (fake, log) = machine(version, |fake, call| match call.command {
            1 => {
                give(fake, Width::W16, 8, 7);
                0
            }
            35 => ENOSYS,
            _ => 0,
        });
        assert_eq!(
            run(&fake, "hv create 0 8192 2 64"),
            [Answer::Value(7)],
            "the number that was chosen"
        );
        let calls = log.take();
        let order: Vec<u64> = calls.iter().map(|call| call.command).collect();
        assert_eq!(order, [5, 1, 86, 15, 35, 11]);
        let create = &calls[1];
        for (at, bytes, value) in [
            (8, 2, 0),
            (16 + 20, 4, 3),
            (16 + 28, 4, 2),
            (16 + 36, 8, u64::MAX),
            (16 + 44, 4, 1),
            (16 + arch, 4, 0),
            (16 + arch + 4, 4, 64),
            (16 + arch + 8, 4, 0),
        ] {
            assert_eq!(create.field(at, bytes), value, "{version:#x} byte {at}");
        }
        let later: Vec<_> = calls[2..]
            .iter()
            .map(|call| (call.field(8, 2), call.field(16, 8)))
            .collect();
        assert_eq!(later, [(7, (64 + 16) * 4096), (7, 2), (7, 64), (7, 8192)]);
    }
}

/// The first step that fails answers, and no further step follows.
#[test]
fn creation_ends_at_the_first_error() {
    for (failing, last) in [(1, 1), (86, 86), (15, 15), (35, 35), (11, 11)] {
        let (fake, log) = machine(
            0x17,
            move |_, call| {
                if call.command == failing { EINVAL } else { 0 }
            },
        );
        assert_eq!(
            run(&fake, "hv create 4 8192 2 64 0x23"),
            [Answer::Value(EINVAL)]
        );
        assert_eq!(commands(&log).last(), Some(&last));
    }
}

/// A domain is distinguished from the next one, for which some versions answer.
#[test]
fn domains_are_told_apart() {
    let (fake, _) = machine(0x15, |fake, call| {
        give(fake, Width::W16, 16, call.field(8, 2).max(3));
        give(fake, Width::W32, 20, 0xffff_0112);
        give(fake, Width::W64, 24, 0x4000);
        0
    });
    assert_eq!(
        run(
            &fake,
            "hv info 1;hv info 3;hv pages 1;hv pages 3;hv wait 3 0x10 0x10 5;hv wait 1 0xffff 0 5"
        ),
        [
            Answer::Value(ESRCH),
            Answer::Value(0xffff_0112),
            Answer::Value(ESRCH),
            Answer::Value(0x4000),
            Answer::Value(0xffff_0112),
            Answer::Timeout(ESRCH)
        ]
    );
}

/// A list of any length is read to its end, and free pages come from `physinfo`.
#[test]
fn lists_and_counts() {
    for (domains, calls) in [(3u64, 1), (34, 2), (70, 3)] {
        let (fake, log) = machine(0x17, move |fake, call| {
            let (first, most) = (call.field(8, 2), call.field(12, 4));
            let buffer = call.field(16, 8);
            let given = (first..domains).take(most as usize);
            give(fake, Width::W32, 24, given.clone().count() as u64);
            given
                .enumerate()
                .for_each(|(index, dom)| fake.poke(Width::W16, buffer + 120 * index as u64, dom));
            0
        });
        assert_eq!(run(&fake, "hv list"), [Answer::Value(domains)]);
        assert_eq!(log.take().len(), calls);
    }
    let (fake, _) = machine(0x17, |fake, _| {
        give(fake, Width::W64, 56, 0x1_2345);
        0
    });
    assert_eq!(run(&fake, "hv free"), [Answer::Value(0x1_2345)]);
}

/// Extents are contiguous over all calls, and too few are an error.
#[test]
fn memory_is_given() {
    let (fake, log) = machine(0x17, |fake, call| {
        let extents = call.field(0, 8);
        let count = call.field(8, 8);
        let last = fake.peek(Width::W64, extents + (count - 1) * 8);
        if last > 0x50000 { count - 1 } else { count }
    });
    assert_eq!(
        run(
            &fake,
            "hv populate 2 0x40000 1 600;hv populate 2 0x50000 9 2"
        ),
        [Answer::Value(0), Answer::Value(ENOMEM)]
    );
    let calls: Vec<_> = log
        .take()
        .iter()
        .map(|call| (call.field(8, 8), call.field(16, 4), call.field(24, 2)))
        .collect();
    assert_eq!(calls, [(512, 1, 2), (88, 1, 2), (2, 9, 2)]);
    let first = SLOTS - 0x1000;
    assert_eq!(fake.peek(Width::W64, first), 0x50000);
    assert_eq!(fake.peek(Width::W64, first + 8), 0x50200);
    assert_eq!(
        fake.peek(Width::W64, first + 16),
        0x40000 + 2 * (512 + 2),
        "left from the call before"
    );
}

/// A refused foreign mapping is an error in the call's list, or of the call.
#[test]
fn foreign_pages() {
    let (fake, log) = machine(0x17, |fake, call| {
        if call.command == 23 && call.field(6, 2) == 9 {
            fake.poke(Width::W32, call.field(24, 8), EINVAL);
        }
        0
    });
    assert_eq!(
        run(
            &fake,
            "hv foreign 0x50000 2 0x40000;hv foreign 0x50000 9 0x40000;hv unforeign 0x50000;hv depopulate 2 7"
        ),
        [0, EINVAL, 0, 0].map(Answer::Value)
    );
    let calls = log.take();
    let add = &calls[0];
    let lists = [add.field(8, 8), add.field(16, 8)].map(|at| fake.peek(Width::W64, at));
    assert_eq!(lists, [0x40000, 0x50000]);
    let head = [0, 2, 4, 6].map(|at| add.field(at, 2));
    assert_eq!(head, [0x7ff0, 4, 1, 2]);
    let removed: Vec<_> = calls[2..]
        .iter()
        .map(|call| (call.command, call.field(0, 2), call.field(8, 8)))
        .collect();
    assert_eq!(removed, [(15, 0x7ff0, 0x50000), (15, 2, 7)]);
    assert_eq!(
        fake.treated_as_memory.take(),
        [(0x5000_0000, 0x5000_0fff)],
        "the mapped one"
    );
}

/// An entry is copied in pieces through a window of mappings, which is empty afterwards.
#[test]
fn entries_are_loaded() {
    let window: Rc<RefCell<BTreeMap<u64, u64>>> = Rc::default();
    let mapped = window.clone();
    let refuse = Rc::new(Cell::new(u64::MAX));
    let refused = refuse.clone();
    let (fake, log) = machine(0x17, move |fake, call| match call.command {
        23 => {
            for index in 0..call.field(4, 2) {
                let list = |at| fake.peek(Width::W64, call.field(at, 8) + 8 * index);
                let (from, gfn) = (list(8), list(16));
                if from == refused.get() {
                    fake.poke(Width::W32, call.field(24, 8) + 4 * index, EINVAL);
                } else {
                    assert_eq!(mapped.borrow_mut().insert(gfn, from), None);
                }
            }
            0
        }
        15 => match mapped.borrow_mut().remove(&call.field(8, 8)) {
            Some(_) => 0,
            None => EINVAL,
        },
        _ => 0,
    });
    assert_eq!(run(&fake, "hv load 2 0 0x40200000"), [Answer::Value(0)]);
    assert!(window.borrow().is_empty());
    assert_eq!(fake.treated_as_memory.take(), [(WINDOW, WINDOW + 0xffff)]);
    assert_eq!(
        fake.peek(Width::W64, WINDOW + 0xfff8),
        0xa5a5_a5a5_a5a5_a5a5
    );
    let flushed: Vec<_> = log
        .take()
        .iter()
        .filter(|call| call.number == DOMCTL)
        .map(|call| {
            (
                call.command,
                call.field(8, 2),
                call.field(16, 8),
                call.field(24, 8),
            )
        })
        .collect();
    assert_eq!(flushed, [(71, 2, 0x40200, 16), (71, 2, 0x40210, 1)]);
    refuse.set(0x40203);
    assert_eq!(
        run(&fake, "hv load 2 0 0x40200000"),
        [Answer::Value(EINVAL)]
    );
    assert!(window.borrow().is_empty());
    assert_eq!(
        run(&fake, "hv load 2 1 0x40200000"),
        [Answer::Cannot(Reason::Pack)]
    );
}

/// A start sets the first CPU up before it unpauses the domain.
#[test]
fn starts() {
    let (fake, log) = machine(0x17, |_, _| 0);
    assert_eq!(run(&fake, "hv start 2 0x40200000 0x44"), [Answer::Value(0)]);
    let calls = log.take();
    let order: Vec<_> = calls.iter().map(|call| call.command).collect();
    assert_eq!(order, [12, 4]);
    assert_eq!(calls[0].field(16, 4), 0);
    let context = calls[0].field(24, 8);
    for (at, value) in [(0, 1), (8, 0x44), (16, 0), (256, 0x4020_0000), (264, 0x1c5)] {
        assert_eq!(fake.peek(Width::W64, context + at), value, "byte {at}");
    }
    let (fake, log) = machine(0x17, |_, call| if call.command == 12 { EINVAL } else { 0 });
    assert_eq!(run(&fake, "hv start 2 0 0"), [Answer::Value(EINVAL)]);
    assert_eq!(commands(&log), [12]);
}

/// The fields of calls about devices are where Xen reads them.
#[test]
fn devices() {
    let (fake, log) = machine(0x17, |_, _| 0);
    let script = "hv iomem 2 0x9030 1 1;hv map 2 0x8000 0x9030 1;hv unmap 2 0x8000 0x9030 1;hv bind 2 39;hv unbind 2 39;\
        hv testassign 2 /a@1;hv assign 2 /a@1;hv deassign 2 /a@1;hv shutdown 2 3";
    assert_eq!(run(&fake, script), [Answer::Value(0); 9]);
    let calls = log.take();
    for (index, command, fields) in [
        (0, 20, &[(16, 8, 0x9030), (24, 8, 1), (32, 1, 1)][..]),
        (
            1,
            39,
            &[(16, 8, 0x8000), (24, 8, 0x9030), (32, 8, 1), (40, 4, 1)],
        ),
        (
            2,
            39,
            &[(16, 8, 0x8000), (24, 8, 0x9030), (32, 8, 1), (40, 4, 0)],
        ),
        (3, 38, &[(16, 4, 39), (20, 4, 4), (24, 2, 39)]),
        (4, 48, &[(16, 4, 39), (20, 4, 4), (24, 2, 39)]),
        (5, 45, &[(16, 4, 1), (20, 4, 0), (24, 4, 4)]),
        (6, 37, &[(16, 4, 1), (20, 4, 0), (24, 4, 4)]),
        (7, 47, &[(16, 4, 1), (20, 4, 0), (24, 4, 4)]),
    ] {
        let call: &Call = &calls[index];
        assert_eq!((call.command, call.field(8, 2)), (command, 2));
        for (at, bytes, value) in fields {
            assert_eq!(call.field(*at, *bytes), *value, "{command} byte {at}");
        }
    }
    let path = calls[5].field(32, 8);
    assert_eq!(fake.peek(Width::W32, path).to_le_bytes()[..4], *b"/a@1");
    assert_eq!(calls[8].number, 29);
    assert_eq!((calls[8].field(0, 2), calls[8].field(4, 4)), (2, 3));
}

/// A loop answers how many answers differed, and then sends its last pass's answers.
#[test]
fn loops() {
    let count = Cell::new(0);
    let mut fake = Fake::new();
    fake.xen = Some(Box::new(move |_, number, _| {
        count.set(count.get() + 1);
        match number {
            1 => count.get(),
            _ => number,
        }
    }));
    assert_eq!(
        run(&fake, "hc 5;loop 300 2;hc 5;hc 6;loop 4 1;hc 1;hc 7"),
        [5, 0, 5, 6, 3, 605, 7].map(Answer::Value)
    );
}
