//! What the IOMMUs of a machine did with the accesses of devices, as seen from outside: from QEMU's trace, and from the
//! event queues in memory.
//!
//! Each [`Model`], in its architecture's folder, knows the form of its trace and of its records.

use std::collections::HashMap;
use std::fmt;

use queue::{Read, Ring};
use serde::{Serialize, Serializer};
use trace::Lines;

pub(crate) mod queue;
pub(crate) mod trace;

/// How many different accesses a [`Tally`] keeps.
const DIFFERENT: usize = 4096;

/// A model of IOMMU whose activity can be seen from outside.
pub(crate) trait Model: fmt::Debug + Sync {
    /// Tells whether a device-tree node with these `compatible` strings describes this model.
    fn described_as(&self, compatible: &[&str]) -> bool;

    /// Lists the events that the model names.
    fn reasons(&self) -> &'static [Reason];

    /// Lists the events that QEMU must trace.
    fn trace_events(&self) -> &'static [&'static str];

    /// Starts to read a trace.
    fn trace(&self) -> Box<dyn Lines>;

    /// Finds the event queue of the IOMMU whose registers begin at `registers`.
    fn ring(&self, registers: u64, read: &mut Read<'_>) -> Result<Ring, String>;

    /// Returns the size of a record of the event queue in bytes.
    fn record_bytes(&self) -> usize;

    /// Decodes a record; returns nothing for a slot that was never written. Total.
    fn decode(&self, record: &[u8]) -> Option<Access>;
}

/// An IOMMU of a machine that the suite observes.
#[derive(Clone, Copy, Debug)]
pub struct Iommu {
    /// Address of its registers.
    pub registers: u64,
    pub(crate) model: &'static dyn Model,
}

/// Everything that was observed of the IOMMUs in one run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Iommus {
    /// QEMU's trace, from the first instruction to the end.
    pub trace: Trace,
    /// The content of each event queue at the end, in the order of the request's IOMMUs.
    pub queues: Vec<Queue>,
}

/// QEMU's trace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Trace {
    /// The accesses.
    pub accesses: Tally,
    /// Why accesses may be missing; nothing if this is all.
    pub lost: Option<String>,
}

/// The content of an event queue at the end of a run. A reader of the queue need not clear records, so records that
/// were read are usually still there, up to the size of the queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Queue {
    /// Address of the IOMMU's registers.
    pub iommu: u64,
    /// Address of its first record.
    pub base: u64,
    /// How many records it has room for.
    pub slots: u64,
    /// Whether the IOMMU writes events.
    pub on: bool,
    /// Whether events were lost because the queue was full, and software has not acknowledged it.
    pub overflown: bool,
    /// The records.
    pub accesses: Tally,
    /// Why the queue was not read completely.
    pub unread: Option<String>,
}

/// Different accesses with how often each was seen, in the order of their first occurrence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Each different one.
    pub seen: Vec<Counted>,
    /// How many further accesses were not kept because the list was full.
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

/// An access of a device and its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Access {
    /// The number by which the IOMMU knows the device, where it is known.
    pub stream: Option<u32>,
    /// The result.
    pub fate: AccessFate,
    /// The address as the device gave it, where it is known; of a translated access, its page.
    pub address: Option<u64>,
    /// Whether it was a write, where that is known.
    pub write: Option<bool>,
}

/// The result of an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccessFate {
    /// Stopped, and recorded as this event.
    Recorded(Reason),
    /// Stopped for this reason, where it is known, and not recorded: the event queue is off, or the stream's entry
    /// suppresses events.
    Unrecorded(Option<Reason>),
    /// Stopped without a reason: the stream's entry says abort, or the IOMMU is off and aborts everything.
    Aborted,
    /// Let through untranslated.
    Bypassed,
    /// Let through to this host-physical page.
    Translated(u64),
}

/// Why an access is stopped: an event, by the model's number and name for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reason {
    number: u8,
    name: Option<&'static str>,
}

impl Reason {
    /// Creates the reason for an event. An event that the model does not name has only its number.
    pub const fn new(number: u8, name: Option<&'static str>) -> Self {
        Self { number, name }
    }

    /// Returns its number.
    pub const fn number(self) -> u8 {
        self.number
    }

    /// Returns its name, if it has one.
    pub const fn name(self) -> Option<&'static str> {
        self.name
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name {
            Some(name) => f.pad(name),
            None => write!(f, "event {:#04x}", self.number),
        }
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for AccessFate {
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
            Some(stream) => write!(f, "device {stream:#x}")?,
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
