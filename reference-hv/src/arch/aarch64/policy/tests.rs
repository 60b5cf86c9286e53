//! Every kind of exit, and what becomes of it.

use proptest::prelude::*;

use super::*;
use crate::access::Width;
use crate::addr::Ipa;
use crate::arch::aarch64::exit::{Cause, Conduit, MemoryFault, SysReg, WaitKind};
use crate::arch::aarch64::guest_layout::GUEST;
use crate::arch::aarch64::inject::{Abort, Interrupted, enter};
use crate::arch::aarch64::{esr, gic};
use crate::assign::layout::Layout;

fn domain() -> EmulatedDevices {
    EmulatedDevices::new(2, &Layout::own(&GUEST, true)).unwrap()
}

fn fault(ipa: u64) -> MemoryFault {
    MemoryFault {
        ipa: Some(Ipa::new(ipa)),
        va: 0xffff_0000_0000_0000 | ipa,
        cause: Cause::Translation,
        walk: false,
    }
}

const LOAD: Access = Access {
    width: Width::Word,
    write: None,
    rt: 3,
    sign_extend: false,
    wide: false,
};
const STORE: Access = Access {
    write: Some(7),
    ..LOAD
};

fn load(fault: MemoryFault) -> Exit {
    Exit::Data {
        fault,
        write: false,
        access: Some(LOAD),
        cache: false,
    }
}

fn store(fault: MemoryFault) -> Exit {
    Exit::Data {
        fault,
        write: true,
        access: Some(STORE),
        cache: false,
    }
}

fn aborted(ipa: u64, write: bool) -> Action {
    Action::Inject(Exception::Data {
        far: fault(ipa).va,
        write,
        cache: false,
        abort: Abort::External,
    })
}

const UNDEFINED: Action = Action::Inject(Exception::Undefined { passed: false });

/// An access to an emulated device goes there, with its place in the device; one byte outside there
/// is nothing.
#[test]
fn device_pages_are_exact() {
    let table = [
        (0x0300_0fff, None),
        (0x0300_1000, Some((Device::SharedController, 0))),
        (0x0301_0fff, Some((Device::SharedController, 0xffff))),
        (0x0301_1000, None),
        (0x0301_ffff, None),
        (0x0302_0000, Some((Device::CpuController, 0))),
        (0x0305_ffff, Some((Device::CpuController, 0x3_ffff))),
        // The third vCPU's would be here.
        (0x0306_0000, None),
        (0x21ff_ffff, None),
        (0x2200_0000, Some((Device::Uart, 0))),
        (0x2200_0fff, Some((Device::Uart, 0xfff))),
        (0x2200_1000, None),
        (0, None),
        (u64::MAX, None),
    ];
    for (ipa, place) in table {
        let (loaded, stored) = match place {
            Some((device, offset)) => (
                Action::Emulate {
                    device,
                    offset,
                    access: LOAD,
                },
                Action::Emulate {
                    device,
                    offset,
                    access: STORE,
                },
            ),
            None => (aborted(ipa, false), aborted(ipa, true)),
        };
        assert_eq!(decide(&domain(), &load(fault(ipa))), loaded, "{ipa:#x}");
        assert_eq!(decide(&domain(), &store(fault(ipa))), stored, "{ipa:#x}");
    }
}

/// A domain without an emulated UART has nothing at its address.
#[test]
fn no_uart_without_asking() {
    let layout = Layout::own(&GUEST, false);
    let domain = EmulatedDevices::new(1, &layout).unwrap();
    assert_eq!(
        decide(&domain, &load(fault(0x2200_0000))),
        aborted(0x2200_0000, false)
    );
    assert_eq!(
        decide(&domain, &load(fault(0x0304_0000))),
        aborted(0x0304_0000, false)
    );
    assert!(
        EmulatedDevices::new(0, &layout).is_err(),
        "no vCPU, no redistributor"
    );
}

