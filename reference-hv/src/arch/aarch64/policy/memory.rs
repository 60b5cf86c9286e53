//! Accesses to memory that stage 2 did not let through.
//!
//! What no device answers ends in an external abort at the guest's own address, as on a bus: a domain
//! finds out by a fault, not by a made-up value, that something is not its own.

use super::{Action, EmulatedDevices};
use crate::access::Access;
use crate::arch::aarch64::exit::{Cause, MemoryFault};
use crate::arch::aarch64::inject::{Abort, Exception};
use crate::fault::{self, Fault};

/// Decides about a load, a store or a cache operation.
pub(super) fn data(
    devices: &EmulatedDevices,
    fault: MemoryFault,
    write: bool,
    access: Option<Access>,
    cache: bool,
) -> Action {
    let device = match fault.cause {
        // The pages of emulated devices are left unmapped, so an access to them is this and no
        // other fault; a table walk there would have read registers.
        Cause::Translation if !fault.walk && !cache => fault.ipa.and_then(|ipa| devices.at(ipa)),
        Cause::Translation
        | Cause::AccessFlag
        | Cause::AddressSize
        | Cause::Permission
        | Cause::External
        | Cause::Alignment
        | Cause::Other(_) => None,
    };
    match (device, access) {
        (Some((device, offset)), Some(access)) => Action::Emulate {
            device,
            offset,
            access,
        },
        // An instruction that moves several registers, or writes its base back: the syndrome does
        // not say what to do, and reading it from guest memory is not worth the trust.
        (Some(_), None) => refuse(fault, write, cache),
        (None, Some(access)) if fault::on(Fault::UnmappedReadsZero) && access.write.is_none() => {
            Action::Set {
                rt: access.rt,
                value: 0,
            }
        }
        (None, Some(access))
            if fault::on(Fault::UnmappedWriteDropped) && access.write.is_some() =>
        {
            Action::Skip
        }
        (None, _) => refuse(fault, write, cache),
    }
}

/// Refuses a load, a store or a cache operation.
pub(super) fn refuse(fault: MemoryFault, write: bool, cache: bool) -> Action {
    Action::Inject(Exception::Data {
        far: fault.va,
        write,
        cache,
        abort: abort(fault),
    })
}

/// Decides about an instruction fetch: nothing emulated holds instructions.
pub(super) fn fetch(fault: MemoryFault) -> Action {
    Action::Inject(Exception::Fetch {
        far: fault.va,
        abort: abort(fault),
    })
}

fn abort(fault: MemoryFault) -> Abort {
    match fault.cause {
        _ if fault.walk => Abort::Walk,
        Cause::Alignment => Abort::Alignment,
        Cause::Translation
        | Cause::AccessFlag
        | Cause::AddressSize
        | Cause::Permission
        | Cause::External
        | Cause::Other(_) => Abort::External,
    }
}
