//! Any calls, in any order, with any arguments.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::rig::{DEVICE, END, RAM, Rig, Who, domctl, error, make, sysctl, words as bytes};
use crate::errno::Errno;
use crate::hypercall::abi;
use crate::ids::DomainId;

/// Where arguments and arrays are.
const ARGUMENT: u64 = RAM + 0x1000;
const ARRAY: u64 = RAM + 0x8000;
/// Guest pages that calls name where they name any that can be.
const FRAMES: [u64; 5] = [0x3_a000, 0x3_a001, 0x4_0000, 0x4_0200, 0x9030];
/// Domains that calls name: the callers, some to come, nobody.
const DOMAINS: [u16; 11] = [0, 1, 2, 3, 3, 3, 3, 4, 4, 0x7ff0, 0x7ff4];

/// A number that is likely to mean something somewhere, or to break something.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        8 => select(&FRAMES[..]),
        4 => 0..10_u64,
        2 => select(&DOMAINS[..]).prop_map(u64::from),
        1 => select(&[39, 4 << 32 | 39, 4 << 32 | 34, 34, 1 << 32 | 3, 0x10_0000, 0x1000][..]),
        1 => select(&[ARRAY, ARGUMENT, END - 8, END, DEVICE, 0, u64::MAX, u64::MAX - 7, 1 << 63, 1 << 52, 1 << 40][..]),
        1 => any::<u64>(),
    ]
}

/// One call: its number, its argument, and what lies in the arrays that this may name.
#[derive(Clone, Debug)]
struct Call {
    number: u64,
    first: u64,
    argument: Vec<u8>,
    arrays: Vec<u64>,
}

/// A reservation or a batch whose counts are not so large that a test takes for ever.
fn memory() -> impl Strategy<Value = (u64, Vec<u8>)> {
    let populate = (
        0..4_u64,
        select(&[0_u64, 1, 9, 10, 63][..]),
        select(&DOMAINS[..]),
        number(),
    );
    let foreign = (
        0..4_u64,
        select(&DOMAINS[..]),
        select(&DOMAINS[..]),
        number(),
    );
    prop_oneof![
        populate.prop_map(|(count, order, domain, array)| {
            let array = if array % 2 == 0 { ARRAY } else { array };
            (6, bytes(&[array, count, order, domain.into()]))
        }),
        foreign.prop_map(|(count, into, from, errors)| {
            let head = u64::from(from) << 48 | count << 32 | 4 << 16 | u64::from(into);
            let errors = if errors % 2 == 0 {
                ARRAY + 0x1000
            } else {
                errors
            };
            (23, bytes(&[head, ARRAY, ARRAY, errors]))
        }),
        (select(&DOMAINS[..]), number())
            .prop_map(|(domain, frame)| (15, bytes(&[domain.into(), frame]))),
        (any::<u64>(), vec(number(), 4))
            .prop_map(|(command, rest)| (command & !0x3f | (command % 5 + 7), bytes(&rest))),
    ]
}

/// A domctl that is likely to do something.
fn sensible() -> impl Strategy<Value = (u32, Vec<u8>)> {
    let pages = select(&[0x9010_u64, 0x9030, 0x9030, 0x9000, 0x4_0000][..]);
    let line = select(&[34_u64, 39, 39, 33, 200, 27][..]);
    prop_oneof![
        3 => (1..3_u8).prop_map(|cpus| {
            let mut rest = vec![0; 72];
            (rest[20], rest[28], rest[64]) = (3, cpus, 64);
            (1, rest)
        }),
        1 => (1..3_u64).prop_map(|cpus| (15, bytes(&[cpus]))),
        1 => Just((11, bytes(&[8192]))),
        1 => Just((86, bytes(&[0x2_0000]))),
        2 => (pages.clone(), 1..3_u64, 0..4_u64).prop_map(|(first, count, allow)| (20, bytes(&[first, count, allow.min(1)]))),
        2 => (select(&FRAMES[..]), pages, 1..3_u64, 0..4_u64).prop_map(|(guest, host, count, add)| (39, bytes(&[guest, host, count, add.min(1)]))),
        2 => (line, select(&[38_u32, 38, 48][..])).prop_map(|(line, command)| (command, bytes(&[4 << 32 | line, line]))),
        1 => select(&[2_u32, 3, 4, 4][..]).prop_map(|command| (command, Vec::new())),
        1 => (0..2_u64).prop_map(|vcpu| (12, bytes(&[vcpu, RAM]))),
    ]
}