/// Whatever the reason, what is not a described access to a device ends in an abort with the guest's
/// own address.
#[test]
fn everything_else_aborts() {
    let uart = fault(0x2200_0000);
    let causes = [
        (Cause::AccessFlag, Abort::External),
        (Cause::AddressSize, Abort::External),
        (Cause::Permission, Abort::External),
        (Cause::External, Abort::External),
        (Cause::Other(0x3f), Abort::External),
        (Cause::Alignment, Abort::Alignment),
    ];
    let data = |fault: MemoryFault, write, cache, abort| {
        Action::Inject(Exception::Data {
            far: fault.va,
            write,
            cache,
            abort,
        })
    };
    for (cause, abort) in causes {
        let fault = MemoryFault { cause, ..uart };
        assert_eq!(
            decide(&domain(), &load(fault)),
            data(fault, false, false, abort),
            "{cause:?}"
        );
    }
    let walk = MemoryFault { walk: true, ..uart };
    assert_eq!(
        decide(&domain(), &load(walk)),
        data(walk, false, false, Abort::Walk)
    );
    let nowhere = MemoryFault { ipa: None, ..uart };
    assert_eq!(
        decide(&domain(), &load(nowhere)),
        data(nowhere, false, false, Abort::External)
    );
    let pair = Exit::Data {
        fault: uart,
        write: true,
        access: None,
        cache: false,
    };
    assert_eq!(
        decide(&domain(), &pair),
        data(uart, true, false, Abort::External)
    );
    let clean = Exit::Data {
        fault: uart,
        write: true,
        access: None,
        cache: true,
    };
    assert_eq!(
        decide(&domain(), &clean),
        data(uart, true, true, Abort::External)
    );
}

/// What a device rejects ends like an access to nothing.
#[test]
fn rejected_accesses_abort() {
    for ipa in [0x2200_0000, 0x0300_1000] {
        assert_eq!(rejected(&load(fault(ipa))), aborted(ipa, false));
        assert_eq!(rejected(&store(fault(ipa))), aborted(ipa, true));
    }
}

/// No instruction comes from a device or from nowhere.
#[test]
fn fetches_abort() {
    for ipa in [0, 0x0300_1000, 0x2200_0000, 0x0905_0000] {
        let abort = Abort::External;
        let far = fault(ipa).va;
        let refused = Action::Inject(Exception::Fetch { far, abort });
        assert_eq!(
            decide(&domain(), &Exit::Fetch { fault: fault(ipa) }),
            refused
        );
    }
    let walk = MemoryFault {
        walk: true,
        ..fault(0x9000_0000)
    };
    assert_eq!(
        decide(&domain(), &Exit::Fetch { fault: walk }),
        Action::Inject(Exception::Fetch {
            far: walk.va,
            abort: Abort::Walk
        })
    );
}

/// Power control and discovery are answered on both conduits, with the step that each needs.
#[test]
fn calls_are_answered_on_both_conduits() {
    for (conduit, step) in [(Conduit::Hvc, 0), (Conduit::Smc, 4)] {
        let call = |function| {
            decide(
                &domain(),
                &Exit::Call {
                    conduit,
                    immediate: 0,
                    args: [function, 0, 0, 0, 0],
                    number: 0,
                },
            )
        };
        assert_eq!(
            call(0x8400_0000),
            Action::Answer {
                value: 0x1_0001,
                step
            }
        );
        assert_eq!(
            call(0xdead_beef),
            Action::Answer {
                value: u64::MAX,
                step
            }
        );
        let request = psci::Request::SystemOff;
        assert_eq!(call(0x8400_0008), Action::Power { request, step });
    }
}

/// An immediate that means nothing is an undefined instruction, at the instruction itself.
#[test]
fn unknown_immediates_are_undefined() {
    let call = |conduit, immediate| {
        decide(
            &domain(),
            &Exit::Call {
                conduit,
                immediate,
                args: [0x8400_0008, 0, 0, 0, 0],
                number: 0,
            },
        )
    };
    let undefined = |passed| Action::Inject(Exception::Undefined { passed });
    for immediate in [1, 0xea0, 0xea2, 0xffff] {
        assert_eq!(
            call(Conduit::Hvc, immediate),
            undefined(true),
            "{immediate:#x}"
        );
        assert_eq!(
            call(Conduit::Smc, immediate),
            undefined(false),
            "{immediate:#x}"
        );
    }
    assert_eq!(call(Conduit::Smc, 0xea1), undefined(false));
}

