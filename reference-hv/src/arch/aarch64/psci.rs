//! Power State Coordination Interface 1.1 (Arm DEN 0022) and the discovery calls of the SMC calling
//! convention 1.1 (Arm DEN 0028): function numbers, arguments, answers.

use smccc::arch::{SMCCC_ARCH_FEATURES, SMCCC_VERSION};
use smccc::error::SUCCESS;
use smccc::psci::error::{ALREADY_ON, INVALID_ADDRESS, INVALID_PARAMETERS, NOT_SUPPORTED};
use smccc::psci::{
    PSCI_AFFINITY_INFO_32, PSCI_AFFINITY_INFO_64, PSCI_CPU_OFF, PSCI_CPU_ON_32, PSCI_CPU_ON_64,
    PSCI_CPU_SUSPEND_32, PSCI_CPU_SUSPEND_64, PSCI_FEATURES, PSCI_MIGRATE_INFO_TYPE,
    PSCI_SYSTEM_OFF, PSCI_SYSTEM_RESET, PSCI_VERSION,
};

use crate::access::low32;

/// PSCI_VERSION of this implementation: 1.1.
pub const VERSION: u64 = 0x0001_0001;
/// SMCCC_VERSION of this implementation: 1.1.
pub const CONVENTION: u64 = 0x0001_0001;
/// MIGRATE_INFO_TYPE: there is no trusted operating system to migrate.
pub const NO_MIGRATION: u64 = 2;

/// Bit 30 of a function number: arguments of 64 bits.
const WIDE: u32 = 1 << 30;

/// What a call answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReturnCode {
    /// Done.
    Success,
    /// There is no such function.
    NotSupported,
    /// An argument names nothing that is there.
    InvalidParameters,
    /// The CPU is on already.
    AlreadyOn,
    /// The entry point is not in the guest's memory.
    InvalidAddress,
}

impl ReturnCode {
    /// Returns the value for X0.
    pub fn value(self) -> u64 {
        let code = match self {
            Self::Success => SUCCESS,
            Self::NotSupported => NOT_SUPPORTED,
            Self::InvalidParameters => INVALID_PARAMETERS,
            Self::AlreadyOn => ALREADY_ON,
            Self::InvalidAddress => INVALID_ADDRESS,
        };
        i64::from(code).cast_unsigned()
    }
}

/// Whether a CPU runs, as AFFINITY_INFO answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AffinityState {
    /// It runs.
    On,
    /// It is off.
    Off,
}

impl AffinityState {
    /// Returns the value for X0.
    pub const fn value(self) -> u64 {
        match self {
            Self::On => 0,
            Self::Off => 1,
        }
    }
}

/// A call that concerns the state of CPUs or of the whole guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Wait for an interrupt, then answer [`ReturnCode::Success`]. Power-down states are entered no
    /// deeper than that, which PSCI lets an implementation do.
    Suspend,
    /// Switch the calling CPU off.
    CpuOff,
    /// Switch a CPU on.
    CpuOn {
        /// The affinity fields of its MPIDR_EL1.
        target: u64,
        /// Where it begins, guest-physical.
        entry: u64,
        /// What X0 holds then.
        context: u64,
    },
    /// Tell whether a CPU runs.
    AffinityInfo {
        /// The affinity fields of its MPIDR_EL1.
        target: u64,
        /// The lowest affinity level asked for; only 0 has to be answered.
        level: u64,
    },
    /// Switch the guest off.
    SystemOff,
    /// Start the guest anew.
    SystemReset,
}

/// A call, recognized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// The answer is known without looking at anything.
    Answer(u64),
    /// The guest's state decides.
    Request(Request),
}

/// Tells whether a function can be called.
const fn is_known(function: u32) -> bool {
    matches!(
        function,
        PSCI_VERSION
            | PSCI_CPU_OFF
            | PSCI_MIGRATE_INFO_TYPE
            | PSCI_SYSTEM_OFF
            | PSCI_SYSTEM_RESET
            | PSCI_FEATURES
            | PSCI_CPU_SUSPEND_32
            | PSCI_CPU_SUSPEND_64
            | PSCI_CPU_ON_32
            | PSCI_CPU_ON_64
            | PSCI_AFFINITY_INFO_32
            | PSCI_AFFINITY_INFO_64
    )
}

