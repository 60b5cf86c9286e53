//! AArch64: arbitrary syndromes, ops and answers, and their text forms.

use proptest::prelude::*;
use proptest::sample::select;
use wire::arch::aarch64::{Answer, LAST_IRQ, Op, Syndrome, Sysreg, Vector};
use wire::{Fault, Irq, Note, Sweep, parse_op};

use crate::strategies::number;

pub fn syndrome() -> impl Strategy<Value = Syndrome> {
    (select(Vector::ALL), number()).prop_map(|(vector, esr)| Syndrome::new(vector, esr))
}

pub fn op() -> impl Strategy<Value = Op> {
    let irq = || (0..=LAST_IRQ.0).prop_map(Irq);
    prop_oneof![
        any::<[u64; 4]>().prop_map(Op::Hvc),
        any::<[u64; 4]>().prop_map(Op::Smc),
        select(Sysreg::ALL).prop_map(Op::Mrs),
        number().prop_map(|mpidr| Op::CpuOn { mpidr }),
        (0..=15u32).prop_map(|irq| Op::Sgi { irq: Irq(irq) }),
        irq().prop_map(|irq| Op::Pend { irq }),
        irq().prop_map(|irq| Op::Unpend { irq }),
        irq().prop_map(|irq| Op::State { irq }),
    ]
}

pub fn answer() -> impl Strategy<Value = Answer> {
    any::<[bool; 3]>().prop_map(|[enabled, pending, active]| Answer::State {
        enabled,
        pending,
        active,
    })
}

/// The parser reads each op from its text.
#[test]
fn ops_are_read() {
    for (text, op) in [
        ("irq pend 39", Op::Pend { irq: Irq(39) }),
        ("irq unpend 39", Op::Unpend { irq: Irq(39) }),
        ("irq state 1019", Op::State { irq: Irq(1019) }),
        ("sgi 15", Op::Sgi { irq: Irq(15) }),
        ("hvc 0x84000000 0 0 0", Op::Hvc([0x8400_0000, 0, 0, 0])),
        ("smc 1 2 3 4", Op::Smc([1, 2, 3, 4])),
        ("mrs cnthctl_el2", Op::Mrs(Sysreg::Cnthctl)),
        ("cpuon 0x1", Op::CpuOn { mpidr: 1 }),
    ] {
        assert_eq!(parse_op(text), Ok(wire::Op::Arch(op.into())), "{text}");
    }
}

/// An error names its position and the nearest right spelling.
#[test]
fn errors_are_explained() {
    for (text, wanted) in [
        (
            "sgi 16",
            "byte 4: `16`: the interrupt is not within 0x0 to 0xf",
        ),
        (
            "mrs cnthtcl_el2",
            "byte 4: `cnthtcl_el2`: no such system register; did you mean `cnthctl_el2`?",
        ),
        ("hvc 1 2 3", "byte 9: x3 is missing"),
        (
            "cpuno 1",
            "byte 0: `cpuno`: no such op; did you mean `cpuon`?",
        ),
    ] {
        let error = parse_op(text).expect_err(text);
        assert_eq!(error.explain(text), wanted);
    }
}

/// Exceptions and states are shown in the architecture manual's terms.
#[test]
fn notes_are_shown() {
    let answer = |answer| Note::Op { index: 3, answer };
    let abort = |esr| Fault::new(Syndrome::of(esr).into(), 0x903_0000);
    let sweep = Sweep {
        ok: 1,
        faults: 1,
        first_ok: Some(0x1000),
        first_fault: Some(0x2000),
        elsewhere: 0,
        first_raw: Some(Syndrome::of(0x9600_0010).into()),
    };
    for (note, text) in [
        (
            answer(wire::Answer::Fault(abort(0x9600_0010))),
            "op 3: fault esr=0x96000010 far=0x9030000",
        ),
        (
            answer(wire::Answer::Fault(abort(0xbe00_0000))),
            "op 3: serror esr=0xbe000000",
        ),
        (
            answer(wire::Answer::Sweep(sweep)),
            "op 3: sweep ok=1 fault=1 first_ok=0x1000 first_fault=0x2000 badfar=0 esr=0x96000010",
        ),
        (
            answer(wire::Answer::Sweep(Sweep {
                first_fault: None,
                first_raw: None,
                ..sweep
            })),
            "op 3: sweep ok=1 fault=1 first_ok=0x1000 first_fault=- badfar=0 esr=-",
        ),
        (
            answer(wire::Answer::Arch(
                Answer::State {
                    enabled: true,
                    pending: false,
                    active: true,
                }
                .into(),
            )),
            "op 3: gic enabled=1 pending=0 active=1",
        ),
        (
            Note::Fault {
                fault: abort(0x9600_0010),
                pc: 0x4000_0000,
            },
            "unexpected sync exception esr=0x96000010 elr=0x40000000 far=0x9030000",
        ),
    ] {
        assert_eq!(note.to_string(), text);
    }
}
