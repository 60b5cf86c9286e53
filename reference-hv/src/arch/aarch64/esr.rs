//! Exceptions taken to EL2 from a guest, from the syndrome registers to an [`Exit`].
//!
//! Clauses are those of the Arm architecture reference manual, DDI 0487, "ESR_EL2".

use crate::access::low32;
use crate::access::{Access, Width};
use crate::addr::Ipa;
use crate::arch::aarch64::exit::{Cause, Conduit, Exit, MemoryFault, SysReg, WaitKind};

/// The registers that describe one exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Syndrome {
    /// ESR_EL2.
    pub esr: u64,
    /// FAR_EL2.
    pub far: u64,
    /// HPFAR_EL2.
    pub hpfar: u64,
    /// SPSR_EL2.
    pub spsr: u64,
}

/// WFI, WFE and their timed forms.
pub const EC_WAIT: u8 = 0x01;
/// HVC from AArch64.
pub const EC_HVC: u8 = 0x16;
/// SMC from AArch64.
pub const EC_SMC: u8 = 0x17;
/// MSR, MRS or a system instruction from AArch64.
pub const EC_SYSTEM_REGISTER: u8 = 0x18;
/// Instruction abort from a lower exception level.
pub const EC_FETCH_LOWER: u8 = 0x20;
/// Data abort from a lower exception level.
pub const EC_DATA_LOWER: u8 = 0x24;

/// Classes of instructions that a trap of ours withholds from a guest: unknown reason, AArch32
/// coprocessors (0x03 to 0x06, 0x08, 0x0c), FP, pointer authentication, LS64, 128-bit registers,
/// SVE, ERET, TME, SME.
const WITHHELD: [u8; 15] = [
    0x00, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0c, 0x14, 0x19, 0x1a, 0x1b, 0x1d,
];

/// Returns the exception class (ESR_EL2.EC).
pub const fn class(esr: u64) -> u8 {
    field(esr, 26, 6)
}

/// Returns up to eight bits of a register.
const fn field(value: u64, low: u32, bits: u32) -> u8 {
    ((value >> low) & ((1 << bits) - 1)).to_le_bytes()[0]
}

/// Tells whether a bit of a register is set.
const fn bit(value: u64, place: u32) -> bool {
    value & 1 << place != 0
}

/// Returns a general register as an instruction reads it: number 31 is zero.
fn register(x: &[u64; 31], number: u8) -> u64 {
    x.get(usize::from(number)).copied().unwrap_or_default()
}

/// Says what a guest did, from the syndrome and X0 to X30. Total: what is not known is
/// [`Exit::Unexpected`].
pub fn decode(syndrome: &Syndrome, x: &[u64; 31]) -> Exit {
    let esr = syndrome.esr;
    match class(esr) {
        EC_WAIT => Exit::Wait {
            kind: match field(esr, 0, 2) {
                0b00 => WaitKind::Interrupt,
                0b01 => WaitKind::Event,
                0b10 => WaitKind::InterruptUntil,
                _ => WaitKind::EventUntil,
            },
        },
        call @ (EC_HVC | EC_SMC) => {
            let [low, high, ..] = esr.to_le_bytes();
            Exit::Call {
                conduit: if call == EC_HVC {
                    Conduit::Hvc
                } else {
                    Conduit::Smc
                },
                immediate: u16::from_le_bytes([low, high]),
                args: [x[0], x[1], x[2], x[3], x[4]],
                number: x[16],
            }
        }
        EC_SYSTEM_REGISTER => {
            let rt = field(esr, 5, 5);
            Exit::Register {
                reg: SysReg {
                    op0: field(esr, 20, 2),
                    op1: field(esr, 14, 3),
                    crn: field(esr, 10, 4),
                    crm: field(esr, 1, 4),
                    op2: field(esr, 17, 3),
                },
                write: (!bit(esr, 0)).then(|| register(x, rt)),
                rt,
            }
        }
        EC_FETCH_LOWER => Exit::Fetch {
            fault: fault(syndrome),
        },
        EC_DATA_LOWER => {
            let write = bit(esr, 6);
            Exit::Data {
                fault: fault(syndrome),
                write,
                access: access(esr, x),
                cache: bit(esr, 8),
            }
        }
        class if WITHHELD.contains(&class) => Exit::Undefined { class },
        class => Exit::Unexpected {
            class,
            iss: low32(esr) & 0x1ff_ffff,
        },
    }
}

/// Describes a load or store, where the syndrome does (ISS.ISV).
fn access(esr: u64, x: &[u64; 31]) -> Option<Access> {
    if !bit(esr, 24) {
        return None;
    }
    let width = match field(esr, 22, 2) {
        0 => Width::Byte,
        1 => Width::Half,
        2 => Width::Word,
        _ => Width::Double,
    };
    let rt = field(esr, 16, 5);
    Some(Access {
        width,
        write: bit(esr, 6).then(|| register(x, rt) & width.mask()),
        rt,
        sign_extend: bit(esr, 21),
        wide: bit(esr, 15),
    })
}

fn fault(syndrome: &Syndrome) -> MemoryFault {
    let cause = cause(field(syndrome.esr, 0, 6));
    let walk = bit(syndrome.esr, 7);
    // HPFAR_EL2 is written for these only; a permission fault leaves it unless a walk made it.
    let reported = match cause {
        Cause::Translation | Cause::AccessFlag | Cause::AddressSize => true,
        Cause::Permission => walk,
        Cause::External | Cause::Alignment | Cause::Other(_) => false,
    };
    // FIPA is bits 43:4 and stands for address bits 51:12.
    let page = (syndrome.hpfar & 0x0fff_ffff_fff0) << 8;
    let offset = if walk { 0 } else { syndrome.far & 0xfff };
    MemoryFault {
        ipa: reported.then(|| Ipa::new(page | offset)),
        va: syndrome.far,
        cause,
        walk,
    }
}

/// Reads a fault status code (ISS.DFSC, ISS.IFSC).
const fn cause(code: u8) -> Cause {
    match code {
        0x00..=0x03 | 0x29 => Cause::AddressSize,
        0x04..=0x07 | 0x2b => Cause::Translation,
        0x08..=0x0b => Cause::AccessFlag,
        0x0c..=0x0f => Cause::Permission,
        0x10 | 0x13..=0x17 => Cause::External,
        0x21 => Cause::Alignment,
        other => Cause::Other(other),
    }
}

#[cfg(test)]
mod tests;
