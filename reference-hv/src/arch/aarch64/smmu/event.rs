//! Events (7.3): what the SMMU reports about accesses that it stopped.

use core::fmt;

use crate::ids::SourceId;

/// Double words of an event.
pub const WORDS: usize = 4;
/// Bytes of an event.
pub const SIZE: u64 = 32;

/// Why an access was stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reason(pub u8);

/// The access that was stopped, where the event tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Access {
    /// The address as the device gave it.
    pub address: u64,
    /// Whether it was a read.
    pub read: bool,
    /// Whether it was the second stage that stopped it.
    pub second_stage: bool,
    /// What the SMMU was doing: fetching a context descriptor (0), walking tables (1), translating the
    /// device's own address (2).
    pub class: u8,
}

/// A report of the SMMU.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event {
    /// Why.
    pub reason: Reason,
    /// Whose access it was.
    pub stream: SourceId,
    /// What it was, in events that are about an access (7.3.12 to 7.3.16).
    pub access: Option<Access>,
}

impl Event {
    /// Reads an entry of the event queue. Total: what is unknown has a reason without a name.
    pub fn decode(words: [u64; WORDS]) -> Self {
        let [first, second, address, _] = words;
        let [kind, ..] = first.to_le_bytes();
        let [_, _, _, _, a, b, c, d] = first.to_le_bytes();
        let bit = |n: u32| second >> n & 1 != 0;
        let [_, _, _, _, _, class, ..] = second.to_le_bytes();
        let access = matches!(kind, 0x01 | 0x05 | 0x07 | 0x0b | 0x10..=0x13 | 0x20);
        Self {
            reason: Reason(kind),
            stream: SourceId(u32::from_le_bytes([a, b, c, d])),
            access: access.then_some(Access {
                address,
                read: bit(35),
                second_stage: bit(39),
                class: class & 3,
            }),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            0x01 => "F_UUT",
            0x02 => "C_BAD_STREAMID",
            0x03 => "F_STE_FETCH",
            0x04 => "C_BAD_STE",
            0x05 => "F_BAD_ATS_TREQ",
            0x06 => "F_STREAM_DISABLED",
            0x07 => "F_TRANSL_FORBIDDEN",
            0x08 => "C_BAD_SUBSTREAMID",
            0x09 => "F_CD_FETCH",
            0x0a => "C_BAD_CD",
            0x0b => "F_WALK_EABT",
            0x10 => "F_TRANSLATION",
            0x11 => "F_ADDR_SIZE",
            0x12 => "F_ACCESS",
            0x13 => "F_PERMISSION",
            0x20 => "F_TLB_CONFLICT",
            0x21 => "F_CFG_CONFLICT",
            0x24 => "E_PAGE_REQUEST",
            other => return write!(f, "event {other:#04x}"),
        })
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.read { "read" } else { "write" };
        write!(f, "{kind} at {:#x}", self.address)
    }
}
