//! What the IOMMUs of a machine did, for evidence and reports.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Accesses of devices, merged from QEMU's trace and the event queues in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IommuRecord {
    /// The accesses: those that bypassed the IOMMU first, those that were translated last.
    pub rows: Vec<DeviceAccess>,
    /// Where the sources disagree, and why one of them may be incomplete.
    pub notes: Vec<String>,
}

/// An access of a device and its result.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DeviceAccess {
    /// The IOMMU's number of the device; empty if the source does not have it.
    pub stream: String,
    /// The result of the access.
    pub fate: String,
    /// Direction and address of the access, as far as they are known.
    pub access: String,
    /// How often the trace has it.
    pub traced: u64,
    /// How often an event queue has it.
    pub queued: u64,
}

impl DeviceAccess {
    /// Shows the access and its result, without the counts.
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