/// Recognizes a call from X0 to X3. Total: what is not known is answered "not supported".
pub fn decode(args: &[u64; 4]) -> Call {
    let [function, first, second, third] = *args;
    // A function number has 32 bits, as have the arguments of a narrow call.
    let function = low32(function);
    let cut = |value: u64| {
        if function & WIDE != 0 {
            value
        } else {
            u64::from(low32(value))
        }
    };
    let answer = |known: bool| {
        let code = if known {
            ReturnCode::Success
        } else {
            ReturnCode::NotSupported
        };
        Call::Answer(code.value())
    };
    match function {
        PSCI_VERSION => Call::Answer(VERSION),
        PSCI_MIGRATE_INFO_TYPE => Call::Answer(NO_MIGRATION),
        PSCI_FEATURES => {
            let asked = low32(first);
            answer(is_known(asked) || asked == SMCCC_VERSION)
        }
        SMCCC_VERSION => Call::Answer(CONVENTION),
        SMCCC_ARCH_FEATURES => answer(matches!(low32(first), SMCCC_VERSION | SMCCC_ARCH_FEATURES)),
        PSCI_CPU_OFF => Call::Request(Request::CpuOff),
        PSCI_SYSTEM_OFF => Call::Request(Request::SystemOff),
        PSCI_SYSTEM_RESET => Call::Request(Request::SystemReset),
        PSCI_CPU_SUSPEND_32 | PSCI_CPU_SUSPEND_64 => Call::Request(Request::Suspend),
        PSCI_CPU_ON_32 | PSCI_CPU_ON_64 => Call::Request(Request::CpuOn {
            target: cut(first),
            entry: cut(second),
            context: cut(third),
        }),
        PSCI_AFFINITY_INFO_32 | PSCI_AFFINITY_INFO_64 => Call::Request(Request::AffinityInfo {
            target: cut(first),
            level: cut(second),
        }),
        _ => answer(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOT_SUPPORTED: u64 = u64::MAX;

    /// Each function of PSCI 1.1 that is offered is recognized by its number, others are not.
    #[test]
    fn functions_are_known_by_their_numbers() {
        let on = Request::CpuOn {
            target: 1,
            entry: 0x4000_0000,
            context: 7,
        };
        let table = [
            (0x8400_0000, Call::Answer(0x1_0001)),
            (0x8400_0001, Call::Request(Request::Suspend)),
            (0xc400_0001, Call::Request(Request::Suspend)),
            (0x8400_0002, Call::Request(Request::CpuOff)),
            (0x8400_0003, Call::Request(on)),
            (0xc400_0003, Call::Request(on)),
            (
                0x8400_0004,
                Call::Request(Request::AffinityInfo {
                    target: 1,
                    level: 0x4000_0000,
                }),
            ),
            (
                0xc400_0004,
                Call::Request(Request::AffinityInfo {
                    target: 1,
                    level: 0x4000_0000,
                }),
            ),
            (0x8400_0005, Call::Answer(NOT_SUPPORTED)),
            (0x8400_0006, Call::Answer(2)),
            (0x8400_0008, Call::Request(Request::SystemOff)),
            (0x8400_0009, Call::Request(Request::SystemReset)),
            (0x8400_000e, Call::Answer(NOT_SUPPORTED)),
            (0xc400_0002, Call::Answer(NOT_SUPPORTED)),
            (0x8000_0000, Call::Answer(0x1_0001)),
            (0x8000_8000, Call::Answer(NOT_SUPPORTED)),
            (0, Call::Answer(NOT_SUPPORTED)),
            // The upper half of X0 is no part of the number.
            (0xffff_ffff_8400_0000, Call::Answer(0x1_0001)),
        ];
        for (function, call) in table {
            assert_eq!(
                decode(&[function, 1, 0x4000_0000, 7]),
                call,
                "{function:#x}"
            );
        }
    }

    /// A narrow call has arguments of 32 bits, whatever else the registers hold.
    #[test]
    fn narrow_arguments_are_cut() {
        let junk = 0xdead_beef_0000_0000;
        let on = Request::CpuOn {
            target: 1,
            entry: 2,
            context: 3,
        };
        assert_eq!(
            decode(&[0x8400_0003, junk | 1, junk | 2, junk | 3]),
            Call::Request(on)
        );
        let on = Request::CpuOn {
            target: junk | 1,
            entry: junk | 2,
            context: junk | 3,
        };
        assert_eq!(
            decode(&[0xc400_0003, junk | 1, junk | 2, junk | 3]),
            Call::Request(on)
        );
    }

    /// The two ways of asking for a function agree with what a call to it does.
    #[test]
    fn features_are_what_is_there() {
        let psci = |asked| decode(&[0x8400_000a, asked, 0, 0]);
        let smccc = |asked| decode(&[0x8000_0001, asked, 0, 0]);
        let yes = Call::Answer(0);
        let no = Call::Answer(NOT_SUPPORTED);
        for known in [
            0x8400_0000_u64,
            0x8400_0003,
            0xc400_0003,
            0x8400_000a,
            0x8000_0000,
        ] {
            assert_eq!(psci(known), yes, "{known:#x}");
        }
        for unknown in [
            0x8400_0005_u64,
            0x8400_000e,
            0xc400_0002,
            0x8000_8000,
            0x8600_ff00,
        ] {
            assert_eq!(psci(unknown), no, "{unknown:#x}");
            assert_eq!(smccc(unknown), no, "{unknown:#x}");
        }
        assert_eq!(smccc(0x8000_0001), yes);
        assert_eq!(smccc(0x8000_0000), yes);
    }

    /// The answers have the values of DEN 0022, sign and all.
    #[test]
    fn answers_have_their_values() {
        let table = [
            (ReturnCode::Success, 0),
            (ReturnCode::NotSupported, -1),
            (ReturnCode::InvalidParameters, -2),
            (ReturnCode::AlreadyOn, -4),
            (ReturnCode::InvalidAddress, -9),
        ];
        for (code, value) in table {
            assert_eq!(code.value().cast_signed(), value);
        }
        assert_eq!(
            (AffinityState::On.value(), AffinityState::Off.value()),
            (0, 1)
        );
    }
}
