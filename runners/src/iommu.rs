//! What the IOMMUs of a machine did with the accesses of devices, as seen from outside: by QEMU's trace of them, and by
//! the records that lie in the memory of their event queues.
//!
//! How a model writes its trace and its records, its [`Model`] knows, in the room of its architecture.

use std::collections::HashMap;
use std::fmt;

use serde::{Serialize, Serializer};

use crate::arch;
use queue::{Read, Ring};
use trace::Lines;

pub(crate) mod queue;
pub(crate) mod trace;

/// Different accesses of which a [`Tally`] keeps count.
const DIFFERENT: usize = 4096;

/// A model of IOMMU, as far as its doings are seen from outside.
pub(crate) trait Model: fmt::Debug + Sync {
    /// Tells whether a node of a device tree that is `compatible` with these describes it.
    fn described_as(&self, compatible: &[&str]) -> bool;

    /// Lists the events that it names.
    fn reasons(&self) -> &'static [Reason];

    /// Lists what QEMU must trace for its doings to be told.
    fn trace_events(&self) -> &'static [&'static str];

    /// Begins to read a trace.
    fn trace(&self) -> Box<dyn Lines>;

    /// Finds the event queue of the one whose registers begin at `registers`.
    fn ring(&self, registers: u64, read: &mut Read<'_>) -> Result<Ring, String>;

    /// Returns the size of a record of the event queue in bytes.
    fn record_bytes(&self) -> usize;

    /// Decodes a record; nothing where none was ever written. Total.
    fn decode(&self, record: &[u8]) -> Option<Access>;
}

/// An IOMMU of a machine, whose doings are followed.
#[derive(Clone, Copy, Debug)]
pub struct Iommu {
    /// Address of its registers.
    pub registers: u64,
    pub(crate) model: &'static dyn Model,
}

impl Iommu {
    /// Returns the one that a node of a device tree describes, if it is of a model whose doings can be followed.
    pub fn described(compatible: &[&str], registers: u64) -> Option<Self> {
        let model = arch::iommus().find(|model| model.described_as(compatible))?;
        Some(Self { registers, model })
    }
}

/// Everything seen of the IOMMUs in one run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Iommus {
    /// What QEMU traced, from the first instruction to the end.
    pub trace: Trace,
    /// What lay in each event queue at the end, in the order in which the request names the IOMMUs.
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

/// An event queue as it lay in memory at the end of a run. Its reader need not clear what it has read, so what was
/// read is usually still there, up to the size of the queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Queue {
    /// Address of the IOMMU's registers.
    pub iommu: u64,
    /// Address of its first record.
    pub base: u64,
    /// How many records it has room for.
    pub slots: u64,
    /// Whether the IOMMU writes events at all.
    pub on: bool,
    /// Whether events were lost for want of room since the reader last took notice.
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
    /// By what the IOMMU knows the device, where that is told.
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
    /// for silence.
    Unrecorded(Option<Reason>),
    /// Stopped without a reason: the entry of the stream says abort, or the IOMMU is off and stops everything.
    Aborted,
    /// Let through to the same address of the host.
    Bypassed,
    /// Let through to this page of the host.
    Translated(u64),
}

/// Why an access is stopped: an event, by the number and the name that the model of IOMMU has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reason {
    number: u8,
    name: Option<&'static str>,
}

impl Reason {
    /// Makes the reason of an event; one that the model does not name has its number alone.
    pub const fn new(number: u8, name: Option<&'static str>) -> Self {
        Self { number, name }
    }

    /// Returns its number.
    pub const fn number(self) -> u8 {
        self.number
    }

    /// Returns its name, where it has one.
    pub const fn name(self) -> Option<&'static str> {
        self.name
    }

    /// Returns the reason that any model has under this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|reason| reason.name == Some(name))
    }

    /// Lists the names of all events of all models.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::all().filter_map(|reason| reason.name)
    }

    fn all() -> impl Iterator<Item = Self> {
        arch::iommus().flat_map(|model| model.reasons()).copied()
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
