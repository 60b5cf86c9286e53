//! Calls: power control, discovery, and the numbers that Xen's guests use.

use super::{Action, INSTRUCTION, StopReason};
use crate::arch::aarch64::inject::Exception;
use crate::arch::aarch64::psci::{self, Call};
use crate::exit::Conduit;

/// The immediate of Xen's hypercalls (XEN_HYPERCALL_TAG).
const XEN: u16 = 0xea1;
/// The hypercall sched_op.
const SCHED_OP: u64 = 29;
/// The command of sched_op by which a domain ends, for whatever reason it gives.
const SHUT_DOWN: u64 = 2;
/// Xen's answer to a hypercall that it does not have: -ENOSYS.
const NO_HYPERCALL: i64 = -38;

/// Decides about HVC and SMC.
pub(super) fn call(conduit: Conduit, immediate: u16, args: &[u64; 4], number: u64) -> Action {
    // The return address of HVC lies behind it; that of a trapped SMC is its own.
    let (passed, step) = match conduit {
        Conduit::Hvc => (true, 0),
        Conduit::Smc => (false, INSTRUCTION),
    };
    match (conduit, immediate) {
        (Conduit::Hvc | Conduit::Smc, 0) => match psci::decode(args) {
            Call::Answer(value) => Action::Answer { value, step },
            Call::Request(request) => Action::Power { request, step },
        },
        (Conduit::Hvc, XEN) => match (number, args) {
            (SCHED_OP, [SHUT_DOWN, ..]) => Action::Stop(StopReason::ShutDown),
            (_, _) => Action::Answer {
                value: NO_HYPERCALL.cast_unsigned(),
                step,
            },
        },
        (Conduit::Hvc | Conduit::Smc, _) => Action::Inject(Exception::Undefined { passed }),
    }
}
