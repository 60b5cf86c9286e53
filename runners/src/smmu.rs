//! What the SMMUs of a machine did with the accesses of devices, as seen from outside: by QEMU's trace of them, and by
//! the records that lie in the memory of their event queues. Clauses are those of Arm IHI 0070.

use std::collections::HashMap;
use std::fmt;

use serde::{Serialize, Serializer};

pub(crate) mod queue;
pub(crate) mod trace;

/// Different accesses of which a [`Tally`] keeps count.
const DIFFERENT: usize = 4096;

/// Everything seen of the SMMUs in one run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Smmus {
    /// What QEMU traced, from the first instruction to the end.
    pub trace: Trace,
    /// What lay in each event queue at the end, in the order in which the request names the SMMUs.
    pub queues: Vec<Queue>,
}

/// What QEMU traced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Trace {
    /// The accesses.
    pub accesses: Tally,
    /// Why there may have been more; nothing where this is all.
    pub lost: Option<String>,
}

/// An event queue as it lay in memory at the end of a run (3.5). Its reader need not clear what it has read, so what was
/// read is usually still there, up to the size of the queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Queue {
    /// Address of the SMMU's registers.
    pub smmu: u64,
    /// Address of its first record.
    pub base: u64,
    /// How many records it has room for.
    pub slots: u64,
    /// Whether the SMMU writes events at all (CR0.EVENTQEN).
    pub on: bool,
    /// Whether events were lost for want of room since the reader last took notice (7.4).
    pub overflown: bool,
    /// The records.
    pub accesses: Tally,
    /// Why it was not read, or not all of it.
    pub unread: Option<String>,
}

/// Accesses with how often each was seen, in the order in which they first were.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Each different one.
    pub seen: Vec<Counted>,
    /// Accesses that are not among them, for want of room.
    pub more: u64,
}

/// An access and how often it was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// The access.
    #[serde(flatten)]
    pub access: Access,
    /// How often.
    pub count: u64,
}

/// An access of a device and what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Access {
    /// By what the SMMU knows the device, where that is told.
    pub stream: Option<u32>,
    /// What became of it.
    pub fate: Fate,
    /// The address as the device gave it, where that is told; of one that was translated, its page.
    pub address: Option<u64>,
    /// Whether it was a write, where that is told.
    pub write: Option<bool>,
}

/// What becomes of an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// Stopped, and recorded as this event.
    Recorded(Reason),
    /// Stopped for this reason, where that is told, and not recorded: the event queue is off, or the entry of the stream asks
    /// for silence (STE.S2R).
    Unrecorded(Option<Reason>),
    /// Stopped without a reason: the entry of the stream says abort, or the SMMU is off and stops everything (5.2, 6.3.14).
    Aborted,
    /// Let through to the same address of the host.
    Bypassed,
    /// Let through to this page of the host.
    Translated(u64),
}

/// Why an access is stopped: the number of the event (7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reason(pub u8);

impl Reason {
    /// Every event that the architecture names.
    pub const NAMED: [(Self, &'static str); 18] = [
        (Self(0x01), "F_UUT"),
        (Self(0x02), "C_BAD_STREAMID"),
        (Self(0x03), "F_STE_FETCH"),
        (Self(0x04), "C_BAD_STE"),
        (Self(0x05), "F_BAD_ATS_TREQ"),
        (Self(0x06), "F_STREAM_DISABLED"),
        (Self(0x07), "F_TRANSL_FORBIDDEN"),
        (Self(0x08), "C_BAD_SUBSTREAMID"),
        (Self(0x09), "F_CD_FETCH"),
        (Self(0x0a), "C_BAD_CD"),
        (Self(0x0b), "F_WALK_EABT"),
        (Self(0x10), "F_TRANSLATION"),
        (Self(0x11), "F_ADDR_SIZE"),
        (Self(0x12), "F_ACCESS"),
        (Self(0x13), "F_PERMISSION"),
        (Self(0x20), "F_TLB_CONFLICT"),
        (Self(0x21), "F_CFG_CONFLICT"),
        (Self(0x24), "E_PAGE_REQUEST"),
    ];

    /// Returns the reason of this name.
    pub fn named(name: &str) -> Option<Self> {
        let found = Self::NAMED.iter().find(|(_, known)| *known == name)?;
        Some(found.0)
    }

    /// Tells whether its record has the address of the access, and whether that was a write (7.3.12 to 7.3.16, 7.3.8).
    const fn tells_access(self) -> bool {
        matches!(self.0, 0x07 | 0x0b | 0x10..=0x13)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::NAMED.iter().find(|(reason, _)| reason == self) {
            Some((_, name)) => f.pad(name),
            None => write!(f, "event {:#04x}", self.0),
        }
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recorded(reason) => write!(f, "{reason}"),
            Self::Unrecorded(Some(reason)) => write!(f, "{reason}, not recorded"),
            Self::Unrecorded(None) => f.write_str("stopped, not recorded"),
            Self::Aborted => f.write_str("aborted"),
            Self::Bypassed => f.write_str("bypassed"),
            Self::Translated(to) => write!(f, "translated to {to:#x}"),
        }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.stream {
            Some(stream) => write!(f, "StreamID {stream:#x}")?,
            None => f.write_str("some stream")?,
        }
        write!(f, " {}", self.fate)?;
        match self.write {
            Some(true) => f.write_str(" write")?,
            Some(false) => f.write_str(" read")?,
            None => {}
        }
        match self.address {
            Some(address) => write!(f, " {address:#x}"),
            None => Ok(()),
        }
    }
}

impl Tally {
    /// Counts the accesses that `is` picks.
    pub fn count(&self, mut is: impl FnMut(&Access) -> bool) -> u64 {
        let picked = self.seen.iter().filter(|counted| is(&counted.access));
        picked.map(|counted| counted.count).sum()
    }
}

impl Extend<Access> for Tally {
    fn extend<I: IntoIterator<Item = Access>>(&mut self, accesses: I) {
        let known = self.seen.iter().zip(0..);
        let mut known: HashMap<Access, usize> = known
            .map(|(counted, place)| (counted.access, place))
            .collect();
        for access in accesses {
            if let Some(place) = known.get(&access) {
                let counted = self.seen.get_mut(*place);
                counted.into_iter().for_each(|counted| counted.count += 1);
            } else if self.seen.len() < DIFFERENT {
                known.insert(access, self.seen.len());
                self.seen.push(Counted { access, count: 1 });
            } else {
                self.more += 1;
            }
        }
    }
}
