//! Decodes ESR_EL1 (Arm ARM D24.2.40).

use core::fmt::{self, Write};

use crate::fault::class::FaultClass;
use crate::number;

/// The vector through which an exception was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vector {
    /// Synchronous exception.
    Sync,
    /// Interrupt.
    Irq,
    /// Fast interrupt.
    Fiq,
    /// SError interrupt.
    Serror,
}

/// An exception's ESR_EL1, and the vector in the two highest bits, which ESR_EL1 leaves 0.
///
/// It is one number because a probe passes it on with each access and its image must stay small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Syndrome(u64);

const VECTOR: u32 = 62;

/// How a sweep without exceptions is shown.
pub const NO_SYNDROME: &str = " esr=-";

/// Exception classes (ESR_EL1.EC).
const UNKNOWN: u64 = 0x00;
const TRAPPED_REGISTER: u64 = 0x18;
const FETCH_LOWER: u64 = 0x20;
const FETCH: u64 = 0x21;
const PC_ALIGNMENT: u64 = 0x22;
const DATA_LOWER: u64 = 0x24;
const DATA: u64 = 0x25;
const SP_ALIGNMENT: u64 = 0x26;
const SERROR: u64 = 0x2f;

/// FAR_EL1 is not valid (ISS.FnV of an abort).
const NO_FAR: u64 = 1 << 10;

impl Syndrome {
    /// Makes the syndrome of an exception that was taken through `vector`.
    pub const fn new(vector: Vector, esr: u64) -> Self {
        let number = match vector {
            Vector::Sync => 0,
            Vector::Irq => 1,
            Vector::Fiq => 2,
            Vector::Serror => 3,
        };
        Self(number << VECTOR | esr & !(0b11 << VECTOR))
    }

    /// Makes the syndrome of an exception whose vector follows from its class.
    pub const fn of(esr: u64) -> Self {
        let vector = if class_of(esr) == SERROR {
            Vector::Serror
        } else {
            Vector::Sync
        };
        Self::new(vector, esr)
    }

    /// Returns ESR_EL1.
    pub const fn esr(self) -> u64 {
        self.0 & !(0b11 << VECTOR)
    }

    /// Returns the vector.
    pub const fn vector(self) -> Vector {
        match self.0 >> VECTOR {
            0 => Vector::Sync,
            1 => Vector::Irq,
            2 => Vector::Fiq,
            _ => Vector::Serror,
        }
    }

    /// Returns the kind of the exception, from exception class and fault status.
    pub const fn class(self) -> FaultClass {
        match (self.vector(), class_of(self.0)) {
            (Vector::Irq | Vector::Fiq | Vector::Serror, _) => FaultClass::Asynchronous,
            (Vector::Sync, FETCH_LOWER | FETCH | DATA_LOWER | DATA) => match self.0 & 0x3f {
                // Address size and translation faults, at each level.
                0x00..=0x07 => FaultClass::Unmapped,
                // Access flag and permission faults.
                0x08..=0x0f => FaultClass::Permission,
                // Synchronous external aborts, on the access itself and on a walk.
                0x10 | 0x14..=0x17 => FaultClass::External,
                0x21 => FaultClass::Alignment,
                _ => FaultClass::Other,
            },
            (Vector::Sync, PC_ALIGNMENT | SP_ALIGNMENT) => FaultClass::Alignment,
            (Vector::Sync, UNKNOWN | TRAPPED_REGISTER) => FaultClass::Undefined,
            (Vector::Sync, _) => FaultClass::Other,
        }
    }

    /// Tells whether FAR_EL1 holds this exception's address. Otherwise it holds an earlier one's, or is unknown.
    pub(crate) const fn names_address(self) -> bool {
        match (self.vector(), class_of(self.0)) {
            (Vector::Sync, FETCH_LOWER | FETCH | DATA_LOWER | DATA) => self.0 & NO_FAR == 0,
            (Vector::Sync, PC_ALIGNMENT) => true,
            _ => false,
        }
    }

    pub(crate) fn write_body(self, out: &mut impl Write) -> fmt::Result {
        write!(out, "a{:x}", self.0)
    }

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        number::hex(word.strip_prefix('a')?).map(Self)
    }

    pub(crate) fn show_fault(
        self,
        f: &mut fmt::Formatter<'_>,
        address: Option<u64>,
    ) -> fmt::Result {
        match (self.vector(), address) {
            (Vector::Serror, _) => write!(f, "serror {self}"),
            (_, Some(address)) => write!(f, "fault {self} far={address:#x}"),
            (_, None) => write!(f, "fault {self} far=-"),
        }
    }

    pub(crate) fn show_unexpected(
        self,
        f: &mut fmt::Formatter<'_>,
        address: Option<u64>,
        pc: u64,
    ) -> fmt::Result {
        let (vector, far) = (self.vector().name(), address.unwrap_or(0));
        write!(
            f,
            "unexpected {vector} exception {self} elr={pc:#x} far={far:#x}"
        )
    }
}

impl Vector {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Sync, Self::Irq, Self::Fiq, Self::Serror];

    const fn name(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Irq => "irq",
            Self::Fiq => "fiq",
            Self::Serror => "serror",
        }
    }
}

impl fmt::Display for Syndrome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "esr={:#x}", self.esr())
    }
}

const fn class_of(esr: u64) -> u64 {
    esr >> 26 & 0x3f
}

#[cfg(test)]
mod tests {
    use super::{Syndrome, Vector};
    use crate::arch::Raw;
    use crate::fault::{Fault, FaultClass};

    #[track_caller]
    fn check(esr: u64, class: FaultClass, address: Option<u64>) {
        let fault = Fault::new(Raw::Aarch64(Syndrome::of(esr)), 0x1000);
        assert_eq!((fault.class(), fault.address()), (class, address));
    }

    /// Exception class and fault status determine the kind, and whether FAR belongs to this exception.
    #[test]
    fn syndromes_are_decoded() {
        let at = Some(0x1000);
        check(0x9600_0010, FaultClass::External, at);
        check(0x9600_0410, FaultClass::External, None);
        check(0x9600_0017, FaultClass::External, at);
        check(0x9600_0000, FaultClass::Unmapped, at);
        check(0x9600_0007, FaultClass::Unmapped, at);
        check(0x8600_0006, FaultClass::Unmapped, at);
        check(0x9200_0004, FaultClass::Unmapped, at);
        check(0x9600_000f, FaultClass::Permission, at);
        check(0x9600_0021, FaultClass::Alignment, at);
        check(0x9600_0018, FaultClass::Other, at);
        check(0x8a00_0000, FaultClass::Alignment, at);
        check(0x0200_0000, FaultClass::Undefined, None);
        // Only aborts have a fault status.
        check(0x0200_0021, FaultClass::Undefined, None);
        check(0x5a00_0000, FaultClass::Other, None);
        check(0xbe00_0000, FaultClass::Asynchronous, None);
    }

    /// At an interrupt ESR_EL1 still holds an earlier exception's syndrome.
    #[test]
    fn an_interrupt_has_no_syndrome_of_its_own() {
        let fault = Fault::new(
            Raw::Aarch64(Syndrome::new(Vector::Fiq, 0x9600_0010)),
            0x1000,
        );
        assert_eq!(fault.class(), FaultClass::Asynchronous);
        assert_eq!(fault.address(), None);
    }
}
