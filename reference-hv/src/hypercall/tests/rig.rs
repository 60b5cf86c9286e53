//! A control domain and a plain one, and calls of theirs.

use crate::addr::{Pa, Span};
use crate::errno::Errno;
use crate::hal::Ram;
use crate::hal::fake::Fake;
use crate::hypercall::abi;
use crate::hypercall::abi::domctl::DomainInfo;
use crate::vm::tests::{hypervisor, place, plan};
use crate::vm::{Hypervisor, Outcome};

/// Start and end of a domain's RAM, as the domain sees it.
pub const RAM: u64 = 0x4000_0000;
pub const END: u64 = 0x4040_0000;
/// A page of an assigned device.
pub const DEVICE: u64 = 0x3a00_0000;

/// Who calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Who {
    Control,
    Plain,
}

pub struct Rig {
    pub hypervisor: Hypervisor<Fake>,
}

impl Rig {
    /// Makes domain 1, which controls others, and domain 2, which does not.
    pub fn new() -> Self {
        let mut control = plan(1, 1, 39);
        control.privilege.control = true;
        let mut hypervisor = hypervisor(&[control, plan(2, 1, 40)]);
        let machine = hypervisor.machine();
        // The board's own RAM, which new domains get theirs from.
        machine
            .windows
            .push(Span::new(Pa::new(RAM), 1 << 30).unwrap());
        machine.pool.left = 256;
        Self { hypervisor }
    }

    /// Makes a call, again and again for as long as there is more to do; returns its answer.
    pub fn call(&mut self, who: Who, number: u64, args: &[u64]) -> u64 {
        let mut now = [0x5555_0000_0000_0000; 5];
        now[..args.len()].copy_from_slice(args);
        for _ in 0..10_000 {
            let place = match who {
                Who::Control => place(0, 0),
                Who::Plain => place(1, 0),
            };
            match self.hypervisor.hypercall(place, number, &now) {
                Outcome::Answer(value) => return value,
                Outcome::Again(args) => now = args,
                outcome => panic!("{outcome:?} is no answer"),
            }
        }
        panic!("call {number} never ends");
    }

    /// Writes bytes into the RAM of the caller, by addresses of its second stage.
    pub fn poke(&mut self, who: Who, at: u64, bytes: &[u8]) {
        let host = host(who, at);
        assert!(
            self.hypervisor.machine().write(host, bytes),
            "no RAM at {at:#x}"
        );
    }

    /// Reads bytes back.
    pub fn peek<const N: usize>(&mut self, who: Who, at: u64) -> [u8; N] {
        let mut bytes = [0; N];
        let host = host(who, at);
        assert!(
            self.hypervisor.machine().read(host, &mut bytes),
            "no RAM at {at:#x}"
        );
        bytes
    }

    /// Puts an argument at a place in the control domain's RAM and makes a call with it.
    pub fn with(&mut self, number: u64, argument: &[u8]) -> u64 {
        self.poke(Who::Control, RAM + 0x1000, argument);
        self.call(Who::Control, number, &[RAM + 0x1000])
    }

    /// Lets a page of the first stage lead somewhere else.
    pub fn map(&mut self, va: u64, to: u64, writable: bool) {
        let page = (to, writable);
        self.hypervisor.machine().stage1.insert(va / 4096, page);
    }
}

fn host(who: Who, at: u64) -> Pa {
    let base = match who {
        Who::Control => 0x8000_0000,
        Who::Plain => 0x8040_0000,
    };
    Pa::new(base + (at - RAM))
}

/// A domctl as bytes.
pub fn domctl(command: u32, domain: u16, rest: &[u8]) -> [u8; 144] {
    let mut bytes = [0xee; 144];
    bytes[..4].copy_from_slice(&command.to_le_bytes());
    bytes[4..8].copy_from_slice(&0x17_u32.to_le_bytes());
    bytes[8..10].copy_from_slice(&domain.to_le_bytes());
    bytes[16..16 + rest.len()].copy_from_slice(rest);
    bytes
}

/// A sysctl as bytes.
pub fn sysctl(command: u32, rest: &[u8]) -> [u8; 136] {
    let mut bytes = [0xee; 136];
    bytes[..4].copy_from_slice(&command.to_le_bytes());
    bytes[4..8].copy_from_slice(&0x15_u32.to_le_bytes());
    bytes[8..8 + rest.len()].copy_from_slice(rest);
    bytes
}

/// What a guest finds after an error.
pub fn error(errno: Errno) -> u64 {
    errno.value()
}

/// Where the tests put arrays.
pub const ARRAY: u64 = RAM + 0x8000;

/// Returns numbers as bytes.
pub fn words(values: &[u64]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

/// A createdomain's own part: flags, virtual CPUs, shared interrupts.
pub fn create(flags: u32, cpus: u32, lines: u32) -> Vec<u8> {
    let mut rest = vec![0; 72];
    rest[20..24].copy_from_slice(&flags.to_le_bytes());
    rest[28..32].copy_from_slice(&cpus.to_le_bytes());
    rest[64..68].copy_from_slice(&lines.to_le_bytes());
    rest
}

/// Returns what there is to know of a domain, or the error.
pub fn info(rig: &mut Rig, domain: u16) -> Result<DomainInfo, u64> {
    match rig.with(abi::DOMCTL, &domctl(5, domain, &[])) {
        0 => Ok(DomainInfo::decode(
            &rig.peek::<120>(Who::Control, RAM + 0x1010),
        )),
        error => Err(error),
    }
}

/// Gives a domain pages; returns how many extents it got.
pub fn populate(rig: &mut Rig, domain: u16, frames: &[u64], order: u32) -> u64 {
    rig.poke(Who::Control, ARRAY, &words(frames));
    let count = u64::try_from(frames.len()).unwrap();
    let mut what = words(&[ARRAY, count, order.into(), domain.into()]);
    what.truncate(32);
    rig.poke(Who::Control, RAM + 0x1000, &what);
    rig.call(Who::Control, abi::MEMORY_OP, &[6, RAM + 0x1000])
}

/// Makes domain `number` with this much memory to come.
pub fn make(rig: &mut Rig, number: u16, kib: u64) {
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
pub fn foreign<const N: usize>(
    rig: &mut Rig,
    from: u16,
    pairs: [(u64, u64); N],
) -> (u64, [i32; N]) {
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
