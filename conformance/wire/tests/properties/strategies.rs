//! Arbitrary notes and ops: every variant, with limits as likely as other operands.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use wire::{
    Answer, Attr, Data, Fault, Frame, Hv, Irq, MAX_MS, MAX_VALUES, Name, Note, Op, Path, Place,
    Reason, SLOT, SLOTS, Same, ScriptError, Sweep, Trigger, Value, Values, Width,
};

use crate::arch;

/// Numbers in which limits are as likely as other values.
pub fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        Just(u64::MAX),
        any::<u64>(),
        any::<u32>().prop_map(u64::from)
    ]
}

fn count() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), Just(u32::MAX), any::<u32>()]
}

fn some_count() -> impl Strategy<Value = u32> {
    prop_oneof![Just(1), Just(u32::MAX), 1..=u32::MAX]
}

pub fn name() -> impl Strategy<Value = Name> {
    "[A-Za-z0-9_-]{1,24}".prop_map(|text| Name::new(&text).unwrap())
}

fn fault() -> impl Strategy<Value = Fault> {
    (arch::raw(), number()).prop_map(|(raw, address)| Fault::new(raw, address))
}

fn answer() -> impl Strategy<Value = Answer> {
    let sweep = (
        count(),
        count(),
        option::of(number()),
        option::of(number()),
        count(),
        option::of(arch::raw()),
    );
    let same = (count(), count(), count(), option::of((number(), number())));
    prop_oneof![
        Just(Answer::Ok),
        number().prop_map(Answer::Value),
        fault().prop_map(Answer::Fault),
        sweep.prop_map(
            |(ok, faults, first_ok, first_fault, elsewhere, first_raw)| {
                Answer::Sweep(Sweep {
                    ok,
                    faults,
                    first_ok,
                    first_fault,
                    elsewhere,
                    first_raw,
                })
            }
        ),
        same.prop_map(|(matches, mismatches, faults, first)| {
            Answer::Same(Same {
                matches,
                mismatches,
                faults,
                first,
            })
        }),
        number().prop_map(Answer::Timeout),
        number().prop_map(Answer::BadRam),
        count().prop_map(Answer::Tree),
        (count(), count()).prop_map(|(irq, count)| Answer::Irqs {
            irq: Irq(irq),
            count
        }),
        arch::answer().prop_map(Answer::Arch),
        name().prop_map(Answer::Mark),
        select(Reason::ALL).prop_map(Answer::Cannot),
    ]
}

pub fn note() -> impl Strategy<Value = Note> {
    prop_oneof![
        (any::<u8>(), any::<u8>(), count(), number()).prop_map(
            |(version, privilege, frequency, cpu)| Note::Hello {
                version,
                privilege,
                frequency,
                cpu
            }
        ),
        (any::<u16>(), answer()).prop_map(|(index, answer)| Note::Op { index, answer }),
        (count(), vec(any::<u8>(), 0..=wire::CHUNK)).prop_map(|(offset, data)| Note::Chunk {
            offset,
            data: Data::new(&data).unwrap()
        }),
        (fault(), number()).prop_map(|(fault, pc)| Note::Fault { fault, pc }),
        count().prop_map(|irq| Note::Stray(Irq(irq))),
        (count(), select(ScriptError::ALL)).prop_map(|(at, why)| Note::Bad { at, why }),
        any::<u16>().prop_map(|ops| Note::End { ops }),
    ]
}

pub fn frame() -> impl Strategy<Value = Frame> {
    (any::<u32>(), any::<u8>(), any::<u16>(), note()).prop_map(|(nonce, dom, seq, note)| Frame {
        nonce,
        dom,
        seq,
        note,
    })
}

/// A width with an address and a value that fits.
fn access() -> impl Strategy<Value = (Width, u64, u64)> {
    (select(Width::ALL), number(), number())
        .prop_map(|(width, at, value)| (width, at, value & width.max()))
}

fn memory_op() -> impl Strategy<Value = Op> {
    let ms = 1..=MAX_MS;
    prop_oneof![
        access().prop_map(|(width, at, _)| Op::Read { width, at }),
        access().prop_map(|(width, at, value)| Op::Write { width, at, value }),
        (access(), some_count(), number(), any::<bool>()).prop_map(
            |((width, at, value), count, stride, write)| {
                Op::Sweep {
                    width,
                    at,
                    count,
                    stride,
                    value: write.then_some(value),
                }
            }
        ),
        (access(), some_count(), number(), number()).prop_map(
            |((width, at, value), count, stride, inc)| Op::Same {
                width,
                at,
                count,
                stride,
                value,
                inc: inc & width.max(),
            }
        ),
        (access(), number(), ms).prop_map(|((width, at, value), mask, ms)| Op::Wait {
            width,
            at,
            mask: mask & width.max(),
            value,
            ms,
        }),
        (number(), number()).prop_map(|(at, len)| Op::Ram {
            at: at & !7,
            len: (len & !7).max(8)
        }),
        number().prop_map(|at| Op::Exec { at: at & !3 }),
        (number(), some_count()).prop_map(|(at, count)| Op::Storm { at, count }),
    ]
}