/// Xen's hypercalls are served with their number and all five arguments, whatever these are.
#[test]
fn hypercalls_are_passed_on_whole() {
    for (number, args) in [
        (29, [2, 0x4000_0000, 0, 0, 0]),
        (0, [0; 5]),
        (u64::MAX, [1, 2, 3, 4, u64::MAX]),
    ] {
        let exit = Exit::Call {
            conduit: Conduit::Hvc,
            immediate: 0xea1,
            args,
            number,
        };
        assert_eq!(decide(&domain(), &exit), Action::Hypercall { number, args });
    }
}

/// Trapped registers answer as the feature they belong to.
#[test]
fn registers_answer_as_their_feature() {
    let set = |value| Action::Set { rt: 9, value };
    let reg = SysReg::new;
    let sgi = |register| Action::Sgi { register, value: 5 };
    // (register, read, written with 5)
    let table = [
        (gic::ICC_SGI1R_EL1, UNDEFINED, sgi(SgiKind::Group1)),
        (gic::ICC_SGI0R_EL1, UNDEFINED, sgi(SgiKind::Group0)),
        (gic::ICC_ASGI1R_EL1, UNDEFINED, sgi(SgiKind::Group0)),
        (gic::ICC_DIR_EL1, UNDEFINED, Action::Deactivate { intid: 5 }),
        (gic::ICC_SRE_EL1, set(7), Action::Skip),
        // ACTLR_EL1, MDSCR_EL1, DBGBVR15_EL1, OSLAR_EL1, MDCCSR_EL0, CNTP_CTL_EL0.
        (reg(3, 0, 1, 0, 1), set(0), Action::Skip),
        (reg(2, 0, 0, 2, 2), set(0), Action::Skip),
        (reg(2, 0, 0, 15, 4), set(0), Action::Skip),
        (reg(2, 0, 1, 0, 4), set(0), Action::Skip),
        (reg(2, 3, 0, 1, 0), set(0), Action::Skip),
        (reg(3, 3, 14, 2, 1), set(0), Action::Skip),
        // OSLSR_EL1, REVIDR_EL1, AIDR_EL1, ID_AA64ZFR0_EL1, ID_AA64MMFR4_EL1: only read.
        (reg(2, 0, 1, 1, 4), set(8), UNDEFINED),
        (reg(3, 0, 0, 0, 6), set(0), UNDEFINED),
        (reg(3, 1, 0, 0, 7), set(0), UNDEFINED),
        (reg(3, 0, 0, 4, 4), set(0), UNDEFINED),
        (reg(3, 0, 0, 7, 4), set(0), UNDEFINED),
        (
            reg(3, 0, 0, 4, 0),
            Action::Identify {
                rt: 9,
                register: IdRegister::Pfr0,
            },
            UNDEFINED,
        ),
        // PMCR_EL0, PMCCFILTR_EL0, PMINTENSET_EL1, LORC_EL1, implementation defined, VTTBR_EL2,
        // CNTHCTL_EL2, SCR_EL3, TRCPRGCTLR, nothing at all.
        (reg(3, 3, 9, 12, 0), UNDEFINED, UNDEFINED),
        (reg(3, 3, 14, 15, 7), UNDEFINED, UNDEFINED),
        (reg(3, 0, 9, 14, 1), UNDEFINED, UNDEFINED),
        (reg(3, 0, 10, 4, 3), UNDEFINED, UNDEFINED),
        (reg(3, 1, 15, 2, 0), UNDEFINED, UNDEFINED),
        (reg(3, 4, 2, 1, 0), UNDEFINED, UNDEFINED),
        (reg(3, 4, 14, 1, 0), UNDEFINED, UNDEFINED),
        (reg(3, 6, 1, 1, 0), UNDEFINED, UNDEFINED),
        (reg(2, 1, 0, 1, 0), UNDEFINED, UNDEFINED),
        (reg(0, 0, 0, 0, 0), UNDEFINED, UNDEFINED),
    ];
    for (reg, read, written) in table {
        let exit = |write| Exit::Register { reg, write, rt: 9 };
        assert_eq!(decide(&domain(), &exit(None)), read, "read {reg}");
        assert_eq!(decide(&domain(), &exit(Some(5))), written, "write {reg}");
    }
}

