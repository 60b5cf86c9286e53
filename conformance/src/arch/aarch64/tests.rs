//! Tests of the words of cases that only AArch64 has: expectations, operations, and names of the GIC.

use wire::{Answer, Op};

use super::sample;
use crate::language::{Inside, Scope};
use crate::sample::{check_expectation as check, outside, problems, profile, scenario};
use crate::scenario::From;

/// A fault is accepted only if it is an abort reported for the accessed address.
#[test]
fn a_fault_names_its_address() {
    let fault = |esr, far| Answer::Fault(sample::fault(esr, far));
    let external = 0x9600_0010;
    check("nothing", "r32 0x1000", fault(external, 0x1000), true);
    check("nothing", "r32 0x1000", fault(0x9600_0007, 0x1000), true);
    check("nothing", "r32 0x1000", fault(external, 0x1004), false);
    // FAR is not valid, whatever its value.
    check("nothing", "r32 0x1000", fault(0x9600_0410, 0x1000), false);
    check("nothing", "r32 0x1000", fault(0x9600_0021, 0x1000), false);
    check("nothing", "r32 0x1000", fault(0x9600_000f, 0x1000), false);
    check("nothing", "r32 0x1000", fault(0x0200_0000, 0x1000), false);
    check("nothing", "r32 0x1000", fault(0xbe00_0000, 0x1000), false);
    check("any-fault", "r32 0x1000", fault(0xbe00_0000, 0), true);
    check(
        "alignment-fault",
        "r32 0x1001",
        fault(0x9600_0021, 0x1001),
        true,
    );
    check(
        "alignment-fault",
        "r32 0x1001",
        fault(external, 0x1001),
        false,
    );
}

/// An operation has no expectation that its probe cannot answer.
#[test]
fn expectations_suit_their_ops() {
    let op = |text: &str| match text.parse() {
        Ok(Op::Arch(op)) => op,
        other => panic!("{text}: {other:?}"),
    };
    let state = crate::arch::Expect::parse(&["gic", "e"]).unwrap();
    for (text, has_state, has_value) in [
        ("irq state 34", true, false),
        ("irq pend 34", false, false),
        ("hvc 1 2 3 4", false, true),
        ("smc 1 2 3 4", false, true),
        ("mrs hcr_el2", false, true),
        ("cpuon 1", false, false),
    ] {
        assert_eq!(state.suits(&op(text)), has_state, "{text}");
        assert_eq!(crate::arch::answers_a_value(&op(text)), has_value, "{text}");
    }
}

/// The state of an interrupt is compared letter by letter.
#[test]
fn states_are_compared() {
    let state = |active| {
        Answer::Arch(
            wire::arch::aarch64::Answer::State {
                enabled: true,
                pending: true,
                active,
            }
            .into(),
        )
    };
    check("gic ep", "irq state 34", state(false), true);
    check("gic ep", "irq state 34", state(true), false);
    check("gic none", "irq state 34", state(false), false);
    check("gic ep", "irq state 34", Answer::Ok, false);
}

fn within(inside: &Inside) -> Scope<'_> {
    Scope {
        names: outside().names,
        inside: Some(inside),
    }
}

#[track_caller]
fn are(scope: &Scope<'_>, table: &[(&str, u64)]) {
    for (text, wanted) in table {
        assert_eq!(scope.number(text), Ok(*wanted), "{text}");
    }
}

/// Registers of the GIC are found by the names of its manual, with an index where there are several.
#[test]
fn registers_of_the_controller_have_names() {
    are(
        &outside(),
        &[
            ("gicd", 0x800_0000),
            ("gicd.ISENABLER[1]", 0x800_0104),
            ("gicd.IROUTER[40]", 0x800_6140),
            ("gicr.WAKER", 0x80a_0014),
        ],
    );
    for index in ["255", "18446744073709551615"] {
        let told = outside().number(&format!("gicd.IPRIORITYR[{index}]"));
        let told = told.unwrap_err();
        assert!(told.contains("is no register of"), "{told}");
    }
}

/// The GIC that the hypervisor emulates is at the guest's addresses, except in a domain with those of the host.
#[test]
fn the_emulated_controller_is_the_guests() {
    let guest = profile().guest;
    let mut inside = Inside::default();
    are(
        &within(&inside),
        &[
            ("gicd", guest.gicd.base),
            ("gicd.end", guest.gicd.base + 0x1_0000),
            ("gicd.ISENABLER[1]", guest.gicd.base + 0x104),
            ("gicr.WAKER", guest.gicr.base + 0x14),
            ("host.gicd.ISENABLER[1]", 0x800_0104),
        ],
    );
    inside.hosts = true;
    are(
        &within(&inside),
        &[
            ("gicd", 0x800_0000),
            ("guest.gicd.ISENABLER[1]", guest.gicd.base + 0x104),
        ],
    );
}

fn with_script(script: &str) -> String {
    format!("    domains: [{{name: dA, script: ['{script}']}}]\n")
}

/// Returns the operations that a text stands for, each with what must be observed.
fn lines(text: &str) -> Vec<(String, String)> {
    let made = scenario(&with_script(text));
    let lines = made.domains[0].lines.iter();
    let own = lines.filter(|line| line.from == From::Case);
    own.map(|line| (line.op.to_string(), line.expect.to_string()))
        .collect()
}

/// Calls, system registers, processors and the states of interrupts have operations of their own.
#[test]
fn operations_are_read() {
    for (text, op) in [
        ("pend rtc.irq", "irq pend 34"),
        ("unpend rtc.irq", "irq unpend 34"),
        ("state rtc.irq", "irq state 34"),
        ("cpu-on 1", "cpuon 0x1"),
        ("sgi 3", "sgi 3"),
        ("hvc 1 2 3 gpio", "hvc 0x1 0x2 0x3 0x9030000"),
        ("smc 1 2 3 4", "smc 0x1 0x2 0x3 0x4"),
        ("mrs cntpct_el0", "mrs cntpct_el0"),
        (
            "write16 gicd.ISENABLER[1] ones",
            &format!("w16 {:#x} 0xffff", profile().guest.gicd.base + 0x104),
        ),
    ] {
        let op = op
            .parse::<Op>()
            .map_or_else(|_| op.to_owned(), |op| op.to_string());
        assert_eq!(lines(text), [(op, "goes through".to_owned())], "{text}");
    }
    let told = &lines("state 39 => gic ep")[0].1;
    assert_eq!(told, "exactly enabled and pending");
}

/// An operation that is incomplete, or a register that does not exist, is reported.
#[test]
fn wrong_operations_are_refused() {
    for (text, wanted) in [
        ("hvc 1 2 3", "x3 is missing"),
        ("smc 1 2 3 4 5", "`5` is one word too many"),
        ("mrs nothing", "nothing"),
        ("cpu-on", "an MPIDR is missing"),
        ("cpu-onn 1", "did you mean `cpu-on`?"),
        ("state 39 => gic xyz", "is no expectation"),
        ("pend 39 => gic e", "never answers with"),
    ] {
        let told = problems(&with_script(text));
        assert!(told[0].contains(wanted), "{text}: {told:?}");
    }
}
