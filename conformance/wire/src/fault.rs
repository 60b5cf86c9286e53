//! Exceptions: their kind and address.

use core::fmt::{self, Write};

use crate::arch::Raw;
use crate::fields::Fields;

pub(crate) mod class;

pub use class::FaultClass;

/// An exception that an access or an instruction raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    raw: Raw,
    /// The address, or 0 if the CPU reports none: not an `Option`, because probes pass a fault on with each access.
    address: u64,
}

impl Fault {
    /// Makes a fault of what the CPU reports. Drops the address if the syndrome says that it is not valid.
    pub const fn new(raw: Raw, address: u64) -> Self {
        Self {
            raw,
            address: if raw.names_address() { address } else { 0 },
        }
    }

    /// Returns the kind of the exception.
    pub const fn class(&self) -> FaultClass {
        self.raw.class()
    }

    /// Returns the address for which the CPU reported the exception, if it reported one.
    pub const fn address(&self) -> Option<u64> {
        if self.raw.names_address() {
            Some(self.address)
        } else {
            None
        }
    }

    /// Returns the syndrome as the CPU reported it.
    pub const fn raw(&self) -> Raw {
        self.raw
    }

    pub(crate) fn write_body(&self, out: &mut impl Write) -> fmt::Result {
        self.raw.write_body(out)?;
        match self.address() {
            Some(address) => write!(out, " {address:x}"),
            None => out.write_str(" -"),
        }
    }

    pub(crate) fn read_body(fields: &mut Fields<'_>) -> Option<Self> {
        let raw = Raw::from_word(fields.word()?)?;
        let address = fields.optional()?;
        (raw.names_address() == address.is_some()).then(|| Self::new(raw, address.unwrap_or(0)))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.raw.show_fault(f, self.address())
    }
}
