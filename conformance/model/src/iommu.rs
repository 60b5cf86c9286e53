//! What the IOMMUs of a machine did, as evidence and reports tell it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Accesses of devices, put together from what QEMU traced and what event queues in memory hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IommuRecord {
    /// The accesses: what was let through untranslated first, what was translated last.
    pub rows: Vec<DeviceAccess>,
    /// Where the sources disagree, and why one may not tell everything.
    pub notes: Vec<String>,
}

/// An access of a device, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DeviceAccess {
    /// By what the IOMMU knows the device; empty where that is not told.
    pub stream: String,
    /// What became of it.
    pub fate: String,
    /// What it was: direction and address, as far as they are told.
    pub access: String,
    /// How often the trace tells of it.
    pub traced: u64,
    /// How often an event queue does.
    pub queued: u64,
}

impl DeviceAccess {
    /// Says what became of which access, without how often.
    pub fn line(&self) -> String {
        let stream = match self.stream.as_str() {
            "" => "some stream",
            stream => stream,
        };
        let space = if self.access.is_empty() { "" } else { " " };
        format!("{stream}{space}{}: {}", self.access, self.fate)
    }
}

impl fmt::Display for DeviceAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (traced, queued) = (self.traced, self.queued);
        write!(
            f,
            "{} ({traced} in the trace, {queued} in the event queue)",
            self.line()
        )
    }
}