fn irq_op() -> impl Strategy<Value = Op> {
    let trigger = select(&[Trigger::Level, Trigger::Edge][..]);
    let actions = (access(), trigger, any::<u8>(), some_count(), 1..=MAX_MS);
    (0..=wire::arch::LAST_IRQ.0, actions, 0..6u8).prop_map(
        |(irq, ((width, at, value), trigger, priority, count, ms), which)| match which {
            0 => Op::IrqOn {
                irq: Irq(irq),
                trigger,
                priority,
            },
            1 => Op::IrqOff { irq: Irq(irq) },
            2 => Op::IrqAct {
                irq: Irq(irq),
                width,
                at,
                value,
            },
            3 => Op::IrqNoEoi { irq: Irq(irq) },
            4 => Op::IrqWait {
                irq: Irq(irq),
                count,
                ms,
            },
            _ => Op::IrqCount { irq: Irq(irq) },
        },
    )
}

fn place() -> impl Strategy<Value = Place> {
    let offset = prop_oneof![Just(0), Just(SLOT - 1), 0..SLOT];
    (0..SLOTS, offset).prop_map(|(slot, offset)| Place::new(slot, offset).unwrap())
}

fn values(least: usize, most: usize) -> impl Strategy<Value = Values> {
    let value = prop_oneof![
        number().prop_map(Value::Number),
        place().prop_map(Value::At)
    ];
    vec(value, least..=most).prop_map(|all| {
        let mut values = Values::NONE;
        all.iter().for_each(|value| values.push(*value).unwrap());
        values
    })
}

fn hv() -> impl Strategy<Value = Hv> {
    let numbers = (number(), number(), number(), count(), count(), count());
    let path = "[!-:<-~]{1,40}".prop_map(|text| Path::new(&text).unwrap());
    let others = (any::<u16>(), any::<u16>(), path, any::<bool>());
    (0..34u8, numbers, others).prop_map(
        |(which, (a, b, c, cpus, lines, flags), (dom, short, path, allow))| match which {
            0 => Hv::Version,
            1 => Hv::Free,
            2 => Hv::List,
            3 => Hv::Info { dom },
            4 => Hv::Pages { dom },
            5 => Hv::Wait {
                dom,
                mask: a,
                value: b,
                ms: cpus % MAX_MS + 1,
            },
            6 => Hv::Create {
                dom,
                kib: a,
                cpus,
                lines,
                flags,
            },
            7 => Hv::Destroy { dom },
            8 => Hv::Pause { dom },
            9 => Hv::Unpause { dom },
            10 => Hv::Shutdown { dom, reason: cpus },
            11 => Hv::Populate {
                dom,
                gfn: a,
                order: cpus,
                count: lines.max(1),
            },
            12 => Hv::Depopulate { dom, gfn: a },
            13 => Hv::Foreign {
                gfn: a,
                dom,
                from: b,
            },
            14 => Hv::Unforeign { gfn: a },
            15 => Hv::Iomem {
                dom,
                mfn: a,
                count: b,
                allow,
            },
            16 => Hv::Map {
                dom,
                gfn: a,
                mfn: b,
                count: c,
            },
            17 => Hv::Unmap {
                dom,
                gfn: a,
                mfn: b,
                count: c,
            },
            18 => Hv::Bind { dom, line: short },
            19 => Hv::Unbind { dom, line: short },
            20 => Hv::Assign { dom, path },
            21 => Hv::TestAssign { dom, path },
            22 => Hv::Deassign { dom, path },
            23 => Hv::Load {
                dom,
                entry: short,
                at: a & !0xfff,
            },
            24 => Hv::PciAdd {
                at: cpus,
                flags: lines,
                physfn: short,
            },
            25 => Hv::PciRemove { at: cpus },
            26 => Hv::PciReset {
                at: cpus,
                flags: lines,
            },
            27 => Hv::PciAssign { dom, at: cpus },
            28 => Hv::PciTest { dom, at: cpus },
            29 => Hv::PciDeassign { dom, at: cpus },
            30 => Hv::PciGroup { dom, at: cpus },
            31 => Hv::PciKnown { at: cpus },
            32 => Hv::PciList { at: cpus },
            _ => Hv::Start {
                dom,
                pc: a,
                argument: b,
            },
        },
    )
}

fn control_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (any::<u16>(), values(0, MAX_VALUES))
            .prop_map(|(number, args)| Op::Hypercall { number, args }),
        (place(), values(1, MAX_VALUES)).prop_map(|(at, values)| Op::ScratchWrite { at, values }),
        (number(), place()).prop_map(|(at, place)| Op::WriteScratchAddress { at, place }),
        (place(), select(Width::ALL)).prop_map(|(at, width)| Op::ScratchRead { at, width }),
        hv().prop_map(Op::Hv),
    ]
}

/// Any op except a loop, which needs others after it.
pub fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        memory_op(),
        irq_op(),
        control_op(),
        arch::op().prop_map(Op::Arch),
        (1..=MAX_MS).prop_map(|ms| Op::Timer { ms }),
        some_count().prop_map(|count| Op::Yield { count }),
        select(&[Attr::Device, Attr::Normal][..]).prop_map(Op::Attr),
        name().prop_map(Op::Mark),
        select(&[Op::Tree, Op::Idle, Op::Off, Op::Reset, Op::Crash, Op::Spin][..]),
    ]
}
