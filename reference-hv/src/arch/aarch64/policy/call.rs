//! Calls: power control, discovery, and Xen's hypercalls.

use super::{Action, INSTRUCTION};
use crate::arch::aarch64::exit::Conduit;
use crate::arch::aarch64::inject::Exception;
use crate::arch::aarch64::psci::{self, Call};

/// The immediate of Xen's hypercalls (XEN_HYPERCALL_TAG).
const XEN: u16 = 0xea1;

/// Decides about HVC and SMC.
pub(super) fn call(conduit: Conduit, immediate: u16, args: &[u64; 5], number: u64) -> Action {
    // The return address of HVC lies behind it; that of a trapped SMC is its own.
    let (passed, step) = match conduit {
        Conduit::Hvc => (true, 0),
        Conduit::Smc => (false, INSTRUCTION),
    };
    match (conduit, immediate) {
        (Conduit::Hvc | Conduit::Smc, 0) => {
            let [function, first, second, third, _] = *args;
            match psci::decode(&[function, first, second, third]) {
                Call::Answer(value) => Action::Answer { value, step },
                Call::Request(request) => Action::Power { request, step },
            }
        }
        (Conduit::Hvc, XEN) => Action::Hypercall {
            number,
            args: *args,
        },
        (Conduit::Hvc | Conduit::Smc, _) => Action::Inject(Exception::Undefined { passed }),
    }
}
