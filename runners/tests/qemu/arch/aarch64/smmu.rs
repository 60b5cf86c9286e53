//! Tests what is observed of QEMU's SMMUv3, driven from outside while the guest does nothing.

use std::collections::VecDeque;

use libtest_mimic::Trial;
use runners::{Action, Answer, Command, End, Iommus, RunController, RunRecord, run};

use super::{LAST_WORDS, RESPONDER, SMMU, iommu};
use crate::{image, trial};

/// Configuration space of 00:03.0, and the address for its BAR.
const ECAM: u64 = 0x40_1001_8000;
const EDU: u64 = 0x1000_0000;
/// Memory for an event queue of eight records, and for a stream table in which no entry is valid.
const EVENTS: u64 = 0x4600_0000;
const STREAMS: u64 = 0x4610_0000;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("iommu::what_it_stops_and_lets_pass_is_told_twice", told),
        trial("iommu::without_one_nothing_is_traced", absent),
        trial(
            "iommu::a_machine_that_is_gone_has_a_trace_and_no_queue",
            gone,
        ),
    ]
}

/// Carries out actions in order from the first line on, waits for each transfer, and ends the run.
struct Steps(VecDeque<Action>);

impl Steps {
    fn next(&mut self) -> Vec<Command> {
        match self.0.front() {
            Some(action) => vec![Command::act("step", action.clone())],
            None => vec![Command::Finish],
        }
    }
}

impl RunController for Steps {
    fn line(&mut self, _: &str) -> Vec<Command> {
        self.next()
    }

    fn done(&mut self, _: &str, answer: &Answer) -> Vec<Command> {
        // Only a transfer is awaited: its lowest bit stays set until the transfer ends.
        if answer.value().is_none_or(|value| value & 1 == 0) {
            self.0.pop_front();
        }
        self.next()
    }
}

fn write(addr: u64, bytes: &[u8]) -> Action {
    Action::Write {
        addr,
        bytes: bytes.to_vec(),
    }
}

/// Makes the device write four bytes to an address.
fn transfer(to: u64) -> [Action; 5] {
    [
        write(EDU + 0x80, &0x4_0000_u64.to_le_bytes()),
        write(EDU + 0x88, &to.to_le_bytes()),
        write(EDU + 0x90, &4_u64.to_le_bytes()),
        write(EDU + 0x98, &3_u64.to_le_bytes()),
        image::read(EDU + 0x98, 8),
    ]
}

fn told() {
    let register =
        |offset, value: u64, bytes: usize| write(SMMU + offset, &value.to_le_bytes()[..bytes]);
    let mut steps = VecDeque::from([
        write(ECAM + 0x10, &EDU.to_le_bytes()[..4]),
        write(ECAM + 4, &[6, 0]),
    ]);
    // After reset the SMMU lets everything pass; with GBPA.ABORT, nothing.
    steps.extend(transfer(0x5000_0000));
    steps.push_back(register(0x44, 1 << 31 | 1 << 20, 4));
    steps.extend(transfer(0x5000_0004));
    // STRTAB_BASE, STRTAB_BASE_CFG, EVENTQ_BASE, CR0: EVENTQEN and SMMUEN.
    steps.push_back(register(0x80, STREAMS, 8));
    steps.push_back(register(0x88, 6, 4));
    steps.push_back(register(0xa0, EVENTS | 3, 8));
    steps.push_back(register(0x20, 1 << 2 | 1, 4));
    steps.extend(transfer(0x5000_0008));
    steps.extend(transfer(0x5000_0008));
    steps.push_back(register(0x20, 1, 4));
    steps.extend(transfer(0x5000_000c));
    let (mut request, _dir) = image::request(&RESPONDER);
    image::add_iommu(&mut request.machine);
    let edu = "edu,addr=3,dma_mask=0xffffffffffffffff";
    request.machine.devices.push(edu.to_owned());
    request.iommus = vec![iommu()];
    let seen: RunRecord = run(&request, &mut Steps(steps)).expect("a run");
    assert_eq!(seen.end, End::Finished);
    let Iommus { trace, queues } = seen.iommus.expect("asked for");
    assert_eq!((trace.lost, trace.accesses.more), (None, 0));
    let lines = |tally: &runners::Tally| {
        let seen = tally.seen.iter();
        let lines = seen.map(|counted| format!("{} x {}", counted.count, counted.access));
        lines.collect::<Vec<_>>()
    };
    assert_eq!(
        lines(&trace.accesses),
        [
            "1 x device 0x18 bypassed 0x50000000",
            "1 x device 0x18 aborted 0x50000004",
            "2 x device 0x18 C_BAD_STE 0x50000008",
            "1 x some stream C_BAD_STE, not recorded 0x5000000c",
        ]
    );
    let [queue] = queues.as_slice() else {
        panic!("{queues:?}")
    };
    assert_eq!(queue.unread, None);
    assert_eq!((queue.base, queue.slots, queue.on), (EVENTS, 8, false));
    assert_eq!(lines(&queue.accesses), ["2 x device 0x18 C_BAD_STE"]);
}

fn absent() {
    let (request, _dir) = image::request(&LAST_WORDS);
    let seen = run(&request, &mut image::Idle).expect("a run");
    assert_eq!(seen.iommus, None);
}

fn gone() {
    let (mut request, _dir) = image::request(&LAST_WORDS);
    image::add_iommu(&mut request.machine);
    request.iommus = vec![iommu()];
    let seen = run(&request, &mut image::Idle).expect("a run");
    assert!(matches!(seen.end, End::PoweredOff { .. }), "{:?}", seen.end);
    let iommus = seen.iommus.expect("asked for");
    assert_eq!(iommus.trace, runners::Trace::default());
    let unread: Vec<_> = iommus
        .queues
        .iter()
        .map(|queue| queue.unread.as_deref())
        .collect();
    assert_eq!(unread, [Some("QEMU has ended")]);
}
