//! Exceptions as a guest finds them.

use super::*;

const EL0: u64 = 0b0000;
const EL0_AARCH32: u64 = 0b1_0000;
const VBAR: u64 = 0xffff_8000_0001_0800;

fn at(pstate: u64) -> Interrupted {
    Interrupted {
        pc: 0x4000_1000,
        pstate,
        vbar: VBAR,
        sctlr: SCTLR_SPAN,
    }
}

const READ: Exception = Exception::Data {
    far: 0x0905_0004,
    write: false,
    cache: false,
    abort: Abort::External,
};
const FETCH: Exception = Exception::Fetch {
    far: 0x0905_0000,
    abort: Abort::External,
};
const UNDEFINED: Exception = Exception::Undefined { passed: false };

/// The handler is the one for where the exception comes from.
#[test]
fn vectors_are_those_of_the_source() {
    let table = [
        (PSTATE_EL1T, 0x000),
        (PSTATE_EL1H, 0x200),
        (EL0, 0x400),
        (EL0_AARCH32, 0x600),
        (EL0_AARCH32 | 0xf000_0000, 0x600),
    ];
    for (pstate, offset) in table {
        for exception in [READ, FETCH, UNDEFINED] {
            assert_eq!(
                enter(&exception, &at(pstate)).pc,
                VBAR + offset,
                "{pstate:#x}"
            );
        }
    }
    let odd = Interrupted {
        vbar: VBAR | 0x7ff,
        ..at(PSTATE_EL1H)
    };
    assert_eq!(
        enter(&READ, &odd).pc,
        VBAR + 0x200,
        "the low bits of VBAR_EL1 are reserved"
    );
}

/// The syndrome says what failed, how, and from which level.
#[test]
fn syndromes_say_what_failed() {
    let data = |write, cache, abort| Exception::Data {
        far: 1,
        write,
        cache,
        abort,
    };
    let table = [
        (READ, PSTATE_EL1H, 0x9600_0010),
        (READ, PSTATE_EL1T, 0x9600_0010),
        (READ, EL0, 0x9200_0010),
        (READ, EL0_AARCH32, 0x9200_0010),
        (data(true, false, Abort::External), PSTATE_EL1H, 0x9600_0050),
        (data(true, true, Abort::External), PSTATE_EL1H, 0x9600_0150),
        (data(false, false, Abort::Walk), PSTATE_EL1H, 0x9600_0014),
        (data(false, false, Abort::Alignment), EL0, 0x9200_0021),
        (FETCH, PSTATE_EL1H, 0x8600_0010),
        (FETCH, EL0, 0x8200_0010),
        (
            Exception::Fetch {
                far: 1,
                abort: Abort::Walk,
            },
            EL0,
            0x8200_0014,
        ),
        (UNDEFINED, PSTATE_EL1H, 0x0200_0000),
        (UNDEFINED, EL0, 0x0200_0000),
    ];
    for (exception, pstate, esr) in table {
        assert_eq!(
            enter(&exception, &at(pstate)).esr,
            esr,
            "{exception:?} {pstate:#x}"
        );
    }
}

/// An abort says where; an undefined instruction leaves the fault address.
#[test]
fn fault_addresses_are_the_guests_own() {
    assert_eq!(enter(&READ, &at(EL0)).far, Some(0x0905_0004));
    assert_eq!(enter(&FETCH, &at(EL0)).far, Some(0x0905_0000));
    assert_eq!(enter(&UNDEFINED, &at(EL0)).far, None);
}

/// The guest returns to the instruction at fault, also where the processor has gone on.
#[test]
fn return_is_to_the_instruction_at_fault() {
    let passed = Exception::Undefined { passed: true };
    for (exception, elr) in [
        (READ, 0x4000_1000),
        (UNDEFINED, 0x4000_1000),
        (passed, 0x4000_0ffc),
    ] {
        let entered = enter(&exception, &at(PSTATE_EL1H));
        assert_eq!((entered.elr, entered.spsr), (elr, PSTATE_EL1H));
    }
}

/// The handler runs at EL1 with its own stack and everything masked; flags and DIT stay.
#[test]
fn state_is_that_of_an_exception_entry() {
    let fixed = PSTATE_EL1H | PSTATE_DAIF | PSTATE_TCO;
    // (before, SCTLR_EL1, after)
    let table = [
        (0, SCTLR_SPAN, fixed),
        (0, 0, fixed | PSTATE_PAN),
        (PSTATE_PAN, SCTLR_SPAN, fixed | PSTATE_PAN),
        (0, SCTLR_SPAN | SCTLR_DSSBS, fixed | PSTATE_SSBS),
        (PSTATE_SSBS, SCTLR_SPAN, fixed),
        (
            PSTATE_NZCV | PSTATE_DIT,
            SCTLR_SPAN,
            fixed | PSTATE_NZCV | PSTATE_DIT,
        ),
        // SS, IL, UAO, BTYPE and all of AArch32's own go.
        (1 << 21 | 1 << 20 | 1 << 23 | 3 << 10, SCTLR_SPAN, fixed),
        (EL0_AARCH32 | 1 << 27 | 1 << 5 | 1 << 9, SCTLR_SPAN, fixed),
        (
            u64::MAX,
            SCTLR_SPAN,
            fixed | PSTATE_NZCV | PSTATE_DIT | PSTATE_PAN,
        ),
    ];
    for (pstate, sctlr, after) in table {
        let entered = enter(
            &READ,
            &Interrupted {
                sctlr,
                ..at(pstate)
            },
        );
        assert_eq!(entered.pstate, after, "{pstate:#x} {sctlr:#x}");
        assert_eq!(entered.spsr, pstate);
    }
}