fn call() -> impl Strategy<Value = Call> {
    let commands = select(
        &[
            1_u32, 2, 3, 4, 5, 11, 12, 15, 20, 37, 38, 39, 45, 47, 48, 71, 85, 86, 99,
        ][..],
    );
    let wild = (commands, vec(number(), 4..10)).prop_map(|(command, rest)| (command, bytes(&rest)));
    let control = (
        prop_oneof![1 => wild, 3 => sensible()],
        select(&DOMAINS[..]),
    )
        .prop_map(|((command, rest), domain)| {
            (abi::DOMCTL, domctl(command, domain, &rest).to_vec())
        });
    let system = (0..8_u32, vec(number(), 3))
        .prop_map(|(command, rest)| (abi::SYSCTL, sysctl(command, &bytes(&rest)).to_vec()));
    let argument = prop_oneof![
        8 => control.prop_map(|(number, argument)| (number, None, argument)),
        1 => system.prop_map(|(number, argument)| (number, None, argument)),
        6 => memory().prop_map(|(command, argument)| (abi::MEMORY_OP, Some(command), argument)),
        1 => vec(number(), 1..4).prop_map(|rest| (abi::SCHED_OP, Some(4), bytes(&rest))),
        1 => (0..8_u64, vec(number(), 1..4)).prop_map(|(command, rest)| (abi::XEN_VERSION, Some(command), bytes(&rest))),
    ];
    (
        argument,
        vec(prop_oneof![3 => select(&FRAMES[..]), 1 => number()], 4),
    )
        .prop_map(|((number, first, argument), arrays)| Call {
            number,
            first: first.unwrap_or(ARGUMENT),
            argument,
            arrays,
        })
}

impl Call {
    /// Makes the call; `None` where that would leave nothing to test.
    fn make(&self, rig: &mut Rig, who: Who) -> Option<u64> {
        let begins = |with: &[u8]| who == Who::Control && self.argument.starts_with(with);
        // Its own end, and a limit for its own tables, which the tests count.
        if self.number == abi::SCHED_OP && begins(&[1])
            || self.number == abi::DOMCTL && begins(&domctl(86, 1, &[])[..10])
        {
            return None;
        }
        rig.poke(who, ARGUMENT, &self.argument);
        rig.poke(who, ARRAY, &bytes(&self.arrays));
        Some(rig.call(who, self.number, &[self.first, ARGUMENT, ARGUMENT]))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Whatever a control domain asks for is answered, and once all that came of it is destroyed there
    /// is as much of everything as before.
    #[test]
    fn nothing_is_lost(calls in vec(call(), 1..60)) {
        let mut rig = Rig::new();
        // Whatever frame was named, another's page may be mapped there and keep its owner.
        let named = calls.iter().flat_map(|call| &call.arrays).copied();
        let frames: Vec<u64> = FRAMES
            .into_iter()
            .chain(named)
            .filter(|frame| ![RAM, ARGUMENT, ARRAY].map(|at| at >> 12).contains(frame))
            .collect();
        let destroy = |rig: &mut Rig| {
            for frame in &frames {
                let what = bytes(&[0x7ff0, *frame]);
                rig.poke(Who::Control, ARGUMENT, &what);
                rig.call(Who::Control, abi::MEMORY_OP, &[15, ARGUMENT]);
            }
            for domain in 2..256 {
                rig.with(abi::DOMCTL, &domctl(2, domain, &[]));
            }
        };
        // The control domain may give itself RAM, give some up, and need tables for what it sees.
        let all = |rig: &mut Rig| {
            let own = DomainId::new(1).unwrap();
            let pages = rig.hypervisor.info(own).unwrap().pages;
            let tables = rig.hypervisor.table_pool(own).unwrap() / 4096;
            rig.hypervisor.free_pages() + pages + tables
        };
        destroy(&mut rig);
        let before = all(&mut rig);
        make(&mut rig, 3, 8192);
        for call in &calls {
            call.make(&mut rig, Who::Control);
        }
        destroy(&mut rig);
        prop_assert_eq!(all(&mut rig), before);
        let listed = rig.hypervisor.infos_from(DomainId::new(0).unwrap()).count();
        prop_assert_eq!(listed, 1);
    }

    /// Whatever a domain without privilege asks of others is refused, and changes nothing.
    #[test]
    fn the_plain_change_nothing(calls in vec(call(), 1..60)) {
        let mut rig = Rig::new();
        let before = rig.hypervisor.free_pages();
        let all = |rig: &Rig| rig.hypervisor.infos_from(DomainId::new(0).unwrap()).collect::<Vec<_>>();
        let domains = all(&rig);
        for call in &calls {
            let answer = call.make(&mut rig, Who::Plain);
            if call.number != abi::XEN_VERSION {
                prop_assert_eq!(answer, Some(error(Errno::EPERM)), "{:?}", call);
            }
        }
        prop_assert_eq!(rig.hypervisor.free_pages(), before);
        prop_assert_eq!(all(&rig), domains);
    }
}