proptest! {
    /// Whatever the syndrome registers hold, there is a decision, and it stays within the domain: a
    /// device is named only where it lies, and an abort only at the guest's own address.
    #[test]
    fn every_syndrome_has_a_decision(
        esr in any::<u64>(),
        class in prop::sample::select(&[0x01_u64, 0x16, 0x17, 0x18, 0x20, 0x24, 0x24, 0x24][..]),
        far in any::<u64>(),
        page in prop_oneof![any::<u64>(), 0x3000..0x3080_u64, Just(0x2_2000_u64)],
        pstate in any::<u64>(),
    ) {
        // HPFAR_EL2 has the page number from bit 4 on.
        let hpfar = page << 4;
        let esr = esr & !(0x3f << 26) | class << 26;
        let syndrome = esr::Syndrome { esr, far, hpfar, spsr: pstate };
        let exit = esr::decode(&syndrome, &[7; 31]);
        match decide(&domain(), &exit) {
            Action::Emulate { device, offset, access } => {
                let (base, size) = match device {
                    Device::SharedController => (0x0300_1000, 0x1_0000),
                    Device::CpuController => (0x0302_0000, 0x4_0000),
                    Device::Uart => (0x2200_0000, 0x1000),
                    Device::Bridge(_) => panic!("a domain without functions"),
                };
                prop_assert!(offset < size);
                prop_assert_eq!(base + offset, page << 12 & 0x000f_ffff_ffff_ffff | far & 0xfff);
                prop_assert!(access.write.is_none_or(|value| value & !access.width.mask() == 0));
                let rejected = matches!(rejected(&exit), Action::Inject(Exception::Data { far: at, .. }) if at == far);
                prop_assert!(rejected);
            }
            Action::Inject(exception) => {
                let at = Interrupted { pc: 0x4000_0000, pstate, vbar: 0x4000_8000, sctlr: 0 };
                let entered = enter(&exception, &at);
                prop_assert_eq!(entered.pstate & 0x3df, 0x3c5, "EL1h, all masked");
                prop_assert!(entered.far.is_none_or(|at| at == far));
                prop_assert!((0x4000_8000..0x4000_8800).contains(&entered.pc));
            }
            Action::Answer { step, .. } | Action::Power { step, .. } => prop_assert!(step <= INSTRUCTION),
            Action::Set { .. } | Action::Identify { .. } | Action::Skip | Action::Sgi { .. }
            | Action::Deactivate { .. } | Action::Wait | Action::Yield => {
                let small = matches!(exit, Exit::Register { .. } | Exit::Wait { .. });
                prop_assert!(small);
            }
            Action::Hypercall { number, args } => {
                prop_assert_eq!((number, args), (7, [7; 5]));
            }
            Action::Stop(reason) => prop_assert!(false, "stops: {reason}"),
        }
    }
}

/// Waiting for an interrupt waits; the other waits only give way.
#[test]
fn waits_wait_or_give_way() {
    let table = [
        (WaitKind::Interrupt, Action::Wait),
        (WaitKind::Event, Action::Yield),
        (WaitKind::InterruptUntil, Action::Yield),
        (WaitKind::EventUntil, Action::Yield),
    ];
    for (kind, action) in table {
        assert_eq!(decide(&domain(), &Exit::Wait { kind }), action);
    }
}

/// A withheld feature is an undefined instruction; what cannot be stops the domain, with its cause.
#[test]
fn the_rest_is_undefined_or_stops() {
    assert_eq!(
        decide(&domain(), &Exit::Undefined { class: 0x19 }),
        UNDEFINED
    );
    let exit = Exit::Unexpected {
        class: 0x2f,
        iss: 0x11,
    };
    let Action::Stop(reason) = decide(&domain(), &exit) else {
        panic!("goes on")
    };
    let text = reason.to_string();
    assert_eq!(text, "unexpected exception of class 0x2f, syndrome 0x11");
}
